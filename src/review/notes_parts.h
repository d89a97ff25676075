/* What the files that write notes have in common. */
#ifndef REVIEW_NOTES_PARTS_H
#define REVIEW_NOTES_PARTS_H

#include "review/notes.h"

#define MISSING_CLAIM "missing-claim"
#define MISSING_SECRET "missing-secret"
#define DUPLICATE_TARGET "duplicate-target"
#define WAVE_ORDER "wave-order"
#define UNREAD_ANNOTATION "unread-annotation"
#define NO_TEMPLATE "no-template"

/* An object that makes a Secret. */
struct source {
	struct str secret, namespace; /* no namespace: in all that it chooses */
	struct review_result *result;
	const char *field;            /* where the Secret's name stands */
	struct str claim;             /* its name, when it is one; absent */
	bool owns;                    /* it writes the whole Secret */
};

struct notes {
	struct arena *arena;
	const struct review_settings *settings;
	struct source *sources; /* sorted by by_secret */
	size_t count, capacity;
	const struct source **claims; /* sorted by by_namespace */
	size_t claim_count;
	const struct json **read; /* annotations of workloads; sorted by by_annotation */
	size_t read_count, read_capacity;
};

/* Adds a note to a result, with the line of its field. A failure stays in the arena. */
void note_add(const struct notes *all, struct review_result *r, const char *id, struct str field, struct str message);

/* Adds unread-annotation and no-template. */
void notes_add_unread(struct notes *all, struct review_result *results, size_t count);

#endif
