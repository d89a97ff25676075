/* Which name was meant: the closest one, when it is close. */
#include "base/meant.h"

#include "unit.h"

START_TEST(sentences)
{
	static const struct {
		const char *wrong, *names[4], *text;
	} cases[] = {
		{"chache", {"db", "cache", "jwt"}, "; did you mean \"cache\"?"},
		{"DB", {"db", "cache"}, "; did you mean \"db\"?"},
		{"bindigs", {"binding", "bindings"}, "; did you mean \"bindings\"?"},
		{"db3", {"db1", "db2"}, "; did you mean \"db1\"?"},
		{"db3", {"db2", "db1"}, "; did you mean \"db2\"?"},
		{"bindingss", {"binding", "bindings"}, "; did you mean \"bindings\"?"},
		{"queue", {"db", "cache"}, ""},
		{"x", {"db", "d"}, ""}, /* nothing of it would be left */
		{"", {"db"}, ""},
		{"db", {NULL}, ""},
	};
	struct arena arena = {0};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct meant meant = {.wrong = str_of(cases[i].wrong)};
		for (size_t k = 0; k < 4 && cases[i].names[k] != NULL; k++)
			meant_offer(&meant, str_of(cases[i].names[k]));
		struct str text = meant_text(&meant, &arena);
		ck_assert_msg(str_eqz(text, cases[i].text), "%s: %.*s", cases[i].wrong, STR_ARG(text));
	}
	arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meant");
	TCase *tests = tcase_create("meant");
	tcase_add_test(tests, sentences);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
