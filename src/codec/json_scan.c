#include "codec/json_scan.h"

#include "base/limits.h"

#include <string.h>

struct scan {
	struct arena *arena;
	const char *begin, *at, *end;
	size_t values; /* begun so far */
	struct json_exact *exact;
	struct error *err;
};

static int fail(const struct scan *s, const char *at, const char *what)
{
	size_t line = 1, column = 1;
	for (const char *p = s->begin; p < at; p++) {
		column++;
		if (*p == '\n') {
			line++;
			column = 1;
		}
	}
	return error_set(s->err, ERR_INVALID, "malformed JSON at line %zu, column %zu: %s", line, column, what);
}

static int keep(struct scan *s, const char *from)
{
	struct json_exact *e = s->exact;
	struct json_exact_item *items = arena_grow(s->arena, e->items, e->count, &e->capacity, sizeof *items);
	if (items == NULL)
		return error_nomem(s->err);
	items[e->count++] = (struct json_exact_item){s->values - 1, {from, (size_t)(s->at - from)}};
	e->items = items;
	return 0;
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static void skip_digits(struct scan *s)
{
	while (is_digit(s))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int scan_number(struct scan *s)
{
	const char *from = s->at;
	(void)take(s, '-');
	if (!is_digit(s))
		return fail(s, s->at, "a digit is missing in a number");
	if (take(s, '0')) {
		if (is_digit(s))
			return fail(s, from, "a number begins with a superfluous 0");
	}
	skip_digits(s);
	if (take(s, '.')) {
		if (!is_digit(s))
			return fail(s, s->at, "a digit is missing behind the decimal point");
		skip_digits(s);
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		if (!take(s, '+'))
			(void)take(s, '-');
		if (!is_digit(s))
			return fail(s, s->at, "a digit is missing in the exponent");
		skip_digits(s);
	}
	if ((size_t)(s->at - from) > LIMIT_JSON_NUMBER)
		return fail(s, from, "a number is longer than 63 characters");
	return keep(s, from);
}

/* The four digits behind \u as a number; -1 when they are not hexadecimal. */
static int hex4(const char *p, const char *end)
{
	int value = 0;
	for (int i = 0; i < 4; i++, p++) {
		if (p >= end)
			return -1;
		int digit = *p >= '0' && *p <= '9'   ? *p - '0'
			    : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10
			    : *p >= 'A' && *p <= 'F' ? *p - 'A' + 10
						     : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* The length of the UTF-8 character at `p` (RFC 3629, no overlong forms, no surrogates); 0 when there is none. */
static size_t utf8_length(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] < 0x80                   ? 1
		   : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
		   : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
		   : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
						 : 0;
	if (n == 0 || (size_t)(end - text) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
	    (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return n;
}

/* Behind a backslash. Tells in *nul whether it was \u0000. */
static int scan_escape(struct scan *s, bool *nul)
{
	const char *from = s->at - 1;
	if (s->at == s->end)
		return fail(s, from, "the text ends inside a string");
	char c = *s->at++;
	if (memchr("\"\\/bfnrt", c, 8) != NULL)
		return 0;
	if (c != 'u')
		return fail(s, from, "unknown escape in a string");
	int unit = hex4(s->at, s->end);
	if (unit < 0)
		return fail(s, from, "\\u needs four hexadecimal digits");
	s->at += 4;
	if (unit == 0)
		*nul = true;
	if (unit >= 0xDC00 && unit <= 0xDFFF)
		return fail(s, from, "the second half of a surrogate pair stands alone");
	if (unit >= 0xD800 && unit <= 0xDBFF) {
		int low = s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u' ? hex4(s->at + 2, s->end) : -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return fail(s, from, "the first half of a surrogate pair stands alone");
		s->at += 6;
	}
	return 0;
}

static int scan_string(struct scan *s, bool key)
{
	const char *from = s->at++;
	bool nul = false;
	for (;;) {
		if (s->at == s->end)
			return fail(s, from, "a string has no closing quote");
		unsigned char c = (unsigned char)*s->at;
		if (c == '"')
			break;
		if (c < 0x20)
			return fail(s, s->at, "a control character stands in a string; write it as an escape");
		if (c == '\\') {
			s->at++;
			int rc = scan_escape(s, &nul);
			if (rc != 0)
				return rc;
			continue;
		}
		size_t n = utf8_length(s->at, s->end);
		if (n == 0)
			return fail(s, s->at, "a string is not valid UTF-8");
		s->at += n;
	}
	s->at++;
	if (nul && key)
		return fail(s, from, "a key holds the character NUL (\\u0000)");
	return nul ? keep(s, from) : 0;
}

static int scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
		return fail(s, s->at, "expected a value: an object, an array, a string, a number, true, false or null");
	s->at += n;
	return 0;
}

static int scan_value(struct scan *s, unsigned depth);

static int scan_members(struct scan *s, unsigned depth)
{
	s->at++;
	skip_space(s);
	if (take(s, '}'))
		return 0;
	for (;;) {
		skip_space(s);
		if (s->at == s->end || *s->at != '"')
			return fail(s, s->at, "expected a key in quotes");
		int rc = scan_string(s, true);
		if (rc != 0)
			return rc;
		skip_space(s);
		if (!take(s, ':'))
			return fail(s, s->at, "expected : behind a key");
		rc = scan_value(s, depth);
		if (rc != 0)
			return rc;
		skip_space(s);
		if (take(s, '}'))
			return 0;
		if (!take(s, ','))
			return fail(s, s->at, "expected , or } in an object");
	}
}

static int scan_elements(struct scan *s, unsigned depth)
{
	s->at++;
	skip_space(s);
	if (take(s, ']'))
		return 0;
	for (;;) {
		int rc = scan_value(s, depth);
		if (rc != 0)
			return rc;
		skip_space(s);
		if (take(s, ']'))
			return 0;
		if (!take(s, ','))
			return fail(s, s->at, "expected , or ] in an array");
	}
}

/* Recursive; LIMIT_JSON_DEPTH bounds it. */
static int scan_value(struct scan *s, unsigned depth)
{
	skip_space(s);
	if (s->at == s->end)
		return fail(s, s->at, "the text ends where a value was expected");
	s->values++;
	char c = *s->at;
	if (c == '{' || c == '[') {
		if (depth >= LIMIT_JSON_DEPTH) {
			(void)fail(s, s->at, "nested more than 256 levels deep");
			return ERR_LIMIT;
		}
		return c == '{' ? scan_members(s, depth + 1) : scan_elements(s, depth + 1);
	}
	if (c == '"')
		return scan_string(s, false);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s);
	return scan_word(s, c == 't' ? "true" : c == 'f' ? "false" : "null");
}

int json_scan(struct arena *arena, struct str text, struct json_exact *exact, struct error *err)
{
	struct json_exact found = {0};
	struct scan s = {arena, text.p, text.p, text.p + text.n, 0, &found, err};
	if (str_trim(text).n == 0)
		return error_set(err, ERR_INVALID, "malformed JSON: the text is empty");
	int rc = scan_value(&s, 0);
	if (rc != 0)
		return rc;
	skip_space(&s);
	if (s.at != s.end)
		return fail(&s, s.at, "text stands behind the end of the JSON value");
	*exact = found;
	return 0;
}
