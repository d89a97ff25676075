#include "policy/plan/patch.h"

#include "base/limits.h"

void patch_init(struct patch *p, const struct arena *arena)
{
	*p = (struct patch){0};
	buf_init_in(&p->text, LIMIT_PATCH, arena);
}

void patch_free(struct patch *p)
{
	buf_free(&p->text);
}

static struct json_writer *begin(struct patch *p, const char *op, struct str pointer)
{
	p->writer.out = &p->text;
	if (p->count++ == 0)
		jw_array(&p->writer);
	jw_object(&p->writer);
	jw_memberz(&p->writer, "op", op);
	jw_member(&p->writer, "path", pointer);
	return &p->writer;
}

struct str patch_finish(struct patch *p)
{
	if (p->count == 0)
		return (struct str){NULL, 0};
	jw_array_end(&p->writer);
	return buf_str(&p->text);
}

static void with_value(struct patch *p, const char *op, struct str pointer, const struct json *value)
{
	struct json_writer *w = begin(p, op, pointer);
	jw_key(w, "value");
	jw_value(w, value);
	jw_object_end(w);
}

void patch_add(struct patch *p, struct str pointer, const struct json *value)
{
	with_value(p, "add", pointer, value);
}

void patch_replace(struct patch *p, struct str pointer, const struct json *value)
{
	with_value(p, "replace", pointer, value);
}

void patch_remove(struct patch *p, struct str pointer)
{
	jw_object_end(begin(p, "remove", pointer));
}

void patch_move(struct patch *p, struct str from, struct str pointer)
{
	struct json_writer *w = begin(p, "move", pointer);
	jw_member(w, "from", from);
	jw_object_end(w);
}

void patch_add_array(struct patch *p, struct str pointer, const struct json *const *values, size_t count)
{
	struct json_writer *w = begin(p, "add", pointer);
	jw_key(w, "value");
	jw_array(w);
	for (size_t i = 0; i < count; i++)
		jw_value(w, values[i]);
	jw_array_end(w);
	jw_object_end(w);
}

void patch_add_string(struct patch *p, struct str pointer, struct str value, bool exists)
{
	struct json_writer *w = begin(p, exists ? "replace" : "add", pointer);
	jw_member(w, "value", value);
	jw_object_end(w);
}
