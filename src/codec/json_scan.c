#include "codec/json_scan.h"

#include "base/limits.h"
#include "base/text.h"

#include <string.h>

/* What a value takes in cJSON's tree, and a text, with what the allocator adds. */
#define NODE_BYTES 80
#define TEXT_BYTES(n) ((n) < 24 ? 32 : (n) + 32)

struct scan {
	struct arena *arena;
	const char *begin, *at, *end;
	size_t values; /* begun so far */
	struct budget *budget;    /* NULL: none */
	struct json_exact *exact; /* NULL: nothing is kept */
	struct json_cut *cut;     /* NULL: nothing is looked for */
	bool in_outer;
	struct error *err;
};

/* Sets the error for the place of `at`; a column is a character. */
static int fail(const struct scan *s, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(const struct scan *s, const char *at, const char *format, ...)
{
	size_t line = 1, column = 1;
	for (const char *p = s->begin; p < at; p++) {
		column += ((unsigned char)*p & 0xC0) != 0x80;
		if (*p == '\n') {
			line++;
			column = 1;
		}
	}
	struct error what;
	va_list args;
	va_start(args, format);
	error_setv(&what, ERR_INVALID, format, args);
	va_end(args);
	return error_set(s->err, ERR_INVALID, "malformed JSON at line %zu, column %zu: %s", line, column, what.text);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "found X; expected WHAT", where X is the word or character at `s->at`. */
static int fail_found(const struct scan *s, const char *expected)
{
	struct str rest = {s->at, (size_t)(s->end - s->at)};
	if (rest.n == 0)
		return fail(s, s->at, "the text ends; expected %s", expected);
	size_t n = 0;
	while (n < rest.n && is_word(rest.p[n]))
		n++;
	if (n == 0)
		n = text_character(rest, NULL);
	return fail(s, s->at, "found %s; expected %s", text_quote((struct str){rest.p, n > 0 ? n : 1}).text, expected);
}

/* Counts what a value or a text will take. */
static int count(struct scan *s, size_t bytes)
{
	if (budget_memory(s->budget, bytes))
		return 0;
	return error_set(s->err, ERR_LIMIT, "a tree of the JSON takes more memory than there may be");
}

static int keep(struct scan *s, const char *from)
{
	struct json_exact *e = s->exact;
	int rc = count(s, TEXT_BYTES((size_t)(s->at - from)));
	if (rc != 0 || e == NULL)
		return rc;
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
		return fail_found(s, "a digit");
	if (take(s, '0')) {
		if (is_digit(s))
			return fail(s, from, "a number begins with a superfluous 0; leave it out");
	}
	skip_digits(s);
	if (take(s, '.')) {
		if (!is_digit(s))
			return fail_found(s, "a digit behind the decimal point");
		skip_digits(s);
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		if (!take(s, '+'))
			(void)take(s, '-');
		if (!is_digit(s))
			return fail_found(s, "a digit in the exponent");
		skip_digits(s);
	}
	if ((size_t)(s->at - from) > LIMIT_JSON_NUMBER)
		return fail(s, from, "a number is longer than %d characters", LIMIT_JSON_NUMBER);
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

/* Behind a backslash. Tells in *nul whether it was \u0000. */
static int scan_escape(struct scan *s, bool *nul)
{
	const char *from = s->at - 1;
	if (s->at == s->end)
		return fail(s, from, "the text ends inside a string");
	char c = *s->at;
	if (c != 'u' && memchr("\"\\/bfnrt", c, 8) == NULL)
		return fail_found(s, "one of \" \\ / b f n r t u behind the backslash in a string");
	s->at++;
	if (c != 'u')
		return 0;
	int unit = hex4(s->at, s->end);
	if (unit < 0)
		return fail(s, from, "\\u in a string needs four hexadecimal digits");
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
			return fail_found(s, "an escape instead of a control character in a string");
		if (c == '\\') {
			s->at++;
			int rc = scan_escape(s, &nul);
			if (rc != 0)
				return rc;
			continue;
		}
		size_t n = c < 0x80 ? 1 : text_character((struct str){s->at, (size_t)(s->end - s->at)}, NULL);
		if (n == 0)
			return fail_found(s, "UTF-8 in a string");
		s->at += n;
	}
	s->at++;
	if (nul && key)
		return fail(s, from, "a key holds the character NUL (\\u0000)");
	int rc = count(s, TEXT_BYTES((size_t)(s->at - from)));
	return rc == 0 && nul ? keep(s, from) : rc;
}

static int scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
		return fail_found(s, "a value: an object, an array, a string, a number, true, false or null");
	s->at += n;
	return 0;
}

static int scan_value(struct scan *s, unsigned depth);

/* The value of a member, which may be one that is looked for. */
static int scan_member(struct scan *s, struct str key, unsigned depth)
{
	struct json_cut *cut = s->cut;
	skip_space(s);
	const char *from = s->at;
	if (cut != NULL && depth == 1)
		s->in_outer = str_eqz(key, cut->outer);
	int rc = scan_value(s, depth);
	for (size_t i = 0; i < 2 && cut != NULL && s->in_outer && depth == 2 && rc == 0; i++)
		if (str_eqz(key, cut->names[i]))
			cut->found[i] = (struct str){from, (size_t)(s->at - from)};
	return rc;
}

static int scan_members(struct scan *s, unsigned depth)
{
	s->at++;
	skip_space(s);
	if (take(s, '}'))
		return 0;
	for (;;) {
		skip_space(s);
		if (s->at == s->end || *s->at != '"')
			return fail_found(s, "a key in quotes");
		const char *from = s->at;
		int rc = scan_string(s, true);
		if (rc != 0)
			return rc;
		struct str key = {from + 1, (size_t)(s->at - from) - 2};
		skip_space(s);
		if (!take(s, ':'))
			return fail_found(s, "a colon behind a key");
		rc = scan_member(s, key, depth);
		if (rc != 0)
			return rc;
		skip_space(s);
		if (take(s, '}'))
			return 0;
		if (!take(s, ','))
			return fail_found(s, "a comma or } in an object");
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
			return fail_found(s, "a comma or ] in an array");
	}
}

/* Recursive; LIMIT_JSON_DEPTH bounds it. */
static int scan_value(struct scan *s, unsigned depth)
{
	skip_space(s);
	if (s->at == s->end)
		return fail_found(s, "a value");
	s->values++;
	int rc = count(s, NODE_BYTES);
	if (rc != 0)
		return rc;
	char c = *s->at;
	if (c == '{' || c == '[') {
		if (depth >= LIMIT_JSON_DEPTH) {
			(void)fail(s, s->at, "nested more than %d levels deep", LIMIT_JSON_DEPTH);
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

static int scan(struct scan *s)
{
	if (str_trim((struct str){s->begin, (size_t)(s->end - s->begin)}).n == 0)
		return error_set(s->err, ERR_INVALID, "malformed JSON: the text is empty");
	int rc = scan_value(s, 0);
	if (rc != 0)
		return rc;
	skip_space(s);
	return s->at == s->end ? 0 : fail_found(s, "nothing behind the end of the JSON value");
}

int json_scan(struct arena *arena, struct str text, struct json_exact *exact, struct error *err)
{
	struct json_exact found = {0};
	struct scan s = {
		.arena = arena,
		.begin = text.p,
		.at = text.p,
		.end = text.p + text.n,
		.budget = arena->budget,
		.exact = &found,
		.err = err,
	};
	int rc = scan(&s);
	if (rc == 0)
		*exact = found;
	return rc;
}

int json_scan_cut(struct str text, struct json_cut *cut, struct error *err)
{
	struct scan s = {
		.begin = text.p,
		.at = text.p,
		.end = text.p + text.n,
		.cut = cut,
		.err = err,
	};
	return scan(&s);
}
