/* The arena, the buffer and the error: memory that is given back, limits that hold, text that is cut well. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"

#include "unit.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define SMALL_LIMIT 8

static bool is_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* ---- arena ---- */

START_TEST(memory_is_zeroed_and_aligned)
{
	static const size_t sizes[] = {0, 1, 7, 16, 100, ARENA_BLOCK_SIZE - 1, ARENA_BLOCK_SIZE, ARENA_BLOCK_SIZE + 1,
				       1 * MIB};
	struct arena arena = {0};
	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			unsigned char *p = arena_alloc(&arena, sizes[i]);
			ck_assert_ptr_nonnull(p);
			ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
			ck_assert(is_zero(p, sizes[i])); /* not a byte of what was filled before */
			memset(p, 0xAA, sizes[i]);
		}
	ck_assert(!arena.failed);
	arena_free(&arena);
	ck_assert_ptr_null(arena.blocks);
	arena_free(&arena);
}
END_TEST

START_TEST(too_much_memory_is_refused_and_remembered)
{
	struct arena arena = {0};
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert(arena.failed);
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
	ck_assert(arena.failed);
	arena_free(&arena);
	ck_assert(!arena.failed);
	ck_assert_ptr_null(arena_array(&arena, SIZE_MAX / 2, 3));
	ck_assert(arena.failed);
	arena_free(&arena);
	ck_assert_ptr_nonnull(arena_array(&arena, 0, 0));
	ck_assert(!arena.failed);
	arena_free(&arena);
}
END_TEST

START_TEST(text_is_copied)
{
	struct arena arena = {0};
	char text[] = "one";
	struct str copy = arena_str(&arena, (struct str){text, 2});
	text[0] = 'X';
	ck_assert_str_eq(copy.p, "on");
	ck_assert_uint_eq(copy.n, 2);
	ck_assert_ptr_nonnull(arena_str(&arena, STR("")).p);
	ck_assert_ptr_null(arena_str(&arena, (struct str){NULL, 0}).p);
	ck_assert(!arena.failed);
	struct str nul = arena_str(&arena, STR("a\0b"));
	ck_assert(nul.n == 3 && memcmp(nul.p, "a\0b", 4) == 0);
	struct str made = arena_fmt(&arena, "%s[%d]", "env", 12);
	ck_assert(str_eqz(made, "env[12]") && made.p[made.n] == '\0');
	char wide[ARENA_BLOCK_SIZE * 2];
	memset(wide, 'w', sizeof wide);
	wide[sizeof wide - 1] = '\0';
	ck_assert_str_eq(arena_fmt(&arena, "%s", wide).p, wide);
	arena_free(&arena);
}
END_TEST

static char released[4];
static size_t released_count;

static void release(void *object)
{
	released[released_count++ % 3] = *(const char *)object;
}

START_TEST(adopted_objects_go_in_reverse)
{
	struct arena arena = {0};
	char a[] = "a", b[] = "b", c[] = "c";
	ck_assert(arena_adopt(&arena, release, a));
	ck_assert(arena_adopt(&arena, release, b));
	ck_assert(arena_adopt(&arena, release, c));
	ck_assert_str_eq(released, "");
	arena_free(&arena);
	ck_assert_str_eq(released, "cba");
	arena_free(&arena);
	ck_assert_str_eq(released, "cba");
}
END_TEST

START_TEST(an_array_grows)
{
	struct arena arena = {0};
	size_t capacity = 0, moves = 0;
	int *list = NULL;
	for (int i = 0; i < 1000; i++) {
		int *larger = arena_grow(&arena, list, (size_t)i, &capacity, sizeof *larger);
		ck_assert_ptr_nonnull(larger);
		moves += larger != list;
		list = larger;
		list[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(list[i], i);
	ck_assert_uint_le(moves, 10);
	size_t full = capacity;
	ck_assert_ptr_null(arena_grow(&arena, list, full, &capacity, SIZE_MAX / full));
	ck_assert_uint_eq(capacity, full);
	ck_assert(arena.failed);
	arena_free(&arena);
}
END_TEST

/* ---- buffer ---- */

START_TEST(a_buffer_collects)
{
	struct buf b;
	buf_init(&b, 1 * MIB);
	ck_assert_ptr_null(buf_str(&b).p);
	buf_addz(&b, "");
	ck_assert_str_eq(buf_str(&b).p, "");
	buf_addz(&b, "one");
	buf_addc(&b, ',');
	buf_add(&b, STR("t\0o"));
	buf_fmt(&b, "%d%%", 5);
	ck_assert(str_eq(buf_str(&b), STR("one,t\0o5%")));
	ck_assert_int_eq(b.p[b.n], '\0');
	buf_cut(&b, 3);
	ck_assert_str_eq(buf_str(&b).p, "one");
	buf_cut(&b, 99);
	ck_assert_uint_eq(b.n, 3);
	for (size_t i = 0; i < 10000; i++)
		buf_fmt(&b, "%05zu", i);
	ck_assert_uint_eq(b.n, 3 + 50000);
	ck_assert_str_eq(b.p + b.n - 10, "0999809999");
	ck_assert_int_eq(b.error, 0);
	buf_free(&b);
	ck_assert(b.p == NULL && b.n == 0);
	buf_free(&b);
}
END_TEST

START_TEST(a_buffer_keeps_its_limit)
{
	struct buf b;
	buf_init(&b, SMALL_LIMIT);
	buf_addz(&b, "12345678");
	ck_assert_int_eq(b.error, 0);
	ck_assert_str_eq(b.p, "12345678");
	buf_addz(&b, "");
	ck_assert_int_eq(b.error, 0);
	buf_addc(&b, '9');
	ck_assert_int_eq(b.error, ERR_LIMIT);
	ck_assert(b.n == 0 && buf_str(&b).p == NULL);
	buf_addz(&b, "1");
	buf_fmt(&b, "%d", 1);
	buf_cut(&b, 0);
	ck_assert_int_eq(b.error, ERR_LIMIT);
	ck_assert_uint_eq(b.n, 0);
	buf_free(&b);
	buf_init(&b, SMALL_LIMIT);
	buf_fmt(&b, "%s", "12345678");
	ck_assert_int_eq(b.error, 0);
	buf_fmt(&b, "%d", 9);
	ck_assert_int_eq(b.error, ERR_LIMIT);
	buf_free(&b);
	buf_init(&b, SMALL_LIMIT);
	buf_add(&b, (struct str){"", SIZE_MAX});
	ck_assert_int_eq(b.error, ERR_LIMIT);
	buf_free(&b);
	buf_init(&b, SMALL_LIMIT);
	buf_addz(&b, "1234");
	buf_fail(&b, 0);
	ck_assert(b.error == 0 && b.n == 4);
	buf_fail(&b, ERR_INVALID);
	buf_fail(&b, ERR_NOMEM);
	buf_addc(&b, '5');
	ck_assert(b.error == ERR_INVALID && b.n == 0 && b.p == NULL);
	struct arena arena = {0};
	ck_assert_ptr_null(buf_move(&b, &arena).p);
	ck_assert(arena.failed && b.error == 0);
	arena_free(&arena);
	ck_assert_str_eq(buf_move(&b, &arena).p, "");
	buf_addz(&b, "12");
	struct str moved = buf_move(&b, &arena);
	ck_assert(b.p == NULL && moved.n == 2 && strcmp(moved.p, "12") == 0 && !arena.failed);
	arena_free(&arena);
	struct buf never = {0};
	buf_free(&never);
}
END_TEST

/* ---- error ---- */

static int set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int set(struct error *err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int code = error_setv(err, ERR_EXISTS, format, args);
	va_end(args);
	return code;
}

START_TEST(errors_have_a_code_and_a_sentence)
{
	struct error err;
	ck_assert_int_eq(error_set(&err, ERR_INVALID, "%s is %d", "depth", 3), ERR_INVALID);
	ck_assert_str_eq(err.text, "depth is 3");
	ck_assert(str_eqz(error_str(&err), "depth is 3"));
	ck_assert_int_eq(set(&err, "%s", "there"), ERR_EXISTS);
	ck_assert_str_eq(err.text, "there");
	ck_assert_int_eq(error_nomem(&err), ERR_NOMEM);
	ck_assert_str_eq(err.text, "out of memory");
	ck_assert_int_eq(error_set(NULL, ERR_IO, "nobody reads this"), ERR_IO);
	ck_assert_int_eq(error_nomem(NULL), ERR_NOMEM);
}
END_TEST

START_TEST(a_long_sentence_ends_with_a_whole_character)
{
	for (size_t before = ERROR_TEXT_MAX - 8; before < ERROR_TEXT_MAX + 2; before++) {
		struct error err;
		char text[ERROR_TEXT_MAX + 8];
		memset(text, 'x', before);
		memcpy(text + before, "\xF0\x9F\x98\x80", 5);
		ck_assert_int_eq(error_set(&err, ERR_INVALID, "%s", text), ERR_INVALID);
		size_t n = strlen(err.text);
		bool whole = before + 4 < ERROR_TEXT_MAX;
		ck_assert_msg(whole ? n == before + 4 : n <= before && n + 8 > ERROR_TEXT_MAX, "%zu: %zu", before, n);
		ck_assert_int_eq(memcmp(err.text, text, n), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tests = tcase_create("base");
	tcase_add_test(tests, memory_is_zeroed_and_aligned);
	tcase_add_test(tests, too_much_memory_is_refused_and_remembered);
	tcase_add_test(tests, text_is_copied);
	tcase_add_test(tests, adopted_objects_go_in_reverse);
	tcase_add_test(tests, an_array_grows);
	tcase_add_test(tests, a_buffer_collects);
	tcase_add_test(tests, a_buffer_keeps_its_limit);
	tcase_add_test(tests, errors_have_a_code_and_a_sentence);
	tcase_add_test(tests, a_long_sentence_ends_with_a_whole_character);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
