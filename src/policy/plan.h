/*
 * The plan for one workload: what its annotations and the configuration ask for, against what stands in it. A
 * function of the object, the configuration and what connhook injected before (SPEC section 4).
 */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include "kube/workload.h"
#include "policy/annotations.h"
#include "policy/config.h"
#include "policy/patch.h"
#include "policy/violation.h"

struct plan {
	const char *skipped;          /* why there is nothing to do: "no-bindings", ...; else NULL */
	struct violations problems;   /* with the annotations; then there is no patch */
	struct violations collisions; /* variables that two sources give */
	struct violations missing;    /* what injection would put in, and does not stand there yet */
	struct violations warnings;   /* what the owner should know */
	struct str patch;             /* JSON Patch; absent when nothing changes */
	struct bound_list bindings;   /* whose entries are in the result */
	bool migrates;
	bool other_config;            /* the object was last mutated under another configuration */
};

/*
 * Makes the plan. `old` is the old object on UPDATE, else NULL: its status speaks when the client has dropped the
 * annotation. Memory is the arena; when it runs out, arena->failed is set and the plan must not be used.
 */
void plan_make(struct arena *arena, const struct config *config, const struct workload *workload, struct str namespace,
	       const struct workload *old, struct plan *out);

#endif
