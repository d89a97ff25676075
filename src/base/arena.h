/* Memory that is given back all at once: what a request or a configuration allocates lives as long as it does. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/budget.h"
#include "base/str.h"

#include <stdarg.h>

struct arena_block;
struct arena_cleanup;

/*
 * Start with {0}, or with the budget that pays for it and outlives it. `failed` stays true once an allocation has
 * failed, so that a series is checked once at its end. A budget that is over is a failure as well: budget->over tells.
 */
struct arena {
	struct arena_block *blocks;
	struct arena_cleanup *cleanups;
	struct budget *budget; /* NULL: none */
	bool failed;
};

/* `n` zeroed bytes aligned for any type; NULL when memory is out. Owned by the arena. A unit of work, and more. */
void *arena_alloc(struct arena *a, size_t n);

/* `count` zeroed elements of `size` bytes; NULL when memory is out or the product overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* Copies of text, NUL-terminated behind their end; absent when memory is out. */
struct str arena_str(struct arena *a, struct str s);
struct str arena_fmt(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str arena_fmtv(struct arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/*
 * Has `release(object)` called when the arena is freed, in reverse order of the calls. When memory is out it is
 * called at once and false is returned: ownership passes in either case.
 */
bool arena_adopt(struct arena *a, void (*release)(void *), void *object);

/* What `from` holds belongs to `a` from now on; both are paid for by the same budget. `from` is empty, without one. */
void arena_join(struct arena *a, struct arena *from);

/* Gives everything back; the arena is empty, without a budget, and may be used again. */
void arena_free(struct arena *a);

/*
 * Makes room for one more element in an array of `*count` that grows by doubling: returns the array, moved if need
 * be, or NULL (and leaves everything as it was) when memory is out. `*capacity` starts at 0.
 */
void *arena_grow(struct arena *a, void *array, size_t count, size_t *capacity, size_t size);

#endif
