/* What is being read, and what the files that read have in common. */
#ifndef REVIEW_READING_H
#define REVIEW_READING_H

#include "review/manifests.h"

struct reading {
	struct manifests *m;
	const char *source;
	bool found; /* in a directory, not named: may be something else than manifests */
	struct error *err;
};

/* Adds a finding of what cannot be read: 0, or ERR_NOMEM. */
int reading_fault(const struct reading *r, size_t line, size_t column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Counts one more that is no manifest; 0. */
int reading_pass_over(const struct reading *r);

/* A part of a text that is read by itself: a document of YAML, or an object of a stream of JSON. */
struct text_part {
	struct str text;
	size_t line; /* where it begins, from 1 */
	bool json;
};

struct text_parts {
	struct str rest;
	size_t line;
	bool json; /* nothing else has come so far */
};

/* Divides a text in UTF-8, which must outlive the parts, as kubectl does: JSON while it is, then YAML. */
void text_parts_begin(struct text_parts *parts, struct str text);
bool text_parts_next(struct text_parts *parts, struct text_part *out);

/* Adds the objects of a part. ERR_NOMEM. */
int reading_add_part(const struct reading *r, const struct text_part *part);

/*
 * Puts a text into the queue: YAML or JSON, of which it takes ownership. The objects are there after reading_flush,
 * which a long queue calls by itself. ERR_NOMEM.
 */
int reading_queue_text(const struct reading *r, struct buf *text);
int reading_flush(struct manifests *m, struct error *err);

/* Gives back what waits. */
void reading_drop(struct manifests *m);

#endif
