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

/* Adds all objects of a text: YAML or JSON. ERR_NOMEM. */
int reading_add_text(const struct reading *r, struct str text);

#endif
