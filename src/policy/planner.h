/* The state that the parts of plan_make share. Nobody else includes this. */
#ifndef POLICY_PLANNER_H
#define POLICY_PLANNER_H

#include "policy/list.h"
#include "policy/plan.h"
#include "policy/status.h"

/* An entry that a binding gives, as Kubernetes writes it. */
struct plan_entry {
	const struct bound *bound;
	const struct json *value;
	struct str name;   /* env: the variable; envFrom: the Secret */
	struct str prefix; /* envFrom */
};

/* A variable that a binding is known to give. */
struct plan_variable {
	struct str name;
	struct str source;         /* for a sentence: Secret "x" (binding db) */
	size_t order;              /* who wins: the higher one */
	bool is_env;               /* an env entry, not a key of an envFrom Secret */
	struct str secret, prefix; /* of the latter */
};

/* What connhook puts into one container: kept for the status and for the migration. */
struct plan_container {
	struct str name;
	struct str record;                /* its part of the status, without braces; empty when nothing is injected */
	const struct json **env, **env_from; /* the lists as they will be */
	size_t env_count, env_from_count;
};

struct planner {
	struct arena *arena;
	const struct config *config;
	const struct workload *workload, *old; /* `old` is NULL unless the status is the old object's */
	struct wishes wishes;
	struct status status;
	bool status_is_clients; /* the object has a status other than the old object's, which claims something */
	struct patch *patch;
	struct plan *out;
	struct str pod_pointer, pod_field; /* of the pod spec */
	struct plan_entry *env_from, *env;
	size_t env_from_count, env_count;
	struct plan_variable *variables; /* sorted by name and order */
	size_t variable_count;
	bool *injected;                        /* by index of the binding: a container has got its entries */
	const struct json *migration;          /* the init container that was injected before; or NULL */
	const struct json *old_container;      /* the old object's container beside the one that is planned; or NULL */
	const struct json *model;              /* the container that the migration is modelled on; NULL: none */
	struct plan_container model_result;    /* that container, as it will be */
	struct str containers_record;          /* the status' list `injected` */
	bool too_large;                        /* a result has passed a limit */
};

/*
 * Ends a buffer: its text, copied into the arena, or absent with arena->failed or too_large set. plan_parse gives
 * the tree of its text, NULL likewise.
 */
struct str plan_keep(struct planner *p, struct buf *text);
const struct json *plan_parse(struct planner *p, struct buf *text);

/* Fills env_from, env and variables from the bindings. False when memory is out. */
bool plan_entries(struct planner *p);

/* Plans container `index`: its operations, findings and record. */
bool plan_container(struct planner *p, const struct json *container, size_t index, bool selected,
		    struct plan_container *out);

/* Adds a finding for each pair of sources that give the same variables to a container. */
void plan_collisions(struct planner *p, const struct list *env_from, const struct list *env, struct str field,
		     struct str container);

/*
 * May connhook own entries of the list `key`, by the status? When only the old object's status tells of them, the
 * list must be the old object's, unchanged: what a client has written anew is its own.
 */
bool plan_trusts(const struct planner *p, const struct json *now, const struct json *old, const char *key);

/* Plans the migration container and the init containers' place. *record: name for the status, absent for none;
 * *was: see list_was. */
bool plan_migration(struct planner *p, struct str *record, const struct json **was);

#endif
