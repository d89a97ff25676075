/* Lists of violations: none is lost, and what the old object had is found among many. */
#include "policy/violation.h"

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

START_TEST(empty)
{
	struct violations v = {.arena = &arena};
	const struct str *identities = violation_identities(&v);
	ck_assert_ptr_nonnull(identities);
	ck_assert(!violation_known(identities, v.count, STR("a")));
	ck_assert(!violation_known(identities, v.count, STR("")));
}
END_TEST

START_TEST(known)
{
	struct violations v = {.arena = &arena};
	violation_add(&v, STR("f"), STR("b"), "%d", 1);
	violation_add(&v, STR("g"), STR("a"), "%d", 2);
	violation_add(&v, STR("h"), STR("b"), "%d", 3);
	const struct str *identities = violation_identities(&v);
	ck_assert(violation_known(identities, v.count, STR("a")));
	ck_assert(violation_known(identities, v.count, STR("b")));
	ck_assert(!violation_known(identities, v.count, STR("")));
	ck_assert(!violation_known(identities, v.count, STR("ab")));
	ck_assert(!violation_known(identities, v.count, STR("c")));
	ck_assert_msg(str_eqz(v.items[0].identity, "b") && str_eqz(v.items[1].message, "2"), "the list keeps its order");
}
END_TEST

/* A rule that saw only the first of them would let a new fault through behind old ones, and deny a repair. */
START_TEST(many)
{
	struct violations v = {.arena = &arena};
	for (size_t i = 0; i < MANY; i++)
		violation_add(&v, STR("f"), arena_fmt(&arena, "%zu", (i * 7919) % MANY), "m");
	ck_assert_uint_eq(v.count, MANY);
	const struct str *identities = violation_identities(&v);
	for (size_t i = 0; i < MANY; i++)
		ck_assert(violation_known(identities, v.count, arena_fmt(&arena, "%zu", i)));
	ck_assert(!violation_known(identities, v.count, arena_fmt(&arena, "%d", MANY)));
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
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
