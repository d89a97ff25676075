#include "base/str.h"

#include "base/limits.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

struct str str_of(const char *z)
{
	return (struct str){z, z ? strlen(z) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eqz(struct str a, const char *z)
{
	return str_eq(a, str_of(z));
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

bool str_contains(struct str s, struct str part)
{
	return part.n == 0 || (s.n >= part.n && memmem(s.p, s.n, part.p, part.n) != NULL);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;
	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

int str_order(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	return str_cmp(*x, *y);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = str_from(s, 1);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str str_from(struct str s, size_t from)
{
	if (s.p == NULL)
		return s;
	if (from > s.n)
		from = s.n;
	return (struct str){s.p + from, s.n - from};
}

size_t str_find(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	return at ? (size_t)(at - s.p) : s.n;
}

size_t str_rfind(struct str s, char c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return s.n;
}

bool str_split(struct str *rest, char separator, struct str *part)
{
	if (rest->p == NULL)
		return false;
	size_t end = str_find(*rest, separator);
	*part = (struct str){rest->p, end};
	*rest = end < rest->n ? str_from(*rest, end + 1) : (struct str){NULL, 0};
	return true;
}

/* Does the piece, which has no *, stand at the beginning of `s`? */
static bool begins(struct str piece, struct str s)
{
	if (piece.n > s.n)
		return false;
	for (size_t i = 0; i < piece.n; i++)
		if (piece.p[i] != '?' && piece.p[i] != s.p[i])
			return false;
	return true;
}

/*
 * The first place of a piece with a ? of at most 64 bytes: all beginnings of it that fit are followed at once, each a
 * bit of `state` (Baeza-Yates and Gonnet, "A new approach to text searching", 1992).
 */
static size_t find_together(struct str piece, struct str s)
{
	uint64_t fits[UCHAR_MAX + 1] = {0}, any = 0, state = 0;
	for (size_t i = 0; i < piece.n; i++) {
		uint64_t bit = (uint64_t)1 << i;
		any |= piece.p[i] == '?' ? bit : 0;
		fits[(unsigned char)piece.p[i]] |= bit;
	}
	uint64_t last = (uint64_t)1 << (piece.n - 1);
	for (size_t i = 0; i < s.n; i++) {
		state = (state << 1 | 1) & (fits[(unsigned char)s.p[i]] | any);
		if ((state & last) != 0)
			return i + 1 - piece.n;
	}
	return SIZE_MAX;
}

/* The first place in `s` where the piece, which has no * and is not empty, stands; SIZE_MAX for none. */
static size_t find_piece(struct str piece, struct str s)
{
	if (str_find(piece, '?') == piece.n) {
		const char *at = s.n > 0 ? memmem(s.p, s.n, piece.p, piece.n) : NULL;
		return at != NULL ? (size_t)(at - s.p) : SIZE_MAX;
	}
	if (piece.n <= 64)
		return find_together(piece, s);
	for (size_t i = 0; i + piece.n <= s.n; i++)
		if (begins(piece, str_from(s, i)))
			return i;
	return SIZE_MAX;
}

/* Pieces between stars are looked for from left to right, each as far left as it goes: no choice is taken back. */
bool str_glob(struct str pattern, struct str s)
{
	size_t first = str_find(pattern, '*'), last = str_rfind(pattern, '*');
	if (first == pattern.n)
		return pattern.n == s.n && begins(pattern, s);
	struct str head = {pattern.p, first}, tail = str_from(pattern, last + 1);
	if (s.n < head.n + tail.n || !begins(head, s) || !begins(tail, str_from(s, s.n - tail.n)))
		return false;
	struct str between = {pattern.p + first, last - first}, piece;
	s = str_from(s, head.n);
	s.n -= tail.n;
	while (str_split(&between, '*', &piece)) {
		if (piece.n == 0)
			continue;
		size_t at = find_piece(piece, s);
		if (at == SIZE_MAX)
			return false;
		s = str_from(s, at + piece.n);
	}
	return true;
}

bool str_is_glob(struct str pattern)
{
	return str_find(pattern, '*') < pattern.n || str_find(pattern, '?') < pattern.n;
}

struct str str_utf8_cut(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xC0) == 0x80)
		max--;
	return (struct str){s.p, max};
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
	return a == b || ((a ^ b) == 0x20 && ((a | 0x20) >= 'a' && (a | 0x20) <= 'z'));
}

/* The optimal string alignment distance, with three rows of the table kept. */
size_t str_distance(struct str a, struct str b)
{
	if (a.n > LIMIT_SUGGEST_LENGTH || b.n > LIMIT_SUGGEST_LENGTH)
		return SIZE_MAX;
	size_t rows[3][LIMIT_SUGGEST_LENGTH + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.n; j++)
		before[j] = last[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = same_letter(a.p[i - 1], b.p[j - 1]);
			row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + !same);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *free_row = before;
		before = last;
		last = row;
		row = free_row;
	}
	return last[b.n];
}

unsigned long long str_hash(unsigned long long seed, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		seed = (seed ^ (unsigned char)s.p[i]) * 1099511628211ULL;
	return seed;
}
