/* What one workload asks for, what it gets, and from where. */
#ifndef REVIEW_EXPLAIN_H
#define REVIEW_EXPLAIN_H

#include "review/run.h"

/* Appends the answer about a workload that has been reviewed, a few lines of text. ERR_NOMEM. */
int review_explain(struct arena *arena, const struct review_settings *settings, const struct review_result *result,
		   struct buf *out, struct error *err);

#endif
