/* What reports say of each rule, beside the fault itself: for those who meet it there for the first time. */
#ifndef REVIEW_CATALOG_H
#define REVIEW_CATALOG_H

struct catalog_entry {
	const char *id;
	const char *title; /* a few words, for a list */
	const char *says;  /* what holds, in a sentence */
	const char *help;  /* why, and how to put it right */
	const char *page;  /* of the documentation, with a leading slash */
};

/* All that a remark may have as its id: rules, notes, and the two that are neither. An id of NULL ends the table. */
extern const struct catalog_entry catalog[];

#endif
