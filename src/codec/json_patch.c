#include "codec/json_patch.h"

#include <string.h>

/* How much of a path an error repeats; the paths of workloads are shorter. */
#define PATH_SHOWN 200

/* The operation at work. `root` belongs to json_patch_apply. */
struct operation {
	struct json **root;
	const struct json *source; /* its object in the patch */
	size_t index;
	struct str op, path;
	struct arena *arena; /* for one operation */
	struct error *err;
};

/* Where a path leads: a step from a parent. Without a parent it is the whole document. */
struct target {
	struct json *parent;
	struct str token;
	struct json *value; /* what is there; NULL when nothing is */
};

__attribute__((format(printf, 2, 3)))
static int fail(const struct operation *o, const char *format, ...)
{
	struct error why;
	va_list args;
	va_start(args, format);
	error_setv(&why, ERR_INVALID, format, args);
	va_end(args);
	struct str path = str_utf8_cut(o->path, PATH_SHOWN);
	return error_set(o->err, ERR_INVALID, "patch[%zu]%s%.*s%s%.*s: %s", o->index, o->op.n > 0 ? " " : "",
			 STR_ARG(o->op), path.n > 0 ? " " : "", STR_ARG(path), why.text);
}

/* ---- places ---- */

static struct json *step(struct json *parent, struct str token)
{
	const struct json *found = json_pointer_step(parent, token);
	if (found == NULL)
		return NULL;
	size_t index;
	if (json_kind(parent) == JSON_ARRAY)
		return json_pointer_to_index(token, &index) ? json_at_mutable(parent, index) : NULL;
	return json_get_mutable(parent, json_key(found));
}

/* Follows `path` to the parent of its last step, which must be there and have elements. */
static int locate(const struct operation *o, struct str path, struct target *out)
{
	if (!json_pointer_is_valid(path))
		return fail(o, "\"%.*s\" is not a JSON Pointer; it begins with / and has ~0 for ~, ~1 for /",
			    STR_ARG(str_utf8_cut(path, PATH_SHOWN)));
	if (path.n == 0) {
		*out = (struct target){NULL, path, *o->root};
		return 0;
	}
	size_t last = str_rfind(path, '/');
	struct str rest = str_from((struct str){path.p, last}, 1), token;
	struct json *parent = *o->root;
	while (last > 0 && parent != NULL && str_split(&rest, '/', &token))
		parent = step(parent, token);
	struct str above = str_utf8_cut((struct str){path.p, last}, PATH_SHOWN);
	if (parent == NULL)
		return fail(o, "nothing is at %.*s", STR_ARG(above));
	if (json_kind(parent) != JSON_OBJECT && json_kind(parent) != JSON_ARRAY)
		return fail(o, "%.*s is %s, which holds no other values", STR_ARG(last > 0 ? above : STR("the document")),
			    json_kind_name(json_kind(parent)));
	token = str_from(path, last + 1);
	*out = (struct target){parent, token, step(parent, token)};
	return 0;
}

/* locate for a value that must be there. */
static int find(const struct operation *o, struct str path, struct target *out)
{
	struct target t;
	int rc = locate(o, path, &t);
	if (rc != 0)
		return rc;
	if (t.value == NULL)
		return fail(o, "nothing is at %.*s", STR_ARG(str_utf8_cut(path, PATH_SHOWN)));
	*out = t;
	return 0;
}

/* Adds `value`, which it owns, at the operation's path. */
static int put(const struct operation *o, struct json *value)
{
	struct target t;
	size_t index, count;
	int rc = locate(o, o->path, &t);
	if (rc != 0) {
		json_free(value);
		return rc;
	}
	if (t.parent == NULL) {
		json_free(*o->root);
		*o->root = value;
		return 0;
	}
	if (json_kind(t.parent) == JSON_OBJECT) {
		struct str key = json_pointer_to_key(o->arena, t.token);
		if (key.p == NULL) {
			json_free(value);
			return error_nomem(o->err);
		}
		return json_object_set(t.parent, key, value) == 0 ? 0 : error_nomem(o->err);
	}
	count = json_count(t.parent);
	if (str_eqz(t.token, "-")) {
		index = count;
	} else if (!json_pointer_to_index(t.token, &index) || index > count) {
		json_free(value);
		return fail(o, "the array has %zu elements; a place in it is 0 to %zu, or - for its end", count, count);
	}
	return json_array_insert(t.parent, index, value) == 0 ? 0 : error_nomem(o->err);
}

/* ---- operations ---- */

/* A copy of the operation's `value`. */
static int copy_value(const struct operation *o, struct json **out)
{
	const struct json *value = json_getz(o->source, "value");
	if (value == NULL)
		return fail(o, "it has no \"value\"");
	struct json *copy = json_copy(value);
	if (copy == NULL)
		return error_nomem(o->err);
	*out = copy;
	return 0;
}

static int apply_add(const struct operation *o)
{
	struct json *value;
	int rc = copy_value(o, &value);
	return rc != 0 ? rc : put(o, value);
}

static int apply_remove(const struct operation *o)
{
	struct target t;
	int rc = find(o, o->path, &t);
	if (rc != 0)
		return rc;
	if (t.parent == NULL)
		return fail(o, "the whole document cannot be removed");
	json_free(json_detach(t.parent, t.value));
	return 0;
}

static int apply_replace(const struct operation *o)
{
	struct target t;
	struct json *value;
	int rc = find(o, o->path, &t);
	if (rc == 0)
		rc = copy_value(o, &value);
	if (rc != 0)
		return rc;
	if (t.parent == NULL) {
		json_free(*o->root);
		*o->root = value;
	} else {
		json_replace(t.parent, t.value, value);
	}
	return 0;
}

static int read_from(const struct operation *o, struct str *path, struct target *out)
{
	struct str from = json_string(json_getz(o->source, "from"));
	if (from.p == NULL)
		return fail(o, "it has no \"from\" that is a string");
	*path = from;
	return find(o, from, out);
}

static int apply_move(const struct operation *o)
{
	struct target t;
	struct str from;
	int rc = read_from(o, &from, &t);
	if (rc != 0 || str_eq(from, o->path))
		return rc;
	if (str_starts(o->path, from) && o->path.p[from.n] == '/')
		return fail(o, "%.*s cannot move into itself",
			    STR_ARG(from.n > 0 ? str_utf8_cut(from, PATH_SHOWN) : STR("the document")));
	return put(o, json_detach(t.parent, t.value));
}

static int apply_copy(const struct operation *o)
{
	struct target t;
	struct str from;
	int rc = read_from(o, &from, &t);
	if (rc != 0)
		return rc;
	struct json *copy = json_copy(t.value);
	return copy != NULL ? put(o, copy) : error_nomem(o->err);
}

static int apply_test(const struct operation *o)
{
	struct target t;
	const struct json *expected = json_getz(o->source, "value");
	int rc = find(o, o->path, &t);
	if (rc != 0)
		return rc;
	if (expected == NULL)
		return fail(o, "it has no \"value\"");
	return json_equal(t.value, expected) ? 0 : fail(o, "the value there is another one");
}

static const struct {
	const char *name;
	int (*apply)(const struct operation *o);
} operations[] = {
	{"add", apply_add},   {"remove", apply_remove}, {"replace", apply_replace},
	{"move", apply_move}, {"copy", apply_copy},     {"test", apply_test},
};

static int apply(struct operation *o)
{
	o->op = json_string(json_getz(o->source, "op"));
	if (json_kind(o->source) != JSON_OBJECT || o->op.p == NULL)
		return fail(o, "an operation is an object with \"op\", \"path\" and what the operation needs");
	o->path = json_string(json_getz(o->source, "path"));
	if (o->path.p == NULL)
		return fail(o, "it has no \"path\" that is a string");
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
		if (str_eqz(o->op, operations[i].name))
			return operations[i].apply(o);
	return fail(o, "unknown operation; known are add, remove, replace, move, copy, test");
}

int json_patch_apply(struct json **document, const struct json *patch, struct error *err)
{
	if (json_kind(patch) != JSON_ARRAY)
		return error_set(err, ERR_INVALID, "the patch is %s; a JSON Patch is an array",
				 json_kind_name(json_kind(patch)));
	struct json *root = json_copy(*document);
	if (root == NULL)
		return error_nomem(err);
	struct arena arena = {0};
	struct operation o = {.root = &root, .arena = &arena, .err = err};
	int rc = 0;
	for (const struct json *e = json_first(patch); e != NULL && rc == 0; e = json_next(e), o.index++) {
		o.source = e;
		o.op = o.path = (struct str){NULL, 0};
		rc = apply(&o);
		arena_free(&arena);
	}
	struct json *loser = rc == 0 ? *document : root;
	if (rc == 0)
		*document = root;
	json_free(loser);
	return rc;
}
