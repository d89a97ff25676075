/* One budget for the bodies of all requests, and who gives way. */
#include "server/bodies.h"

#include "base/limits.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define MOST (7 * MIB)
#define COUNT 40

static struct bodies all;
static struct body bodies[COUNT];
static char *filling;

static void setup(void)
{
	ck_assert_int_eq(bodies_init(&all, 16 * MIB), 0);
	for (size_t i = 0; i < COUNT; i++)
		body_init(&bodies[i], &all);
	filling = malloc(MOST);
	ck_assert_ptr_nonnull(filling);
	memset(filling, 'x', MOST);
}

/* Nothing leaks: whatever happened, nothing is held once all are gone. */
static void teardown(void)
{
	for (size_t i = 0; i < COUNT; i++)
		body_free(&bodies[i]);
	ck_assert_uint_eq(bodies_held(&all), 0);
	ck_assert_ptr_null(all.first);
	bodies_dispose(&all);
	free(filling);
}

static enum body_added add(size_t i, size_t n, int64_t began, int64_t now)
{
	enum body_added added = body_add(&bodies[i], (struct str){filling, n}, MOST, began, now);
	size_t sum = 0;
	for (size_t j = 0; j < COUNT; j++)
		sum += bodies[j].capacity;
	ck_assert_uint_eq(bodies_held(&all), sum);
	ck_assert_uint_le(sum, all.limit);
	return added;
}

START_TEST(what_is_held_counts)
{
	struct str kept;
	ck_assert_int_eq(add(0, 0, 0, 0), BODY_ADDED);
	for (size_t n = 1; n <= MOST; n *= 3) {
		ck_assert_int_eq(body_add(&bodies[0], (struct str){filling, n}, MOST, 0, 0), BODY_ADDED);
		ck_assert_uint_ge(bodies_held(&all), bodies[0].n);
		ck_assert_uint_lt(bodies_held(&all), 2 * bodies[0].n + 4096);
		if (bodies[0].n > MOST / 3)
			break;
	}
	ck_assert(body_keep(&bodies[0], &kept));
	ck_assert_uint_eq(kept.n, bodies[0].n);
	ck_assert(memcmp(kept.p, filling, kept.n) == 0);
	body_free(&bodies[0]);
	ck_assert_uint_eq(bodies_held(&all), 0);
}
END_TEST

START_TEST(the_largest_is_held_with_little_more)
{
	for (size_t n = 0; n < MOST; n += 16 * KIB)
		ck_assert_int_eq(body_add(&bodies[0], (struct str){filling, 16 * KIB}, MOST, 0, 0), BODY_ADDED);
	ck_assert_uint_eq(bodies_held(&all), MOST);
	ck_assert_int_eq(add(1, MOST, 0, 0), BODY_ADDED);
}
END_TEST

START_TEST(who_held_most_for_longest_gives_way)
{
	ck_assert_int_eq(add(0, 6 * MIB, 0, 1000), BODY_ADDED);
	ck_assert_int_eq(add(1, 6 * MIB, 500, 1000), BODY_ADDED);
	ck_assert_int_eq(add(2, 6 * MIB, 1000, 1000), BODY_ADDED);
	ck_assert(body_lost(&bodies[0]));
	ck_assert(!body_lost(&bodies[1]) && !body_lost(&bodies[2]));
	/* It gets nothing any more until its request is over. */
	ck_assert_int_eq(add(0, 1, 0, 1000), BODY_LOST);
	struct str kept;
	ck_assert(!body_keep(&bodies[0], &kept));
	body_free(&bodies[0]);
	ck_assert_int_eq(add(0, 1, 1000, 1000), BODY_ADDED);
}
END_TEST

START_TEST(a_small_one_gets_through_while_many_withhold_a_byte)
{
	for (size_t i = 0; i < COUNT - 1; i++) {
		enum body_added added = add(i, MOST - 1, (int64_t)i, (int64_t)i + 100);
		ck_assert_int_ne(added, BODY_NOMEM);
		ck_assert_int_eq(add(COUNT - 1, 2000, (int64_t)i + 100, (int64_t)i + 101), BODY_ADDED);
		struct str kept;
		ck_assert(body_keep(&bodies[COUNT - 1], &kept));
		body_free(&bodies[COUNT - 1]);
	}
}
END_TEST

START_TEST(many_small_slow_ones_give_way_as_well)
{
	all.limit = COUNT * 64 * KIB / 2;
	for (size_t i = 0; i < COUNT - 1; i++)
		ck_assert_int_ne(add(i, 60 * KIB, 0, 5000), BODY_NOMEM);
	ck_assert_int_eq(add(COUNT - 1, 600 * KIB, 5000, 5005), BODY_ADDED);
}
END_TEST

START_TEST(what_is_kept_stays)
{
	struct str kept;
	ck_assert_int_eq(add(0, MOST, 0, 0), BODY_ADDED);
	ck_assert_int_eq(add(1, MOST, 0, 0), BODY_ADDED);
	ck_assert(body_keep(&bodies[0], &kept) && body_keep(&bodies[1], &kept));
	ck_assert_int_eq(add(2, MOST, 100000, 100000), BODY_LOST);
	ck_assert(memcmp(kept.p, filling, kept.n) == 0);
	ck_assert_uint_eq(bodies_held(&all), 2 * MOST);
}
END_TEST

START_TEST(answers_count_and_those_that_nobody_takes_end)
{
	ck_assert(body_answer(&bodies[0], 8 * MIB, 0, 0));
	ck_assert(body_answer(&bodies[1], 8 * MIB, 500, 500));
	ck_assert_uint_eq(bodies_held(&all), 16 * MIB);
	ck_assert_int_eq(add(2, 2000, 5000, 5000), BODY_LOST);
	ck_assert(body_lost(&bodies[0]) && !body_lost(&bodies[1]));
	body_free(&bodies[0]);
	body_free(&bodies[2]);
	ck_assert_int_eq(add(2, 2000, 5000, 5000), BODY_ADDED);
	ck_assert(!body_answer(&bodies[3], 17 * MIB, 0, 6000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bodies");
	TCase *cases = tcase_create("bodies");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, what_is_held_counts);
	tcase_add_test(cases, the_largest_is_held_with_little_more);
	tcase_add_test(cases, who_held_most_for_longest_gives_way);
	tcase_add_test(cases, a_small_one_gets_through_while_many_withhold_a_byte);
	tcase_add_test(cases, many_small_slow_ones_give_way_as_well);
	tcase_add_test(cases, what_is_kept_stays);
	tcase_add_test(cases, answers_count_and_those_that_nobody_takes_end);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
