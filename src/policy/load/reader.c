#include "policy/load/reader.h"

#include "base/limits.h"
#include "base/meant.h"
#include "base/text.h"
#include "policy/config/template.h"

int reader_fail(struct loader *l, const struct yaml_node *at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct str text = arena_fmtv(l->arena, format, args);
	va_end(args);
	int code = error_set(l->err, ERR_INVALID, "%s:%zu:%zu: %.*s", l->source, at->line, at->column, STR_ARG(text));
	return error_place(l->err, code, at->line, at->column);
}

int reader_wrong_kind(struct loader *l, const struct yaml_node *v, const char *what, const char *expected)
{
	return reader_fail(l, v, "%s is %s; expected %s", what, yaml_kind_name(v->kind), expected);
}

/* "a, b, c" of a NULL-terminated list. */
static struct str listed(struct loader *l, const char *const *items)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	for (size_t i = 0; items[i] != NULL; i++)
		buf_fmt(&text, "%s%s", i > 0 ? ", " : "", items[i]);
	return buf_move(&text, l->arena);
}

/* Every key of the mapping is one of `allowed`. */
int reader_check_keys(struct loader *l, const struct yaml_node *mapping, const char *what, const char *const *allowed)
{
	if (mapping->kind != YAML_MAPPING)
		return reader_wrong_kind(l, mapping, what, "a mapping");
	for (const struct yaml_node *m = mapping->first; m != NULL; m = m->next) {
		size_t at = 0;
		while (allowed[at] != NULL && !str_eqz(m->key, allowed[at]))
			at++;
		if (allowed[at] != NULL)
			continue;
		struct meant meant = {.wrong = m->key};
		for (size_t i = 0; allowed[i] != NULL; i++)
			meant_offer(&meant, str_of(allowed[i]));
		struct yaml_node key = {.line = m->key_line, .column = m->key_column};
		return reader_fail(l, &key, "unknown key %s in %s; allowed: %.*s%.*s", text_quote(m->key).text, what,
				   STR_ARG(listed(l, allowed)), STR_ARG(meant_text(&meant, l->arena)));
	}
	return 0;
}

/* ---- scalars and lists: an absent key leaves *out as it is ---- */

int reader_string(struct loader *l, const struct yaml_node *mapping, const char *key, struct str *out)
{
	const struct yaml_node *v = yaml_get(mapping, str_of(key));
	if (v == NULL)
		return 0;
	if (v->kind != YAML_STRING)
		return reader_wrong_kind(l, v, key, "a string: put it in quotes");
	if (v->text.n == 0)
		return reader_fail(l, v, "%s is empty; write a value, or leave the key out", key);
	if (str_find(v->text, '\0') < v->text.n)
		return reader_fail(l, v, "%s is %s, with a NUL character; remove it", key, text_quote(v->text).text);
	*out = v->text;
	return 0;
}

int reader_required(struct loader *l, const struct yaml_node *mapping, const char *key, const char *what,
		    struct str *out)
{
	const struct yaml_node *v = yaml_get(mapping, str_of(key));
	int rc = reader_must_have(l, mapping, key, what);
	if (rc == 0 && v->kind == YAML_STRING && str_trim(v->text).n == 0)
		rc = reader_fail(l, v, "%s is empty; %s needs one", key, what);
	return rc == 0 ? reader_string(l, mapping, key, out) : rc;
}

int reader_bool(struct loader *l, const struct yaml_node *mapping, const char *key, bool *out)
{
	const struct yaml_node *v = yaml_get(mapping, str_of(key));
	if (v == NULL)
		return 0;
	if (v->kind != YAML_BOOL)
		return reader_wrong_kind(l, v, key, "true or false");
	*out = str_eqz(v->text, "true");
	return 0;
}

size_t reader_count(const struct yaml_node *v)
{
	size_t n = 0;
	for (const struct yaml_node *c = v->first; c != NULL; c = c->next)
		n++;
	return n;
}

/* The sequence at `key`; NULL when there is none. */
int reader_sequence(struct loader *l, const struct yaml_node *mapping, const char *key, const struct yaml_node **out)
{
	*out = yaml_get(mapping, str_of(key));
	return *out != NULL && (*out)->kind != YAML_SEQUENCE ? reader_wrong_kind(l, *out, key, "a list") : 0;
}

int reader_names_of(struct loader *l, const struct yaml_node *list, const char *what, const struct name_form *form,
		    struct names *out)
{
	struct str *items = arena_array(l->arena, reader_count(list), sizeof *items);
	size_t count = 0;
	if (items == NULL)
		return error_nomem(l->err);
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		if (c->kind != YAML_STRING)
			return reader_wrong_kind(l, c, what, "a list of strings: put them in quotes");
		if (c->text.n == 0)
			return reader_fail(l, c, "%s holds an empty string; remove it", what);
		if (str_find(c->text, '\0') < c->text.n)
			return reader_fail(l, c, "%s holds %s, with a NUL character; remove it", what,
					   text_quote(c->text).text);
		if (form != NULL && !form->valid(c->text))
			return reader_fail(l, c, "%s cannot stand in %s; expected %s", text_quote(c->text).text, what,
					   form->expected);
		items[count++] = c->text;
	}
	*out = (struct names){.items = items, .count = count};
	return names_index(l->arena, out) ? 0 : error_nomem(l->err);
}

int reader_names(struct loader *l, const struct yaml_node *mapping, const char *key, const struct name_form *form,
		 struct names *out)
{
	const struct yaml_node *list;
	int rc = reader_sequence(l, mapping, key, &list);
	return rc != 0 || list == NULL ? rc : reader_names_of(l, list, key, form, out);
}

/* A string at `key` that is a good template. */
int reader_template(struct loader *l, const struct yaml_node *mapping, const char *key, struct str *out)
{
	struct error why;
	int rc = reader_string(l, mapping, key, out);
	if (rc == 0 && out->p != NULL && template_check(*out, &why) != 0)
		return reader_fail(l, yaml_get(mapping, str_of(key)), "%s: %s", key, why.text);
	return rc;
}

int reader_must_have(struct loader *l, const struct yaml_node *mapping, const char *key, const char *what)
{
	return yaml_get(mapping, str_of(key)) != NULL ? 0 : reader_fail(l, mapping, "%s has no %s; add it", what, key);
}

/* Text that connhook has written from the YAML, as a tree. */
static int read_json(struct loader *l, const struct yaml_node *node, const struct json **out)
{
	struct buf text;
	buf_init(&text, LIMIT_CONFIG * 4);
	yaml_to_json(&text, node);
	int rc = text.error != 0 ? text.error : json_parse_in(l->arena, buf_str(&text), out, l->err);
	buf_free(&text);
	return rc;
}

int reader_labels(struct loader *l, const struct yaml_node *labels, const char *what, const struct name_form *values,
		  const struct json **out)
{
	if (labels->kind != YAML_MAPPING)
		return reader_wrong_kind(l, labels, what, "a mapping of labels to values");
	for (const struct yaml_node *m = labels->first; m != NULL; m = m->next) {
		struct yaml_node key = {.line = m->key_line, .column = m->key_column};
		if (!name_is_label_key(m->key))
			return reader_fail(l, &key, "%s cannot be the key of a label; expected at most 63 letters, digits, - _ and "
					   "dots, perhaps behind a DNS name and a slash",
				    text_quote(m->key).text);
		if (m->kind != YAML_STRING)
			return reader_wrong_kind(l, m, "a label's value", "a string: put it in quotes");
		if (!values->valid(m->text))
			return reader_fail(l, m, "%s cannot be the value of a label; expected %s", text_quote(m->text).text,
					   values->expected);
	}
	return read_json(l, labels, out);
}

int reader_exempt(struct loader *l, const struct yaml_node *mapping, struct config *c)
{
	static const char *const keys[] = {"namespaces", "users", "groups", NULL};
	const struct yaml_node *node = yaml_get(mapping, STR("exempt"));
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, "exempt", keys);
	if (rc == 0)
		rc = reader_names(l, node, "namespaces", &name_label_globs, &c->exempt_namespaces);
	if (rc == 0)
		rc = reader_names(l, node, "users", NULL, &c->exempt_users);
	if (rc == 0)
		rc = reader_names(l, node, "groups", NULL, &c->exempt_groups);
	return rc;
}
