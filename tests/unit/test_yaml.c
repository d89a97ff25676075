/* The YAML reader: what Kubernetes makes of a text, and what it refuses. */
#include "codec/yaml.h"

#include "base/limits.h"
#include "codec/json.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define JSON_LIMIT (16 * MIB)
#define TEXT_LIMIT (64 * MIB)

struct pair {
	const char *yaml, *expected;
};

/* Appends all documents of `text` as JSON, one a line; on failure appends the sentence and returns the code. */
static int convert(struct str text, struct buf *out)
{
	struct arena arena = {0};
	struct error err;
	const struct yaml_node **documents = NULL;
	size_t count = 0;
	int rc = yaml_parse(&arena, text, &documents, &count, &err);
	if (rc != 0)
		buf_addz(out, err.text);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_addc(out, '\n');
		yaml_to_json(out, documents[i]);
	}
	ck_assert_int_eq(out->error, 0);
	arena_free(&arena);
	return rc;
}

static void check_text(struct str text, int code, const char *expected)
{
	struct buf out;
	buf_init(&out, JSON_LIMIT);
	int rc = convert(text, &out);
	struct str got = buf_str(&out);
	ck_assert_msg(rc == code && (str_eqz(got, expected) || (got.n == 0 && *expected == '\0')),
		      "%.*s\n gives %d: %.*s\n expected %d: %s", STR_ARG(text), rc, STR_ARG(got), code, expected);
	buf_free(&out);
}

static void check_pairs(const struct pair *pairs, size_t count, int code)
{
	for (size_t i = 0; i < count; i++)
		check_text(str_of(pairs[i].yaml), code, pairs[i].expected);
}

#define CHECK_PAIRS(pairs, code) check_pairs(pairs, sizeof(pairs) / sizeof((pairs)[0]), code)

/* Compared once with what kubectl makes of the same scalars. */
START_TEST(scalars_resolve_as_in_kubernetes)
{
	static const struct pair pairs[] = {
		{"[true, True, TRUE, yes, Yes, YES, on, On, ON, y, Y]",
		 "[true,true,true,true,true,true,true,true,true,true,true]"},
		{"[false, False, FALSE, no, No, NO, off, Off, OFF, n, N]",
		 "[false,false,false,false,false,false,false,false,false,false,false]"},
		{"[tRUE, yES, oN, 'true', \"no\", nULL]", "[\"tRUE\",\"yES\",\"oN\",\"true\",\"no\",\"nULL\"]"},
		{"[~, null, Null, NULL, '', '~', ]", "[null,null,null,null,\"\",\"~\"]"},
		{"a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}"},
		{"[0, -0, +0, 12, +12, -12, 1_000, 1_, 1__0, +_1, _1]", "[0,-0,0,12,12,-12,1000,1,10,1,\"_1\"]"},
		{"[0x1F, 0X1f, 0x_1F, -0x10, 0o17, 0O17, 017, 0_17, +_017, -017, 00, 0b101, 0B1, -0b101]",
		 "[31,31,31,-16,15,15,15,15,15,-15,0,5,1,-5]"},
		{"[0x, 0b, 0o, 0b102, 0o8, 0xG, +, -, '-', +-1, 1:30, 1-2]",
		 "[\"0x\",\"0b\",\"0o\",\"0b102\",\"0o8\",\"0xG\",\"+\",\"-\",\"-\",\"+-1\",\"1:30\",\"1-2\"]"},
		{"[08, 09.5, -08, 1., 1.e3, .5, +.5, -.5, 1.50, 1e3, 1E-3, 1e+03, 1_000.5, 1._5, 1e1_0]",
		 "[8,9.5,-8,1,1e3,0.5,0.5,-0.5,1.50,1e3,1E-3,1e+03,1000.5,1.5,1e10]"},
		{"[., .e1, 1e, 1e+, ..5, 1.2.3, .5_, .5__0, .5_0, ._5, -., 0x1p3]",
		 "[\".\",\".e1\",\"1e\",\"1e+\",\"..5\",\"1.2.3\",\".5_\",\".5__0\",0.50,\"._5\",\"-.\",\"0x1p3\"]"},
		{"[9223372036854775807, -9223372036854775808, 18446744073709551615, 0xFFFFFFFFFFFFFFFF]",
		 "[9223372036854775807,-9223372036854775808,18446744073709551615,18446744073709551615]"},
		{"[18446744073709551616, -9223372036854775809, 0x10000000000000000, 0777777777777777777777777]",
		 "[18446744073709551616,-9223372036854775809,\"0x10000000000000000\",777777777777777777777777]"},
		{"[1e400, -1e400, 1e-400, !!float 1e400]", "[\"1e400\",\"-1e400\",1e-400,1e400]"},
		{"[2001-12-14, 2001-12-14t21:59:43.10-05:00, 12:30:45]",
		 "[\"2001-12-14\",\"2001-12-14t21:59:43.10-05:00\",\"12:30:45\"]"},
		{"'.inf'", "\".inf\""},
		{"[!!str 5, !!str true, !!str , !!int '5', !!int 0x10]", "[\"5\",\"true\",\"\",5,16]"},
		{"[!!float 5, !!float '.5', !!bool 'yes', !!null '']", "[5,0.5,true,null]"},
		{"[! 12, ! '12', !<tag:yaml.org,2002:str> 1, !!timestamp 2001-01-01]",
		 "[\"12\",\"12\",\"1\",\"2001-01-01\"]"},
		{"[!!binary aGk=, !!binary '', !!binary \"aG\\n k=\"]", "[\"hi\",\"\",\"hi\"]"},
		{"!!map {a: !!seq [1]}", "{\"a\":[1]}"},
		{"- 'it''s'\n- \"a\\tb\\u00e9\\x41\\0\"\n- |\n  one\n   two\n- >-\n  one\n  two\n",
		 "[\"it's\",\"a\\tb\xC3\xA9" "A\\u0000\",\"one\\n two\\n\",\"one two\"]"},
	};
	CHECK_PAIRS(pairs, 0);
}
END_TEST

START_TEST(keys_become_strings)
{
	static const struct pair pairs[] = {
		{"{1: a, true: b, 0x10: c, 'x y': d, \"\": e}",
		 "{\"1\":\"a\",\"true\":\"b\",\"16\":\"c\",\"x y\":\"d\",\"\":\"e\"}"},
		{"{.5: a, 1.50: b, 1e3: c, 0.00001: d, 1e30: e, 1234567.0: f, 16777217.0: g, -0.1: h, 100000.5: i}",
		 "{\"0.5\":\"a\",\"1.5\":\"b\",\"1000\":\"c\",\"1e-05\":\"d\",\"1e+30\":\"e\",\"1.234567e+06\":\"f\","
		 "\"1.6777216e+07\":\"g\",\"-0.1\":\"h\",\"100000.5\":\"i\"}"},
		{"{.Inf: a, -1e300: b, .NaN: c}", "{\".inf\":\"a\",\"-.inf\":\"b\",\".nan\":\"c\"}"},
		{"{-0: 1, -1: 2}", "{\"0\":1,\"-1\":2}"},
		{"{on: 1}", "{\"true\":1}"},
		{"? a\n: b\n? c\n", "{\"a\":\"b\",\"c\":null}"},
		{"&k a: 1\nb: *k\n", "{\"a\":1,\"b\":\"a\"}"},
		{"a: &k b\n*k : 2\n", "{\"a\":\"b\",\"b\":2}"},
	};
	CHECK_PAIRS(pairs, 0);
}
END_TEST

START_TEST(merge_keys_apply_where_they_stand)
{
	static const struct pair pairs[] = {
		{"- &x {p: 1, q: 2}\n- {<<: *x, q: 5, r: 6}", "[{\"p\":1,\"q\":2},{\"p\":1,\"q\":5,\"r\":6}]"},
		{"- &x {p: 1, q: 2}\n- {p: 9, <<: *x, q: 5}", "[{\"p\":1,\"q\":2},{\"p\":1,\"q\":5}]"},
		{"- &x {p: 1, q: 2}\n- {<<: [*x, {q: 7, r: 8}]}", "[{\"p\":1,\"q\":2},{\"p\":1,\"q\":2,\"r\":8}]"},
		{"- &x {p: 1}\n- {<<: *x, <<: {p: 3}}", "[{\"p\":1},{\"p\":3}]"},
		{"{<<: {z: 1}, '<<': 3}", "{\"z\":1,\"<<\":3}"},
		{"{!!merge <<: {z: {w: 1}}}", "{\"z\":{\"w\":1}}"},
		{"- &x {p: 1}\n- &y {<<: *x, q: 2}\n- {<<: *y, r: 3}\n- *y",
		 "[{\"p\":1},{\"p\":1,\"q\":2},{\"p\":1,\"q\":2,\"r\":3},{\"p\":1,\"q\":2}]"},
		{"{<<: {}}", "{}"},
		{"{<<: []}", "{}"},
		{"[<<]", "[\"<<\"]"},
	};
	CHECK_PAIRS(pairs, 0);
}
END_TEST

START_TEST(streams_hold_documents)
{
	static const struct pair pairs[] = {
		{"", ""},
		{"# nothing\n", ""},
		{"---\n---\n# c\n---\nnull\n---\n~\n...\n---\na: 1\n--- b\n---\n''\n", "{\"a\":1}\n\"b\"\n\"\""},
		{"%YAML 1.1\n---\na: 1\n", "{\"a\":1}"},
		{"\xEF\xBB\xBFkey: 1\n", "{\"key\":1}"},
		{"a: 1\r\nb:\r\n- x\r\n", "{\"a\":1,\"b\":[\"x\"]}"},
		{"{\"a\": [1, {\"b\": null}],\n  \"c\":true}", "{\"a\":[1,{\"b\":null}],\"c\":true}"},
		{"{\n\t\"a\": 1,\n\t\"b\": [\n\t\t2\n\t]\n}\n", "{\"a\":1,\"b\":[2]}"},
		{"a: &x 1\n---\nb: &x 2\nc: *x\n", "{\"a\":1}\n{\"b\":2,\"c\":2}"},
		{"- &a 1\n- *a\n- &a 2\n- *a\n", "[1,1,2,2]"},
	};
	CHECK_PAIRS(pairs, 0);
	check_text((struct str){NULL, 0}, 0, "");
}
END_TEST

#define NO_UTF8 "; save the file as UTF-8 without control characters"
#define NO_STRING "expected a string: put text that begins with { or [ in quotes"

START_TEST(wrong_text_gets_a_sentence)
{
	static const struct pair pairs[] = {
		{"a: 1\nb: 2\na: 3\n", "3:1: key \"a\" stands in this mapping twice, first at line 1; remove one"},
		{"x:\n  1: a\n  \"1\": b\n",
		 "3:3: key \"1\" stands in this mapping twice, first at line 2; remove one"},
		{"b: 1\na: 1\nb: 1\na: 1\n",
		 "3:1: key \"b\" stands in this mapping twice, first at line 1; remove one"},
		{"<<: {a: 1}\nb: 1\nb: 2\n",
		 "3:1: key \"b\" stands in this mapping twice, first at line 2; remove one"},
		{"a:\n\t- b\n", "2:1: malformed YAML: a tab; indent with spaces"},
		{"a: @b\n", "1:4: malformed YAML: a plain value cannot begin with @; put it in quotes"},
		{"a: b: c\n", "1:5: malformed YAML: a colon where no key can end; put text that holds one in quotes"},
		{"a: [1, 2\n",
		 "2:1: malformed YAML at the end: did not find expected ',' or ']', while parsing a flow sequence that "
		 "begins on line 1"},
		{"%FOO x\n---\na: 1\n",
		 "1:5: malformed YAML at \"x\": found unknown directive name, while scanning a directive that begins on line "
		 "1"},
		{"a: \x01\n", "1:4: YAML cannot hold \"\\u0001\" (control characters are not allowed)" NO_UTF8},
		{"\xC3\xA9: 1\nx: \xFF\n", "2:4: YAML cannot hold \"\\xff\" (invalid leading UTF-8 octet)" NO_UTF8},
		{"\xFF\xFE", "1:1: this is UTF-16; save it as UTF-8"},
		{"\"a\\0\": 1\n", "1:1: the key holds a NUL character"},
		{"? [a]\n: b\n", "1:3: the key is a list; " NO_STRING},
		{"{{a: 1}: b}\n", "1:2: the key is a mapping; " NO_STRING},
		{"&x [1]: 1\n", "1:1: the key is a list; " NO_STRING},
		{"- &x [1]\n- *x : 1\n", "2:3: the key is a list; " NO_STRING},
		{"~: a\n", "1:1: the key is null; " NO_STRING},
		{"a: .inf\n", "1:4: .inf is a number that JSON does not have; a string is written in quotes"},
		{"-.Inf\n", "1:1: -.inf is a number that JSON does not have; a string is written in quotes"},
		{"- .NaN\n", "1:3: .nan is a number that JSON does not have; a string is written in quotes"},
		{"- &a [*a]\n", "1:7: alias *a stands inside the value that it repeats"},
		{"- *b\n", "1:3: alias *b has no anchor &b before it"},
		{"a: &x 1\n---\nb: *x\n", "3:4: alias *x has no anchor &x before it"},
		{"a: !Ref x\n", "1:4: an unknown tag; a scalar may have !!str !!int !!float !!bool !!null !!binary"},
		{"a: !!set {b}\n", "1:4: an unknown tag; a mapping may have !!map"},
		{"a: !!map [b]\n", "1:4: an unknown tag; a list may have !!seq"},
		{"a: !!int x\n", "1:4: \"x\" is not an integer, as its tag !!int says"},
		{"a: !!int 1.5\n", "1:4: \"1.5\" is not an integer, as its tag !!int says"},
		{"a: !!bool 1\n", "1:4: \"1\" is not true or false, as its tag !!bool says"},
		{"a: !!binary aGk\n", "1:4: !!binary: base64 comes in groups of four characters; here are 3"},
		{"a: !!binary /w==\n", "1:4: !!binary content is not UTF-8; JSON can hold no other bytes"},
		{"a: !!binary 7aCA\n", "1:4: !!binary content is not UTF-8; JSON can hold no other bytes"},
		{"<<: 1\n", "1:5: the merge key << has an integer; it takes a mapping or a list of mappings"},
		{"<<: [{}, x]\n", "1:10: the merge key << has a string; it takes a mapping or a list of mappings"},
	};
	CHECK_PAIRS(pairs, ERR_INVALID);
}
END_TEST

START_TEST(places_are_kept)
{
	struct arena arena = {0};
	struct error err;
	const struct yaml_node **documents;
	size_t count;
	struct str text = STR("# c\n\xC3\xA9t\xC3\xA9: {\xC3\xA9: 7}\nlist:\n- a\n-  [b]\n");
	ck_assert_int_eq(yaml_parse(&arena, text, &documents, &count, &err), 0);
	ck_assert_uint_eq(count, 1);
	const struct yaml_node *summer = yaml_get(documents[0], STR("\xC3\xA9t\xC3\xA9"));
	ck_assert_ptr_nonnull(summer);
	ck_assert(summer->kind == YAML_MAPPING && summer->line == 2 && summer->column == 6);
	ck_assert(summer->key_line == 2 && summer->key_column == 1);
	const struct yaml_node *seven = yaml_get(summer, STR("\xC3\xA9"));
	ck_assert_ptr_nonnull(seven);
	ck_assert(seven->kind == YAML_INT && seven->line == 2 && seven->column == 10 && seven->key_column == 7);
	const struct yaml_node *list = yaml_get(documents[0], STR("list"));
	ck_assert_ptr_nonnull(list);
	ck_assert(list->first->next->line == 5 && list->first->next->column == 4);
	ck_assert_ptr_null(list->first->key.p);
	ck_assert_ptr_null(yaml_get(documents[0], STR("lis")));
	ck_assert_ptr_null(yaml_get(list, STR("a")));
	ck_assert_ptr_null(yaml_get(NULL, STR("a")));
	arena_free(&arena);
}
END_TEST

/* A text made by a function of the line number. */
static struct buf generate(size_t lines, const char *head, const char *format, const char *tail)
{
	struct buf text;
	buf_init(&text, TEXT_LIMIT);
	buf_addz(&text, head);
	for (size_t i = 0; i < lines; i++)
		for (const char *c = format; *c != '\0'; c++) {
			if (*c == '#')
				buf_fmt(&text, "%zu", i);
			else if (*c == '^')
				buf_fmt(&text, "%zu", i + 1);
			else
				buf_addc(&text, *c);
		}
	buf_addz(&text, tail);
	ck_assert_int_eq(text.error, 0);
	return text;
}

START_TEST(aliases_cannot_explode)
{
	struct buf wide = generate(12, "a0: &a0 [x, x]\n",
				   "a^: &a^ [*a#, *a#, *a#, *a#, *a#, *a#, *a#, *a#, *a#, *a#]\n", "");
	check_text(buf_str(&wide), ERR_LIMIT, "8:10: the document has more than 4000000 nodes, aliases expanded");
	struct buf deep = generate(300, "a0: &a0 [x]\n", "a^: &a^ [*a#]\n", "");
	check_text(buf_str(&deep), ERR_LIMIT, "256:14: nested deeper than 256 levels");
	struct buf merged = generate(12, "a0: &a0 {x: 1, y: {z: 1}}\n",
				     "a^: &a^ {<<: *a#, b#: *a#, c#: *a#, d#: *a#, e#: *a#, f#: *a#, g#: *a#}\n", "");
	struct buf out;
	buf_init(&out, JSON_LIMIT);
	ck_assert_int_eq(convert(buf_str(&merged), &out), ERR_LIMIT);
	buf_free(&out);
	buf_free(&wide);
	buf_free(&deep);
	buf_free(&merged);
}
END_TEST

START_TEST(depth_is_limited_exactly)
{
	char text[2 * LIMIT_YAML_DEPTH + 3];
	memset(text, '[', LIMIT_YAML_DEPTH);
	memset(text + LIMIT_YAML_DEPTH, ']', LIMIT_YAML_DEPTH);
	struct buf out;
	buf_init(&out, JSON_LIMIT);
	ck_assert_int_eq(convert((struct str){text, sizeof text - 3}, &out), 0);
	ck_assert_uint_eq(out.n, sizeof text - 3);
	memset(text, '[', LIMIT_YAML_DEPTH + 1);
	check_text((struct str){text, sizeof text - 3}, ERR_LIMIT, "1:257: nested deeper than 256 levels");
	buf_free(&out);
}
END_TEST

START_TEST(long_numbers_are_refused)
{
	char text[LIMIT_JSON_NUMBER + 2];
	memset(text, '9', sizeof text);
	struct buf out;
	buf_init(&out, JSON_LIMIT);
	ck_assert_int_eq(convert((struct str){text, LIMIT_JSON_NUMBER}, &out), 0);
	ck_assert(str_eq(buf_str(&out), (struct str){text, LIMIT_JSON_NUMBER}));
	check_text((struct str){text, LIMIT_JSON_NUMBER + 1}, ERR_LIMIT, "1:1: a number of more than 63 characters");
	buf_free(&out);
}
END_TEST

START_TEST(a_large_mapping_finds_its_second_key)
{
	struct buf text = generate(100000, "", "key#: #\n", "key77: again\n");
	check_text(buf_str(&text), ERR_INVALID,
		   "100001:1: key \"key77\" stands in this mapping twice, first at line 78; remove one");
	buf_free(&text);
}
END_TEST

START_TEST(failure_leaves_the_outputs_alone)
{
	struct arena arena = {0};
	struct error err;
	const struct yaml_node *mark = NULL, **documents = &mark;
	size_t count = 42;
	ck_assert_int_eq(yaml_parse(&arena, STR("a: 1\n---\nb: [\n"), &documents, &count, &err), ERR_INVALID);
	ck_assert(documents == &mark && count == 42);
	arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tests = tcase_create("yaml");
	tcase_add_test(tests, scalars_resolve_as_in_kubernetes);
	tcase_add_test(tests, keys_become_strings);
	tcase_add_test(tests, merge_keys_apply_where_they_stand);
	tcase_add_test(tests, streams_hold_documents);
	tcase_add_test(tests, wrong_text_gets_a_sentence);
	tcase_add_test(tests, places_are_kept);
	tcase_add_test(tests, aliases_cannot_explode);
	tcase_add_test(tests, depth_is_limited_exactly);
	tcase_add_test(tests, long_numbers_are_refused);
	tcase_add_test(tests, a_large_mapping_finds_its_second_key);
	tcase_add_test(tests, failure_leaves_the_outputs_alone);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
