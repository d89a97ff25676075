/*
 * injection-complete: the backstop. What the annotations ask for stands in the object when it is about to be stored,
 * also when the mutating call was skipped or another webhook has undone it. Only what is missing counts: an order or a
 * leftover starts no service without its database.
 */
#include "policy/rules/rule.h"

static void check(const struct rule_context *context, struct violations *found)
{
	if (context->plan == NULL || context->plan->problems.count > 0)
		return; /* a workload with a problem is denied for that, and was not injected */
	violations_add(found, &context->plan->missing,
		       "; the mutating webhook was skipped or its work undone: apply again");
}

const struct rule rule_injection_complete = {
	.id = "injection-complete",
	.mode = MODE_ENFORCE,
	.check = check,
};
