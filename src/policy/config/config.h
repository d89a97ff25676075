/*
 * The configuration's model (SPEC section 3): one immutable snapshot, which owns all it points to. Any number of
 * threads may read one.
 */
#ifndef POLICY_CONFIG_CONFIG_H
#define POLICY_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"

#include <stdbool.h>

/* How connection Secrets are named, behind the claim's name: Crossplane writes them, nobody else. */
#define CONNECTION_SUFFIX "-conn"

enum rule_mode { MODE_OFF, MODE_WARN, MODE_ENFORCE };

/* A list of strings: names or globs, as the field's comment says. */
struct names {
	const struct str *items;
	size_t count;
	/* From names_index: the same, literals first and in the order of str_cmp, then the globs. NULL without it. */
	const struct str *index;
	size_t literals;
};

/* The initializer of a struct names that is a whole array. */
#define NAMES_OF(array) {.items = (array), .count = sizeof(array) / sizeof(array)[0]}

/* One entry of a binding's `env`: a key of the Secret, or a literal template. The other one is absent. */
struct env_mapping {
	struct str name, key, value;
};

struct binding {
	struct str name;
	struct str secret_name; /* template; absent with `claim` or when there are only literals */
	struct str claim;       /* template; the Secret is "<claim>-conn" */
	struct str prefix;      /* template of the envFrom prefix; empty: none */
	struct names keys;      /* what the Secret is known to hold */
	bool optional;
	const struct env_mapping *env;
	size_t env_count;
};

/* One entry of `defaults`: bindings of workloads without the annotation. */
struct default_bindings {
	struct names namespaces; /* globs; none: any */
	const struct json *match_labels; /* object of strings, or NULL */
	struct str bindings;     /* as in the annotation */
};

struct pull_secret {
	struct str name;
	struct names registries; /* globs over the registry's host and port */
};

struct group_kind {
	struct str group, kind; /* globs */
};

/* Lists that one rule may have as parameters. */
#define RULE_LISTS 4

/* What every rule has, and its parameters, which struct rule describes. */
struct rule_config {
	enum rule_mode mode;
	struct str help; /* the platform's own sentence, behind those of the rule; absent for none */
	struct names exempt_namespaces, exempt_users, exempt_groups; /* globs */
	const struct json *exempt_labels;             /* object of globs, all of which an object must match; or NULL */
	const struct group_kind *kinds;
	size_t kind_count;
	struct names lists[RULE_LISTS];
	int integer;
};

/* In the order of the documentation. */
enum rule_id {
	RULE_CLAIM_SECRET_NAME,
	RULE_NO_IN_CLUSTER_DATABASE,
	RULE_EXTERNAL_SECRET_PATH,
	RULE_LITERAL_CREDENTIALS,
	RULE_RESERVED_SECRET,
	RULE_CONN_COLLISION,
	RULE_ENV_COLLISION,
	RULE_SYNC_WAVE,
	RULE_INJECTION_COMPLETE,
	RULE_COUNT
};

struct config {
	struct arena arena;
	struct str fingerprint;       /* 16 hexadecimal digits over the content, comments and layout left out */
	struct str annotation_prefix; /* without the slash */
	const struct binding *bindings;
	size_t binding_count;
	const struct default_bindings *defaults;
	size_t default_count;
	struct str migration_container;
	struct names migration_shell;
	const struct json *migration_resources; /* object, or NULL */
	const struct pull_secret *pull_secrets;
	size_t pull_secret_count;
	bool reloader;
	struct names exclude_containers;               /* globs */
	struct names exempt_namespaces, exempt_users, exempt_groups; /* globs */
	bool audit;                                    /* what would be denied is allowed, with a warning */
	struct rule_config rules[RULE_COUNT];
	struct config *other; /* while one hands over to another: what that injects is complete, too; owned; or NULL */
};

void config_free(struct config *c);

/* The binding of that name; NULL when there is none. */
const struct binding *config_binding(const struct config *c, struct str name);

/* Does any glob of the list match? */
bool names_match(const struct names *list, struct str name);

/* So that names_match finds the literals of a list in log n; its globs are tried one by one. False: memory is out. */
bool names_index(struct arena *arena, struct names *list);

/* Does any glob match any string of a JSON array (NULL for none)? */
bool names_match_any(const struct names *list, const struct json *array);

#endif
