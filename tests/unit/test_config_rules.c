/* The parameters of the rules in a configuration: what is read, what is refused, and in which words. */
#include "policy/load/load.h"
#include "policy/rules/rule.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD "apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n"

static struct config *load(const char *text)
{
	struct config *config = NULL;
	struct error err = {.text = ""};
	int rc = config_load(str_of(text), "c.yaml", &config, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return config;
}

static bool holds(const struct names *list, const char *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_eqz(list->items[i], item))
			return true;
	return false;
}

START_TEST(built_in)
{
	struct config *c = load(HEAD);
	ck_assert(!c->audit);
	for (enum rule_id id = 0; id < RULE_COUNT; id++) {
		ck_assert_int_eq(c->rules[id].mode, rules[id]->mode);
		ck_assert_uint_eq(c->rules[id].kind_count, rules[id]->kind_count);
		ck_assert_ptr_null(c->rules[id].exempt_labels);
		for (size_t i = 0; i < RULE_LISTS; i++)
			ck_assert_uint_eq(c->rules[id].lists[i].count, rules[id]->lists[i].names.count);
	}
	ck_assert_int_eq(c->rules[RULE_RESERVED_SECRET].mode, MODE_OFF);
	ck_assert_int_eq(c->rules[RULE_SYNC_WAVE].mode, MODE_WARN);
	ck_assert_int_eq(c->rules[RULE_SYNC_WAVE].integer, 0);
	config_free(c);
}
END_TEST

START_TEST(lists_extend_or_replace)
{
	struct config *c = load(HEAD "rules:\n"
				     "  literal-credentials: {names: {extend: ['*_DSN']}, allowedNames: {replace: []}}\n"
				     "  reserved-secret: {names: {replace: ['a-*', b]}}\n"
				     "  sync-wave: {kinds: {extend: [{group: g, kind: k}]}}\n"
				     "  external-secret-path: {sharedPaths: {extend: [/a/*/b]}}\n");
	const struct rule_config *credentials = &c->rules[RULE_LITERAL_CREDENTIALS];
	ck_assert_uint_eq(credentials->lists[0].count, rule_literal_credentials.lists[0].names.count + 1);
	ck_assert(holds(&credentials->lists[0], "*_DSN"));
	ck_assert(holds(&credentials->lists[0], "*PASSWORD"));
	ck_assert_uint_eq(credentials->lists[1].count, 0);
	ck_assert_uint_eq(c->rules[RULE_RESERVED_SECRET].lists[0].count, 2);
	ck_assert(holds(&c->rules[RULE_RESERVED_SECRET].lists[0], "b"));
	ck_assert(!holds(&c->rules[RULE_RESERVED_SECRET].lists[0], "*-conn"));
	ck_assert_uint_eq(c->rules[RULE_SYNC_WAVE].kind_count, RULE_CLAIMS + 1);
	ck_assert_uint_eq(c->rules[RULE_CLAIM_SECRET_NAME].kind_count, RULE_CLAIMS);
	ck_assert(holds(&c->rules[RULE_EXTERNAL_SECRET_PATH].lists[1], "/a/*/b"));
	ck_assert(holds(&c->rules[RULE_EXTERNAL_SECRET_PATH].lists[1], "/zerotouch/*/shared/**"));
	config_free(c);
}
END_TEST

START_TEST(exemptions)
{
	struct config *c = load(HEAD "audit: true\nrules:\n"
				     "  reserved-secret: {mode: warn, exempt: {namespaces: [a], users: [b], labels: {c: 'd*'}}}\n"
				     "  sync-wave: {wave: -7, mode: enforce}\n");
	const struct rule_config *rule = &c->rules[RULE_RESERVED_SECRET];
	ck_assert(c->audit);
	ck_assert(holds(&rule->exempt_namespaces, "a"));
	ck_assert(holds(&rule->exempt_users, "b"));
	ck_assert_msg(holds(&rule->exempt_users, "system:serviceaccount:crossplane-system:*"), "the built-in users stay");
	ck_assert(str_eqz(json_string(json_getz(rule->exempt_labels, "c")), "d*"));
	ck_assert_int_eq(c->rules[RULE_SYNC_WAVE].integer, -7);
	config_free(c);
}
END_TEST

/* A configuration behind HEAD, and the sentence about it. */
static const struct {
	const char *text, *sentence;
} refused[] = {
	{"audit: sometimes", "c.yaml:3:8: audit is a string; expected true or false"},
	{"rules: {sync-waves: {}}",
	 "c.yaml:3:9: unknown key \"sync-waves\" in rules; allowed: claim-secret-name, no-in-cluster-database, "
	 "external-secret-path, literal-credentials, reserved-secret, conn-collision, env-collision, sync-wave, "
	 "injection-complete; did you mean \"sync-wave\"?"},
	{"rules: {reserved-secret: {wave: 1}}",
	 "c.yaml:3:27: unknown key \"wave\" in reserved-secret; allowed: mode, exempt, help, names"},
	{"rules: {sync-wave: {wave: 1.5}}", "c.yaml:3:27: wave is a number; expected a whole number"},
	{"rules: {sync-wave: {wave: '1'}}", "c.yaml:3:27: wave is a string; expected a whole number"},
	{"rules: {sync-wave: {wave: 1000000000}}",
	 "c.yaml:3:27: wave is 1000000000; expected a number of at most 9 digits"},
	{"rules: {reserved-secret: {names: [a]}}", "c.yaml:3:34: names is a list; expected a mapping"},
	{"rules: {reserved-secret: {names: {}}}",
	 "c.yaml:3:34: names has nothing in it; expected either extend or replace, with a list"},
	{"rules: {reserved-secret: {names: {extend: [a], replace: [b]}}}",
	 "c.yaml:3:34: names has both extend and replace; expected either extend or replace, with a list"},
	{"rules: {reserved-secret: {names: {add: [a]}}}",
	 "c.yaml:3:35: unknown key \"add\" in names; allowed: extend, replace"},
	{"rules: {reserved-secret: {names: {extend: a}}}", "c.yaml:3:43: extend is a string; expected a list"},
	{"rules: {reserved-secret: {names: {extend: [1]}}}",
	 "c.yaml:3:44: names is an integer; expected a list of strings: put them in quotes"},
	{"rules: {reserved-secret: {exempt: {group: [a]}}}",
	 "c.yaml:3:36: unknown key \"group\" in exempt; allowed: namespaces, users, groups, labels; "
	 "did you mean \"groups\"?"},
	{"exempt: {labels: {a: b}}", "c.yaml:3:10: unknown key \"labels\" in exempt; allowed: namespaces, users, groups"},
	{"rules: {reserved-secret: {exempt: {labels: [a]}}}",
	 "c.yaml:3:44: labels is a list; expected a mapping of labels to values"},
	{"rules: {reserved-secret: {exempt: {labels: {}}}}",
	 "c.yaml:3:44: labels is empty, which would exempt every object; name a label, or remove the key"},
	{"rules: {reserved-secret: {exempt: {labels: {a: true}}}}",
	 "c.yaml:3:48: a label's value is true or false; expected a string: put it in quotes"},
	{"rules: {literal-credentials: {names: {extend: [db_password]}}}",
	 "c.yaml:3:48: \"db_password\" cannot stand in names; expected upper case with _ for - and dots, as names are "
	 "compared: *_PASSWORD"},
	{"rules: {external-secret-path: {servicePaths: {replace: [/a/*/*]}}}",
	 "c.yaml:3:57: \"/a/*/*\" cannot stand in servicePaths; expected a path such as /zerotouch/*/{service}/**, with "
	 "{service} as one whole segment"},
	{"rules: {external-secret-path: {servicePaths: {replace: ['/a/{app}/*']}}}",
	 "c.yaml:3:57: \"/a/{app}/*\" cannot stand in servicePaths; expected a path such as /zerotouch/*/{service}/**, "
	 "with {service} as one whole segment"},
	{"rules: {external-secret-path: {sharedPaths: {extend: [a/b]}}}",
	 "c.yaml:3:55: \"a/b\" cannot stand in sharedPaths; expected a path such as /zerotouch/*/shared/**, with ** only "
	 "at its end"},
	{"rules: {external-secret-path: {platformPaths: {extend: [/a/**/b]}}}",
	 "c.yaml:3:57: \"/a/**/b\" cannot stand in platformPaths; expected a path such as /zerotouch/*/shared/**, with ** "
	 "only at its end"},
	{"rules: {external-secret-path: {platformPaths: {extend: [/a//b]}}}",
	 "c.yaml:3:57: \"/a//b\" cannot stand in platformPaths; expected a path such as /zerotouch/*/shared/**, with ** "
	 "only at its end"},
	{"rules: {external-secret-path: {platformPaths: {extend: ['/a/{service}']}}}",
	 "c.yaml:3:57: \"/a/{service}\" cannot stand in platformPaths; expected a path such as /zerotouch/*/shared/**, "
	 "with ** only at its end"},
	{"rules: {env-collision: {kinds: {extend: []}}}",
	 "c.yaml:3:25: unknown key \"kinds\" in env-collision; allowed: mode, exempt, help"},
	{"rules: {sync-wave: {kinds: {extend: [{group: g}]}}}", "c.yaml:3:38: an entry of kinds has no kind; add it"},
};

START_TEST(refusals)
{
	char text[512];
	struct config *config = NULL;
	struct error err = {.text = ""};
	int n = snprintf(text, sizeof text, "%s%s\n", HEAD, refused[_i].text);
	ck_assert(n > 0 && (size_t)n < sizeof text);
	ck_assert_int_eq(config_load(str_of(text), "c.yaml", &config, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, refused[_i].sentence);
	ck_assert_ptr_null(config);
}
END_TEST

static const struct {
	const char *text;
	bool good;
	int value;
} integers[] = {
	{"0", true, 0}, {"-0", true, 0}, {"+3", true, 3}, {"-12", true, -12}, {"007", true, 7},
	{"999999999", true, 999999999}, {"-999999999", true, -999999999}, {"1000000000", false, 0},
	{"", false, 0}, {"-", false, 0}, {"+", false, 0}, {"--1", false, 0},
	{"1.0", false, 0}, {" 1", false, 0}, {"1 ", false, 0}, {"1e3", false, 0}, {"0x1", false, 0},
};

START_TEST(integer)
{
	int value = 42;
	ck_assert_int_eq(rule_integer(str_of(integers[_i].text), &value), integers[_i].good);
	ck_assert_int_eq(value, integers[_i].good ? integers[_i].value : 42);
}
END_TEST

/* An index changes no verdict: over all lists of some of these, and all names of two letters. */
START_TEST(index_says_the_same)
{
	static const char *const items[] = {"ab", "a", "*b", "ba", "?", "", "a*", "bb", "ab"};
	enum { ITEMS = sizeof items / sizeof items[0] };
	static const char *const names[] = {"", "a", "b", "c", "aa", "ab", "ba", "bb", "abb", "*b", "?"};
	struct arena arena = {0};
	for (unsigned some = 0; some < 1U << ITEMS; some++) {
		struct str of[ITEMS];
		struct names plain = {.items = of}, indexed;
		for (size_t i = 0; i < ITEMS; i++)
			if ((some >> i & 1) != 0)
				of[plain.count++] = str_of(items[i]);
		indexed = plain;
		ck_assert(names_index(&arena, &indexed));
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			ck_assert_int_eq(names_match(&indexed, str_of(names[i])), names_match(&plain, str_of(names[i])));
	}
	arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_rules");
	TCase *cases = tcase_create("config_rules");
	tcase_add_test(cases, built_in);
	tcase_add_test(cases, lists_extend_or_replace);
	tcase_add_test(cases, exemptions);
	tcase_add_test(cases, index_says_the_same);
	tcase_add_loop_test(cases, refusals, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(cases, integer, 0, sizeof integers / sizeof integers[0]);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
