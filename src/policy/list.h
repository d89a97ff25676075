/*
 * One list of a pod template that connhook shares with its owner: envFrom, env, imagePullSecrets. Entries that a
 * status records are connhook's; the others are never touched, and keep their order behind connhook's.
 */
#ifndef POLICY_LIST_H
#define POLICY_LIST_H

#include "base/arena.h"
#include "codec/json.h"
#include "policy/patch.h"

struct list_entry {
	const struct json *value; /* as it will be: without what connhook had put into an owner's entry */
	bool ours;
};

struct list {
	struct str pointer;       /* JSON Pointer of the list */
	const struct json *value; /* as it stands in the object; NULL when absent */
	struct list_entry *entries;
	size_t count, ours;
	const struct json *was;   /* recorded: an empty list or null that stood here before; NULL for none */
};

/*
 * Opens the list at `pointer`. `recorded` is the array of entries that connhook injected (or NULL), `was` what the
 * status says stood there. False when memory is out.
 */
bool list_open(struct arena *arena, struct str pointer, const struct json *value, const struct json *recorded,
	       const struct json *was, struct list *out);

/* What the list holds when connhook's entries are `desired`: these, then the owner's. NULL when memory is out. */
const struct json **list_result(struct arena *arena, const struct list *list, const struct json *const *desired,
				size_t count, size_t *result_count);

/* Adds the operations that bring the list there. */
bool list_reconcile(struct arena *arena, const struct list *list, const struct json *const *desired, size_t count,
		    struct patch *patch);

/* What a new status must record as `was`: an empty list or null that injection takes the place of; NULL for none. */
const struct json *list_was(const struct list *list, size_t desired_count);

/* Does an entry equal to `entry` stand in the list as it is? */
bool list_holds(const struct list *list, const struct json *entry);

#endif
