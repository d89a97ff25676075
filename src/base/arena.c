#include "base/arena.h"

#include "base/limits.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena_cleanup {
	struct arena_cleanup *next;
	void (*release)(void *);
	void *object;
};

static struct arena_block *block_new(struct arena *a, size_t size)
{
	struct arena_block *b = budget_memory(a->budget, size) ? calloc(1, sizeof *b + size) : NULL;
	if (b == NULL)
		return NULL;
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t align = alignof(max_align_t);
	if (n > SIZE_MAX / 2 || !budget_work(a->budget, 1 + n / BUDGET_BYTES)) {
		a->failed = true;
		return NULL;
	}
	n = (n + align - 1) / align * align;
	struct arena_block *b = a->blocks;
	if (b == NULL || b->size - b->used < n) {
		size_t size = b == NULL ? ARENA_BLOCK_FIRST : b->size < ARENA_BLOCK_SIZE / 2 ? b->size * 2 : ARENA_BLOCK_SIZE;
		b = block_new(a, n > size ? n : size);
	}
	if (b == NULL) {
		a->failed = true;
		return NULL;
	}
	void *p = b->bytes + b->used;
	b->used += n;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		a->failed = true;
		return NULL;
	}
	return arena_alloc(a, count * size);
}

struct str arena_str(struct arena *a, struct str s)
{
	if (s.p == NULL)
		return s;
	char *copy = arena_alloc(a, s.n + 1);
	if (copy == NULL)
		return (struct str){NULL, 0};
	memcpy(copy, s.p, s.n);
	return (struct str){copy, s.n};
}

struct str arena_fmtv(struct arena *a, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	char *text = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (text == NULL) {
		a->failed = true;
		return (struct str){NULL, 0};
	}
	if (vsnprintf(text, (size_t)n + 1, format, args) != n) {
		a->failed = true;
		return (struct str){NULL, 0};
	}
	return (struct str){text, (size_t)n};
}

struct str arena_fmt(struct arena *a, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct str s = arena_fmtv(a, format, args);
	va_end(args);
	return s;
}

bool arena_adopt(struct arena *a, void (*release)(void *), void *object)
{
	struct arena_cleanup *c = arena_alloc(a, sizeof *c);
	if (c == NULL) {
		release(object);
		return false;
	}
	*c = (struct arena_cleanup){a->cleanups, release, object};
	a->cleanups = c;
	return true;
}

void arena_join(struct arena *a, struct arena *from)
{
	struct arena_block **blocks = &from->blocks;
	while (*blocks != NULL)
		blocks = &(*blocks)->next;
	*blocks = a->blocks;
	struct arena_cleanup **cleanups = &from->cleanups;
	while (*cleanups != NULL)
		cleanups = &(*cleanups)->next;
	*cleanups = a->cleanups;
	a->blocks = from->blocks;
	a->cleanups = from->cleanups;
	a->failed = a->failed || from->failed;
	*from = (struct arena){0};
}

void arena_free(struct arena *a)
{
	for (struct arena_cleanup *c = a->cleanups; c != NULL; c = c->next)
		c->release(c->object);
	while (a->blocks != NULL) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		budget_release(a->budget, b->size);
		free(b);
	}
	*a = (struct arena){0};
}

void *arena_grow(struct arena *a, void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	size_t wanted = *capacity ? *capacity * 2 : 4;
	void *larger = arena_array(a, wanted, size);
	if (larger == NULL)
		return NULL;
	if (count > 0)
		memcpy(larger, array, count * size);
	*capacity = wanted;
	return larger;
}
