#include "codec/json_pointer.h"

#include <stdint.h>

struct str json_pointer_join(struct arena *arena, struct str base, struct str token)
{
	size_t escapes = 0;
	for (size_t i = 0; i < token.n; i++)
		escapes += token.p[i] == '~' || token.p[i] == '/';
	char *text = arena_alloc(arena, base.n + 1 + token.n + escapes + 1);
	if (text == NULL)
		return (struct str){NULL, 0};
	size_t n = 0;
	for (size_t i = 0; i < base.n; i++)
		text[n++] = base.p[i];
	text[n++] = '/';
	for (size_t i = 0; i < token.n; i++) {
		bool escape = token.p[i] == '~' || token.p[i] == '/';
		if (escape)
			text[n++] = '~';
		text[n++] = !escape ? token.p[i] : token.p[i] == '~' ? '0' : '1';
	}
	return (struct str){text, n};
}

struct str json_pointer_index(struct arena *arena, struct str base, size_t index)
{
	return arena_fmt(arena, "%.*s/%zu", STR_ARG(base), index);
}

bool json_pointer_is_valid(struct str pointer)
{
	if (pointer.n > 0 && pointer.p[0] != '/')
		return false;
	for (size_t i = 0; i < pointer.n; i++)
		if (pointer.p[i] == '~' && (i + 1 == pointer.n || (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
			return false;
	return true;
}

/* Is the escaped step this key? */
static bool is_key(struct str token, struct str key)
{
	size_t k = 0;
	for (size_t i = 0; i < token.n; i++, k++) {
		char c = token.p[i];
		if (c == '~' && ++i < token.n)
			c = token.p[i] == '0' ? '~' : '/';
		if (k == key.n || key.p[k] != c)
			return false;
	}
	return k == key.n;
}

bool json_pointer_to_index(struct str token, size_t *index)
{
	if (token.n == 0 || (token.n > 1 && token.p[0] == '0'))
		return false;
	size_t value = 0;
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] < '0' || token.p[i] > '9' || value > (SIZE_MAX - 9) / 10)
			return false;
		value = value * 10 + (size_t)(token.p[i] - '0');
	}
	*index = value;
	return true;
}

struct str json_pointer_to_key(struct arena *arena, struct str token)
{
	char *text = arena_alloc(arena, token.n + 1);
	if (text == NULL)
		return (struct str){NULL, 0};
	size_t n = 0;
	for (size_t i = 0; i < token.n; i++) {
		char c = token.p[i];
		if (c == '~' && ++i < token.n)
			c = token.p[i] == '0' ? '~' : '/';
		text[n++] = c;
	}
	return (struct str){text, n};
}

const struct json *json_pointer_step(const struct json *parent, struct str token)
{
	size_t index;
	if (json_kind(parent) == JSON_ARRAY)
		return json_pointer_to_index(token, &index) ? json_at(parent, index) : NULL;
	if (json_kind(parent) != JSON_OBJECT)
		return NULL;
	const struct json *member = json_first(parent);
	while (member != NULL && !is_key(token, json_key(member)))
		member = json_next(member);
	return member;
}

const struct json *json_pointer_get(const struct json *root, struct str pointer)
{
	if (!json_pointer_is_valid(pointer))
		return NULL;
	if (pointer.n == 0)
		return root;
	struct str rest = str_from(pointer, 1), token;
	const struct json *v = root;
	while (v != NULL && str_split(&rest, '/', &token))
		v = json_pointer_step(v, token);
	return v;
}
