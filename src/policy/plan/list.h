/*
 * One list of a pod template that connhook shares with others. It is read (whose is each entry?), then compared with
 * what connhook wants there, and the difference becomes operations of a patch. Entries of others are never touched and
 * keep their order.
 */
#ifndef POLICY_PLAN_LIST_H
#define POLICY_PLAN_LIST_H

#include "policy/plan/declared.h"
#include "policy/plan/patch.h"
#include "policy/plan/record.h"

struct slot {
	const struct json *value; /* as it will be: without what a merge mixed into another's entry */
	unsigned long long hash;  /* entry_hash, of connhook's own */
	bool ours;
};

struct list {
	enum entry_kind kind;
	struct str pointer;       /* JSON Pointer of the list */
	const struct json *value; /* as it stands; NULL when absent */
	struct slot *slots;
	size_t count, ours;
};

/*
 * Reads the list at `pointer`: connhook's are the entries that `record` (NULL for none) holds in the same form and
 * that are not among the `declared`. `round` is a number other than 0 that no earlier list read with this record had.
 * False when memory is out.
 */
bool list_read(struct arena *arena, enum entry_kind kind, struct str pointer, const struct json *value,
	       struct record_list *record, const struct declared_keys *declared, size_t round, struct list *out);

/* An entry that connhook wants in the list, behind so many entries of others. Sorted by that. */
struct target {
	const struct json *value;
	unsigned long long hash; /* entry_hash */
	size_t behind;
};

/* The list with the targets in it. NULL when memory is out. */
const struct json **list_result(struct arena *arena, const struct list *list, const struct target *targets,
				size_t count, size_t *result_count);

/* Adds the operations that bring the list there: as few as can be. False when memory is out. */
bool list_difference(struct arena *arena, const struct list *list, const struct target *targets, size_t count,
		     struct patch *patch);

#endif
