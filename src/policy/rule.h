/* The frame for rules. A rule is one file, one line in the table of rule.c, and cases. */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include "kube/review.h"
#include "policy/config.h"
#include "policy/plan.h"
#include "policy/violation.h"

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

struct rule {
	const char *id;
	enum rule_mode mode; /* when the configuration says nothing */
	bool forbidden;      /* a denial is 403, not 422: the tenant may not have it at all */
	bool mutating;       /* it speaks in the mutating phase as well */
	void (*check)(const struct rule_context *context, struct violations *found);
	const char *const *groups; /* whose objects it reads, beside workloads and `kinds`; ends in NULL; or NULL */
	/* Lists that the configuration may extend or replace; NULL and 0 for a rule that has none. */
	const struct group_kind *kinds;
	size_t kind_count;
	struct names images, allowed_images;
};

extern const struct rule *const rules[RULE_COUNT];

/* The place of the rule of that id in the table; RULE_COUNT when there is none. */
enum rule_id rule_find(struct str id);

/* Is the request outside the rule, by its `exempt` lists? */
bool rule_exempts(const struct rule_config *rule, const struct review_request *request);

/* Is the request's group and kind in the list `kinds` of the rule? */
bool rule_kind_matches(const struct rule_config *rule, const struct review_request *request);

extern const struct rule rule_claim_secret_name;
extern const struct rule rule_no_in_cluster_database;
extern const struct rule rule_env_collision;
extern const struct rule rule_injection_complete;

#endif
