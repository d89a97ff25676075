/* A growing run of bytes with a limit, which remembers a failed append. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/arena.h"

#include <stdarg.h>

/* Start with buf_init. After a failure, appends do nothing, `n` is 0 and `error` says why. */
struct buf {
	char *p;
	size_t n, capacity, limit;
	struct budget *budget; /* pays for its memory and outlives it; NULL: none */
	int error;             /* 0, ERR_NOMEM (also when the budget is over) or ERR_LIMIT */
};

/* An empty buffer that refuses to hold more than `limit` bytes. */
void buf_init(struct buf *b, size_t limit);

/* The same, paid for by the budget of the arena. */
void buf_init_in(struct buf *b, size_t limit, const struct arena *arena);

/* Gives the memory back; safe on an initialised or a zeroed buffer. */
void buf_free(struct buf *b);

/* Appends `n` bytes, which the caller fills before anything else is appended; NULL after a failure. */
char *buf_extend(struct buf *b, size_t n);

void buf_add(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_fmtv(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Makes it a failed buffer, unless it is one: what was to be appended could not be made. No error changes nothing. */
void buf_fail(struct buf *b, int error);

/* Drops the bytes behind the first `n`. */
void buf_cut(struct buf *b, size_t n);

/* Moves what it holds into the arena, NUL-terminated, and gives its memory back. A failure becomes the arena's. */
struct str buf_move(struct buf *b, struct arena *arena);

/* What it holds, always NUL-terminated behind the end when not absent; valid until the next append. */
struct str buf_str(const struct buf *b);

#endif
