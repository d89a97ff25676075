/* JSON Pointer (RFC 6901) and JSON Patch (RFC 6902, with the cases of its appendix A). */
#include "codec/json_patch.h"

#include "base/limits.h"

#include "unit.h"

#define TEXT_LIMIT (1 * MIB)

static struct json *parse(const char *text)
{
	struct json *v = NULL;
	struct error err;
	ck_assert_msg(json_parse(str_of(text), &v, &err) == 0, "%s: %s", text, err.text);
	return v;
}

/* Writes a value so that two texts can be compared. */
static struct buf written(const struct json *v)
{
	struct buf out;
	buf_init(&out, TEXT_LIMIT);
	json_write(&out, v);
	ck_assert_int_eq(out.error, 0);
	return out;
}

struct example {
	const char *document, *patch;
	const char *result; /* NULL: the patch fails with `sentence` */
	const char *sentence;
};

static void check_example(const struct example *e)
{
	struct json *document = parse(e->document), *patch = parse(e->patch), *before = document;
	struct json *expected = parse(e->result != NULL ? e->result : e->document);
	struct error err = {.text = "no error"};
	int rc = json_patch_apply(&document, patch, &err);
	struct buf got = written(document);
	ck_assert_msg(rc == (e->result != NULL ? 0 : ERR_INVALID), "%s %s gives %d %s", e->document, e->patch, rc,
		      err.text);
	ck_assert_msg(json_equal(document, expected), "%s %s gives %.*s", e->document, e->patch, STR_ARG(buf_str(&got)));
	if (e->result == NULL) {
		ck_assert_str_eq(err.text, e->sentence);
		ck_assert_ptr_eq(document, before);
	}
	buf_free(&got);
	json_free(expected);
	json_free(patch);
	json_free(document);
}

static void check_examples(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_example(&examples[i]);
}

START_TEST(appendix_a_of_the_rfc)
{
	static const struct example examples[] = {
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
		 "{\"baz\":\"qux\",\"foo\":\"bar\"}", NULL},
		{"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
		 "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", NULL},
		{"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}", NULL},
		{"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
		 "{\"foo\":[\"bar\",\"baz\"]}", NULL},
		{"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
		 "{\"baz\":\"boo\",\"foo\":\"bar\"}", NULL},
		{"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
		 "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
		 "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}", NULL},
		{"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
		 "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
		 "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}", NULL},
		{"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
		 "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
		 "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}", NULL},
		{"{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL,
		 "patch[0] test /baz: the value there is another one"},
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
		 "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}", NULL},
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
		 "{\"foo\":\"bar\",\"baz\":\"qux\"}", NULL},
		{"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL,
		 "patch[0] add /baz/bat: nothing is at /baz"},
		{"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}", NULL},
		{"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", NULL,
		 "patch[0] test /~01: the value there is another one"},
		{"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
		 "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}", NULL},
	};
	check_examples(examples, sizeof examples / sizeof examples[0]);
	/* A.13: the same member twice is no JSON that json_parse reads. */
	struct json *v;
	struct error err;
	ck_assert_int_eq(json_parse(STR("[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"op\":\"remove\"}]"), &v, &err),
			 ERR_INVALID);
}
END_TEST

START_TEST(corners)
{
	static const struct example examples[] = {
		{"{\"a\":1}", "[]", "{\"a\":1}", NULL},
		{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":[1]}]", "[1]", NULL},
		{"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":null}]", "null", NULL},
		{"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1}}]", "{\"a\":1}", NULL},
		{"{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"\"}]", "{\"b\":1}", NULL},
		{"{\"a\":{\"b\":1}}", "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/a/c\"}]",
		 "{\"a\":{\"b\":1,\"c\":{\"a\":{\"b\":1}}}}", NULL},
		{"{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]", "{\"a\":1}", NULL},
		{"{\"a\":1,\"ab\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab/c\"}]",
		 "{\"ab\":{\"c\":1}}", NULL},
		{"{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"b\":1}", NULL},
		{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":2}]", "{\"a\":2}", NULL},
		{"{}", "[{\"op\":\"add\",\"path\":\"/\",\"value\":1},{\"op\":\"add\",\"path\":\"/x~1y~0z\",\"value\":2}]",
		 "{\"\":1,\"x/y~z\":2}", NULL},
		{"{\"x/y~z\":2,\"\":{\"\":3}}",
		 "[{\"op\":\"remove\",\"path\":\"/x~1y~0z\"},{\"op\":\"remove\",\"path\":\"//\"}]",
		 "{\"\":{}}", NULL},
		{"[1,2]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":3},{\"op\":\"add\",\"path\":\"/0\",\"value\":0}]",
		 "[0,1,2,3]",
		 NULL},
		{"[[]]", "[{\"op\":\"add\",\"path\":\"/0/0\",\"value\":1},{\"op\":\"copy\",\"from\":\"/0\",\"path\":\"/-\"},"
			 "{\"op\":\"add\",\"path\":\"/0/-\",\"value\":2}]", "[[1,2],[1]]", NULL},
		{"{\"0\":1}", "[{\"op\":\"replace\",\"path\":\"/0\",\"value\":2.50}]", "{\"0\":2.50}", NULL},
		{"{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]", "{\"a\":null}", NULL},
		{"{\"Foo\":1}", "[{\"op\":\"add\",\"path\":\"/foo\",\"value\":2}]", "{\"Foo\":1,\"foo\":2}", NULL},
	};
	check_examples(examples, sizeof examples / sizeof examples[0]);
}
END_TEST

START_TEST(a_bad_patch_gets_a_sentence_and_changes_nothing)
{
	static const struct example examples[] = {
		{"{}", "{}", NULL, "the patch is an object; a JSON Patch is an array"},
		{"{}", "[1]", NULL,
		 "patch[0]: an operation is an object with \"op\", \"path\" and what the operation needs"},
		{"{}", "[{\"path\":\"/a\"}]", NULL,
		 "patch[0]: an operation is an object with \"op\", \"path\" and what the operation needs"},
		{"{}", "[{\"op\":\"add\",\"value\":1}]", NULL, "patch[0] add: it has no \"path\" that is a string"},
		{"{}", "[{\"op\":\"Add\",\"path\":\"/a\",\"value\":1}]", NULL,
		 "patch[0] Add /a: unknown operation; known are add, remove, replace, move, copy, test"},
		{"{}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1},{\"op\":\"add\",\"path\":\"/b\"}]", NULL,
		 "patch[1] add /b: it has no \"value\""},
		{"{}", "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", NULL,
		 "patch[0] add a: \"a\" is not a JSON Pointer; it begins with / and has ~0 for ~, ~1 for /"},
		{"{}", "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]", NULL,
		 "patch[0] add /~2: \"/~2\" is not a JSON Pointer; it begins with / and has ~0 for ~, ~1 for /"},
		{"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\",\"path\":\"/a\"}]", NULL,
		 "patch[1] remove /a: nothing is at /a"},
		{"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]",
		 NULL, "patch[0] replace /b: nothing is at /b"},
		{"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]", NULL,
		 "patch[0] add /a/b: /a is a number, which holds no other values"},
		{"1", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]", NULL,
		 "patch[0] add /a: the document is a number, which holds no other values"},
		{"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", NULL,
		 "patch[0] remove: the whole document cannot be removed"},
		{"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", NULL,
		 "patch[0] move /a/b: /a cannot move into itself"},
		{"{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/b\"}]", NULL,
		 "patch[0] move /b: the document cannot move into itself"},
		{"{\"a\":{}}", "[{\"op\":\"copy\",\"path\":\"/b\"}]", NULL,
		 "patch[0] copy /b: it has no \"from\" that is a string"},
		{"{\"a\":{}}", "[{\"op\":\"copy\",\"from\":\"/x\",\"path\":\"/b\"}]",
		 NULL, "patch[0] copy /b: nothing is at /x"},
		{"[1]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":1}]", NULL,
		 "patch[0] add /2: the array has 1 elements; a place in it is 0 to 1, or - for its end"},
		{"[1]", "[{\"op\":\"add\",\"path\":\"/00\",\"value\":1}]", NULL,
		 "patch[0] add /00: the array has 1 elements; a place in it is 0 to 1, or - for its end"},
		{"[1]", "[{\"op\":\"remove\",\"path\":\"/-\"}]", NULL, "patch[0] remove /-: nothing is at /-"},
		{"[1]", "[{\"op\":\"remove\",\"path\":\"/00\"}]", NULL, "patch[0] remove /00: nothing is at /00"},
		{"[1]", "[{\"op\":\"remove\",\"path\":\"/99999999999999999999\"}]", NULL,
		 "patch[0] remove /99999999999999999999: nothing is at /99999999999999999999"},
	};
	check_examples(examples, sizeof examples / sizeof examples[0]);
}
END_TEST

START_TEST(pointers_of_rfc_6901)
{
	static const struct {
		const char *pointer, *value; /* NULL: nothing is there */
	} cases[] = {
		{"/foo", "[\"bar\",\"baz\"]"}, {"/foo/0", "\"bar\""}, {"/", "0"}, {"/a~1b", "1"}, {"/c%d", "2"},
		{"/e^f", "3"}, {"/g|h", "4"}, {"/i\\j", "5"}, {"/k\"l", "6"}, {"/ ", "7"}, {"/m~0n", "8"},
		{"/foo/2", NULL}, {"/foo/-", NULL}, {"/foo/01", NULL}, {"/foo/+1", NULL}, {"foo", NULL},
		{"/m~n", NULL}, {"/m~2n", NULL}, {"/m~", NULL}, {"/foo/0/x", NULL}, {"/Foo", NULL}, {"/fo", NULL},
		{"/fooo", NULL}, {"/foo/", NULL}, {"/a/b", NULL},
	};
	struct json *root = parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
				  "\"k\\\"l\":6,\" \":7,\"m~n\":8}");
	ck_assert_ptr_eq(json_pointer_get(root, STR("")), root);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct json *v = json_pointer_get(root, str_of(cases[i].pointer));
		if (cases[i].value == NULL) {
			ck_assert_msg(v == NULL, "%s leads somewhere", cases[i].pointer);
			continue;
		}
		struct buf got = written(v);
		ck_assert_msg(v != NULL && str_eqz(buf_str(&got), cases[i].value), "%s", cases[i].pointer);
		buf_free(&got);
	}
	json_free(root);
}
END_TEST

START_TEST(pointers_are_built)
{
	struct arena arena = {0};
	struct str p = json_pointer_join(&arena, STR(""), STR("spec"));
	p = json_pointer_index(&arena, p, 12);
	p = json_pointer_join(&arena, p, STR("a/b~c~1"));
	p = json_pointer_join(&arena, p, STR(""));
	ck_assert(str_eqz(p, "/spec/12/a~1b~0c~01/"));
	ck_assert(str_eqz(json_pointer_to_key(&arena, STR("a~1b~0c~01")), "a/b~c~1"));
	arena_free(&arena);
}
END_TEST

START_TEST(indexes_do_not_overflow)
{
	size_t index = 7;
	ck_assert(json_pointer_to_index(STR("0"), &index) && index == 0);
	ck_assert(json_pointer_to_index(STR("1844674407370955160"), &index) && index == 1844674407370955160U);
	ck_assert(!json_pointer_to_index(STR("18446744073709551616"), &index));
	ck_assert(!json_pointer_to_index(STR(""), &index) && !json_pointer_to_index(STR("-1"), &index));
	ck_assert(index == 1844674407370955160U);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_patch");
	TCase *tests = tcase_create("json_patch");
	tcase_add_test(tests, appendix_a_of_the_rfc);
	tcase_add_test(tests, corners);
	tcase_add_test(tests, a_bad_patch_gets_a_sentence_and_changes_nothing);
	tcase_add_test(tests, pointers_of_rfc_6901);
	tcase_add_test(tests, pointers_are_built);
	tcase_add_test(tests, indexes_do_not_overflow);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
