/* Budgets: each limit ends a task for good, an arena pays and gives back, and a decision over one says which. */
#include "base/arena.h"
#include "base/limits.h"
#include "codec/json.h"
#include "policy/decide/decide.h"

#include "policy/load/load.h"
#include "unit.h"

#include <stdint.h>
#include <string.h>

START_TEST(none_grants_all)
{
	struct budget b = {0};
	ck_assert(budget_work(NULL, SIZE_MAX));
	ck_assert(budget_memory(NULL, SIZE_MAX));
	ck_assert(budget_work(&b, SIZE_MAX));
	ck_assert(budget_work(&b, SIZE_MAX));
	ck_assert(budget_memory(&b, 1000));
	budget_release(&b, 5000);
	ck_assert_uint_eq(b.memory, 0);
	ck_assert_int_eq(b.over, BUDGET_KEPT);
}
END_TEST

START_TEST(over_is_for_good)
{
	struct budget b = {.work_limit = 10, .memory_limit = 10};
	ck_assert(budget_work(&b, 10));
	ck_assert(budget_memory(&b, 10));
	ck_assert_uint_eq(budget_memory_left(&b), 0);
	ck_assert(!budget_work(&b, 1));
	ck_assert_int_eq(b.over, BUDGET_WORK);
	ck_assert(!budget_memory(&b, 1));
	budget_release(&b, 10);
	ck_assert(!budget_memory(&b, 1));
	ck_assert(!budget_work(&b, 0));
	ck_assert_int_eq(b.over, BUDGET_WORK);
}
END_TEST

static bool late(const void *deadline)
{
	const bool *passed = deadline;
	return *passed;
}

START_TEST(deadline)
{
	bool passed = false;
	struct budget b = {.expired = late, .deadline = &passed};
	ck_assert(budget_work(&b, 1));
	passed = true;
	/* It is not looked at for each unit. */
	ck_assert(budget_work(&b, 1));
	ck_assert(!budget_work(&b, BUDGET_LOOK));
	ck_assert_int_eq(b.over, BUDGET_TIME);
	ck_assert_str_eq(budget_limit_name(b.over), "time");
}
END_TEST

START_TEST(arena_pays)
{
	struct budget b = {.memory_limit = 64 * KIB};
	struct arena arena = {.budget = &b};
	ck_assert_ptr_nonnull(arena_alloc(&arena, 10 * KIB));
	ck_assert_uint_ge(b.memory, 10 * KIB);
	ck_assert_uint_gt(b.work, 10 * KIB / BUDGET_BYTES);
	ck_assert_ptr_null(arena_alloc(&arena, 60 * KIB));
	ck_assert(arena.failed);
	ck_assert_int_eq(b.over, BUDGET_MEMORY);
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	arena_free(&arena);
	ck_assert_uint_eq(b.memory, 0);
}
END_TEST

START_TEST(buffer_pays)
{
	struct budget b = {.memory_limit = 64 * KIB};
	struct arena arena = {.budget = &b};
	struct buf text;
	buf_init_in(&text, 1 * MIB, &arena);
	while (text.error == 0 && text.n < 100 * KIB)
		buf_addz(&text, "0123456789");
	ck_assert_int_eq(text.error, ERR_NOMEM);
	ck_assert_uint_eq(b.memory, 0);
	ck_assert_int_eq(b.over, BUDGET_MEMORY);
	b.over = BUDGET_KEPT;
	buf_free(&text);
	buf_addz(&text, "x");
	ck_assert_int_eq(text.error, 0);
	ck_assert_uint_eq(b.memory, text.capacity);
	ck_assert(str_eqz(buf_move(&text, &arena), "x"));
	arena_free(&arena);
	ck_assert_uint_eq(b.memory, 0);
}
END_TEST

/* A tree is paid for before it is there: the larger text is refused, whatever the values are. */
START_TEST(json_pays)
{
	static const char *const elements[] = {"0", "\"\"", "[]", "{}", "null", "{\"\":0}", "1e9"};
	for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
		struct budget b = {.memory_limit = 1 * MIB};
		struct arena arena = {.budget = &b};
		const struct json *tree;
		struct error err;
		struct buf text;
		buf_init(&text, 1 * MIB);
		buf_addc(&text, '[');
		while (text.n < 100 * KIB) {
			buf_addz(&text, elements[i]);
			buf_addc(&text, ',');
		}
		buf_addz(&text, "0]");
		ck_assert_int_eq(json_parse_in(&arena, buf_str(&text), &tree, &err), ERR_LIMIT);
		ck_assert_int_eq(b.over, BUDGET_MEMORY);
		buf_free(&text);
		arena_free(&arena);
	}
}
END_TEST

/* ---- a decision ---- */

static struct config *config;

static void setup(void)
{
	ck_assert_int_eq(config_load(config_profile(STR("managed")), "managed", &config, NULL), 0);
}

static void teardown(void)
{
	config_free(config);
}

#define REVIEW(user, object)                                                                                           \
	"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u-1\","           \
	"\"kind\":{\"group\":\"apps\",\"version\":\"v1\",\"kind\":\"Deployment\"},\"operation\":\"UPDATE\","             \
	"\"name\":\"web\",\"namespace\":\"team-a\",\"oldObject\":" object ",\"userInfo\":{\"username\":\"" user        \
	"\"},\"object\":" object "}}"
#define OBJECT                                                                                                         \
	"{\"metadata\":{\"name\":\"web\",\"annotations\":{\"inject.zerotouch.io/bindings\":\"db,jwt\"}},\"spec\":{"  \
	"\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"a/b:1\"}]}}}}"

/* The same for printf, which is given the length of an annotation's value and 0 for each object. */
#define NOTED_OBJECT                                                                                                   \
	"{\"metadata\":{\"name\":\"web\",\"annotations\":{\"note\":\"%0*d\"}},\"spec\":{"                               \
	"\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"a/b:1\"}]}}}}"

static void write_noted(struct buf *text, const char *user, int length)
{
	buf_init(text, LIMIT_RESPONSE);
	buf_fmt(text, REVIEW("%s", NOTED_OBJECT), length, 0, user, length, 0);
	ck_assert_int_eq(text->error, 0);
}

static void expect(struct decision *d, enum phase phase, struct str body, enum budget_limit over, const char *word)
{
	decide(config, phase, body, d);
	ck_assert_int_eq(d->http_status, 200);
	ck_assert_int_eq(d->budget.over, over);
	ck_assert_str_eq(d->finding_count > 0 ? d->findings[0].rule : "", over == BUDGET_KEPT ? "" : "limits");
	ck_assert(d->allowed == (phase == PHASE_MUTATE || over == BUDGET_KEPT));
	ck_assert(!d->patched || over == BUDGET_KEPT);
	ck_assert(str_eqz(d->uid, "u-1"));
	ck_assert(str_eqz(d->name, "web"));
	const char *answer = buf_str(&d->body).p;
	ck_assert_msg(strstr(answer, word) != NULL, "%s", answer);
	decision_free(d);
}

static void expect_both(struct decision d, struct str body, enum budget_limit over, const char *word)
{
	struct decision again = d;
	expect(&d, PHASE_MUTATE, body, over, word);
	expect(&again, PHASE_VALIDATE, body, over, word);
}

START_TEST(decision_kept)
{
	struct decision d = {0};
	expect(&d, PHASE_MUTATE, STR(REVIEW("jane", OBJECT)), BUDGET_KEPT, "config");
}
END_TEST

static size_t work_of(enum phase phase, struct str body)
{
	struct decision d = {0};
	decide(config, phase, body, &d);
	size_t work = d.budget.work;
	decision_free(&d);
	return work;
}

START_TEST(decision_work)
{
	struct str body = STR(REVIEW("jane", OBJECT));
	/* At whatever step the work is over, from the first to the last one. */
	for (enum phase phase = PHASE_MUTATE; phase <= PHASE_VALIDATE; phase++)
		for (size_t whole = work_of(phase, body), less = 1; less < whole; less++) {
			struct decision d = {.budget.work_limit = whole - less};
			expect(&d, phase, body, BUDGET_WORK, "units of work");
		}
}
END_TEST

START_TEST(decision_time)
{
	bool passed = true;
	struct decision d = {.budget = {.expired = late, .deadline = &passed}};
	expect_both(d, STR(REVIEW("jane", OBJECT)), BUDGET_TIME, "within the time");
}
END_TEST

START_TEST(decision_memory)
{
	struct buf jane, exempt;
	write_noted(&jane, "jane", 16 * KIB);
	write_noted(&exempt, "system:serviceaccount:kube-system:x", 16 * KIB);
	struct str body = buf_str(&jane);
	/* The tree of the objects, and less than that of the rest. */
	expect_both((struct decision){.budget.memory_limit = 16 * KIB}, body, BUDGET_MEMORY, "memory");
	struct decision d = {.budget.memory_limit = 100};
	decide(config, PHASE_VALIDATE, body, &d);
	ck_assert_int_ge(d.http_status, 400);
	ck_assert(!d.allowed);
	decision_free(&d);
	/* Somebody who is exempt is not asked what the object holds. */
	expect_both((struct decision){.budget.memory_limit = 16 * KIB}, buf_str(&exempt), BUDGET_KEPT, "exempt-user");
	/* A text that is no JSON stays one, however large. */
	d = (struct decision){.budget.memory_limit = 16 * KIB};
	body.n -= 2;
	decide(config, PHASE_VALIDATE, body, &d);
	ck_assert_int_eq(d.http_status, 400);
	decision_free(&d);
	buf_free(&jane);
	buf_free(&exempt);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("budget");
	TCase *c = tcase_create("budget");
	tcase_add_test(c, none_grants_all);
	tcase_add_test(c, over_is_for_good);
	tcase_add_test(c, deadline);
	tcase_add_test(c, arena_pays);
	tcase_add_test(c, buffer_pays);
	tcase_add_test(c, json_pays);
	suite_add_tcase(suite, c);
	c = tcase_create("decision");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, decision_kept);
	tcase_add_test(c, decision_work);
	tcase_add_test(c, decision_time);
	tcase_add_test(c, decision_memory);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
