/* Patterns of file names that no shell has expanded, such as 'overlays/prod-?/[a-z]*.yaml'. */
#ifndef REVIEW_GLOB_H
#define REVIEW_GLOB_H

#include "base/arena.h"
#include "base/error.h"

/* Start with {0}. Each path once, in the order of their bytes. */
struct glob_paths {
	const char **items;
	size_t count, capacity;
};

/* Does it hold one of the characters * ? and [ that make a pattern? */
bool glob_is_pattern(const char *path);

/*
 * Finds what there is of the pattern: * ? and [a-z] as in a shell, which do not match a slash or a leading dot, and **
 * for any number of directories; at the end, for all that is below one. Memory is the arena. ERR_INVALID: nothing
 * matches; ERR_LIMIT, ERR_IO, ERR_NOMEM.
 */
int glob_find(struct arena *arena, const char *pattern, struct glob_paths *out, struct error *err);

#endif
