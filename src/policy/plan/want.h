/* What the annotations and the configuration ask for: the entries that the bindings give, before any container. */
#ifndef POLICY_PLAN_WANT_H
#define POLICY_PLAN_WANT_H

#include "policy/plan/annotations.h"
#include "policy/plan/entry.h"

/* An entry that a binding gives, as Kubernetes writes it. */
struct want_entry {
	const struct bound *bound;
	const struct json *value;
	struct entry_key key;
	unsigned long long hash; /* entry_hash */
	const size_t *needs;     /* env: places in struct want's `names` of the variables that its value refers to */
	size_t need_count;
	size_t place;            /* env: the place of its own name there */
};

/* A variable that a binding is known to give. */
struct want_variable {
	struct str name;
	struct str source;  /* for a sentence: Secret "x" (binding db) */
	size_t order;       /* who wins: the higher one */
	bool is_env;        /* an env entry, not a key of an envFrom Secret */
	struct str secret, prefix, key; /* of the latter */
};

struct want {
	const struct bound_list *bindings;
	/* In the order of the bindings, each key once; env such that a value stands behind those it refers to. */
	struct want_entry *env_from, *env;
	size_t env_from_count, env_count;
	struct names names;                /* of env, and all that their values refer to; sorted */
	struct want_variable *variables;   /* sorted by name and order */
	size_t variable_count;
};

/* Makes the entries of `bindings`. False when memory is out. Memory is the arena. */
bool want_read(struct arena *arena, const struct bound_list *bindings, struct want *out);

/* The first variable of that name; NULL when no binding gives it. */
const struct want_variable *want_variable(const struct want *want, struct str name);

/* The place of the name in want->names; their count when it is not among them. */
size_t want_place(const struct want *want, struct str name);

/*
 * Takes the next NAME of a reference $(NAME) out of `*text`, the value of an env entry
 * (kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables; $$ is a dollar).
 * False when there is none left.
 */
bool want_reference(struct str *text, struct str *name);

#endif
