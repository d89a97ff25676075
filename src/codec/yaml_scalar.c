#include "codec/yaml_scalar.h"

#include "base/limits.h"
#include "base/text.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for a number without its underscores, one character too many that shows it is too long, and a NUL. */
#define NUMBER_SIZE (LIMIT_JSON_NUMBER + 2)

/* From this exponent on Go writes a float with an e. */
#define FLOAT_PLAIN_EXPONENT 6

static const struct word {
	const char *plain;
	enum yaml_kind kind;
	const char *text;
} words[] = {
	{"", YAML_NULL, "null"}, {"~", YAML_NULL, "null"},
	{"null", YAML_NULL, "null"}, {"Null", YAML_NULL, "null"}, {"NULL", YAML_NULL, "null"},
	{"true", YAML_BOOL, "true"}, {"True", YAML_BOOL, "true"}, {"TRUE", YAML_BOOL, "true"},
	{"yes", YAML_BOOL, "true"}, {"Yes", YAML_BOOL, "true"}, {"YES", YAML_BOOL, "true"},
	{"on", YAML_BOOL, "true"}, {"On", YAML_BOOL, "true"}, {"ON", YAML_BOOL, "true"},
	{"y", YAML_BOOL, "true"}, {"Y", YAML_BOOL, "true"},
	{"false", YAML_BOOL, "false"}, {"False", YAML_BOOL, "false"}, {"FALSE", YAML_BOOL, "false"},
	{"no", YAML_BOOL, "false"}, {"No", YAML_BOOL, "false"}, {"NO", YAML_BOOL, "false"},
	{"off", YAML_BOOL, "false"}, {"Off", YAML_BOOL, "false"}, {"OFF", YAML_BOOL, "false"},
	{"n", YAML_BOOL, "false"}, {"N", YAML_BOOL, "false"},
	{".inf", YAML_FLOAT, ".inf"}, {".Inf", YAML_FLOAT, ".inf"}, {".INF", YAML_FLOAT, ".inf"},
	{"+.inf", YAML_FLOAT, ".inf"}, {"+.Inf", YAML_FLOAT, ".inf"}, {"+.INF", YAML_FLOAT, ".inf"},
	{"-.inf", YAML_FLOAT, "-.inf"}, {"-.Inf", YAML_FLOAT, "-.inf"}, {"-.INF", YAML_FLOAT, "-.inf"},
	{".nan", YAML_FLOAT, ".nan"}, {".NaN", YAML_FLOAT, ".nan"}, {".NAN", YAML_FLOAT, ".nan"},
};

#define LONGEST_WORD 5

static const struct word *find_word(struct str plain)
{
	if (plain.n > LONGEST_WORD)
		return NULL;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (str_eqz(plain, words[i].plain))
			return &words[i];
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* A scalar read from the left without its underscores, which go-yaml drops wherever they stand. */
struct cursor {
	struct str rest;
};

static int peek(struct cursor *c)
{
	while (c->rest.n > 0 && c->rest.p[0] == '_')
		c->rest = str_from(c->rest, 1);
	return c->rest.n > 0 ? (unsigned char)c->rest.p[0] : -1;
}

static int next(struct cursor *c)
{
	int byte = peek(c);
	if (byte >= 0)
		c->rest = str_from(c->rest, 1);
	return byte;
}

/* Reads an integer of Go's base 0 that fits in 64 bits: signed with a sign, unsigned without. */
static bool read_integer(struct str plain, bool *negative, unsigned long long *magnitude)
{
	struct cursor c = {plain};
	int sign = peek(&c) == '+' || peek(&c) == '-' ? next(&c) : 0;
	unsigned long long max = sign == 0 ? ULLONG_MAX : sign == '+' ? LLONG_MAX : LLONG_MAX + 1ULL;
	unsigned base = 10;
	bool digits = false;
	if (peek(&c) == '0') {
		(void)next(&c);
		int letter = peek(&c) | 0x20;
		base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
		if (letter == 'x' || letter == 'b' || letter == 'o')
			(void)next(&c);
		else
			digits = true;
	}
	unsigned long long value = 0;
	for (int byte; (byte = next(&c)) >= 0; digits = true) {
		unsigned digit = (unsigned)digit_value((char)byte);
		if (digit >= base || value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (!digits)
		return false;
	*negative = sign == '-';
	*magnitude = value;
	return true;
}

static size_t skip_digits(struct cursor *c)
{
	size_t n = 0;
	for (; peek(c) >= '0' && peek(c) <= '9'; n++)
		(void)next(c);
	return n;
}

bool yaml_scalar_decimal(struct str plain)
{
	struct cursor c = {plain};
	if (plain.n == 0 || plain.p[0] == '_')
		return false;
	if (peek(&c) == '+' || peek(&c) == '-')
		(void)next(&c);
	size_t whole = skip_digits(&c), fraction = 0;
	if (peek(&c) == '.') {
		(void)next(&c);
		fraction = skip_digits(&c);
	}
	if (whole + fraction == 0)
		return false;
	if (peek(&c) == 'e' || peek(&c) == 'E') {
		(void)next(&c);
		if (peek(&c) == '+' || peek(&c) == '-')
			(void)next(&c);
		if (skip_digits(&c) == 0)
			return false;
	}
	return peek(&c) < 0;
}

/* Behind a leading point go-yaml leaves underscores to Go, which wants a digit on both sides of each. */
static bool underscores_between_digits(struct str plain)
{
	for (size_t i = 0; i < plain.n; i++) {
		bool between = i > 0 && i + 1 < plain.n && is_digit(plain.p[i - 1]) && is_digit(plain.p[i + 1]);
		if (plain.p[i] == '_' && !between)
			return false;
	}
	return true;
}

/* Rewrites a decimal number as JSON has it; a number that is too long keeps its first characters. */
static struct str json_number(struct str plain, char text[NUMBER_SIZE])
{
	struct cursor c = {plain};
	size_t n = 0;
	if (peek(&c) == '+' || peek(&c) == '-') {
		if (next(&c) == '-')
			text[n++] = '-';
	}
	while (peek(&c) == '0') {
		(void)next(&c);
		if (peek(&c) < '0' || peek(&c) > '9')
			text[n++] = '0';
	}
	if (peek(&c) == '.' && (n == 0 || text[n - 1] == '-'))
		text[n++] = '0';
	for (int byte; (byte = next(&c)) >= 0 && n < NUMBER_SIZE - 1;) {
		if (byte != '.' || (peek(&c) >= '0' && peek(&c) <= '9'))
			text[n++] = (char)byte;
	}
	text[n] = '\0';
	return (struct str){text, n};
}

enum yaml_kind yaml_scalar_kind(struct str plain)
{
	const struct word *word = find_word(plain);
	if (word != NULL)
		return word->kind;
	char first = plain.p[0];
	bool negative;
	unsigned long long magnitude;
	if (first == '.') {
		if (!underscores_between_digits(plain))
			return YAML_STRING;
	} else if (!is_digit(first) && first != '+' && first != '-') {
		return YAML_STRING;
	} else if (read_integer(plain, &negative, &magnitude)) {
		return YAML_INT;
	}
	if (!yaml_scalar_decimal(plain))
		return YAML_STRING;
	char text[NUMBER_SIZE];
	struct str number = json_number(plain, text);
	return number.n <= LIMIT_JSON_NUMBER && isinf(strtod(text, NULL)) ? YAML_STRING : YAML_FLOAT;
}

struct str yaml_scalar_text(struct arena *arena, struct str plain, enum yaml_kind kind)
{
	const struct word *word = kind == YAML_STRING ? NULL : find_word(plain);
	if (word != NULL)
		return str_of(word->text);
	char text[NUMBER_SIZE];
	bool negative;
	unsigned long long magnitude;
	if (kind == YAML_INT && read_integer(plain, &negative, &magnitude)) /* -0 stays -0 */
		return arena_fmt(arena, "%s%llu", negative ? "-" : "", magnitude);
	return arena_str(arena, kind == YAML_FLOAT ? json_number(plain, text) : plain);
}

bool yaml_scalar_infinite(struct str number)
{
	return number.n > 0 && !is_digit(number.p[number.n - 1]);
}

struct str yaml_scalar_float_key(struct arena *arena, struct str number)
{
	if (yaml_scalar_infinite(number))
		return number;
	float value = strtof(number.p, NULL);
	if (isinf(value))
		return str_of(value > 0 ? ".inf" : "-.inf");
	char text[NUMBER_SIZE];
	int digits = 1;
	for (; digits <= FLT_DECIMAL_DIG; digits++) {
		if (snprintf(text, sizeof text, "%.*e", digits - 1, (double)value) < 0)
			return (struct str){NULL, 0};
		if (strtof(text, NULL) == value)
			break;
	}
	int exponent = (int)strtol(text + str_find(str_of(text), 'e') + 1, NULL, 10);
	if (exponent < -4 || exponent >= FLOAT_PLAIN_EXPONENT)
		return arena_str(arena, str_of(text));
	int decimals = digits - 1 - exponent;
	return arena_fmt(arena, "%.*f", decimals > 0 ? decimals : 0, (double)value);
}

bool yaml_scalar_utf8(struct str bytes)
{
	size_t n = 1;
	for (; bytes.n > 0 && n > 0; bytes = str_from(bytes, n))
		n = text_character(bytes, NULL);
	return n > 0;
}
