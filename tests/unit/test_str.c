/* String views: comparing, cutting, globs, and the distance behind "did you mean". */
#include "base/str.h"

#include "base/limits.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ABSENT ((struct str){NULL, 0})

START_TEST(equal_means_every_byte)
{
	ck_assert(str_eq(STR("abc"), STR("abc")));
	ck_assert(!str_eq(STR("abc"), STR("abC")));
	ck_assert(!str_eq(STR("abc"), STR("ab")));
	ck_assert(!str_eq(STR("a\0b"), STR("a\0c")));
	ck_assert(str_eq(STR(""), ABSENT));
	ck_assert(str_eqz(STR("abc"), "abc"));
	ck_assert(!str_eqz(STR("abc"), "abcd"));
	ck_assert(!str_eqz(STR("a\0b"), "a"));
	ck_assert_uint_eq(str_of("four").n, 4);
	ck_assert(str_of(NULL).p == NULL && str_of(NULL).n == 0);
}
END_TEST

START_TEST(beginnings_and_ends)
{
	ck_assert(str_starts(STR("team-a"), STR("team-")));
	ck_assert(str_starts(STR("team-a"), STR("")));
	ck_assert(!str_starts(STR("team"), STR("team-")));
	ck_assert(!str_starts(ABSENT, STR("a")));
	ck_assert(str_ends(STR("cache-conn"), STR("-conn")));
	ck_assert(str_ends(STR("cache"), STR("")));
	ck_assert(!str_ends(STR("conn"), STR("-conn")));
	ck_assert(!str_ends(STR("cache-conN"), STR("-conn")));
	ck_assert(str_contains(STR("cache-conn"), STR("e-c")) && str_contains(STR("conn"), STR("conn")));
	ck_assert(str_contains(STR(""), STR("")) && str_contains((struct str){NULL, 0}, STR("")));
	ck_assert(!str_contains((struct str){NULL, 0}, STR("c")) && !str_contains(STR("con"), STR("conn")));
	ck_assert(!str_contains(STR("cache"), STR("-")));
}
END_TEST

START_TEST(order_is_that_of_bytes)
{
	static const struct str rising[] = {
		STR_INIT(""), STR_INIT("A"), STR_INIT("a"), STR_INIT("a\0"), STR_INIT("aa"), STR_INIT("b"),
		STR_INIT("\xC3\xA9"),
	};
	for (size_t i = 0; i < COUNT(rising); i++)
		for (size_t k = 0; k < COUNT(rising); k++) {
			int order = str_cmp(rising[i], rising[k]);
			ck_assert_msg((order > 0) - (order < 0) == (i > k) - (i < k), "%zu and %zu: %d", i, k, order);
		}
}
END_TEST

START_TEST(cutting)
{
	ck_assert(str_eqz(str_trim(STR(" \t\r\n a b \n")), "a b"));
	ck_assert_uint_eq(str_trim(STR(" \t\r\n ")).n, 0);
	ck_assert(str_eqz(str_from(STR("abc"), 1), "bc"));
	ck_assert_uint_eq(str_from(STR("abc"), 3).n, 0);
	ck_assert_uint_eq(str_from(STR("abc"), 99).n, 0);
	ck_assert(str_from(ABSENT, 2).p == NULL);
	ck_assert_uint_eq(str_find(STR("a/b/c"), '/'), 1);
	ck_assert_uint_eq(str_rfind(STR("a/b/c"), '/'), 3);
	ck_assert_uint_eq(str_find(STR("abc"), '/'), 3);
	ck_assert_uint_eq(str_rfind(STR("abc"), '/'), 3);
	ck_assert_uint_eq(str_find(ABSENT, '/'), 0);
	ck_assert_uint_eq(str_rfind(STR("/"), '/'), 0);
}
END_TEST

START_TEST(lists_come_apart)
{
	static const struct {
		const char *list, *joined; /* the parts, each in brackets */
	} cases[] = {
		{"a,b", "[a][b]"}, {"a,,b", "[a][][b]"}, {"", "[]"}, {",", "[][]"}, {"a,", "[a][]"}, {NULL, ""},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char joined[32] = "";
		size_t n = 0;
		struct str rest = str_of(cases[i].list), part;
		while (str_split(&rest, ',', &part)) {
			ck_assert_uint_lt(n + part.n + 2, sizeof joined);
			joined[n++] = '[';
			memcpy(joined + n, part.p, part.n);
			n += part.n;
			joined[n++] = ']';
		}
		ck_assert_str_eq(joined, cases[i].joined);
		ck_assert(rest.p == NULL);
	}
}
END_TEST

START_TEST(globs)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"*", "", true},
		{"*", "anything at all", true},
		{"**", "a", true},
		{"?", "", false},
		{"?", "a", true},
		{"?", "ab", false},
		{"??", "ab", true},
		{"tenant-*", "tenant-", true},
		{"tenant-*", "tenant-a", true},
		{"tenant-*", "Tenant-a", false},
		{"tenant-*", "my-tenant-a", false},
		{"*-proxy", "istio-proxy", true},
		{"*-proxy", "istio-proxy-2", false},
		{"*-proxy", "-proxy", true},
		{"*exporter*", "postgres-exporter", true},
		{"*exporter*", "exporter", true},
		{"*exporter*", "exporte", false},
		{"a*b*c", "abc", true},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "a1b2c3", false},
		{"a*b*c", "aXbYbZc", true},
		{"*ab", "aab", true},
		{"*ab", "abab", true},
		{"a?c*", "abc", true},
		{"a?c*", "ac", false},
		{"*?", "", false},
		{"*?", "a", true},
		{"system:serviceaccount:kube-system:*", "system:serviceaccount:kube-system:deployment-controller", true},
		{"system:serviceaccount:kube-system:*", "system:serviceaccount:kube-systems:x", false},
		{"[ab]", "a", false},
		{"[ab]", "[ab]", true},
		{"a.c", "abc", false},
		{"\\*", "*", false},
		{"\\*", "\\anything", true},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(str_glob(str_of(cases[i].pattern), str_of(cases[i].text)) == cases[i].matches,
			      "\"%s\" against \"%s\" is not %d", cases[i].pattern, cases[i].text, cases[i].matches);
	ck_assert(str_is_glob(STR("a*")) && str_is_glob(STR("?")) && !str_is_glob(STR("[a]")) && !str_is_glob(STR("")));
}
END_TEST

/* A matcher that tries every division of the text would not end before Check's time is over. */
/* The definition, in as many steps as it takes. */
static bool slow_glob(const char *p, const char *s)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*')
		return slow_glob(p + 1, s) || (*s != '\0' && slow_glob(p, s + 1));
	return *s != '\0' && (*p == '?' || *p == *s) && slow_glob(p + 1, s + 1);
}

/* All patterns of up to seven of four characters, against all texts of up to six of two. */
START_TEST(globs_as_defined)
{
	char pattern[8] = "", text[7] = "";
	for (unsigned p = 0; p < 1U << 14; p++) {
		size_t n = p % 8;
		for (size_t i = 0; i < n; i++)
			pattern[i] = "ab*?"[p >> (2 * i) & 3];
		pattern[n] = '\0';
		for (unsigned t = 0; t < 1U << 7; t++) {
			size_t m = t % 7;
			for (size_t i = 0; i < m; i++)
				text[i] = "ab"[t >> i & 1];
			text[m] = '\0';
			if (str_glob(str_of(pattern), str_of(text)) != slow_glob(pattern, text))
				ck_abort_msg("%s %s", pattern, text);
		}
	}
	/* A piece with a ? that is longer than a word has bits. */
	char long_pattern[80], long_text[200];
	memset(long_pattern, 'a', sizeof long_pattern);
	memset(long_text, 'a', sizeof long_text);
	long_pattern[0] = long_pattern[79] = '*';
	long_pattern[40] = '?';
	long_pattern[78] = 'b';
	ck_assert(!str_glob((struct str){long_pattern, 80}, (struct str){long_text, 200}));
	long_text[150] = 'b';
	ck_assert(str_glob((struct str){long_pattern, 80}, (struct str){long_text, 200}));
}
END_TEST

START_TEST(a_hostile_glob_takes_no_time)
{
	char pattern[200], text[20000];
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[sizeof pattern - 1] = 'b';
	memset(text, 'a', sizeof text);
	ck_assert(!str_glob((struct str){pattern, sizeof pattern}, (struct str){text, sizeof text}));
}
END_TEST

START_TEST(cuts_on_a_character_boundary)
{
	static const struct {
		const char *text;
		size_t max, n;
	} cases[] = {
		{"abc", 5, 3}, {"abc", 3, 3}, {"abc", 2, 2}, {"abc", 0, 0}, {"", 0, 0},
		{"a\xC3\xA9", 2, 1}, {"a\xC3\xA9", 3, 3},
		{"\xE2\x82\xAC", 1, 0}, {"\xE2\x82\xAC", 2, 0}, {"\xE2\x82\xAC", 3, 3},
		{"x\xF0\x9F\x98\x80y", 4, 1}, {"x\xF0\x9F\x98\x80y", 5, 5}, {"x\xF0\x9F\x98\x80y", 6, 6},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(str_utf8_cut(str_of(cases[i].text), cases[i].max).n == cases[i].n, "\"%s\" at %zu", cases[i].text,
			      cases[i].max);
}
END_TEST

START_TEST(distances)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{"", "", 0},
		{"bindings", "bindings", 0},
		{"", "abc", 3},
		{"binding", "bindings", 1},
		{"bindigns", "bindings", 1},
		{"bundings", "bindings", 1},
		{"migrate-form", "migrate-from", 1},
		{"ab", "ba", 1},
		{"ca", "abc", 3},
		{"kitten", "sitting", 3},
		{"db", "cache", 5},
		{"Mode", "mode", 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_uint_eq(str_distance(str_of(cases[i].a), str_of(cases[i].b)), cases[i].distance);
		ck_assert_uint_eq(str_distance(str_of(cases[i].b), str_of(cases[i].a)), cases[i].distance);
	}
	char long_name[LIMIT_SUGGEST_LENGTH + 1];
	memset(long_name, 'a', sizeof long_name);
	struct str longest = {long_name, LIMIT_SUGGEST_LENGTH}, longer = {long_name, sizeof long_name};
	ck_assert_uint_eq(str_distance(longest, STR("a")), LIMIT_SUGGEST_LENGTH - 1);
	ck_assert_uint_eq(str_distance(longest, longest), 0);
	ck_assert_uint_eq(str_distance(longer, STR("a")), SIZE_MAX);
	ck_assert_uint_eq(str_distance(STR("a"), longer), SIZE_MAX);
}
END_TEST

/* Vectors that the authors of FNV publish for its 64-bit form 1a. */
START_TEST(hashes)
{
	ck_assert(str_hash(STR_HASH_SEED, STR("")) == 0xcbf29ce484222325ULL);
	ck_assert(str_hash(STR_HASH_SEED, STR("a")) == 0xaf63dc4c8601ec8cULL);
	ck_assert(str_hash(STR_HASH_SEED, STR("foobar")) == 0x85944171f73967e8ULL);
	ck_assert(str_hash(str_hash(STR_HASH_SEED, STR("foo")), STR("bar")) == 0x85944171f73967e8ULL);
	ck_assert(str_hash(STR_HASH_SEED, STR("\xFF")) != str_hash(STR_HASH_SEED, STR("\x7F")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("str");
	TCase *tests = tcase_create("str");
	tcase_add_test(tests, equal_means_every_byte);
	tcase_add_test(tests, beginnings_and_ends);
	tcase_add_test(tests, order_is_that_of_bytes);
	tcase_add_test(tests, cutting);
	tcase_add_test(tests, lists_come_apart);
	tcase_add_test(tests, globs);
	tcase_add_test(tests, globs_as_defined);
	tcase_add_test(tests, a_hostile_glob_takes_no_time);
	tcase_add_test(tests, cuts_on_a_character_boundary);
	tcase_add_test(tests, distances);
	tcase_add_test(tests, hashes);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
