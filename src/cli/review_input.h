/* What `connhook review` reads: manifests of files, directories, globs and standard input. */
#ifndef CLI_REVIEW_INPUT_H
#define CLI_REVIEW_INPUT_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"
#include "codec/yaml.h"

/* One object of the input. */
struct manifest {
	const char *source;           /* the file's name; "<stdin>" */
	size_t line;                  /* where it begins, from 1 */
	const struct json *object;
	const struct yaml_node *node; /* the same as it was read, with its places; NULL when they are unknown */
};

/* Start with {0}. All memory is the arena's. */
struct manifests {
	struct arena arena;
	struct manifest *items;
	size_t count, capacity;
};

/*
 * Adds the objects of `path`: a file of YAML or JSON, a directory (its *.yaml, *.yml and *.json, and those of the
 * directories below, in the order of their names), a glob that no shell has expanded, or "-". A List gives its items.
 * Errors name the file: ERR_IO, ERR_INVALID, ERR_LIMIT, ERR_NOMEM.
 */
int manifests_add(struct manifests *m, const char *path, struct error *err);

void manifests_free(struct manifests *m);

#endif
