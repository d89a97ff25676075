/* JSON: what is refused and in which words, what is kept exactly, and trees that change. */
#include "codec/json.h"

#include "base/limits.h"
#include "codec/json_writer.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_LIMIT (32 * MIB)

/* The tree of a text that must be good. */
static struct json *parsed(struct str text)
{
	struct json *tree = NULL;
	struct error err = {.text = ""};
	ck_assert_msg(json_parse(text, &tree, &err) == 0, "%.*s: %s", STR_ARG(text), err.text);
	ck_assert_ptr_nonnull(tree);
	return tree;
}

static void check_written(const struct json *tree, const char *expected)
{
	struct buf out;
	buf_init(&out, TEXT_LIMIT);
	json_write(&out, tree);
	ck_assert_int_eq(out.error, 0);
	ck_assert_msg(str_eqz(buf_str(&out), expected), "%.*s\n expected %s", STR_ARG(buf_str(&out)), expected);
	buf_free(&out);
}

static void check_round(const char *text, const char *expected)
{
	struct json *tree = parsed(str_of(text));
	check_written(tree, expected);
	json_free(tree);
}

static void check_refused(struct str text, const char *sentence)
{
	struct json *untouched = (struct json *)&text, *tree = untouched;
	struct error err = {.text = ""};
	ck_assert_msg(json_parse(text, &tree, &err) == ERR_INVALID, "%.*s was taken", STR_ARG(text));
	ck_assert_msg(strcmp(err.text, sentence) == 0, "%.*s: %s\n expected %s", STR_ARG(text), err.text, sentence);
	ck_assert(tree == untouched);
	ck_assert_int_eq(json_parse(text, &tree, NULL), ERR_INVALID);
}

/* ---- reading ---- */

#define AT(line, column) "malformed JSON at line " #line ", column " #column ": "
#define NO_VALUE "expected a value: an object, an array, a string, a number, true, false or null"
#define FOUND(what) "found \"" what "\"; "
#define ENDS "the text ends; "
#define NO_UTF8 "expected UTF-8 in a string"
#define NO_CONTROL "expected an escape instead of a control character in a string"
#define NO_ESCAPE "expected one of \" \\ / b f n r t u behind the backslash in a string"
#define NO_END "expected nothing behind the end of the JSON value"
#define HALF_1 "the first half of a surrogate pair stands alone"
#define HALF_2 "the second half of a surrogate pair stands alone"

START_TEST(malformed_text_gets_a_sentence)
{
	static const struct {
		struct str text;
		const char *sentence;
	} cases[] = {
		{STR_INIT(""), "malformed JSON: the text is empty"},
		{STR_INIT(" \n\t\r"), "malformed JSON: the text is empty"},
		{STR_INIT("\xEF\xBB\xBF{}"), AT(1, 1) FOUND("\\ufeff") NO_VALUE},
		{STR_INIT("nul"), AT(1, 1) FOUND("nul") NO_VALUE},
		{STR_INIT("True"), AT(1, 1) FOUND("True") NO_VALUE},
		{STR_INIT("NaN"), AT(1, 1) FOUND("NaN") NO_VALUE},
		{STR_INIT("Infinity"), AT(1, 1) FOUND("Infinity") NO_VALUE},
		{STR_INIT("'a'"), AT(1, 1) FOUND("'") NO_VALUE},
		{STR_INIT("+1"), AT(1, 1) FOUND("+") NO_VALUE},
		{STR_INIT(".5"), AT(1, 1) FOUND(".") NO_VALUE},
		{STR_INIT("// no\n1"), AT(1, 1) FOUND("/") NO_VALUE},
		{STR_INIT("nullx"), AT(1, 5) FOUND("x") NO_END},
		{STR_INIT("{} {}"), AT(1, 4) FOUND("{") NO_END},
		{STR_INIT("{}\0"), AT(1, 3) FOUND("\\u0000") NO_END},
		{STR_INIT("1 2"), AT(1, 3) FOUND("2") NO_END},
		{STR_INIT("{}]"), AT(1, 3) FOUND("]") NO_END},
		{STR_INIT("01"), AT(1, 1) "a number begins with a superfluous 0; leave it out"},
		{STR_INIT("-01"), AT(1, 1) "a number begins with a superfluous 0; leave it out"},
		{STR_INIT("-"), AT(1, 2) ENDS "expected a digit"},
		{STR_INIT("-a"), AT(1, 2) FOUND("a") "expected a digit"},
		{STR_INIT("1."), AT(1, 3) ENDS "expected a digit behind the decimal point"},
		{STR_INIT("1.e5"), AT(1, 3) FOUND("e5") "expected a digit behind the decimal point"},
		{STR_INIT("1e"), AT(1, 3) ENDS "expected a digit in the exponent"},
		{STR_INIT("1e+"), AT(1, 4) ENDS "expected a digit in the exponent"},
		{STR_INIT("0x10"), AT(1, 2) FOUND("x10") NO_END},
		{STR_INIT("\"a"), AT(1, 1) "a string has no closing quote"},
		{STR_INIT("\"a\\\""), AT(1, 1) "a string has no closing quote"},
		{STR_INIT("\"\\"), AT(1, 2) "the text ends inside a string"},
		{STR_INIT("\"a\nb\""), AT(1, 3) FOUND("\\n") NO_CONTROL},
		{STR_INIT("\"a\tb\""), AT(1, 3) FOUND("\\t") NO_CONTROL},
		{STR_INIT("\"a\0b\""), AT(1, 3) FOUND("\\u0000") NO_CONTROL},
		{STR_INIT("\"\\x41\""), AT(1, 3) FOUND("x41") NO_ESCAPE},
		{STR_INIT("\"\\\0\""), AT(1, 3) FOUND("\\u0000") NO_ESCAPE},
		{STR_INIT("\"\\u12\""), AT(1, 2) "\\u in a string needs four hexadecimal digits"},
		{STR_INIT("\"\\u12g4\""), AT(1, 2) "\\u in a string needs four hexadecimal digits"},
		{STR_INIT("\"\\u1"), AT(1, 2) "\\u in a string needs four hexadecimal digits"},
		{STR_INIT("\"\\ud800\""), AT(1, 2) HALF_1},
		{STR_INIT("\"\\ud800\\n\""), AT(1, 2) HALF_1},
		{STR_INIT("\"\\ud800\\ud800\""), AT(1, 2) HALF_1},
		{STR_INIT("\"\\ud800\\u0041\""), AT(1, 2) HALF_1},
		{STR_INIT("\"\\ude00\\ud83d\""), AT(1, 2) HALF_2},
		{STR_INIT("\"\xFF\""), AT(1, 2) FOUND("\\xff") NO_UTF8},
		{STR_INIT("\"\xC0\x80\""), AT(1, 2) FOUND("\\xc0") NO_UTF8},
		{STR_INIT("\"\xC3\""), AT(1, 2) FOUND("\\xc3") NO_UTF8},
		{STR_INIT("\"\x80\""), AT(1, 2) FOUND("\\x80") NO_UTF8},
		{STR_INIT("\"\xE0\x9F\xBF\""), AT(1, 2) FOUND("\\xe0") NO_UTF8},
		{STR_INIT("\"\xED\xA0\x80\""), AT(1, 2) FOUND("\\xed") NO_UTF8},
		{STR_INIT("\"\xF0\x8F\xBF\xBF\""), AT(1, 2) FOUND("\\xf0") NO_UTF8},
		{STR_INIT("\"\xF4\x90\x80\x80\""), AT(1, 2) FOUND("\\xf4") NO_UTF8},
		{STR_INIT("\"\xF5\x80\x80\x80\""), AT(1, 2) FOUND("\\xf5") NO_UTF8},
		{STR_INIT("\"\xE2\x82"), AT(1, 2) FOUND("\\xe2") NO_UTF8},
		{STR_INIT("["), AT(1, 2) ENDS "expected a value"},
		{STR_INIT("[1"), AT(1, 3) ENDS "expected a comma or ] in an array"},
		{STR_INIT("[1 2]"), AT(1, 4) FOUND("2") "expected a comma or ] in an array"},
		{STR_INIT("[1}"), AT(1, 3) FOUND("}") "expected a comma or ] in an array"},
		{STR_INIT("[1,]"), AT(1, 4) FOUND("]") NO_VALUE},
		{STR_INIT("[,1]"), AT(1, 2) FOUND(",") NO_VALUE},
		{STR_INIT("{"), AT(1, 2) ENDS "expected a key in quotes"},
		{STR_INIT("{a: 1}"), AT(1, 2) FOUND("a") "expected a key in quotes"},
		{STR_INIT("{1: 1}"), AT(1, 2) FOUND("1") "expected a key in quotes"},
		{STR_INIT("{\"a\" 1}"), AT(1, 6) FOUND("1") "expected a colon behind a key"},
		{STR_INIT("{\"a\"}"), AT(1, 5) FOUND("}") "expected a colon behind a key"},
		{STR_INIT("{\"a\":}"), AT(1, 6) FOUND("}") NO_VALUE},
		{STR_INIT("{\"a\":1,}"), AT(1, 8) FOUND("}") "expected a key in quotes"},
		{STR_INIT("{\"a\":1 \"b\":2}"), AT(1, 8) FOUND("\\\"") "expected a comma or } in an object"},
		{STR_INIT("{\"a\":1]"), AT(1, 7) FOUND("]") "expected a comma or } in an object"},
		{STR_INIT("{\n\t\"a\": tru\n}"), AT(2, 7) FOUND("tru") NO_VALUE},
		{STR_INIT("{\n\n  \"a\": 1\n  \"b\": 2\n}"), AT(4, 3) FOUND("\\\"") "expected a comma or } in an object"},
		{STR_INIT("{\"a\\u0000b\": 1}"), AT(1, 2) "a key holds the character NUL (\\u0000)"},
		{STR_INIT("{\"a\":[{\"\\u0000\":1}]}"), AT(1, 8) "a key holds the character NUL (\\u0000)"},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		check_refused(cases[i].text, cases[i].sentence);
	check_refused((struct str){NULL, 0}, "malformed JSON: the text is empty");
}
END_TEST

START_TEST(good_text_comes_back)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
		{"null", "null"},
		{" true ", "true"},
		{"false", "false"},
		{"{}", "{}"},
		{"[ ]", "[]"},
		{"\"\"", "\"\""},
		{"{ \"b\" : 1 ,\r\n\t\"a\" : [ 1 , { } ] }", "{\"b\":1,\"a\":[1,{}]}"},
		{"{\"\":{\"\":\"\"}}", "{\"\":{\"\":\"\"}}"},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
		{"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "\"A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
		{"\"\\u001f\\u007f\"", "\"\\u001f\x7F\""},
		{"\"\xF4\x8F\xBF\xBF\xED\x9F\xBF\"", "\"\xF4\x8F\xBF\xBF\xED\x9F\xBF\""},
		{"{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}"},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		check_round(cases[i].text, cases[i].written);
}
END_TEST

START_TEST(numbers_keep_their_text)
{
	static const char *const cases[] = {
		"0", "-0", "0.0", "1.50", "1e5", "1E+05", "1e-400", "1e400", "9007199254740993", "18446744073709551615",
		"-9223372036854775808", "123456789012345678901234567890", "0.1000000000000000055511151231257827",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *tree = parsed(str_of(cases[i]));
		ck_assert_int_eq(json_kind(tree), JSON_NUMBER);
		ck_assert(str_eqz(json_number(tree), cases[i]));
		ck_assert_ptr_null(json_string(tree).p);
		check_written(tree, cases[i]);
		struct json *copy = json_copy(tree);
		check_written(copy, cases[i]);
		json_free(copy);
		json_free(tree);
	}
	check_round("[1.0,{\"a\":2.50,\"b\":[3e1]},\"4\",5.0]", "[1.0,{\"a\":2.50,\"b\":[3e1]},\"4\",5.0]");
	char digits[LIMIT_JSON_NUMBER + 2];
	memset(digits, '9', sizeof digits);
	digits[LIMIT_JSON_NUMBER] = '\0';
	check_round(digits, digits);
	digits[LIMIT_JSON_NUMBER] = '9';
	check_refused((struct str){digits, sizeof digits - 1}, AT(1, 1) "a number is longer than 63 characters");
}
END_TEST

START_TEST(a_string_with_a_nul_keeps_its_source)
{
	struct json *tree = parsed(STR("{\"a\":\"x\\u0000y\",\"b\":\"x\",\"c\":[\"\\u0000\"],\"d\":1.0}"));
	const struct json *a = json_getz(tree, "a");
	ck_assert_int_eq(json_kind(a), JSON_STRING);
	ck_assert(str_eqz(json_string(a), "\"x\\u0000y\""));
	ck_assert_ptr_null(json_number(a).p);
	ck_assert(!json_equal(a, json_getz(tree, "b")));
	ck_assert(!json_is_empty(json_first(json_getz(tree, "c"))));
	check_written(tree, "{\"a\":\"x\\u0000y\",\"b\":\"x\",\"c\":[\"\\u0000\"],\"d\":1.0}");
	json_free(tree);
}
END_TEST

static void nested(struct buf *out, const char *open, const char *value, const char *close, size_t levels)
{
	buf_init(out, TEXT_LIMIT);
	for (size_t i = 0; i < levels; i++)
		buf_addz(out, open);
	buf_addz(out, value);
	for (size_t i = 0; i < levels; i++)
		buf_addz(out, close);
}

START_TEST(depth_is_limited_exactly)
{
	static const char *const forms[][2] = {{"[", "]"}, {"{\"a\":", "}"}};
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct buf text;
		struct json *tree;
		struct error err;
		nested(&text, forms[i][0], "1", forms[i][1], LIMIT_JSON_DEPTH);
		tree = parsed(buf_str(&text));
		check_written(tree, text.p);
		json_free(tree);
		buf_free(&text);
		nested(&text, forms[i][0], "1", forms[i][1], LIMIT_JSON_DEPTH + 1);
		ck_assert_int_eq(json_parse(buf_str(&text), &tree, &err), ERR_LIMIT);
		ck_assert_msg(strstr(err.text, "nested more than 256 levels deep") != NULL, "%s", err.text);
		buf_free(&text);
		nested(&text, forms[i][0], "", "", 1000000);
		ck_assert_int_eq(json_parse(buf_str(&text), &tree, &err), ERR_LIMIT);
		ck_assert_msg(strstr(err.text, "nested more than 256 levels deep") != NULL, "%s", err.text);
		buf_free(&text);
	}
}
END_TEST

START_TEST(a_key_stands_once)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"{\"a\":1,\"a\":1}", "malformed JSON: key \"a\" stands twice in the outermost object"},
		{"{\"a\":1,\"\\u0061\":1}", "malformed JSON: key \"a\" stands twice in the outermost object"},
		{"{\"\":1,\"\":1}", "malformed JSON: key \"\" stands twice in the outermost object"},
		{"{\"spec\":{\"list\":[0,{\"n\":1,\"n\":2}]}}", "malformed JSON: key \"n\" stands twice in spec.list[1]"},
		{"[[],[{\"a\":1,\"b\":2,\"a\":3}]]", "malformed JSON: key \"a\" stands twice in [1][0]"},
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		check_refused(str_of(cases[i].text), cases[i].sentence);
}
END_TEST

/* Of so many members that keys are kept in a table; the second key at every place. */
START_TEST(a_key_stands_once_among_many)
{
	for (size_t count = 2; count <= 40; count++)
		for (size_t second = 1; second <= count; second++) {
			struct buf text;
			struct json *tree;
			struct error err;
			buf_init(&text, TEXT_LIMIT);
			for (size_t i = 0; i < count; i++)
				buf_fmt(&text, "%s\"key-%zu\":%zu", i > 0 ? "," : "{", i == second ? second / 2 : i, i);
			buf_addz(&text, "}");
			int rc = json_parse(buf_str(&text), &tree, &err);
			char sentence[ERROR_TEXT_MAX];
			(void)snprintf(sentence, sizeof sentence,
				       "malformed JSON: key \"key-%zu\" stands twice in the outermost object", second / 2);
			ck_assert_msg(rc == (second < count ? ERR_INVALID : 0), "%zu of %zu", second, count);
			ck_assert(rc == 0 || strcmp(err.text, sentence) == 0);
			if (rc == 0)
				json_free(tree);
			buf_free(&text);
		}
}
END_TEST

/* The path to it does not fit into a sentence. */
START_TEST(a_key_stands_once_behind_a_long_one)
{
	struct buf text;
	struct json *tree;
	struct error err;
	buf_init(&text, TEXT_LIMIT);
	buf_fmt(&text, "{\"%0*d\":{\"a\":1,\"a\":2}}", ERROR_TEXT_MAX + 1, 0);
	ck_assert_int_eq(json_parse(buf_str(&text), &tree, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "malformed JSON: key \"a\" stands twice in an inner object");
	buf_free(&text);
}
END_TEST

/* Comparing every pair of keys would not end before Check's time is over. */
START_TEST(very_many_keys_take_little_time)
{
	enum { MEMBERS = 200000 };
	struct buf text;
	struct json *tree;
	struct error err;
	buf_init(&text, TEXT_LIMIT);
	for (size_t i = 0; i < MEMBERS; i++)
		buf_fmt(&text, "%s\"key-%zu\":\"\"", i > 0 ? "," : "{", i);
	buf_addz(&text, "}");
	tree = parsed(buf_str(&text));
	ck_assert_uint_eq(json_count(tree), MEMBERS);
	json_free(tree);
	buf_cut(&text, text.n - 1);
	buf_addz(&text, ",\"key-7\":\"\"}");
	ck_assert_int_eq(json_parse(buf_str(&text), &tree, &err), ERR_INVALID);
	buf_free(&text);
}
END_TEST

/* ---- looking ---- */

START_TEST(looking_things_up)
{
	struct json *tree = parsed(STR("{\"a\":{\"b\":[10,20,30]},\"A\":\"upper\",\"ab\":true,\"n\":null,\"f\":false}"));
	ck_assert(str_eqz(json_string(json_getz(tree, "A")), "upper"));
	ck_assert_int_eq(json_kind(json_getz(tree, "a")), JSON_OBJECT);
	ck_assert_ptr_null(json_getz(tree, "B"));
	ck_assert_ptr_null(json_getz(tree, ""));
	ck_assert_ptr_null(json_get(tree, (struct str){"a-", 0}));
	ck_assert_ptr_null(json_get(tree, STR("a\0b")));
	ck_assert_ptr_nonnull(json_get(tree, (struct str){"a-", 1}));
	ck_assert(json_is_true(json_getz(tree, "ab")) && !json_is_true(json_getz(tree, "f")) && !json_is_true(NULL));
	const struct json *list = json_path(tree, "a", "b", NULL);
	ck_assert_int_eq(json_kind(list), JSON_ARRAY);
	ck_assert_uint_eq(json_count(list), 3);
	ck_assert(str_eqz(json_number(json_at(list, 2)), "30"));
	ck_assert_ptr_null(json_at(list, 3));
	ck_assert_ptr_null(json_at(tree, 0));
	ck_assert_ptr_null(json_getz(list, "0"));
	ck_assert_ptr_null(json_path(tree, "a", "nothing", "here", NULL));
	ck_assert_ptr_null(json_path(NULL, "a", NULL));
	ck_assert_ptr_eq(json_path(tree, NULL), tree);
	ck_assert(str_eqz(json_key(json_first(tree)), "a") && str_eqz(json_key(json_next(json_first(tree))), "A"));
	ck_assert_ptr_null(json_first(NULL));
	ck_assert_uint_eq(json_count(NULL), 0);
	ck_assert_ptr_null(json_string(list).p);
	ck_assert_ptr_null(json_number(NULL).p);
	ck_assert_int_eq(json_kind(json_getz(tree, "n")), JSON_NULL);
	ck_assert_int_eq(json_kind(json_getz(tree, "f")), JSON_BOOL);
	ck_assert_int_eq(json_kind(NULL), JSON_ABSENT);
	json_free(tree);
	json_free(NULL);
}
END_TEST

START_TEST(empty_and_named)
{
	struct json *tree = parsed(STR("[null,\"\",[],{},0,false,\"a\",[0],{\"a\":0},true]"));
	static const char *const names[] = {
		"null", "a string", "an array", "an object", "a number", "a boolean", "a string", "an array", "an object",
		"a boolean",
	};
	size_t i = 0;
	for (const struct json *e = json_first(tree); e != NULL; e = json_next(e), i++) {
		ck_assert_msg(json_is_empty(e) == (i < 4), "%zu", i);
		ck_assert_str_eq(json_kind_name(json_kind(e)), names[i]);
	}
	ck_assert(json_is_empty(NULL));
	ck_assert_str_eq(json_kind_name(JSON_ABSENT), "nothing");
	json_free(tree);
}
END_TEST

START_TEST(a_tree_of_the_arena)
{
	struct arena arena = {0};
	const struct json *tree = NULL;
	ck_assert_int_eq(json_parse_in(&arena, STR("{\"a\":[1]}"), &tree, NULL), 0);
	ck_assert_uint_eq(json_count(json_getz(tree, "a")), 1);
	ck_assert_int_eq(json_parse_in(&arena, STR("{"), &tree, NULL), ERR_INVALID);
	ck_assert_uint_eq(json_count(json_getz(tree, "a")), 1);
	arena_free(&arena);
}
END_TEST

START_TEST(equality)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"1", "1", true},
		{"1", "1.0", false},
		{"1", "\"1\"", false},
		{"9007199254740993", "9007199254740992", false},
		{"null", "false", false},
		{"true", "true", true},
		{"true", "false", false},
		{"\"a\"", "\"A\"", false},
		{"\"a\"", "\"\\u0061\"", true},
		{"\"a\"", "\"a\\u0000\"", false},
		{"[]", "{}", false},
		{"[1,2]", "[1,2]", true},
		{"[1,2]", "[2,1]", false},
		{"[1,2]", "[1,2,3]", false},
		{"[1,2,3]", "[1,2]", false},
		{"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
		{"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
		{"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
		{"{\"a\":1}", "{\"A\":1}", false},
		{"{\"a\":null}", "{}", false},
		{"{\"a\":{\"x\":[1,{\"y\":2}]}}", "{\"a\":{\"x\":[1,{\"y\":2}]}}", true},
		{"{\"a\":{\"x\":[1,{\"y\":2}]}}", "{\"a\":{\"x\":[1,{\"y\":3}]}}", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *a = parsed(str_of(cases[i].a)), *b = parsed(str_of(cases[i].b));
		ck_assert_msg(json_equal(a, b) == cases[i].equal, "%s and %s", cases[i].a, cases[i].b);
		ck_assert_msg(json_equal(b, a) == cases[i].equal, "%s and %s", cases[i].b, cases[i].a);
		json_free(a);
		json_free(b);
	}
	struct json *one = parsed(STR("1"));
	ck_assert(json_equal(NULL, NULL) && !json_equal(one, NULL) && !json_equal(NULL, one));
	json_free(one);
}
END_TEST

static struct json *object_of(size_t members, bool backwards)
{
	struct buf text;
	buf_init(&text, TEXT_LIMIT);
	for (size_t i = 0; i < members; i++)
		buf_fmt(&text, "%s\"%zu\":1", i > 0 ? "," : "{", backwards ? members - i : i + 1);
	buf_addz(&text, "}");
	struct json *tree = parsed(buf_str(&text));
	buf_free(&text);
	return tree;
}

START_TEST(equality_of_large_objects_is_bounded)
{
	for (size_t members = LIMIT_EQUAL_MEMBERS; members <= LIMIT_EQUAL_MEMBERS + 1; members++) {
		struct json *a = object_of(members, false), *b = object_of(members, false), *c = object_of(members, true);
		ck_assert(json_equal(a, b));
		ck_assert(json_equal(a, c) == (members <= LIMIT_EQUAL_MEMBERS));
		json_free(a);
		json_free(b);
		json_free(c);
	}
}
END_TEST

/* ---- writing ---- */

START_TEST(strings_are_escaped)
{
	struct buf out;
	buf_init(&out, TEXT_LIMIT);
	json_write_string(&out, STR("\0\x01\b\t\n\v\f\r\x1F \"\\/\x7F\xE2\x80\xA8"));
	ck_assert_str_eq(out.p, "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\x7F\xE2\x80\xA8\"");
	buf_cut(&out, 0);
	json_write_string(&out, STR(""));
	json_write_string(&out, (struct str){NULL, 0});
	ck_assert_str_eq(out.p, "\"\"\"\"");
	buf_cut(&out, 0);
	json_write(&out, NULL);
	ck_assert_str_eq(out.p, "null");
	buf_free(&out);
	buf_init(&out, 3);
	json_write_string(&out, STR("four"));
	ck_assert_int_eq(out.error, ERR_LIMIT);
	buf_free(&out);
}
END_TEST

START_TEST(the_writer_keeps_the_commas)
{
	struct buf out;
	struct json *tree = parsed(STR("[1.50]"));
	buf_init(&out, TEXT_LIMIT);
	struct json_writer w = {.out = &out};
	jw_object(&w);
	jw_memberz(&w, "a", "x\n");
	jw_key(&w, "list");
	jw_array(&w);
	jw_int(&w, -5);
	jw_bool(&w, true);
	jw_stringz(&w, "s");
	jw_object(&w);
	jw_object_end(&w);
	jw_array(&w);
	jw_array_end(&w);
	jw_value(&w, tree);
	jw_raw(&w, STR("{\"raw\":1}"));
	jw_array_end(&w);
	jw_key_str(&w, STR("k\"y"));
	jw_bool(&w, false);
	jw_member(&w, "absent", (struct str){NULL, 0});
	jw_object_end(&w);
	ck_assert_str_eq(out.p, "{\"a\":\"x\\n\",\"list\":[-5,true,\"s\",{},[],[1.50],{\"raw\":1}],"
				"\"k\\\"y\":false,\"absent\":\"\"}");
	buf_free(&out);
	json_free(tree);
}
END_TEST

/* ---- changing ---- */

START_TEST(a_member_is_set)
{
	struct json *tree = parsed(STR("{\"a\":1,\"b\":{\"c\":[1.0]},\"d\":4}"));
	ck_assert_int_eq(json_object_set(tree, STR("b"), parsed(STR("\"new\""))), 0);
	ck_assert_int_eq(json_object_set(tree, STR("B"), parsed(STR("[2]"))), 0);
	ck_assert_int_eq(json_object_set(tree, (struct str){"abc", 1}, parsed(STR("\"first\""))), 0);
	check_written(tree, "{\"a\":\"first\",\"b\":\"new\",\"d\":4,\"B\":[2]}");
	ck_assert_int_eq(json_object_set(tree, STR("d"), parsed(STR("{}"))), 0);
	struct json *d = json_get_mutable(tree, STR("d"));
	ck_assert_int_eq(json_object_set(d, STR(""), parsed(STR("null"))), 0);
	check_written(tree, "{\"a\":\"first\",\"b\":\"new\",\"d\":{\"\":null},\"B\":[2]}");
	ck_assert_ptr_null(json_get_mutable(tree, STR("D")));
	json_free(tree);
}
END_TEST

START_TEST(an_element_is_inserted)
{
	struct json *tree = parsed(STR("[]"));
	static const struct {
		size_t index;
		const char *value, *written;
	} steps[] = {
		{0, "1", "[1]"}, {0, "0", "[0,1]"}, {2, "3", "[0,1,3]"}, {2, "\"two\"", "[0,1,\"two\",3]"},
		{1, "[]", "[0,[],1,\"two\",3]"},
	};
	for (size_t i = 0; i < COUNT(steps); i++) {
		ck_assert_int_eq(json_array_insert(tree, steps[i].index, parsed(str_of(steps[i].value))), 0);
		check_written(tree, steps[i].written);
	}
	struct json *object = parsed(STR("{\"a\":1}"));
	struct json *member = json_detach(object, json_get_mutable(object, STR("a")));
	ck_assert_int_eq(json_array_insert(tree, 5, member), 0);
	check_written(tree, "[0,[],1,\"two\",3,1]");
	check_written(object, "{}");
	json_free(object);
	json_free(tree);
}
END_TEST

START_TEST(an_element_is_replaced_or_taken_out)
{
	struct json *tree = parsed(STR("{\"a\":[1,2,3],\"b\":{\"c\":5}}"));
	struct json *list = json_get_mutable(tree, STR("a"));
	json_replace(list, json_at_mutable(list, 1), parsed(STR("\"two\"")));
	json_replace(tree, json_get_mutable(tree, STR("b")), parsed(STR("[true]")));
	check_written(tree, "{\"a\":[1,\"two\",3],\"b\":[true]}");
	ck_assert_ptr_null(json_at_mutable(list, 3));
	for (size_t index = 3; index > 0; index--)
		json_free(json_detach(list, json_at_mutable(list, index - 1)));
	check_written(tree, "{\"a\":[],\"b\":[true]}");
	ck_assert_int_eq(json_array_insert(list, 0, parsed(STR("9"))), 0);
	json_free(json_detach(tree, json_get_mutable(tree, STR("b"))));
	check_written(tree, "{\"a\":[9]}");
	json_free(tree);
}
END_TEST

START_TEST(a_copy_stands_alone)
{
	struct json *tree = parsed(STR("{\"a\":[1.0,\"\\u0000\"],\"b\":null}"));
	struct json *copy = json_copy(tree);
	ck_assert(json_equal(tree, copy));
	ck_assert_int_eq(json_object_set(copy, STR("b"), parsed(STR("1"))), 0);
	check_written(tree, "{\"a\":[1.0,\"\\u0000\"],\"b\":null}");
	json_free(tree);
	check_written(copy, "{\"a\":[1.0,\"\\u0000\"],\"b\":1}");
	json_free(copy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tests = tcase_create("json");
	tcase_add_test(tests, malformed_text_gets_a_sentence);
	tcase_add_test(tests, good_text_comes_back);
	tcase_add_test(tests, numbers_keep_their_text);
	tcase_add_test(tests, a_string_with_a_nul_keeps_its_source);
	tcase_add_test(tests, depth_is_limited_exactly);
	tcase_add_test(tests, a_key_stands_once);
	tcase_add_test(tests, a_key_stands_once_among_many);
	tcase_add_test(tests, a_key_stands_once_behind_a_long_one);
	tcase_add_test(tests, very_many_keys_take_little_time);
	tcase_add_test(tests, looking_things_up);
	tcase_add_test(tests, empty_and_named);
	tcase_add_test(tests, a_tree_of_the_arena);
	tcase_add_test(tests, equality);
	tcase_add_test(tests, equality_of_large_objects_is_bounded);
	tcase_add_test(tests, strings_are_escaped);
	tcase_add_test(tests, the_writer_keeps_the_commas);
	tcase_add_test(tests, a_member_is_set);
	tcase_add_test(tests, an_element_is_inserted);
	tcase_add_test(tests, an_element_is_replaced_or_taken_out);
	tcase_add_test(tests, a_copy_stands_alone);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
