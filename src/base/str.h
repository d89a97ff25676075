/* String views: bytes and a length, borrowed from whoever owns them. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* A view of `n` bytes at `p`. Not NUL-terminated unless its source says so. An absent string has p == NULL. */
struct str {
	const char *p;
	size_t n;
};

/* STR("text"): a view of a literal; STR_INIT in the initializer of a constant. */
#define STR(literal) ((struct str)STR_INIT(literal))
#define STR_INIT(literal) {(literal), sizeof(literal) - 1}
/* The two arguments of a "%.*s". */
#define STR_ARG(s) (int)(s).n, ((s).p ? (s).p : "")

/* A view of a NUL-terminated string; NULL gives the absent string. */
struct str str_of(const char *z);

bool str_eq(struct str a, struct str b);
bool str_eqz(struct str a, const char *z);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Does `part` stand anywhere in `s`? Linear. */
bool str_contains(struct str s, struct str part);

/* Order of bytes, shorter first when one is a prefix of the other: <0, 0, >0. */
int str_cmp(struct str a, struct str b);

/* str_cmp of two `struct str`, as qsort and bsearch want it. */
int str_order(const void *a, const void *b);

/* `s` without the white space (space, tab, CR, LF) at both ends. */
struct str str_trim(struct str s);

/* The bytes of `s` from `from` on; empty when `from` is past the end. */
struct str str_from(struct str s, size_t from);

/* The place of the first (last) `c` in `s`; s.n when there is none. */
size_t str_find(struct str s, char c);
size_t str_rfind(struct str s, char c);

/*
 * Takes the next part of a list off `*rest` into `*part`. True while there is one: "a,,b" gives three parts,
 * "" gives one empty part, and an absent rest gives none. After the last part *rest is absent.
 */
bool str_split(struct str *rest, char separator, struct str *part);

/*
 * Does `s` match `pattern`, where * is any run of bytes and ? one byte? Time is linear in both, as long as no run
 * between two stars that holds a ? is longer than 64 bytes.
 */
bool str_glob(struct str pattern, struct str s);

/* True when the pattern holds a * or a ?. */
bool str_is_glob(struct str pattern);

/* The longest prefix of `s` of at most `max` bytes that does not end inside a UTF-8 character. */
struct str str_utf8_cut(struct str s, size_t max);

/*
 * Edit distance (insert, delete, replace, swap of neighbours) between two short names, upper and lower case taken for
 * the same. Strings longer than LIMIT_SUGGEST_LENGTH are never close: SIZE_MAX.
 */
size_t str_distance(struct str a, struct str b);

/* 64-bit FNV-1a over `s`, continuing from `seed` (STR_HASH_SEED to begin). Not for hostile collisions. */
#define STR_HASH_SEED 14695981039346656037ULL
unsigned long long str_hash(unsigned long long seed, struct str s);

#endif
