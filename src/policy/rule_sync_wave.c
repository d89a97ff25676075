/*
 * sync-wave: Argo CD applies an application in waves (argo-cd.readthedocs.io/en/stable/user-guide/sync-waves), and
 * waits for one before the next. What a workload is bound to must stand in an earlier wave than the workload.
 */
#include "policy/rule.h"

#include "base/text.h"
#include "policy/annotations.h"

#define KEY "argocd.argoproj.io/sync-wave"
#define FIELD "metadata.annotations[" KEY "]"

static bool is_bound(const struct rule_context *context)
{
	struct wishes wishes;
	if (context->workload == NULL)
		return false;
	annotations_read(context->arena, context->config, context->workload, context->request->namespace, &wishes);
	return wishes.bindings.count > 0;
}

/* Is it something that workloads are bound to? */
static bool is_source(const struct rule_context *context)
{
	const struct review_request *request = context->request;
	return rule_kind_matches(context->rule, request) ||
	       (str_eqz(request->group, "external-secrets.io") && str_eqz(request->kind, "ExternalSecret"));
}

static void check(const struct rule_context *context, struct violations *found)
{
	const struct json *annotation = json_get(json_path(context->object, "metadata", "annotations", NULL), STR(KEY));
	struct str text = json_string(annotation);
	bool source = is_source(context);
	int wave, last = context->rule->integer;
	if (text.p == NULL || (!source && context->workload == NULL))
		return;
	struct str identity = arena_fmt(context->arena, "wave:%.*s", STR_ARG(text));
	if (!rule_integer(text, &wave))
		violation_add(found, STR(FIELD), identity,
			      "found %s, which Argo CD reads as wave 0; expected a whole number, such as \"%d\"; write one",
			      text_quote(text).text, source ? last : last + 2);
	else if (source && wave > last)
		violation_add(found, STR(FIELD), identity,
			      "found wave %d for kind %.*s; expected wave %d or earlier, so that it is there before the workloads "
			      "bound to it; write \"%d\"",
			      wave, STR_ARG(context->request->kind), last, last);
	else if (!source && wave <= last && is_bound(context))
		violation_add(found, STR(FIELD), identity,
			      "found wave %d for a workload with bindings; expected a wave later than %d, that of claims and "
			      "ExternalSecrets, so that its Secrets are there when it starts; write \"%d\"",
			      wave, last, last + 2);
}

static const struct rule_resource resources[] = {
	{"external-secrets.io", "ExternalSecret", "externalsecrets", false}, {NULL, NULL, NULL, false},
};

const struct rule rule_sync_wave = {
	.id = "sync-wave",
	.mode = MODE_WARN,
	.check = check,
	.resources = resources,
	.kinds = rule_claims,
	.kind_count = RULE_CLAIMS,
	.integer = "wave",
	.integer_value = 0,
};
