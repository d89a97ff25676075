#include "base/buf.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){.limit = limit};
}

void buf_init_in(struct buf *b, size_t limit, const struct arena *arena)
{
	*b = (struct buf){.limit = limit, .budget = arena->budget};
}

static void give_back(struct buf *b)
{
	free(b->p);
	budget_release(b->budget, b->capacity);
	b->p = NULL;
	b->n = b->capacity = 0;
}

void buf_free(struct buf *b)
{
	give_back(b);
	b->error = 0;
}

void buf_fail(struct buf *b, int error)
{
	if (b->error != 0 || error == 0)
		return;
	give_back(b);
	b->error = error;
}

/* Room for `more` bytes and a NUL; false after a failure. */
static bool reserve(struct buf *b, size_t more)
{
	if (b->error != 0)
		return false;
	if (more > b->limit - b->n) {
		buf_fail(b, ERR_LIMIT);
		return false;
	}
	if (b->n + more < b->capacity)
		return true;
	size_t wanted = b->capacity ? b->capacity : 64;
	while (wanted <= b->n + more)
		wanted *= 2;
	size_t added = wanted - b->capacity;
	bool paid = budget_memory(b->budget, added);
	char *larger = paid ? realloc(b->p, wanted) : NULL;
	if (larger == NULL) {
		budget_release(b->budget, paid ? added : 0);
		buf_fail(b, ERR_NOMEM);
		return false;
	}
	b->p = larger;
	b->capacity = wanted;
	return true;
}

char *buf_extend(struct buf *b, size_t n)
{
	if (!reserve(b, n))
		return NULL;
	char *at = b->p + b->n;
	b->n += n;
	b->p[b->n] = '\0';
	return at;
}

void buf_add(struct buf *b, struct str s)
{
	char *at = buf_extend(b, s.n);
	if (at != NULL && s.n > 0)
		memcpy(at, s.p, s.n);
}

void buf_addz(struct buf *b, const char *z)
{
	buf_add(b, str_of(z));
}

void buf_addc(struct buf *b, char c)
{
	char *at = buf_extend(b, 1);
	if (at != NULL)
		*at = c;
}

void buf_fmtv(struct buf *b, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		buf_fail(b, ERR_INVALID);
	else if (reserve(b, (size_t)n) && vsnprintf(b->p + b->n, (size_t)n + 1, format, args) == n)
		b->n += (size_t)n;
}

void buf_fmt(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_fmtv(b, format, args);
	va_end(args);
}

void buf_cut(struct buf *b, size_t n)
{
	if (n >= b->n)
		return;
	b->n = n;
	b->p[n] = '\0';
}

struct str buf_move(struct buf *b, struct arena *arena)
{
	struct str moved = b->error == 0 ? arena_str(arena, b->n > 0 ? buf_str(b) : STR("")) : (struct str){NULL, 0};
	if (b->error != 0)
		arena->failed = true;
	buf_free(b);
	return moved;
}

struct str buf_str(const struct buf *b)
{
	return (struct str){b->p, b->n};
}
