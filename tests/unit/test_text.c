/* Text of others in a sentence: what is escaped, how a value is quoted and cut. */
#include "base/text.h"

#include "base/error.h"

#include "unit.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

START_TEST(characters_are_told_from_bytes_that_are_none)
{
	static const struct {
		struct str text;
		size_t length;
		unsigned long point;
	} cases[] = {
		{STR_INIT("a\xFF"), 1, 'a'},          {STR_INIT("\0"), 1, 0},
		{STR_INIT("\x7F"), 1, 0x7F},          {STR_INIT("\xC2\x80"), 2, 0x80},
		{STR_INIT("\xDF\xBF"), 2, 0x7FF},     {STR_INIT("\xE0\xA0\x80"), 3, 0x800},
		{STR_INIT("\xED\x9F\xBF"), 3, 0xD7FF}, {STR_INIT("\xEE\x80\x80"), 3, 0xE000},
		{STR_INIT("\xEF\xBF\xBF"), 3, 0xFFFF}, {STR_INIT("\xF0\x90\x80\x80"), 4, 0x10000},
		{STR_INIT("\xF4\x8F\xBF\xBF"), 4, 0x10FFFF},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned long point = 1;
		ck_assert_uint_eq(text_character(cases[i].text, &point), cases[i].length);
		ck_assert_uint_eq(point, cases[i].point);
		ck_assert_uint_eq(text_character(cases[i].text, NULL), cases[i].length);
	}
	static const struct str none[] = {
		STR_INIT(""), STR_INIT("\x80"), STR_INIT("\xBF"), STR_INIT("\xC0\x80"), STR_INIT("\xC1\xBF"), STR_INIT("\xC2"),
		STR_INIT("\xC2\x41"), STR_INIT("\xE0\x9F\xBF"), STR_INIT("\xE2\x82"), STR_INIT("\xED\xA0\x80"),
		STR_INIT("\xED\xBF\xBF"), STR_INIT("\xF0\x8F\xBF\xBF"), STR_INIT("\xF0\x9F\x98"),
		STR_INIT("\xF4\x90\x80\x80"), STR_INIT("\xF5\x80\x80\x80"), STR_INIT("\xF8\x88\x80\x80\x80"), STR_INIT("\xFF"),
	};
	for (size_t i = 0; i < COUNT(none); i++) {
		unsigned long point = 1;
		ck_assert_msg(text_character(none[i], &point) == 0, "%zu", i);
		ck_assert_uint_eq(point, 1);
	}
}
END_TEST

START_TEST(what_is_seen)
{
	static const unsigned long seen[] = {' ', 'a', '~', 0xA1, 0xE9, 0x4E2D, 0x2010, 0x2030, 0x205E, 0x20AC, 0x1F600};
	static const unsigned long unseen[] = {
		0, '\n', '\t', 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9B, 0xA0, 0xAD, 0x200B, 0x200D, 0x200F, 0x2028, 0x2029, 0x202A,
		0x202E, 0x2066, 0x2069, 0x3000, 0xFEFF, 0xE0041,
	};
	for (size_t i = 0; i < COUNT(seen); i++)
		ck_assert_msg(text_is_seen(seen[i]), "%lx", seen[i]);
	for (size_t i = 0; i < COUNT(unseen); i++)
		ck_assert_msg(!text_is_seen(unseen[i]), "%lx", unseen[i]);
}
END_TEST

static void check_shown(struct str text, const char *wanted)
{
	char out[256];
	ck_assert_uint_eq(text_show(out, sizeof out, text), strlen(wanted));
	ck_assert_str_eq(out, wanted);
	ck_assert_uint_eq(text_show(NULL, 0, text), strlen(wanted));
}

START_TEST(what_is_not_seen_is_escaped)
{
	check_shown(STR(""), "");
	check_shown((struct str){NULL, 0}, "");
	check_shown(STR("found \"d\\b\", \xC3\xA9 \xF0\x9F\x98\x80"), "found \"d\\b\", \xC3\xA9 \xF0\x9F\x98\x80");
	check_shown(STR("a\nb\r\tc"), "a\\nb\\r\\tc");
	check_shown(STR("\x1B[31mred\x1B]0;t\x07\x7F"), "\\u001b[31mred\\u001b]0;t\\u0007\\u007f");
	check_shown(STR("a\0b"), "a\\u0000b");
	check_shown(STR("\xC2\x9B" "31m"), "\\u009b31m");
	check_shown(STR("\xE2\x80\xAE" "db" "\xE2\x81\xA9"), "\\u202edb\\u2069");
	check_shown(STR("\xF3\xA0\x81\x81"), "\\U000e0041");
	check_shown(STR("\xFF\xC3(\xE2\x82"), "\\xff\\xc3(\\xe2\\x82");
}
END_TEST

START_TEST(too_little_room_cuts_between_pieces)
{
	char out[] = "########";
	ck_assert_uint_eq(text_show(out, 6, STR("ab\n\nc")), 7);
	ck_assert_str_eq(out, "ab\\n");
	ck_assert_uint_eq(text_show(out, 6, STR("ab\x1B" "c")), 9);
	ck_assert_str_eq(out, "ab");
	ck_assert_uint_eq(text_show(out, 1, STR("ab")), 2);
	ck_assert_str_eq(out, "");
	ck_assert_uint_eq(text_show(out, 3, STR("a\xC3\xA9")), 3);
	ck_assert_str_eq(out, "a");
}
END_TEST

START_TEST(in_the_arena)
{
	struct arena arena = {0};
	struct str plain = STR("plain"), absent = {NULL, 0};
	ck_assert(text_shown(&arena, plain).p == plain.p);
	ck_assert(text_shown(&arena, absent).p == NULL);
	ck_assert(str_eqz(text_shown(&arena, STR("a\nb")), "a\\nb"));
	ck_assert(!arena.failed);
	arena_free(&arena);
}
END_TEST

START_TEST(appended)
{
	struct buf out;
	buf_init(&out, 64);
	text_add(&out, STR("a\xF3\xA0\x81\x81\xF0\x9F\x98\x80\x1B" "b\xFF"));
	text_add(&out, (struct str){NULL, 0});
	ck_assert(str_eqz(buf_str(&out), "a\\U000e0041\xF0\x9F\x98\x80\\u001bb\\xff"));
	buf_free(&out);
}
END_TEST

START_TEST(quotes)
{
	char text[300], wanted[300];
	ck_assert_str_eq(text_quote(STR("")).text, "\"\"");
	ck_assert_str_eq(text_quote((struct str){NULL, 0}).text, "\"\"");
	ck_assert_str_eq(text_quote(STR("db")).text, "\"db\"");
	ck_assert_str_eq(text_quote(STR("db\", \\n\n")).text, "\"db\\\", \\\\n\\n\"");
	memset(text, 'x', sizeof text);
	memcpy(wanted, "\"", 1);
	memset(wanted + 1, 'x', LIMIT_QUOTE);
	memcpy(wanted + 1 + LIMIT_QUOTE, "\"", 2);
	ck_assert_str_eq(text_quote((struct str){text, LIMIT_QUOTE}).text, wanted);
	memcpy(wanted + 1 + LIMIT_QUOTE, "\"...", 5);
	ck_assert_str_eq(text_quote((struct str){text, LIMIT_QUOTE + 1}).text, wanted);
	memset(wanted + 1, 'x', LIMIT_QUOTE_NAME);
	memcpy(wanted + 1 + LIMIT_QUOTE_NAME, "\"...", 5);
	ck_assert_str_eq(text_quote_name((struct str){text, sizeof text}).text, wanted);
}
END_TEST

START_TEST(the_longest_quote_fits)
{
	char text[LIMIT_QUOTE_NAME + 1];
	memset(text, 0x1B, sizeof text);
	struct quote q = text_quote_name((struct str){text, sizeof text});
	ck_assert_uint_eq(strlen(q.text), sizeof q.text - 1);
	ck_assert(str_ends(str_of(q.text), STR("\\u001b\"...")));
}
END_TEST

START_TEST(an_error_is_one_line)
{
	struct error err;
	ck_assert_int_eq(error_set(&err, ERR_INVALID, "%s: \x1B[2J and %s", "a\nconnhook: b", "\xC3\xA9"), ERR_INVALID);
	ck_assert_str_eq(err.text, "a\\nconnhook: b: \\u001b[2J and \xC3\xA9");
	char text[ERROR_TEXT_MAX];
	memset(text, '\n', sizeof text);
	ck_assert_int_eq(error_set(&err, ERR_INVALID, "%.*s", (int)sizeof text, text), ERR_INVALID);
	ck_assert_uint_gt(strlen(err.text), sizeof err.text - 3);
	ck_assert(strchr(err.text, '\n') == NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("text");
	TCase *c = tcase_create("text");
	tcase_add_test(c, characters_are_told_from_bytes_that_are_none);
	tcase_add_test(c, what_is_seen);
	tcase_add_test(c, what_is_not_seen_is_escaped);
	tcase_add_test(c, too_little_room_cuts_between_pieces);
	tcase_add_test(c, in_the_arena);
	tcase_add_test(c, appended);
	tcase_add_test(c, quotes);
	tcase_add_test(c, the_longest_quote_fits);
	tcase_add_test(c, an_error_is_one_line);
	suite_add_tcase(s, c);
	return unit_run(s);
}
