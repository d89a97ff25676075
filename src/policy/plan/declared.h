/*
 * What the owner of a workload declares, as the object itself tells: its annotation
 * kubectl.kubernetes.io/last-applied-configuration (client-side apply), and the `Apply` entries of its managedFields
 * (server-side apply; kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).
 */
#ifndef POLICY_PLAN_DECLARED_H
#define POLICY_PLAN_DECLARED_H

#include "kube/workload.h"
#include "policy/config/config.h"
#include "policy/plan/entry.h"

/* A container that is declared: as it was applied, or as the fields that an Apply entry owns; the other is NULL. */
struct declared_container {
	bool init;
	struct str name;
	const struct json *applied, *fields;
};

/* What is said of an entry that is declared. */
enum declared_form {
	DECLARED_WHOLE,     /* it is the owner's, whatever it is */
	DECLARED_EMPTY,     /* it was applied, without a value or a reference to one */
	DECLARED_LITERAL,   /* an Apply entry owns it and its value */
	DECLARED_REFERENCE, /* an Apply entry owns it and its valueFrom */
	DECLARED_NAME,      /* an Apply entry owns it, and no value */
	DECLARED_AS,        /* it was applied with that value: `hash` is the entry's (entry_hash) */
};

struct declared_key {
	struct entry_key key;
	enum declared_form form;
	unsigned long long hash; /* 0 in all other forms */
};

/* Sorted, so that what a tenant declares a thousand times is found in log n; several may have one key. */
struct declared_keys {
	struct declared_key *items;
	size_t count, capacity;
};

struct declared {
	struct declared_container *containers; /* sorted by list and name; several may have one name */
	size_t count, capacity;
	struct declared_keys pull_secrets;
	struct str text;                       /* of last-applied-configuration; absent */
	const struct json *annotations;        /* of the applied metadata, or NULL */
	const struct json *const *managed;     /* the Apply entries */
	size_t managed_count;
	bool env_from_applied;                 /* an Apply entry owns the envFrom of a container */
	/*
	 * The record itself is declared: somebody has applied a dump of the live object. What it declares is then a copy,
	 * and no wish.
	 */
	bool is_copy;
};

/* Reads it from the workload's object. Memory is the arena; what cannot be read declares nothing. */
void declared_read(struct arena *arena, const struct config *config, const struct workload *workload,
		   struct declared *out);

/* The entries of one container that its owner declares. */
struct declared_entries {
	struct declared_keys env_from, env;
	bool env_from_applied; /* an Apply entry owns envFrom: all of it, since that list is atomic */
};

/*
 * Has somebody applied server-side since `old` was read? The API server sets the time of an Apply entry when its
 * manager applies, and leaves it alone when others write.
 */
bool declared_anew(const struct declared *d, const struct declared *old);

void declared_entries(struct arena *arena, const struct declared *d, struct str container,
		      struct declared_entries *out);

/* Adds the key of an entry that is declared as well; declared_sort when all have been added. */
void declared_add(struct arena *arena, const struct entry_key *key, struct declared_keys *keys);
void declared_sort(struct declared_keys *keys);

bool declared_has(const struct declared_keys *keys, const struct entry_key *key);

/*
 * Is the entry, as it stands there, what its owner declares? A variable that was rolled back is not: the manifest gives
 * it another value, or the Apply entry has lost the one that it owned.
 */
bool declared_entry(const struct declared_keys *keys, const struct entry_key *key, const struct json *entry);

/*
 * The member, "value" or "valueFrom", that a variable has of connhook's `recorded` alone, since its owner declares it
 * without one: an empty value that a merge did not see. NULL for none.
 */
const char *declared_without(const struct declared_keys *keys, const struct entry_key *key, const struct json *entry,
			     const struct json *recorded);

/* Does the owner declare that init container? And this field of one of that name? */
bool declared_init(const struct declared *d, const struct json *container);
bool declared_init_field(const struct declared *d, struct str name, const char *field);

/* The init container of that name as it was applied by client-side apply; NULL when it was not. */
const struct json *declared_init_applied(const struct declared *d, struct str name);

/* Does the owner declare that annotation of the workload's metadata? */
bool declared_annotation(const struct declared *d, struct arena *arena, struct str key);

#endif
