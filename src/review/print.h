/* How `connhook review` shows its results: one line in a table for each format. */
#ifndef REVIEW_PRINT_H
#define REVIEW_PRINT_H

#include "review/run.h"

/* All that was reviewed, in the order of the input, and counts over it. */
struct review {
	const struct review_result *results;
	size_t count;
	size_t patched, denied, warned, noted, refused;
	size_t first_allowed, first_remarked; /* of the results; the count when there is none */
	bool strict;                          /* what is only warned of or noted is refused; notes are warnings */
	const struct unreadable *unreadable;
	size_t unreadable_count, passed_over, links; /* of struct manifests */
	bool colour; /* standard output is a terminal */
};

struct review_format {
	const char *name, *says; /* a line of help */
	bool admitted_only;      /* what is denied has no place in it, and goes to standard error */
	/* What comes before the results, for each, and behind them. Each may be NULL. */
	void (*begin)(struct buf *out, const struct review *review);
	void (*print)(struct buf *out, const struct review *review, const struct review_result *r);
	void (*end)(struct buf *out, const struct review *review);
};

#define REVIEW_FORMATS 16 /* at most */

/* All formats, the default first; a name of NULL ends the table. */
extern const struct review_format review_formats[];

/* The format of that name; NULL when there is none. */
const struct review_format *review_format_find(const char *name);

/* ---- what formats share ---- */

/* What a line is about: a finding, advice or a note. */
enum review_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_NOTE, LEVEL_COUNT };

struct review_remark {
	enum review_level level;
	bool audited;              /* a warning that would be a denial without the configuration's `audit` */
	const char *id;            /* of the rule or the note; "injection" for advice that comes with it */
	struct str field, message; /* the field may be empty */
	size_t line;
	struct review_fix fix;
};

/* The id of remarks that are of no rule. */
#define REVIEW_ADVICE "injection"

/* The remark number `index` of a result, findings first; false behind the last. */
bool review_remark(const struct review *review, const struct review_result *r, size_t index,
		   struct review_remark *out);

/* Does the run fail for it? */
bool review_is_refused(const struct review *review, const struct review_result *r);

/* Fills the counts from the results, of which it numbers those that are the same object of one file. ERR_NOMEM. */
int review_count(struct review *review, struct review_result *results, size_t count);

/* Appends "3 objects: 1 patched, ..." */
void review_add_counts(struct buf *out, const struct review *review);

/* Appends "Deployment team-a/web". */
void review_add_title(struct buf *out, const struct review_result *r);

/* Appends "file.yaml:12". */
void review_add_place(struct buf *out, const struct review_result *r, size_t line);

/* Appends "file.yaml:12:3: sentence", with as much of the place as is known. */
void review_add_unreadable(struct buf *out, const struct unreadable *u);

/* The rule that unreadable input is a finding of. */
#define REVIEW_UNREADABLE "unreadable"

/* Appends "field: message". */
void review_add_sentence(struct buf *out, const struct review_remark *remark);

#endif
