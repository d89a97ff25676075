/* Templates of the configuration: text with {app}, {namespace} and {instance}. */
#ifndef POLICY_CONFIG_TEMPLATE_H
#define POLICY_CONFIG_TEMPLATE_H

#include "base/arena.h"
#include "base/error.h"

/* What the placeholders stand for. `instance` is absent when the binding was named without one. */
struct template_values {
	struct str app, namespace, instance;
};

/* ERR_INVALID with a sentence when a placeholder is unknown or a brace stands alone. */
int template_check(struct str text, struct error *err);

/* Does the template mention {instance}? */
bool template_wants_instance(struct str text);

/* Fills a checked template. Absent when memory is out. */
struct str template_expand(struct arena *arena, struct str text, const struct template_values *values);

#endif
