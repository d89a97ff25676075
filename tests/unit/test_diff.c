/* The unified diff: its text, and that applying it gives the other text. */
#include "codec/diff.h"

#include "base/limits.h"

#include "unit.h"

#include <stdint.h>

#define TEXT_LIMIT (64 * MIB)
#define GENERATED_PAIRS 4000
#define SEED 77u

static struct buf diff(struct str before, struct str after, bool colour)
{
	struct buf out;
	buf_init(&out, TEXT_LIMIT);
	diff_unified(&out, before, after, STR("a"), STR("b"), colour);
	ck_assert_int_eq(out.error, 0);
	return out;
}

static void check_diff(const char *before, const char *after, const char *expected)
{
	struct buf out = diff(str_of(before), str_of(after), false);
	ck_assert_msg(out.n == 0 ? *expected == '\0' : str_eqz(buf_str(&out), expected), "gives\n%.*sexpected\n%s",
		      STR_ARG(buf_str(&out)), expected);
	buf_free(&out);
}

START_TEST(equal_texts_give_nothing)
{
	check_diff("", "", "");
	check_diff("a\nb", "a\nb", "");
}
END_TEST

START_TEST(hunks_have_three_lines_of_context)
{
	check_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
		   "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
	check_diff("1\n2\n", "1\n2\n3\n", "--- a\n+++ b\n@@ -1,2 +1,3 @@\n 1\n 2\n+3\n");
	check_diff("1\n2\n3\n", "2\n3\n", "--- a\n+++ b\n@@ -1,3 +1,2 @@\n-1\n 2\n 3\n");
	check_diff("", "1\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+1\n");
	check_diff("1\n2\n", "", "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-1\n-2\n");
	check_diff("x\n", "y\nz\n", "--- a\n+++ b\n@@ -1 +1,2 @@\n-x\n+y\n+z\n");
}
END_TEST

START_TEST(near_changes_share_a_hunk_and_far_ones_do_not)
{
	check_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
		   "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
	check_diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
		   "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
}
END_TEST

START_TEST(a_missing_newline_at_the_end_is_told)
{
	check_diff("a\nb", "a\nb\n", "--- a\n+++ b\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n");
	check_diff("a\nb\n", "a\nb", "--- a\n+++ b\n@@ -1,2 +1,2 @@\n a\n-b\n+b\n\\ No newline at end of file\n");
	check_diff("a\nb", "c\nb", "--- a\n+++ b\n@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n");
}
END_TEST

START_TEST(the_difference_is_the_shortest)
{
	check_diff("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
		   "--- a\n+++ b\n@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n");
}
END_TEST

START_TEST(colours_are_those_of_git)
{
	struct buf out = diff(STR("a\nb"), STR("a\nc"), true);
	ck_assert(str_eqz(buf_str(&out), "\033[1m--- a\033[m\n\033[1m+++ b\033[m\n\033[36m@@ -1,2 +1,2 @@\033[m\n a\n"
					 "\033[31m-b\033[m\n\\ No newline at end of file\n"
					 "\033[32m+c\033[m\n\\ No newline at end of file\n"));
	buf_free(&out);
}
END_TEST

/* ---- applying gives the other text ---- */

static struct str take_line(struct str *rest)
{
	size_t n = str_find(*rest, '\n') + 1;
	if (n > rest->n)
		n = rest->n;
	struct str line = {rest->p, n};
	*rest = str_from(*rest, n);
	return line;
}

static size_t take_number(struct str *s)
{
	size_t n = 0;
	for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_from(*s, 1))
		n = n * 10 + (size_t)(s->p[0] - '0');
	return n;
}

/* Reads "12,3" behind the sign; the count is 1 when it is not said. */
static void take_range(struct str *s, char sign, size_t *from, size_t *count)
{
	ck_assert(s->n > 0 && s->p[0] == sign);
	*s = str_from(*s, 1);
	*from = take_number(s);
	*count = 1;
	if (s->n > 0 && s->p[0] == ',') {
		*s = str_from(*s, 1);
		*count = take_number(s);
	}
	*s = str_from(*s, 1);
}

/* Applies the diff as strictly as can be: places, counts and context must all be right. */
static struct buf apply(struct str before, struct str patch)
{
	struct buf after;
	buf_init(&after, TEXT_LIMIT);
	size_t line = 1, after_line = 1;
	ck_assert(str_eqz(take_line(&patch), "--- a\n") && str_eqz(take_line(&patch), "+++ b\n"));
	while (patch.n > 0) {
		struct str head = take_line(&patch);
		size_t from, count, after_from, after_count;
		ck_assert(str_starts(head, STR("@@ ")) && str_ends(head, STR(" @@\n")));
		head = str_from(head, 3);
		take_range(&head, '-', &from, &count);
		take_range(&head, '+', &after_from, &after_count);
		for (; line < (count > 0 ? from : from + 1); line++, after_line++)
			buf_add(&after, take_line(&before));
		ck_assert_uint_eq(after_line, after_count > 0 ? after_from : after_from + 1);
		while (count > 0 || after_count > 0) {
			struct str text = take_line(&patch);
			char sign = text.p[0];
			text = str_from(text, 1);
			if (str_starts(patch, STR("\\"))) {
				text.n--;
				(void)take_line(&patch);
			}
			ck_assert(sign == ' ' || sign == '-' || sign == '+');
			if (sign != '+') {
				ck_assert(str_eq(take_line(&before), text));
				count--;
				line++;
			}
			if (sign != '-') {
				buf_add(&after, text);
				after_count--;
				after_line++;
			}
		}
	}
	buf_add(&after, before);
	ck_assert_int_eq(after.error, 0);
	return after;
}

static void check_applies(struct str before, struct str after)
{
	struct buf patch = diff(before, after, false);
	if (str_eq(before, after)) {
		ck_assert_uint_eq(patch.n, 0);
	} else {
		struct buf got = apply(before, buf_str(&patch));
		ck_assert_msg(got.n == after.n && (after.n == 0 || str_eq(buf_str(&got), after)), "%.*s",
			      STR_ARG(buf_str(&patch)));
		buf_free(&got);
	}
	buf_free(&patch);
}

static uint32_t random_below(uint32_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % n;
}

static void add_random_text(struct buf *out, uint32_t *state, uint32_t lines, uint32_t words)
{
	for (uint32_t i = 0; i < lines; i++)
		buf_fmt(out, "%u\n", random_below(state, words));
	if (out->n > 0 && random_below(state, 4) == 0)
		buf_cut(out, out->n - 1);
	ck_assert_int_eq(out->error, 0);
}

/* A text like the other one, with a few lines changed, dropped or added. */
static void add_edited_text(struct buf *out, uint32_t *state, struct str text)
{
	while (text.n > 0) {
		struct str line = take_line(&text);
		uint32_t fate = random_below(state, 20);
		if (fate == 0)
			continue;
		if (fate == 1)
			buf_addz(out, "new\n");
		buf_add(out, fate == 2 ? STR("changed\n") : line);
	}
	ck_assert_int_eq(out->error, 0);
}

START_TEST(applying_gives_the_other_text)
{
	uint32_t state = SEED;
	for (int i = 0; i < GENERATED_PAIRS; i++) {
		struct buf before, after;
		buf_init(&before, TEXT_LIMIT);
		buf_init(&after, TEXT_LIMIT);
		add_random_text(&before, &state, random_below(&state, i % 2 == 0 ? 15 : 100), 1 + random_below(&state, 9));
		if (i % 4 < 2)
			add_random_text(&after, &state, random_below(&state, 15), 4);
		else
			add_edited_text(&after, &state, buf_str(&before));
		check_applies(before.n > 0 ? buf_str(&before) : STR(""), after.n > 0 ? buf_str(&after) : STR(""));
		buf_free(&before);
		buf_free(&after);
	}
}
END_TEST

/* Texts on which the search for the shortest difference is given up: too many edits; too many steps. */
START_TEST(large_differences_are_bounded)
{
	uint32_t state = SEED;
	struct buf before, after;
	buf_init(&before, TEXT_LIMIT);
	buf_init(&after, TEXT_LIMIT);
	add_random_text(&before, &state, 100000, 1000000);
	add_random_text(&after, &state, 100000, 1000000);
	check_applies(buf_str(&before), buf_str(&after));
	buf_cut(&before, 0);
	buf_cut(&after, 0);
	for (int i = 0; i < 400000; i++) {
		buf_addz(&before, i % 1000 == 0 ? "x\n" : "same\n");
		buf_addz(&after, i % 1000 == 1 ? "y\n" : "same\n");
	}
	ck_assert_int_eq(before.error, 0);
	ck_assert_int_eq(after.error, 0);
	check_applies(buf_str(&before), buf_str(&after));
	buf_free(&before);
	buf_free(&after);
}
END_TEST

START_TEST(a_full_buffer_stays_failed)
{
	struct buf whole = diff(STR("a\nb\n"), STR("a\nc"), true);
	for (size_t limit = 0; limit < whole.n; limit++) {
		struct buf out;
		buf_init(&out, limit);
		diff_unified(&out, STR("a\nb\n"), STR("a\nc"), STR("a"), STR("b"), true);
		ck_assert(out.error != 0 && out.n == 0);
		buf_free(&out);
	}
	buf_free(&whole);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diff");
	TCase *tests = tcase_create("diff");
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, equal_texts_give_nothing);
	tcase_add_test(tests, hunks_have_three_lines_of_context);
	tcase_add_test(tests, near_changes_share_a_hunk_and_far_ones_do_not);
	tcase_add_test(tests, a_missing_newline_at_the_end_is_told);
	tcase_add_test(tests, the_difference_is_the_shortest);
	tcase_add_test(tests, colours_are_those_of_git);
	tcase_add_test(tests, applying_gives_the_other_text);
	tcase_add_test(tests, large_differences_are_bounded);
	tcase_add_test(tests, a_full_buffer_stays_failed);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
