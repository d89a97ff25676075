/* env-collision: no variable comes from two sources. The plan finds them, this reports them. */
#include "policy/rules/rule.h"

static void check(const struct rule_context *context, struct violations *found)
{
	if (context->plan != NULL)
		violations_add(found, &context->plan->collisions, "");
}

const struct rule rule_env_collision = {
	.id = "env-collision",
	.mode = MODE_WARN,
	.mutating = true,
	.check = check,
};
