/* How long whoever asks waits, and when all threads have been at work for too long. */
#include "server/timeout.h"

#include "server/busy.h"

#include "unit.h"

#define OTHERWISE (ANSWER_SECONDS * 1000)
#define MOST (ANSWER_SECONDS_MAX * 1000)

static const struct {
	const char *text;
	int64_t milliseconds;
} durations[] = {
	{"5s", 5000}, {"10s", 10000}, {"1s", 1000}, {"30s", 30000}, {"1m30s", MOST}, {"1.5s", 1500}, {".5s", 500},
	{"2.s", 2000}, {"250ms", 250}, {"1s250ms", 1250}, {"+3s", 3000}, {"1500000us", 1500}, {"2000000000ns", 2000},
	{"1500000\xc2\xb5s", 1500}, {"1500000\xce\xbcs", 1500}, {"0.00025h", 900}, {"4h", MOST}, {"31s", MOST},
	{"99999999999999999999999999999999h", MOST},
	/* none, or none that can be meant */
	{NULL, OTHERWISE}, {"", OTHERWISE}, {"5", OTHERWISE}, {"s", OTHERWISE}, {"5x", OTHERWISE}, {"-5s", OTHERWISE},
	{"0", OTHERWISE}, {"0s", OTHERWISE}, {"1ns", OTHERWISE}, {"5s ", OTHERWISE}, {" 5s", OTHERWISE}, {".s", OTHERWISE},
	{"1e3s", OTHERWISE}, {"5s5", OTHERWISE}, {"++5s", OTHERWISE}, {"1..5s", OTHERWISE}, {"inf", OTHERWISE},
	{"5S", OTHERWISE}, {"0x5s", OTHERWISE},
};

START_TEST(a_duration)
{
	ck_assert_int_eq(timeout_parse(str_of(durations[_i].text)), durations[_i].milliseconds);
}
END_TEST

START_TEST(time_is_left_for_the_way)
{
	ck_assert_int_eq(timeout_to_decide(10000), 10000 - ANSWER_MARGIN_MILLISECONDS);
	ck_assert_int_eq(timeout_to_decide(1000), 750);
	ck_assert_int_eq(timeout_to_decide(4), 3);
	ck_assert_int_eq(timeout_to_decide(1), 1);
}
END_TEST

START_TEST(all_have_been_at_work)
{
	struct busy b = {.threads = 2};
	ck_assert(!busy_all(&b, 10000, 3000));
	ck_assert_uint_eq(busy_count(&b), 0);
	atomic_store(&b.since[0], 1000);
	ck_assert(!busy_all(&b, 10000, 3000));
	ck_assert_uint_eq(busy_count(&b), 1);
	atomic_store(&b.since[1], 7001);
	ck_assert_uint_eq(busy_count(&b), 2);
	ck_assert(!busy_all(&b, 10000, 3000));
	ck_assert(busy_all(&b, 10001, 3000));
	atomic_store(&b.since[0], 0);
	ck_assert(!busy_all(&b, 10001, 3000));
	ck_assert(!busy_all(&(struct busy){0}, 10001, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timeout");
	TCase *cases = tcase_create("timeout");
	tcase_add_loop_test(cases, a_duration, 0, sizeof durations / sizeof *durations);
	tcase_add_test(cases, time_is_left_for_the_way);
	tcase_add_test(cases, all_have_been_at_work);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
