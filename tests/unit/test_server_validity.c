/* Certificates that end, and when that is said. Time is an argument, so nothing here waits. */
#include "server/validity.h"

#include "base/limits.h"

#include "unit.h"

#define HOUR 3600
#define DAY 86400
#define BEGIN ((time_t)1767225600) /* 2026-01-01 00:00:00 UTC */
#define END (BEGIN + 365 * (time_t)DAY)
#define WARNING (EXPIRY_WARNING_DAYS * (time_t)DAY)

static const struct validity year = {BEGIN, END};
static const struct validity unknown = {0, 0};

static const struct {
	time_t now;
	enum validity_state state;
	const char *text;
} moments[] = {
	{BEGIN - 1, VALIDITY_EARLY, "is not valid before 2026-01-01T00:00:00Z: is the clock right?"},
	{BEGIN, VALIDITY_GOOD, "expires 2027-01-01T00:00:00Z"},
	{END - WARNING, VALIDITY_GOOD, "expires 2027-01-01T00:00:00Z"},
	{END - WARNING + 1, VALIDITY_ENDING, "expires 2027-01-01T00:00:00Z, in 29 days: renew it"},
	{END - 2 * DAY, VALIDITY_ENDING, "expires 2027-01-01T00:00:00Z, in 2 days: renew it"},
	{END - DAY, VALIDITY_ENDING, "expires 2027-01-01T00:00:00Z, in 1 day: renew it"},
	{END - DAY + 1, VALIDITY_ENDING, "expires 2027-01-01T00:00:00Z, within a day: renew it"},
	{END, VALIDITY_ENDING, "expires 2027-01-01T00:00:00Z, within a day: renew it"},
	{END + 1, VALIDITY_ENDED, "expired 2027-01-01T00:00:00Z"},
};

START_TEST(states_and_texts)
{
	char text[VALIDITY_TEXT_MAX];
	validity_text(&year, moments[_i].now, text);
	ck_assert_int_eq(validity_at(&year, moments[_i].now), moments[_i].state);
	ck_assert_str_eq(text, moments[_i].text);
}
END_TEST

START_TEST(what_is_not_known_is_good)
{
	struct validity_told told = {0};
	ck_assert_int_eq(validity_at(&unknown, BEGIN), VALIDITY_GOOD);
	ck_assert(!validity_tell(&told, &unknown, BEGIN));
}
END_TEST

/* How often something is said when it is looked at once a minute. */
static unsigned count_told(struct validity_told *told, time_t from, time_t to)
{
	unsigned count = 0;
	for (time_t now = from; now < to; now += 60)
		count += validity_tell(told, &year, now);
	return count;
}

START_TEST(told_once_a_day)
{
	struct validity_told told = {0};
	ck_assert_uint_eq(count_told(&told, BEGIN, END - WARNING), 0);
	ck_assert_uint_eq(count_told(&told, END - WARNING + 60, END - WARNING + DAY), 1);
	ck_assert_uint_eq(count_told(&told, END - WARNING + DAY, END - DAY), EXPIRY_WARNING_DAYS - 2);
}
END_TEST

START_TEST(told_at_once_when_it_gets_worse)
{
	struct validity_told told = {0};
	ck_assert(validity_tell(&told, &year, END - HOUR));
	ck_assert(!validity_tell(&told, &year, END));
	ck_assert(validity_tell(&told, &year, END + 1));
	ck_assert(!validity_tell(&told, &year, END + HOUR));
	ck_assert(validity_tell(&told, &year, END + 1 + DAY));
}
END_TEST

START_TEST(told_again_when_asked)
{
	struct validity_told told = {0};
	ck_assert(validity_tell(&told, &year, BEGIN - HOUR));
	ck_assert(!validity_tell(&told, &year, BEGIN - HOUR));
	told = (struct validity_told){0};
	ck_assert(validity_tell(&told, &year, BEGIN - HOUR));
	/* It has become good in between. */
	ck_assert(!validity_tell(&told, &year, BEGIN));
	ck_assert(validity_tell(&told, &year, BEGIN - 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("validity");
	TCase *cases = tcase_create("validity");
	tcase_add_loop_test(cases, states_and_texts, 0, sizeof moments / sizeof *moments);
	tcase_add_test(cases, what_is_not_known_is_good);
	tcase_add_test(cases, told_once_a_day);
	tcase_add_test(cases, told_at_once_when_it_gets_worse);
	tcase_add_test(cases, told_again_when_asked);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
