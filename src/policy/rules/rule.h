/* The frame for rules. A rule is one file, one line in the table of rule.c, and cases. */
#ifndef POLICY_RULES_RULE_H
#define POLICY_RULES_RULE_H

#include "kube/name.h"
#include "kube/review.h"
#include "policy/config/config.h"
#include "policy/plan/plan.h"
#include "policy/verdict/violation.h"

/* What a rule looks at: one object, the new or the old one of a request. */
struct rule_context {
	struct arena *arena;
	const struct config *config;
	const struct rule_config *rule;       /* its own parameters */
	const struct review_request *request; /* group, kind, namespace and user hold for both objects */
	const struct json *object;
	struct str name;                      /* the object's; empty while the API server has not made it */
	const struct workload *workload;      /* NULL when the object is none */
	const struct plan *plan;              /* what connhook would inject; NULL when nothing or no workload */
};

/* A list that the configuration may extend or replace. */
struct rule_list {
	const char *key; /* NULL: no list */
	struct names names;
	const struct name_form *form; /* of its items; NULL: any text */
};

/* Objects that a rule reads, beside workloads and those of its `kinds`: what the API server must be told to send. */
struct rule_resource {
	const char *group, *kind;
	const char *resource; /* the plural; "*": all of the group. group is NULL behind the last */
	bool cluster;         /* they live in no namespace */
};

struct rule {
	const char *id;
	enum rule_mode mode; /* when the configuration says nothing */
	bool forbidden;      /* a denial is 403, not 422: the tenant may not have it at all */
	bool mutating;       /* it speaks in the mutating phase as well */
	void (*check)(const struct rule_context *context, struct violations *found);
	const struct rule_resource *resources; /* NULL: none */
	struct names exempt_users;             /* whatever the configuration says */
	/* Parameters; NULL and 0 for a rule that has none. */
	const struct group_kind *kinds;
	size_t kind_count;
	struct rule_list lists[RULE_LISTS];
	const char *integer; /* the key of a number */
	int integer_value;
};

extern const struct rule *const rules[RULE_COUNT];

/* The place of the rule of that id in the table; RULE_COUNT when there is none. */
enum rule_id rule_find(struct str id);

/* Is the request outside the rule, by its `exempt` lists, or its object by its labels? */
bool rule_exempts(const struct rule_config *rule, const struct review_request *request);

/* Is the request's group and kind in the list `kinds` of the rule? */
bool rule_kind_matches(const struct rule_config *rule, const struct review_request *request);

/*
 * The member of `parent` under the key, of the kind that its API gives it; NULL when it is absent or null. Anything
 * else is a violation at `field`, its path: a rule lets nothing through that it cannot read.
 */
const struct json *rule_part(const struct rule_context *context, const struct json *parent, const char *key,
			     enum json_kind wanted, struct str field, struct violations *found);

/* The same for an element of a list, which is an object. */
const struct json *rule_element(const struct rule_context *context, const struct json *element, struct str field,
				struct violations *found);

/* The identity of a fault: the place, by names and not by indexes, and the value there as JSON. */
struct str rule_identity(const struct rule_context *context, struct str place, const struct json *value);

/* A field path without its indexes: where an element stands that has no name to be known by. */
struct str rule_place(const struct rule_context *context, struct str field);

/* Reads a decimal integer of at most 9 digits, with or without a sign. False for anything else. */
bool rule_integer(struct str text, int *out);

/* What to do with the Secret of a database outside: "bind it ...", by a binding that the configuration has. */
struct str rule_database_advice(struct arena *arena, const struct config *config);

/* Claims that Crossplane answers with a connection Secret. */
#define RULE_CLAIMS 3
extern const struct group_kind rule_claims[RULE_CLAIMS];

extern const struct rule rule_claim_secret_name;
extern const struct rule rule_no_in_cluster_database;
extern const struct rule rule_external_secret_path;
extern const struct rule rule_literal_credentials;
extern const struct rule rule_reserved_secret;
extern const struct rule rule_conn_collision;
extern const struct rule rule_env_collision;
extern const struct rule rule_sync_wave;
extern const struct rule rule_injection_complete;

#endif
