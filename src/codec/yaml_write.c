/*
 * libyaml's emitter is not used: it escapes every character past U+FFFF, gives up on literal blocks for a space at
 * the end of a line, and ends some documents with "...". Written out, the layout is also free of allocations.
 */
#include "codec/yaml_write.h"

#include "codec/yaml_scalar.h"

#include <stdio.h>
#include <string.h>

#define INDENT 2

/* A longer key is written with "? ": readers look at most 1024 characters ahead for the colon. */
#define KEY_MAX 1000

enum style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE, STYLE_LITERAL };

/* What stands before a value on its line. */
enum place { AT_ROOT, AFTER_KEY, AFTER_DASH };

/* ---- strings ---- */

/* The character at *i, which moves behind it. The text is UTF-8. */
static unsigned long next_character(struct str s, size_t *i)
{
	unsigned char lead = (unsigned char)s.p[(*i)++];
	if (lead < 0xC0)
		return lead;
	unsigned long c = lead & (lead < 0xE0 ? 0x1FU : lead < 0xF0 ? 0x0FU : 0x07U);
	while (*i < s.n && ((unsigned char)s.p[*i] & 0xC0) == 0x80)
		c = c << 6 | ((unsigned char)s.p[(*i)++] & 0x3F);
	return c;
}

/* May it stand unescaped within a line? Not the line ends of YAML 1.1 (NEL, LS, PS), nor a byte order mark. */
static bool is_printable(unsigned long c)
{
	if (c < 0xA0)
		return c >= ' ' && c <= '~';
	return c != 0x2028 && c != 0x2029 && c != 0xFEFF && c != 0xFFFE && c != 0xFFFF;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Would some reader take the plain text for a number, a date or a time, other than by the rules of go-yaml? */
static bool looks_numeric(struct str s)
{
	if (yaml_scalar_decimal(s) || str_eqz(s, "."))
		return true;
	size_t sign = s.p[0] == '+' || s.p[0] == '-' ? 1 : 0;
	struct str body = str_from(s, sign);
	if (body.n == 0 || !is_digit(body.p[0]))
		return false;
	if (body.n > 1 && body.p[0] == '0' && strchr("xXoObB", body.p[1]) != NULL)
		return true;
	size_t digits = 0;
	while (digits < body.n && is_digit(body.p[digits]))
		digits++;
	if (digits == 4 && body.n > 5 && body.p[4] == '-' && is_digit(body.p[5]))
		return true;
	for (size_t i = 0; i < body.n; i++)
		if (!is_digit(body.p[i]) && body.p[i] != ':' && body.p[i] != '_' && body.p[i] != '.')
			return false;
	return str_find(body, ':') < body.n;
}

/* Does the text, of one line and printable, mean itself without quotes? */
static bool plain_is_safe(struct str s)
{
	if (yaml_scalar_kind(s) != YAML_STRING || looks_numeric(s) || str_eqz(s, "<<") || str_eqz(s, "="))
		return false;
	if (strchr(" ?:,[]{}#&*!|>'\"%@`", s.p[0]) != NULL || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':')
		return false;
	if (str_starts(s, STR("---")) || str_starts(s, STR("...")) || (s.p[0] == '-' && (s.n == 1 || s.p[1] == ' ')))
		return false;
	for (size_t i = 0; i + 1 < s.n; i++)
		if ((s.p[i] == ':' && s.p[i + 1] == ' ') || (s.p[i] == ' ' && s.p[i + 1] == '#'))
			return false;
	return true;
}

static enum style style_of(struct str s, bool key)
{
	bool lines = false, content = false, tab = false;
	for (size_t i = 0; i < s.n;) {
		unsigned long c = next_character(s, &i);
		if (c != '\n' && c != '\t' && !is_printable(c))
			return STYLE_DOUBLE;
		lines = lines || c == '\n';
		tab = tab || c == '\t';
		content = content || c != '\n';
	}
	if (lines)
		return key || !content ? STYLE_DOUBLE : STYLE_LITERAL;
	if (tab || s.n == 0)
		return STYLE_DOUBLE;
	if (plain_is_safe(s))
		return STYLE_PLAIN;
	return str_find(s, '"') < s.n || str_find(s, '\\') < s.n ? STYLE_SINGLE : STYLE_DOUBLE;
}

static void add_spaces(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_addc(out, ' ');
}

static void add_single(struct buf *out, struct str s)
{
	buf_addc(out, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\'')
			buf_addc(out, '\'');
		buf_addc(out, s.p[i]);
	}
	buf_addc(out, '\'');
}

/* One character within double quotes; `bytes` is how it stands in the text. */
static void add_escaped(struct buf *out, unsigned long c, struct str bytes)
{
	if (c == '"' || c == '\\')
		buf_fmt(out, "\\%c", (char)c);
	else if (c == '\n')
		buf_addz(out, "\\n");
	else if (c == '\t')
		buf_addz(out, "\\t");
	else if (c == '\r')
		buf_addz(out, "\\r");
	else if (is_printable(c))
		buf_add(out, bytes);
	else
		buf_fmt(out, c <= 0xFF ? "\\x%02lX" : "\\u%04lX", c);
}

static void add_double(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		unsigned long c = next_character(s, &i);
		add_escaped(out, c, (struct str){s.p + from, i - from});
	}
	buf_addc(out, '"');
}

/* `indent` is that of the lines; the newline of the last line is left to the caller. */
static void add_literal(struct buf *out, struct str s, size_t indent)
{
	buf_addc(out, '|');
	if (strchr(" \t\n", s.p[0]) != NULL)
		buf_fmt(out, "%d", INDENT);
	if (s.p[s.n - 1] != '\n')
		buf_addc(out, '-');
	else if (s.p[s.n - 2] == '\n')
		buf_addc(out, '+');
	if (s.p[s.n - 1] == '\n')
		s.n--;
	struct str line;
	while (str_split(&s, '\n', &line)) {
		buf_addc(out, '\n');
		if (line.n > 0)
			add_spaces(out, indent);
		buf_add(out, line);
	}
}

static void add_string(struct buf *out, struct str s, bool key, size_t indent)
{
	switch (style_of(s, key)) {
	case STYLE_PLAIN:
		buf_add(out, s);
		break;
	case STYLE_SINGLE:
		add_single(out, s);
		break;
	case STYLE_DOUBLE:
		add_double(out, s);
		break;
	case STYLE_LITERAL:
		add_literal(out, s, indent);
		break;
	}
}

static unsigned long hex4(const char *p)
{
	unsigned long c = 0;
	for (size_t i = 0; i < 4; i++)
		c = c << 4 | (unsigned long)(is_digit(p[i]) ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return c;
}

/* A string with a NUL, which json.h gives as JSON source: YAML has JSON's escapes but for / and surrogate pairs. */
static void add_json_source(struct buf *out, struct str source)
{
	buf_addc(out, '"');
	for (size_t i = 1; i + 1 < source.n;) {
		size_t from = i;
		unsigned long c = next_character(source, &i);
		if (c != '\\') {
			add_escaped(out, c, (struct str){source.p + from, i - from});
		} else if (source.p[i] != 'u') {
			if (source.p[i] != '/')
				buf_addc(out, '\\');
			buf_addc(out, source.p[i++]);
		} else {
			c = hex4(source.p + i + 1);
			i += 5;
			if (c >= 0xD800 && c < 0xDC00) {
				c = 0x10000 + ((c - 0xD800) << 10) + (hex4(source.p + i + 2) - 0xDC00);
				i += 6;
			}
			buf_fmt(out, c <= 0xFFFF ? "\\u%04lX" : "\\U%08lX", c);
		}
	}
	buf_addc(out, '"');
}

/* ---- values ---- */

/* json_string alone does not tell; but only source text is written as it stands. */
static bool is_json_source(struct buf *out, const struct json *v)
{
	size_t before = out->n;
	json_write(out, v);
	bool same = str_eq(str_from(buf_str(out), before), json_string(v));
	buf_cut(out, before);
	return same;
}

static void add_key(struct buf *out, struct str key, size_t indent)
{
	size_t before = out->n;
	add_string(out, key, true, indent);
	if (out->n - before > KEY_MAX) {
		buf_cut(out, before);
		buf_addz(out, "? ");
		add_string(out, key, true, indent);
		buf_addc(out, '\n');
		add_spaces(out, indent);
	}
	buf_addc(out, ':');
}

static void add_scalar(struct buf *out, const struct json *v, size_t indent)
{
	struct str text;
	switch (json_kind(v)) {
	case JSON_BOOL:
		buf_addz(out, json_is_true(v) ? "true" : "false");
		break;
	case JSON_NUMBER:
		text = json_number(v);
		if (yaml_scalar_kind(text) == YAML_STRING)
			buf_addz(out, "!!float ");
		buf_add(out, text);
		break;
	case JSON_STRING:
		if (is_json_source(out, v))
			add_json_source(out, json_string(v));
		else
			add_string(out, json_string(v), false, indent);
		break;
	case JSON_ARRAY:
		buf_addz(out, "[]");
		break;
	case JSON_OBJECT:
		buf_addz(out, "{}");
		break;
	case JSON_ABSENT:
	case JSON_NULL:
		buf_addz(out, "null");
		break;
	}
}

/*
 * A value behind what stands before it, with the newline at its end. `indent` is the column of the key or dash. A
 * collection within a list begins on the line of the dash.
 */
static void add_value(struct buf *out, const struct json *v, size_t indent, enum place place)
{
	bool object = json_kind(v) == JSON_OBJECT;
	bool block = (object || json_kind(v) == JSON_ARRAY) && json_first(v) != NULL;
	if (place != AT_ROOT)
		buf_addc(out, block && place == AFTER_KEY ? '\n' : ' ');
	if (!block) {
		add_scalar(out, v, indent + INDENT);
		buf_addc(out, '\n');
		return;
	}
	if (place == AFTER_DASH || (place == AFTER_KEY && object))
		indent += INDENT;
	bool on_line = place == AFTER_DASH;
	for (const struct json *e = json_first(v); e != NULL && out->error == 0; e = json_next(e)) {
		if (!on_line)
			add_spaces(out, indent);
		on_line = false;
		if (!object) {
			buf_addc(out, '-');
			add_value(out, e, indent, AFTER_DASH);
			continue;
		}
		add_key(out, json_key(e), indent);
		add_value(out, e, indent, AFTER_KEY);
	}
}

void yaml_write(struct buf *out, const struct json *value)
{
	add_value(out, value, 0, AT_ROOT);
}
