/* Nodes, once they are read: what they are called, how they are found, what they are in JSON. */
#include "codec/yaml.h"

#include "base/limits.h"
#include "codec/json.h"
#include "codec/yaml_parts.h"

void yaml_to_json(struct buf *out, const struct yaml_node *node)
{
	bool mapping = node->kind == YAML_MAPPING;
	if (node->kind == YAML_STRING) {
		json_write_string(out, node->text);
	} else if (mapping || node->kind == YAML_SEQUENCE) {
		buf_addc(out, mapping ? '{' : '[');
		for (const struct yaml_node *e = node->first; e != NULL && out->error == 0; e = e->next) {
			if (e != node->first)
				buf_addc(out, ',');
			if (mapping) {
				json_write_string(out, e->key);
				buf_addc(out, ':');
			}
			yaml_to_json(out, e);
		}
		buf_addc(out, mapping ? '}' : ']');
	} else {
		buf_add(out, node->text);
	}
}

const char *yaml_kind_name(enum yaml_kind kind)
{
	switch (kind) {
	case YAML_NULL:
		return "null";
	case YAML_BOOL:
		return "true or false";
	case YAML_INT:
		return "an integer";
	case YAML_FLOAT:
		return "a number";
	case YAML_STRING:
		return "a string";
	case YAML_SEQUENCE:
		return "a list";
	case YAML_MAPPING:
		return "a mapping";
	}
	return "something unknown";
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, struct str key)
{
	const struct yaml_node *e = mapping != NULL && mapping->kind == YAML_MAPPING ? mapping->first : NULL;
	while (e != NULL && !str_eq(e->key, key))
		e = e->next;
	return e;
}

int yaml_error_at(struct error *err, size_t line, size_t column, int code, const char *format, ...)
{
	struct error sentence;
	va_list args;
	va_start(args, format);
	error_setv(&sentence, code, format, args);
	va_end(args);
	return error_place(err, error_set(err, code, "%zu:%zu: %s", line, column, sentence.text), line, column);
}
