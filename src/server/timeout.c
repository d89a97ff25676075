#include "server/timeout.h"

#include "base/limits.h"

#include <stdbool.h>

/* Digits behind which a number is too large to matter. */
#define NUMBER_MAX 1e12

/* The units of Go's time.ParseDuration, in milliseconds; one that another begins with comes after it. */
static const struct unit {
	struct str name;
	double milliseconds;
} units[] = {
	{STR_INIT("ns"), 1e-6}, {STR_INIT("us"), 1e-3}, {STR_INIT("\xc2\xb5s"), 1e-3}, {STR_INIT("\xce\xbcs"), 1e-3},
	{STR_INIT("ms"), 1}, {STR_INIT("s"), 1e3}, {STR_INIT("m"), 60e3}, {STR_INIT("h"), 3600e3},
};

/* Takes digits off `s`; false when there is none. */
static bool take_digits(struct str *s, double *number, double *scale)
{
	bool any = false;
	for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_from(*s, 1)) {
		any = true;
		if (*number < NUMBER_MAX) {
			*number = *number * 10 + (s->p[0] - '0');
			*scale *= 10;
		}
	}
	return any;
}

/* Takes "1.5" off `s`. */
static bool take_number(struct str *s, double *out)
{
	double number = 0, ignored = 1, scale = 1;
	bool whole = take_digits(s, &number, &ignored), part = false;
	if (s->n > 0 && s->p[0] == '.') {
		*s = str_from(*s, 1);
		part = take_digits(s, &number, &scale);
	}
	*out = number / scale;
	return whole || part;
}

static const struct unit *take_unit(struct str *s)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (str_starts(*s, units[i].name)) {
			*s = str_from(*s, units[i].name.n);
			return &units[i];
		}
	return NULL;
}

int64_t timeout_parse(struct str text)
{
	const int64_t otherwise = (int64_t)ANSWER_SECONDS * 1000, most = (int64_t)ANSWER_SECONDS_MAX * 1000;
	double sum = 0;
	if (text.n > 0 && text.p[0] == '+')
		text = str_from(text, 1);
	if (text.n == 0)
		return otherwise;
	while (text.n > 0) {
		double number;
		const struct unit *unit = take_number(&text, &number) ? take_unit(&text) : NULL;
		if (unit == NULL)
			return otherwise;
		sum += number * unit->milliseconds;
	}
	if (sum < 1)
		return otherwise;
	return sum < (double)most ? (int64_t)sum : most;
}

int64_t timeout_to_decide(int64_t milliseconds)
{
	int64_t margin = milliseconds / 4;
	return milliseconds - (margin < ANSWER_MARGIN_MILLISECONDS ? margin : ANSWER_MARGIN_MILLISECONDS);
}
