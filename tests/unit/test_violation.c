/* Lists of violations: none is lost, and what the old object had is found among many. */
#include "policy/verdict/violation.h"

#include "base/limits.h"

#include "unit.h"

#define MANY (4 * LIMIT_VIOLATIONS)

static struct arena arena;

static void setup(void)
{
	arena = (struct arena){0};
}

static void teardown(void)
{
	arena_free(&arena);
}

/* Adds them to a list that knows what the other had; how many of them are new. */
static size_t new_ones(const struct violations *old, const char *const *identities)
{
	struct violations_before before;
	violations_before(old, &before);
	struct violations v = {.arena = &arena, .before = &before};
	size_t count = 0;
	for (; *identities != NULL; identities++) {
		violation_add(&v, STR("f"), str_of(*identities), "m");
		count += !v.items[v.count - 1].known;
	}
	return count;
}

#define NEW_ONES(old, ...) new_ones(old, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(empty)
{
	struct violations v = {.arena = &arena};
	ck_assert_uint_eq(NEW_ONES(&v, "a", ""), 2);
	ck_assert(!arena.failed);
}
END_TEST

START_TEST(known)
{
	struct violations v = {.arena = &arena};
	violation_add(&v, STR("f"), STR("b"), "%d", 1);
	violation_add(&v, STR("g"), STR("a"), "%d", 2);
	violation_add(&v, STR("h"), STR("b"), "%d", 3);
	ck_assert_msg(str_eqz(v.items[0].identity, "b") && str_eqz(v.items[1].message, "2"), "the list keeps its order");
	ck_assert_uint_eq(NEW_ONES(&v, "a", "b"), 0);
	ck_assert_uint_eq(NEW_ONES(&v, "b", "a", "b"), 0);
	ck_assert_uint_eq(NEW_ONES(&v, "", "ab", "c"), 3);
	/* Once more than before is one that was not there before. */
	ck_assert_uint_eq(NEW_ONES(&v, "b", "b", "b"), 1);
	ck_assert_uint_eq(NEW_ONES(&v, "a", "b", "a", "b"), 1);
}
END_TEST

/* A rule that saw only the first of them would let a new fault through behind old ones, and deny a repair. */
START_TEST(many)
{
	struct violations old = {.arena = &arena};
	for (size_t i = 0; i < MANY; i++)
		violation_add(&old, STR("f"), arena_fmt(&arena, "%zu", (i * 7919) % MANY), "m");
	ck_assert_uint_eq(old.count, MANY);
	struct violations_before before;
	violations_before(&old, &before);
	struct violations v = {.arena = &arena, .before = &before};
	for (size_t i = 0; i < MANY; i++)
		violation_add(&v, STR("f"), arena_fmt(&arena, "%zu", i), "m");
	violation_add(&v, STR("f"), STR("another"), "new");
	size_t new = 0, told = 0;
	for (size_t i = 0; i < v.count; i++) {
		new += !v.items[i].known;
		told += v.items[i].message.p != NULL;
	}
	ck_assert_uint_eq(new, 1);
	ck_assert_uint_eq(told, LIMIT_VIOLATIONS + 1);
	ck_assert_msg(str_eqz(v.items[MANY].message, "new"), "the new one is told, however many old ones there are");
}
END_TEST

/* Behind the limit they are counted, and have no texts. */
START_TEST(counted)
{
	struct violations v = {.arena = &arena}, all = {.arena = &arena};
	for (size_t i = 0; i < MANY; i++)
		violation_add(&v, STR("f"), arena_fmt(&arena, "%zu", i), "m");
	ck_assert_uint_eq(v.count, MANY);
	violations_add(&all, &v, " and more");
	violations_add(&all, &v, "");
	ck_assert_uint_eq(all.count, 2 * MANY);
	for (size_t i = 0; i < 2 * MANY; i++) {
		ck_assert(str_eqz(all.items[i].message, i < LIMIT_VIOLATIONS ? "m and more" : ""));
		ck_assert(i < LIMIT_VIOLATIONS || all.items[i].message.p == NULL);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("violation");
	TCase *cases = tcase_create("violation");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, empty);
	tcase_add_test(cases, known);
	tcase_add_test(cases, many);
	tcase_add_test(cases, counted);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
