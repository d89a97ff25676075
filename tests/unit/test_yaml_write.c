/* The YAML writer: what it looks like, and that every value comes back. */
#include "codec/yaml_write.h"

#include "base/limits.h"
#include "codec/yaml.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TEXT_LIMIT (16 * MIB)
#define GENERATED_VALUES 6000
#define GENERATED_DEPTH 5
#define SEED 20240229u

static struct json *parse(struct str text)
{
	struct json *v = NULL;
	struct error err;
	ck_assert_msg(json_parse(text, &v, &err) == 0, "%.*s: %s", STR_ARG(text), err.text);
	return v;
}

static void check_written(const char *json, const char *expected)
{
	struct json *v = parse(str_of(json));
	struct buf out;
	buf_init(&out, TEXT_LIMIT);
	yaml_write(&out, v);
	ck_assert_msg(str_eqz(buf_str(&out), expected), "%s gives\n%.*sexpected\n%s", json, STR_ARG(buf_str(&out)),
		      expected);
	buf_free(&out);
	json_free(v);
}

START_TEST(a_manifest_looks_as_from_kubectl)
{
	check_written("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"labels\":{},"
		      "\"annotations\":{\"x.io/y\":\"true\",\"when\":\"2024-01-01\"}},\"spec\":{\"containers\":[{\"name\":\"c\","
		      "\"image\":\"ghcr.io/a/b:1.2\",\"args\":[\"--listen=:80\",\"-v\",\"a: b\"],\"env\":[]},{\"name\":\"d\"}],"
		      "\"matrix\":[[1,2],[],[[3]]],\"replicas\":1.50,\"empty\":null,\"ok\":false,"
		      "\"script\":\"set -e\\nrun\\n\"}}",
		      "apiVersion: v1\n"
		      "kind: Pod\n"
		      "metadata:\n"
		      "  name: a\n"
		      "  labels: {}\n"
		      "  annotations:\n"
		      "    x.io/y: \"true\"\n"
		      "    when: \"2024-01-01\"\n"
		      "spec:\n"
		      "  containers:\n"
		      "  - name: c\n"
		      "    image: ghcr.io/a/b:1.2\n"
		      "    args:\n"
		      "    - --listen=:80\n"
		      "    - -v\n"
		      "    - \"a: b\"\n"
		      "    env: []\n"
		      "  - name: d\n"
		      "  matrix:\n"
		      "  - - 1\n"
		      "    - 2\n"
		      "  - []\n"
		      "  - - - 3\n"
		      "  replicas: 1.50\n"
		      "  empty: null\n"
		      "  ok: false\n"
		      "  script: |\n"
		      "    set -e\n"
		      "    run\n");
}
END_TEST

START_TEST(strings_are_quoted_when_they_must_be)
{
	static const char *const plain[] = {
		"a", "a b", "a:b", "a#b", "-a", "--a=b", "1.2.3", "10.0.0.1", "100m", "128Mi", "v1", "C:\\x",
		"it's", "\xC3\xA9", "\xF0\x9F\x98\x80", "/bin/sh", "a,b", "(x)", "$(A)", "_1", "nope", "1-2", "e3",
		"<a>", "a=b",
	};
	static const char *const quoted[] = {
		"yes", "No", "on", "OFF", "y", "N", "true", "null", "~", "1", "-1", "+1", "1.0", ".5", "1e3",
		"1e400", "0x1f", "0o17", "0b1", "017", "08", "1_000", "1:30", "190:20:30.15", ".inf", "-.INF",
		".nan", "2024-01-01", "2024-1-1", "2024-01-01T00:00:00Z", "=", "<<", "-", "- a", "---", "--- a",
		"...", "?", "? a", ":", ":a", "a:", "a: b", "a #b", "#a", "", " a", "a ", "*a", "&a", "!a", "|",
		">", "%a", "@a", "`a", "{a", "[a", "]", "}", ",", "'a", ".", "0xZZ", "0x10000000000000000",
		"18446744073709551616", ".5_", "1._5",
	};
	struct buf json, expected;
	for (size_t i = 0; i < sizeof plain / sizeof plain[0] + sizeof quoted / sizeof quoted[0]; i++) {
		bool bare = i < sizeof plain / sizeof plain[0];
		struct str s = str_of(bare ? plain[i] : quoted[i - sizeof plain / sizeof plain[0]]);
		buf_init(&json, TEXT_LIMIT);
		buf_init(&expected, TEXT_LIMIT);
		buf_addc(&json, '[');
		json_write_string(&json, s);
		buf_addc(&json, ']');
		buf_fmt(&expected, bare ? "- %.*s\n" : "- \"%.*s\"\n", STR_ARG(s));
		check_written(buf_str(&json).p, buf_str(&expected).p);
		buf_free(&json);
		buf_free(&expected);
	}
}
END_TEST

START_TEST(special_strings)
{
	check_written("[\"{\\\"a\\\": 'b'}\",\"say \\\"x\\\"\",\"\\\\\",\"#\\\\\"]",
		      "- '{\"a\": ''b''}'\n- say \"x\"\n- \\\n- '#\\'\n");
	check_written("[\"a\\tb\",\"a\\u0007\\u007f\\u0085\\u2028\\ufeff\\r\\nb\",\"\\\"\\u0000\\/\\ud83d\\ude00\\n\"]",
		      "- \"a\\tb\"\n- \"a\\x07\\x7F\\x85\\u2028\\uFEFF\\r\\nb\"\n- \"\\\"\\u0000/\\U0001F600\\n\"\n");
	check_written("{\"no\":1,\"1\":2,\"a\\nb\":3,\"\":4,\"a b\":5}",
		      "\"no\": 1\n\"1\": 2\n\"a\\nb\": 3\n\"\": 4\na b: 5\n");
	check_written("[1e400,-1E5,-0,18446744073709551616]",
		      "- !!float 1e400\n- -1E5\n- -0\n- 18446744073709551616\n");
	check_written("\"a\"", "a\n");
	check_written("{}", "{}\n");
	check_written("null", "null\n");
}
END_TEST

START_TEST(text_of_several_lines_is_a_literal_block)
{
	check_written("[\"a\\nb\",\"a\\n\\n\",\"  a\\n b \\n\",\"\\na\",\"\\n\",\"a\\n\\tb\\n\"]",
		      "- |-\n  a\n  b\n- |+\n  a\n\n- |2\n    a\n   b \n- |2-\n\n  a\n- \"\\n\"\n- |\n  a\n  \tb\n");
	check_written("{\"a\":{\"b\":[{\"c\":\"x\\ny\\n\"}]}}", "a:\n  b:\n  - c: |\n      x\n      y\n");
	check_written("\"a\\nb\"", "|-\n  a\n  b\n");
}
END_TEST

/* ---- every value comes back ---- */

static uint32_t random_below(uint32_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % n;
}

/* Parts of which a hostile string is made. */
static const struct str parts[] = {
	{"a", 1}, {"b c", 3}, {" ", 1}, {"  ", 2}, {"\n", 1}, {"\n\n", 2}, {"\t", 1}, {"\r", 1}, {"\r\n", 2},
	{"-", 1}, {"- ", 2}, {"---", 3}, {"...", 3}, {"?", 1}, {"? ", 2}, {":", 1}, {": ", 2}, {"#", 1},
	{" #", 2}, {",", 1}, {"[", 1}, {"]", 1}, {"{", 1}, {"}", 1}, {"&", 1}, {"*", 1}, {"!", 1}, {"|", 1},
	{">", 1}, {"'", 1}, {"\"", 1}, {"\\", 1}, {"%", 1}, {"@", 1}, {"`", 1}, {"=", 1}, {"<<", 2}, {"~", 1},
	{"null", 4}, {"true", 4}, {"No", 2}, {"on", 2}, {"y", 1}, {"0", 1}, {"1", 1}, {"9", 1}, {"_", 1},
	{".", 1}, {"e", 1}, {"0x", 2}, {"0o", 2}, {"+", 1}, {".inf", 4}, {"2024-01-01", 10}, {"12:30", 5},
	{"\x01", 1}, {"\x1B", 1}, {"\x7F", 1}, {"\xC2\x85", 2}, {"\xC2\x80", 2}, {"\xC2\xA0", 2},
	{"\xC3\xA9", 2}, {"\xE2\x80\xA8", 3}, {"\xE2\x80\xA9", 3}, {"\xEF\xBB\xBF", 3}, {"\xEF\xBF\xBE", 3},
	{"\xEF\xBF\xBF", 3}, {"\xF0\x9F\x98\x80", 4}, {"\xF4\x8F\xBF\xBF", 4}, {"\0", 1}, {"word", 4},
	{"!!int", 5},
};

static void add_random_string(struct buf *out, uint32_t *state, bool nul)
{
	struct buf s;
	buf_init(&s, TEXT_LIMIT);
	uint32_t count = random_below(state, random_below(state, 40) == 0 ? 900 : 7);
	for (uint32_t i = 0; i < count; i++) {
		struct str part = parts[random_below(state, sizeof parts / sizeof parts[0])];
		if (nul || part.n != 1 || part.p[0] != '\0')
			buf_add(&s, part);
	}
	ck_assert_int_eq(s.error, 0);
	json_write_string(out, s.n > 0 ? buf_str(&s) : STR(""));
	buf_free(&s);
}

static void add_random_value(struct buf *out, uint32_t *state, int depth)
{
	static const char *const scalars[] = {"null", "true", "false", "0", "-0", "1.50", "-12e+07", "1E400", "0.0",
					      "9223372036854775807", "18446744073709551616", "1e-400", "[]", "{}"};
	uint32_t choice = random_below(state, depth > 0 ? 8 : 4);
	if (choice == 0) {
		buf_addz(out, scalars[random_below(state, sizeof scalars / sizeof scalars[0])]);
		return;
	}
	if (choice < 4) {
		add_random_string(out, state, true);
		return;
	}
	bool object = choice < 6;
	uint32_t count = random_below(state, 5);
	buf_addc(out, object ? '{' : '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			buf_addc(out, ',');
		if (object) {
			/* a last character of its own keeps the keys apart */
			add_random_string(out, state, false);
			buf_cut(out, out->n - 1);
			buf_fmt(out, "%s\":", i == 0 ? "" : i == 1 ? "\\n" : i == 2 ? " " : ":");
		}
		add_random_value(out, state, depth - 1);
	}
	buf_addc(out, object ? '}' : ']');
}

static void check_comes_back(struct str json)
{
	struct json *before = parse(json), *after;
	struct arena arena = {0};
	struct buf yaml, again;
	struct error err;
	const struct yaml_node **documents;
	size_t count = 0;
	buf_init(&yaml, TEXT_LIMIT);
	buf_init(&again, TEXT_LIMIT);
	yaml_write(&yaml, before);
	ck_assert_int_eq(yaml.error, 0);
	ck_assert_msg(yaml_parse(&arena, buf_str(&yaml), &documents, &count, &err) == 0, "%.*s\n%.*s%s", STR_ARG(json),
		      STR_ARG(buf_str(&yaml)), err.text);
	ck_assert_uint_eq(count, json_kind(before) == JSON_NULL ? 0 : 1);
	if (count == 1) {
		yaml_to_json(&again, documents[0]);
		after = parse(buf_str(&again));
		ck_assert_msg(json_equal(before, after), "%.*s\n%.*s%.*s", STR_ARG(json), STR_ARG(buf_str(&yaml)),
			      STR_ARG(buf_str(&again)));
		json_free(after);
	}
	arena_free(&arena);
	buf_free(&yaml);
	buf_free(&again);
	json_free(before);
}

/* The last key may still meet another by chance; such a text is no JSON for json_parse. */
static bool is_json(struct str text)
{
	struct json *v;
	struct error err;
	if (json_parse(text, &v, &err) != 0)
		return false;
	json_free(v);
	return true;
}

START_TEST(every_value_comes_back)
{
	uint32_t state = SEED;
	size_t checked = 0;
	for (int i = 0; i < GENERATED_VALUES; i++) {
		struct buf json;
		buf_init(&json, TEXT_LIMIT);
		add_random_value(&json, &state, GENERATED_DEPTH);
		ck_assert_int_eq(json.error, 0);
		if (is_json(buf_str(&json))) {
			check_comes_back(buf_str(&json));
			checked++;
		}
		buf_free(&json);
	}
	ck_assert_uint_gt(checked, GENERATED_VALUES * 9 / 10);
}
END_TEST

/* All strings of up to three of these bytes: where most rules of YAML are decided. */
START_TEST(every_short_string_comes_back)
{
	static const char bytes[] = "a1-.:? #\n\t'\"\\|>!&*{}[],%@`~=<_0xeyn+";
	size_t n = sizeof bytes - 1;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			struct buf json;
			buf_init(&json, TEXT_LIMIT);
			buf_addc(&json, '[');
			for (size_t m = 0; m < n; m++) {
				char text[3] = {bytes[i], bytes[k], bytes[m]};
				buf_addz(&json, m == 0 ? "{" : ",{");
				for (size_t length = 1; length <= 3; length++) {
					json_write_string(&json, (struct str){text, length});
					buf_addc(&json, ':');
					json_write_string(&json, (struct str){text, length});
					buf_addc(&json, length < 3 ? ',' : '}');
				}
			}
			buf_addc(&json, ']');
			check_comes_back(buf_str(&json));
			buf_free(&json);
		}
}
END_TEST

START_TEST(long_keys_and_deep_values_come_back)
{
	struct buf json;
	for (size_t length = 900; length < 1100; length++) {
		buf_init(&json, TEXT_LIMIT);
		buf_addz(&json, "[{\"");
		for (size_t i = 0; i < length; i++)
			buf_addc(&json, i == length / 2 ? ' ' : 'k');
		buf_addz(&json, "\":[{\"a\":1}],\"b\":{\"c\":\"d\"}}]");
		check_comes_back(buf_str(&json));
		buf_free(&json);
	}
	buf_init(&json, TEXT_LIMIT);
	for (size_t i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_addz(&json, i % 2 == 0 ? "[" : "{\"k\":");
	for (size_t i = LIMIT_JSON_DEPTH; i-- > 0;)
		buf_addz(&json, i + 1 == LIMIT_JSON_DEPTH ? "1}" : i % 2 == 0 ? "]" : "}");
	check_comes_back(buf_str(&json));
	buf_free(&json);
}
END_TEST

START_TEST(a_full_buffer_stays_failed)
{
	struct json *v = parse(STR("{\"a\":[\"b\",{\"c\":\"d\\ne\"},\"f\"]}"));
	struct buf whole;
	buf_init(&whole, TEXT_LIMIT);
	yaml_write(&whole, v);
	for (size_t limit = 0; limit < whole.n; limit++) {
		struct buf out;
		buf_init(&out, limit);
		yaml_write(&out, v);
		ck_assert_int_eq(out.error, ERR_LIMIT);
		buf_free(&out);
	}
	buf_free(&whole);
	json_free(v);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("yaml_write");
	TCase *tests = tcase_create("yaml_write");
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, a_manifest_looks_as_from_kubectl);
	tcase_add_test(tests, strings_are_quoted_when_they_must_be);
	tcase_add_test(tests, special_strings);
	tcase_add_test(tests, text_of_several_lines_is_a_literal_block);
	tcase_add_test(tests, every_value_comes_back);
	tcase_add_test(tests, every_short_string_comes_back);
	tcase_add_test(tests, long_keys_and_deep_values_come_back);
	tcase_add_test(tests, a_full_buffer_stays_failed);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
