/* What `connhook review` reads: manifests of files, directories, globs and standard input. */
#ifndef REVIEW_MANIFESTS_H
#define REVIEW_MANIFESTS_H

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

/* What could not be read: a finding of its own, that hides nothing else. */
struct unreadable {
	const char *source;
	size_t line, column; /* from 1; a line of 0: the file as a whole; a column of 0: unknown */
	struct str message;
};

/* Patterns of files to pass over. */
struct exclusions {
	const char **items;
	size_t count, capacity;
};

struct reading_job;

/* Texts that have been found, and wait to be read. */
struct reading_queue {
	struct arena arena;
	struct reading_job *jobs;
	size_t count, capacity, bytes;
	struct buf *texts;
	size_t text_count, text_capacity;
};

/* Start with {0}. All memory is the arena's. Names of sources are fit for a sentence: text_shown. */
struct manifests {
	struct arena arena;
	struct manifest *items;
	size_t count, capacity;
	struct unreadable *unreadable;
	size_t unreadable_count, unreadable_capacity;
	struct exclusions exclusions;
	const char *stdin_name; /* NULL: "<stdin>" */
	size_t passed_over;     /* files and documents found in directories that are no manifests */
	size_t links;           /* found in directories, and not followed: they leave what was given */
	struct yaml_lenient lenient;
	struct reading_queue queue;
};

#define REVIEW_STDIN "<stdin>"

void manifests_init(struct manifests *m);

/* Passes over what is found in directories and fits: a pattern of names, or with a slash of paths below. */
int manifests_exclude(struct manifests *m, const char *pattern, struct error *err);

/*
 * Adds the objects of `path`: a file of YAML or JSON, a directory (its *.yaml, *.yml and *.json, and those of the
 * directories below, in the order of their names), a glob that no shell has expanded, or "-". A List gives its items.
 * What cannot be read is added to `unreadable`; what a directory holds beside manifests is counted. ERR_NOMEM.
 */
int manifests_add(struct manifests *m, const char *path, struct error *err);

/* Reads what manifests_add has found: before that, it may not be there. ERR_NOMEM. */
int manifests_finish(struct manifests *m, struct error *err);

/* Adds one that was read, but that no review can hold. ERR_NOMEM. */
int manifests_add_unreadable(struct manifests *m, const struct manifest *item, const char *sentence,
			     struct error *err);

/* Adds that `path`, and `others` than it, held no object at all. ERR_NOMEM. */
int manifests_add_empty(struct manifests *m, const char *path, bool others, struct error *err);

/* What reports call the input of that path; absent without memory. */
struct str manifests_source(struct manifests *m, const char *path);

void manifests_free(struct manifests *m);

#endif
