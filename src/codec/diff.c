/* The greedy algorithm of E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986. */
#include "codec/diff.h"

#include "base/error.h"

#include <stdlib.h>

#define CONTEXT 3

/* Where the search gives up: memory grows with the square of the edits, time with the steps. */
#define EDITS_MAX 2000
#define STEPS_MAX 20000000

#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define CYAN "\033[36m"
#define RESET "\033[m"

/* One of the two texts, as lines with their newlines, and whether each is only here. */
struct side {
	struct str *lines;
	bool *only;
	size_t n;
};

/* ---- lines ---- */

/* False when memory is out. */
static bool side_init(struct side *s, struct str text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; n++)
		i += str_find(str_from(text, i), '\n') + 1;
	s->n = n;
	s->lines = calloc(n + 1, sizeof *s->lines);
	s->only = calloc(n + 1, sizeof *s->only);
	if (s->lines == NULL || s->only == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t end = str_find(text, '\n');
		s->lines[i] = (struct str){text.p, end < text.n ? end + 1 : end};
		text = str_from(text, end + 1);
	}
	return true;
}

static void side_free(struct side *s)
{
	free(s->lines);
	free(s->only);
}

/* ---- the shortest edit script ---- */

/*
 * How far each number of edits gets. Row d holds, for the diagonals k = -d, -d + 2, ... d (k = lines taken from
 * before - lines taken from after), the most lines of before that d edits can take: d + 1 values at d (d + 1) / 2.
 */
struct search {
	const struct str *a, *b; /* the differing middles */
	size_t n, m;
	size_t *reach;
	size_t capacity;
	size_t steps;
};

static size_t *row(const struct search *s, size_t d)
{
	return s->reach + d * (d + 1) / 2;
}

/* Does the best way to place i of row d insert a line, rather than delete one? */
static bool inserts(const struct search *s, size_t d, size_t i)
{
	const size_t *last = row(s, d - 1);
	return i == 0 || (i < d && last[i - 1] < last[i]);
}

/* Fills row d. True when one of its places is the end of both texts: *place. */
static bool advance(struct search *s, size_t d, size_t *place)
{
	size_t *here = row(s, d);
	for (size_t i = 0; i <= d; i++) {
		size_t x = 0;
		if (d > 0)
			x = inserts(s, d, i) ? row(s, d - 1)[i] : row(s, d - 1)[i - 1] + 1;
		size_t y = x + d - 2 * i;
		while (x < s->n && y < s->m && str_eq(s->a[x], s->b[y])) {
			x++;
			y++;
			s->steps++;
		}
		here[i] = x;
		s->steps++;
		if (x == s->n && y == s->m) {
			*place = i;
			return true;
		}
	}
	return false;
}

/* Marks the lines that the way to place i of row d deletes and inserts. */
static void mark(const struct search *s, size_t d, size_t i, bool *deleted, bool *inserted)
{
	for (; d > 0; d--) {
		bool insert = inserts(s, d, i);
		if (!insert)
			i--;
		size_t x = row(s, d - 1)[i];
		if (insert)
			inserted[x + d - 1 - 2 * i] = true;
		else
			deleted[x] = true;
	}
}

/* Finds what differs between the middles. ERR_LIMIT when the search gives up, ERR_NOMEM. */
static int shortest(struct search *s, bool *deleted, bool *inserted)
{
	for (size_t d = 0; d <= EDITS_MAX && s->steps <= STEPS_MAX; d++) {
		size_t needed = (d + 1) * (d + 2) / 2, place;
		if (needed > s->capacity) {
			size_t wanted = needed * 2;
			size_t *larger = reallocarray(s->reach, wanted, sizeof *larger);
			if (larger == NULL)
				return ERR_NOMEM;
			s->reach = larger;
			s->capacity = wanted;
		}
		if (advance(s, d, &place)) {
			mark(s, d, place, deleted, inserted);
			return 0;
		}
	}
	return ERR_LIMIT;
}

/* Marks the lines that are only on one side. 0 or ERR_NOMEM. */
static int compare(struct side *a, struct side *b)
{
	size_t head = 0, tail = 0;
	while (head < a->n && head < b->n && str_eq(a->lines[head], b->lines[head]))
		head++;
	while (tail < a->n - head && tail < b->n - head &&
	       str_eq(a->lines[a->n - 1 - tail], b->lines[b->n - 1 - tail]))
		tail++;
	struct search s = {.a = a->lines + head, .b = b->lines + head, .n = a->n - head - tail, .m = b->n - head - tail};
	int rc = shortest(&s, a->only + head, b->only + head);
	if (rc == ERR_LIMIT) {
		for (size_t i = 0; i < s.n; i++)
			a->only[head + i] = true;
		for (size_t i = 0; i < s.m; i++)
			b->only[head + i] = true;
	}
	free(s.reach);
	return rc == ERR_NOMEM ? rc : 0;
}

/* ---- hunks ---- */

static void add_line(struct buf *out, char sign, struct str line, const char *colour)
{
	bool newline = line.n > 0 && line.p[line.n - 1] == '\n';
	if (newline)
		line.n--;
	if (colour != NULL)
		buf_addz(out, colour);
	buf_addc(out, sign);
	buf_add(out, line);
	if (colour != NULL)
		buf_addz(out, RESET);
	buf_addc(out, '\n');
	if (!newline)
		buf_addz(out, "\\ No newline at end of file\n");
}

/* "12,3" for three lines from the one at index 11; an empty range names the line before it. */
static void add_range(struct buf *out, size_t from, size_t count)
{
	buf_fmt(out, "%zu", count > 0 ? from + 1 : from);
	if (count != 1)
		buf_fmt(out, ",%zu", count);
}

/* A run of lines of both texts, from (i, j) to before (i_end, j_end). */
struct hunk {
	size_t i, j, i_end, j_end;
};

static void add_hunk(struct buf *out, const struct side *a, const struct side *b, const struct hunk *h, bool colour)
{
	buf_addz(out, colour ? CYAN "@@ -" : "@@ -");
	add_range(out, h->i, h->i_end - h->i);
	buf_addz(out, " +");
	add_range(out, h->j, h->j_end - h->j);
	buf_addz(out, colour ? " @@" RESET "\n" : " @@\n");
	for (size_t i = h->i, j = h->j; i < h->i_end || j < h->j_end;) {
		if (i < h->i_end && a->only[i]) {
			add_line(out, '-', a->lines[i++], colour ? RED : NULL);
		} else if (j < h->j_end && b->only[j]) {
			add_line(out, '+', b->lines[j++], colour ? GREEN : NULL);
		} else {
			add_line(out, ' ', a->lines[i++], NULL);
			j++;
		}
	}
}

/* Takes the next hunk from (h->i_end, h->j_end) on; false when nothing differs any more. */
static bool next_hunk(const struct side *a, const struct side *b, struct hunk *h)
{
	size_t i = h->i_end, j = h->j_end, same = 0;
	while (i < a->n && j < b->n && !a->only[i] && !b->only[j]) {
		i++;
		j++;
		same++;
	}
	if (i == a->n && j == b->n)
		return false;
	size_t lead = same < CONTEXT ? same : CONTEXT;
	h->i = i - lead;
	h->j = j - lead;
	/* up to the end, or more equal lines than two contexts cover */
	for (same = 0; (i < a->n || j < b->n) && same <= 2 * CONTEXT;) {
		bool only_a = i < a->n && a->only[i], only_b = !only_a && j < b->n && b->only[j];
		same = only_a || only_b ? 0 : same + 1;
		i += !only_b;
		j += !only_a;
	}
	size_t surplus = same > CONTEXT ? same - CONTEXT : 0;
	h->i_end = i - surplus;
	h->j_end = j - surplus;
	return true;
}

void diff_unified(struct buf *out, struct str before, struct str after, struct str before_name, struct str after_name,
		  bool colour)
{
	struct side a = {0}, b = {0};
	if (str_eq(before, after))
		return;
	if (!side_init(&a, before) || !side_init(&b, after) || compare(&a, &b) != 0) {
		buf_fail(out, ERR_NOMEM);
	} else {
		const char *on = colour ? BOLD : "", *off = colour ? RESET : "";
		buf_fmt(out, "%s--- %.*s%s\n%s+++ %.*s%s\n", on, STR_ARG(before_name), off, on, STR_ARG(after_name), off);
		struct hunk h = {0};
		while (next_hunk(&a, &b, &h))
			add_hunk(out, &a, &b, &h, colour);
	}
	side_free(&a);
	side_free(&b);
}
