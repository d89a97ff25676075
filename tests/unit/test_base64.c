/* Base64: the vectors of RFC 4648 section 10, every length and byte, and what the strict reader refuses. */
#include "codec/base64.h"

#include "base/limits.h"

#include "unit.h"

#define TEXT_LIMIT (1 * MIB)

START_TEST(vectors_of_the_rfc)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xFB\xEF\xBE\xFF", "++++/w=="},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out, back;
		struct error err;
		buf_init(&out, TEXT_LIMIT);
		buf_init(&back, TEXT_LIMIT);
		base64_encode(&out, str_of(cases[i].bytes));
		ck_assert_msg(str_eqz(buf_str(&out), cases[i].text), "%.*s", STR_ARG(buf_str(&out)));
		ck_assert_int_eq(base64_decode(&back, str_of(cases[i].text), &err), 0);
		ck_assert_msg(str_eqz(buf_str(&back), cases[i].bytes), "%s", cases[i].text);
		buf_free(&out);
		buf_free(&back);
	}
}
END_TEST

START_TEST(every_length_and_byte_comes_back)
{
	char bytes[600];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 % 256);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		struct buf out, back;
		struct error err;
		buf_init(&out, TEXT_LIMIT);
		buf_init(&back, TEXT_LIMIT);
		base64_encode(&out, (struct str){bytes, n});
		ck_assert_uint_eq(out.n, (n + 2) / 3 * 4);
		buf_addz(&back, "before");
		ck_assert_int_eq(base64_decode(&back, buf_str(&out), &err), 0);
		ck_assert(str_eq(str_from(buf_str(&back), 6), (struct str){bytes, n}));
		buf_free(&out);
		buf_free(&back);
	}
}
END_TEST

START_TEST(what_is_not_base64_is_refused)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"Z", "base64 comes in groups of four characters; here are 1"},
		{"Zg=", "base64 comes in groups of four characters; here are 3"},
		{"Zm9vYg", "base64 comes in groups of four characters; here are 6"},
		{"Zm9v\n", "base64 comes in groups of four characters; here are 5"},
		{"Zm9\n", "byte 0x0a at place 4 is not base64"},
		{"Zm9vZm-v", "byte 0x2d at place 7 is not base64"},
		{"Zg==Zm9v", "byte 0x3d at place 3 is not base64"},
		{"Z===", "byte 0x3d at place 2 is not base64"},
		{"====", "byte 0x3d at place 1 is not base64"},
		{"Zm9vZh==", "base64 with bits behind its end; it was cut or changed"},
		{"Zm9=", "base64 with bits behind its end; it was cut or changed"},
		{"\xC3\xA9xx", "byte 0xc3 at place 1 is not base64"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out;
		struct error err = {.text = ""};
		buf_init(&out, TEXT_LIMIT);
		buf_addz(&out, "before");
		ck_assert_int_eq(base64_decode(&out, str_of(cases[i].text), &err), ERR_INVALID);
		ck_assert_str_eq(err.text, cases[i].sentence);
		ck_assert(str_eqz(buf_str(&out), "before"));
		buf_free(&out);
	}
}
END_TEST

START_TEST(a_full_buffer_stays_failed)
{
	struct buf out;
	struct error err;
	buf_init(&out, 7);
	base64_encode(&out, STR("foobar"));
	ck_assert_int_eq(out.error, ERR_LIMIT);
	buf_free(&out);
	buf_init(&out, 5);
	ck_assert_int_eq(base64_decode(&out, STR("Zm9vYmFy"), &err), 0);
	ck_assert_int_eq(out.error, ERR_LIMIT);
	buf_free(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base64");
	TCase *tests = tcase_create("base64");
	tcase_add_test(tests, vectors_of_the_rfc);
	tcase_add_test(tests, every_length_and_byte_comes_back);
	tcase_add_test(tests, what_is_not_base64_is_refused);
	tcase_add_test(tests, a_full_buffer_stays_failed);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
