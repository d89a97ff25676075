/* env-collision: no variable comes from two sources. The plan finds them, this reports them. */
#include "policy/rule.h"

static void check(const struct rule_context *context, struct violations *found)
{
	if (context->plan == NULL)
		return;
	const struct violations *collisions = &context->plan->collisions;
	for (size_t i = 0; i < collisions->count; i++)
		violation_add(found, collisions->items[i].field, collisions->items[i].identity, "%.*s",
			      STR_ARG(collisions->items[i].message));
}

const struct rule rule_env_collision = {
	.id = "env-collision",
	.mode = MODE_WARN,
	.mutating = true,
	.check = check,
};
