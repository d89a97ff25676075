/*
 * The plan for one workload: what stands in it and whose it is, what its annotations and the configuration ask for, and
 * the difference as a patch (SPEC section 4). A function of the object, the old object and the configuration.
 */
#ifndef POLICY_PLAN_PLAN_H
#define POLICY_PLAN_PLAN_H

#include "kube/workload.h"
#include "policy/config/config.h"
#include "policy/plan/annotations.h"
#include "policy/plan/patch.h"
#include "policy/verdict/violation.h"

struct plan {
	const char *skipped;          /* why there is nothing to do: "no-bindings", ...; else NULL */
	struct violations problems;   /* with the annotations; then there is no patch */
	struct violations collisions; /* variables that two sources give */
	struct violations missing;    /* what injection would put in, and does not stand there yet */
	struct violations warnings;   /* what the owner should know; also when it is skipped */
	struct str patch;             /* JSON Patch; absent when nothing changes */
	struct bound_list bindings;   /* whose entries are in the result */
	bool migrates;
	bool released; /* the old object was a copy or a controller's, and was left alone; this one is not */
};

/*
 * Makes the plan. `old` is the object before an UPDATE, else NULL. Memory is the arena; when it runs out, arena->failed
 * is set and the plan must not be used.
 */
void plan_make(struct arena *arena, const struct config *config, const struct workload *workload, struct str namespace,
	       const struct workload *old, struct plan *out);

#endif
