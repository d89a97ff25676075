#include "codec/json.h"

#include "base/limits.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *in(const struct json *v)
{
	return (const cJSON *)v;
}

static const struct json *out_of(const cJSON *c)
{
	return (const struct json *)c;
}

static cJSON *in_mutable(struct json *v)
{
	return (cJSON *)v;
}

/* ---- reading ---- */

int json_parse(struct str text, struct json **out, struct error *err)
{
	struct arena arena = {0};
	const struct json *tree;
	int rc = json_parse_in(&arena, text, &tree, err);
	struct json *copy = rc == 0 ? json_copy(tree) : NULL;
	arena_free(&arena);
	if (rc == 0 && copy == NULL)
		return error_nomem(err);
	if (rc == 0)
		*out = copy;
	return rc;
}

void json_free(struct json *tree)
{
	cJSON_Delete(in_mutable(tree));
}

enum json_kind json_kind(const struct json *v)
{
	if (v == NULL)
		return JSON_ABSENT;
	switch (in(v)->type & 0xFF) {
	case cJSON_False:
	case cJSON_True:
		return JSON_BOOL;
	case cJSON_NULL:
		return JSON_NULL;
	case cJSON_Raw:
		return in(v)->valuestring[0] == '"' ? JSON_STRING : JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_ABSENT;
	}
}

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_ABSENT] = "nothing",
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	return names[kind];
}

struct quote json_quote(const struct json *v)
{
	struct str text = json_string(v);
	if (text.p != NULL && !json_has_nul(v))
		return text_quote(text);
	/* Source text has quotes and escapes of its own. */
	text = text.p != NULL ? str_utf8_cut(text, LIMIT_QUOTE) : str_of(json_kind_name(json_kind(v)));
	struct quote q;
	memcpy(q.text, text.p, text.n);
	q.text[text.n] = '\0';
	return q;
}

struct str json_string(const struct json *v)
{
	return json_kind(v) == JSON_STRING ? str_of(in(v)->valuestring) : (struct str){NULL, 0};
}

bool json_has_nul(const struct json *v)
{
	return json_kind(v) == JSON_STRING && (in(v)->type & 0xFF) == cJSON_Raw;
}

struct str json_number(const struct json *v)
{
	return json_kind(v) == JSON_NUMBER ? str_of(in(v)->valuestring) : (struct str){NULL, 0};
}

bool json_is_true(const struct json *v)
{
	return v != NULL && cJSON_IsTrue(in(v));
}

bool json_is_empty(const struct json *v)
{
	switch (json_kind(v)) {
	case JSON_ABSENT:
	case JSON_NULL:
		return true;
	case JSON_STRING:
		return in(v)->valuestring[0] == '\0';
	case JSON_ARRAY:
	case JSON_OBJECT:
		return in(v)->child == NULL;
	case JSON_BOOL:
	case JSON_NUMBER:
	default:
		return false;
	}
}

const struct json *json_first(const struct json *v)
{
	return v != NULL ? out_of(in(v)->child) : NULL;
}

const struct json *json_next(const struct json *v)
{
	return out_of(in(v)->next);
}

struct str json_key(const struct json *member)
{
	return str_of(in(member)->string);
}

size_t json_count(const struct json *v)
{
	size_t n = 0;
	for (const struct json *e = json_first(v); e != NULL; e = json_next(e))
		n++;
	return n;
}

const struct json *json_get(const struct json *object, struct str key)
{
	if (json_kind(object) != JSON_OBJECT)
		return NULL;
	for (const struct json *m = json_first(object); m != NULL; m = json_next(m))
		if (str_eq(json_key(m), key))
			return m;
	return NULL;
}

const struct json *json_getz(const struct json *object, const char *key)
{
	return json_get(object, str_of(key));
}

const struct json *json_path(const struct json *v, ...)
{
	va_list keys;
	va_start(keys, v);
	for (const char *key; (key = va_arg(keys, const char *)) != NULL;)
		v = json_getz(v, key);
	va_end(keys);
	return v;
}

const struct json *json_at(const struct json *array, size_t index)
{
	if (json_kind(array) != JSON_ARRAY)
		return NULL;
	const struct json *e = json_first(array);
	while (e != NULL && index-- > 0)
		e = json_next(e);
	return e;
}

static bool equal_objects(const struct json *a, const struct json *b)
{
	size_t count = json_count(a);
	if (count != json_count(b))
		return false;
	const struct json *beside = json_first(b);
	for (const struct json *m = json_first(a); m != NULL; m = json_next(m), beside = json_next(beside)) {
		const struct json *other = beside;
		if (!str_eq(json_key(m), json_key(other)))
			other = count <= LIMIT_EQUAL_MEMBERS ? json_get(b, json_key(m)) : NULL;
		if (other == NULL || !json_equal(m, other))
			return false;
	}
	return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
	enum json_kind kind = json_kind(a);
	if (kind != json_kind(b))
		return false;
	switch (kind) {
	case JSON_BOOL:
		return json_is_true(a) == json_is_true(b);
	case JSON_NUMBER:
	case JSON_STRING:
		return strcmp(in(a)->valuestring, in(b)->valuestring) == 0;
	case JSON_ARRAY:
		a = json_first(a);
		b = json_first(b);
		while (a != NULL && b != NULL && json_equal(a, b)) {
			a = json_next(a);
			b = json_next(b);
		}
		return a == NULL && b == NULL;
	case JSON_OBJECT:
		return equal_objects(a, b);
	case JSON_ABSENT:
	case JSON_NULL:
	default:
		return true;
	}
}

/* ---- writing ---- */

void json_write_string(struct buf *out, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	buf_addc(out, '"');
	size_t from = 0;
	for (size_t i = 0; i < s.n; i++) {
		i += text_plain(str_from(s, i));
		unsigned char c = i < s.n ? (unsigned char)s.p[i] : ' ';
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, (struct str){s.p + from, i - from});
		from = i + 1;
		const char *at = strchr("\"\"\\\\\nn\tt\rr\bb\ff", c);
		char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		if (c != 0 && at != NULL)
			escape[1] = at[1];
		buf_add(out, (struct str){escape, c != 0 && at != NULL ? 2 : sizeof escape});
	}
	buf_add(out, str_from(s, from));
	buf_addc(out, '"');
}

void json_write(struct buf *out, const struct json *v)
{
	bool object = false;
	switch (json_kind(v)) {
	case JSON_BOOL:
		buf_addz(out, json_is_true(v) ? "true" : "false");
		return;
	case JSON_NUMBER:
		buf_addz(out, in(v)->valuestring);
		return;
	case JSON_STRING:
		if (cJSON_IsRaw(in(v)))
			buf_addz(out, in(v)->valuestring);
		else
			json_write_string(out, str_of(in(v)->valuestring));
		return;
	case JSON_OBJECT:
		object = true;
		break;
	case JSON_ARRAY:
		break;
	case JSON_ABSENT:
	case JSON_NULL:
	default:
		buf_addz(out, "null");
		return;
	}
	buf_addc(out, object ? '{' : '[');
	for (const struct json *e = json_first(v); e != NULL; e = json_next(e)) {
		if (e != json_first(v))
			buf_addc(out, ',');
		if (object) {
			json_write_string(out, json_key(e));
			buf_addc(out, ':');
		}
		json_write(out, e);
	}
	buf_addc(out, object ? '}' : ']');
}

/* ---- changing ---- */

struct json *json_copy(const struct json *v)
{
	return (struct json *)cJSON_Duplicate(in(v), 1);
}

struct json *json_get_mutable(struct json *object, struct str key)
{
	cJSON *m = json_kind(object) == JSON_OBJECT ? in_mutable(object)->child : NULL;
	while (m != NULL && !str_eqz(key, m->string))
		m = m->next;
	return (struct json *)m;
}

struct json *json_at_mutable(struct json *array, size_t index)
{
	cJSON *e = json_kind(array) == JSON_ARRAY ? in_mutable(array)->child : NULL;
	while (e != NULL && index-- > 0)
		e = e->next;
	return (struct json *)e;
}

int json_object_set(struct json *object, struct str key, struct json *value)
{
	struct json *old = json_get_mutable(object, key);
	char *name = strndup(key.p, key.n);
	if (name == NULL) {
		json_free(value);
		return ERR_NOMEM;
	}
	cJSON *v = in_mutable(value);
	free(v->string);
	v->string = name;
	if (old != NULL)
		cJSON_ReplaceItemViaPointer(in_mutable(object), in_mutable(old), v);
	else
		cJSON_AddItemToArray(in_mutable(object), v);
	return 0;
}

int json_array_insert(struct json *array, size_t index, struct json *value)
{
	cJSON *v = in_mutable(value);
	free(v->string);
	v->string = NULL;
	cJSON *behind = in_mutable(json_at_mutable(array, index));
	if (behind == NULL) {
		cJSON_AddItemToArray(in_mutable(array), v);
		return 0;
	}
	v->next = behind;
	v->prev = behind->prev;
	behind->prev = v;
	if (in(array)->child == behind)
		in_mutable(array)->child = v;
	else
		v->prev->next = v;
	return 0;
}

void json_replace(struct json *parent, struct json *old, struct json *value)
{
	cJSON *v = in_mutable(value);
	free(v->string);
	v->string = in_mutable(old)->string;
	in_mutable(old)->string = NULL;
	cJSON_ReplaceItemViaPointer(in_mutable(parent), in_mutable(old), v);
}

struct json *json_detach(struct json *parent, struct json *element)
{
	return (struct json *)cJSON_DetachItemViaPointer(in_mutable(parent), in_mutable(element));
}
