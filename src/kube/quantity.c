#include "kube/quantity.h"

#include <stdint.h>

/* Digits that fit an unsigned 64-bit number; a longer quantity is not valid here. */
#define QUANTITY_DIGITS 18
#define QUANTITY_EXPONENT 18

/* value = sign * digits * 10^ten * 2^two */
struct quantity {
	bool negative;
	uint64_t digits;
	int ten, two;
};

static const struct {
	const char *suffix;
	int ten, two;
} suffixes[] = {
	{"", 0, 0},    {"n", -9, 0},  {"u", -6, 0}, {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},   {"G", 9, 0},
	{"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0}, {"Ki", 0, 10}, {"Mi", 0, 20}, {"Gi", 0, 30}, {"Ti", 0, 40},
	{"Pi", 0, 50}, {"Ei", 0, 60},
};

static bool parse_exponent(struct str s, int *ten)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
		s = str_from(s, 1);
	int value = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || value > QUANTITY_EXPONENT)
			return false;
		value = value * 10 + (s.p[i] - '0');
	}
	*ten = negative ? -value : value;
	return s.n > 0 && value <= QUANTITY_EXPONENT;
}

static bool parse_suffix(struct str s, struct quantity *q)
{
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		if (str_eqz(s, suffixes[i].suffix)) {
			q->ten += suffixes[i].ten;
			q->two = suffixes[i].two;
			return true;
		}
	}
	int ten;
	if (s.n < 2 || (s.p[0] != 'e' && s.p[0] != 'E') || !parse_exponent(str_from(s, 1), &ten))
		return false;
	q->ten += ten;
	return true;
}

static bool parse(struct str s, struct quantity *out)
{
	struct quantity q = {0};
	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) {
		q.negative = s.p[0] == '-';
		s = str_from(s, 1);
	}
	bool point = false;
	size_t digits = 0, significant = 0, i = 0;
	for (; i < s.n; i++) {
		char c = s.p[i];
		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		digits++;
		significant += significant > 0 || c != '0';
		if (significant > QUANTITY_DIGITS || digits > 3 * QUANTITY_DIGITS)
			return false;
		q.digits = q.digits * 10 + (uint64_t)(c - '0');
		q.ten -= point;
	}
	if (digits == 0 || !parse_suffix(str_from(s, i), &q))
		return false;
	*out = q;
	return true;
}

bool quantity_is_valid(struct str s)
{
	struct quantity q;
	return parse(s, &q);
}

/* Brings digits * 10^ten * 2^two to the form digits * 5^five * 2^two with digits free of both factors. */
static void normalise(struct quantity *q)
{
	int five = q->ten;
	q->two += q->ten;
	while (q->digits != 0 && q->digits % 5 == 0) {
		q->digits /= 5;
		five++;
	}
	while (q->digits != 0 && q->digits % 2 == 0) {
		q->digits /= 2;
		q->two++;
	}
	q->ten = five;
	if (q->digits == 0)
		*q = (struct quantity){0};
}

bool quantity_equal(struct str a, struct str b)
{
	struct quantity x, y;
	if (!parse(a, &x) || !parse(b, &y))
		return false;
	normalise(&x);
	normalise(&y);
	return x.negative == y.negative && x.digits == y.digits && x.ten == y.ten && x.two == y.two;
}

static double value(const struct quantity *q)
{
	double v = q->negative ? -(double)q->digits : (double)q->digits;
	for (int i = 0; i < q->ten; i++)
		v *= 10;
	for (int i = 0; i > q->ten; i--)
		v /= 10;
	for (int i = 0; i < q->two; i++)
		v *= 2;
	return v;
}

bool quantity_exceeds(struct str a, struct str b)
{
	struct quantity x, y;
	return parse(a, &x) && parse(b, &y) && !quantity_equal(a, b) && value(&x) > value(&y);
}
