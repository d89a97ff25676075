/* Bindings: the list in the annotation, and what each gives a service. */
#ifndef POLICY_CONFIG_BINDING_H
#define POLICY_CONFIG_BINDING_H

#include "policy/config/config.h"
#include "policy/config/template.h"
#include "policy/verdict/violation.h"

/* One `env` entry that a binding gives: a key of the Secret, or a value. The other one is absent. */
struct bound_env {
	struct str name, key, value;
};

/* A binding of one workload, with all templates filled. */
struct bound {
	const struct binding *binding;
	struct str label;  /* as it is written in the list: "cache=identity-cache" */
	struct str secret; /* absent when there are only literals */
	struct str prefix; /* of envFrom; empty for none */
	bool env_from;     /* the whole Secret through envFrom */
	const struct bound_env *env;
	size_t env_count;
};

struct bound_list {
	const struct bound *items;
	size_t count;
};

/*
 * Reads a list, "db,cache=identity-cache", and fills each binding's templates. What is wrong goes to `problems`; the
 * bindings without fault are in *out. Memory is the problems' arena.
 */
void binding_list_read(const struct config *config, struct str list, const struct template_values *values,
		       struct str field, struct violations *problems, struct bound_list *out);

#endif
