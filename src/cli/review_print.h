/* How `connhook review` shows its results: one function a format. */
#ifndef CLI_REVIEW_PRINT_H
#define CLI_REVIEW_PRINT_H

#include "cli/review_run.h"

/* Counts over all results, for the formats that end with them. */
struct review_totals {
	size_t objects, patched, denied, warned;
};

struct review_format {
	const char *name;
	/* Each may be NULL. `colour`: standard output is a terminal. */
	void (*begin)(struct buf *out);
	void (*print)(struct buf *out, const struct review_result *r, bool first, bool colour);
	void (*end)(struct buf *out, const struct review_totals *totals);
};

/* The format of that name; NULL when there is none. */
const struct review_format *review_format_find(const char *name);

#endif
