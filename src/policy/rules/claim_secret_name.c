/*
 * claim-secret-name: a claim's connection secret is always "<claim-name>-conn", in the claim's namespace, and the
 * claim's name leaves room for that and for the Service that carries it.
 */
#include "policy/rules/rule.h"

#include "base/text.h"
#include "kube/name.h"

#define SUFFIX CONNECTION_SUFFIX

const struct group_kind rule_claims[RULE_CLAIMS] = {
	{STR_INIT("database.bizmatters.io"), STR_INIT("PostgresInstance")},
	{STR_INIT("database.bizmatters.io"), STR_INIT("DragonflyInstance")},
	{STR_INIT("cache.bizmatters.io"), STR_INIT("DragonflyInstance")},
};

/* A field that, where it is present, must hold exactly `wanted`. */
static void check_field(const struct rule_context *context, const struct json *value, const char *field,
			struct str wanted, const char *because, struct violations *found)
{
	if (json_kind(value) == JSON_ABSENT || json_kind(value) == JSON_NULL || str_eq(json_string(value), wanted))
		return;
	violation_add(found, str_of(field), rule_identity(context, str_of(field), value),
		      "found %s; expected %s, %s; write that, or leave the field out", json_quote(value).text,
		      text_quote_name(wanted).text, because);
}

static void check_name(struct str name, struct violations *found)
{
	struct str field = STR("metadata.name");
	if (str_ends(name, STR(SUFFIX))) {
		struct str shorter = {name.p, name.n - (sizeof SUFFIX - 1)};
		violation_add(found, field, STR("name:suffix"),
			      "found %s; expected a name that does not itself end in " SUFFIX
			      ", which marks connection secrets; name the claim %s",
			      text_quote_name(name).text, text_quote_name(shorter).text);
	}
	if (!name_is_dns1035(name))
		violation_add(found, field, STR("name:form"),
			      "found %s (%zu characters); expected at most %d lower-case letters, digits and -, beginning "
			      "with a letter, because a Service carries the claim's name; choose such a name",
			      text_quote_name(name).text, name.n, NAME_LABEL_MAX);
}

static void check(const struct rule_context *context, struct violations *found)
{
	if (!rule_kind_matches(context->rule, context->request) || context->name.n == 0)
		return;
	struct arena *arena = context->arena;
	const struct json *spec = rule_part(context, context->object, "spec", JSON_OBJECT, STR("spec"), found);
	const struct json *ref = rule_part(context, spec, "writeConnectionSecretToRef", JSON_OBJECT,
					   STR("spec.writeConnectionSecretToRef"), found);
	/* Crossplane 1.x, with external secret stores, has this place as well. */
	const struct json *published = rule_part(context, spec, "publishConnectionDetailsTo", JSON_OBJECT,
						 STR("spec.publishConnectionDetailsTo"), found);
	struct str wanted = arena_fmt(arena, "%.*s" SUFFIX, STR_ARG(context->name));
	const char *because = "the claim's name and " SUFFIX;
	check_field(context, json_getz(ref, "name"), "spec.writeConnectionSecretToRef.name", wanted, because, found);
	check_field(context, json_getz(spec, "connectionSecretName"), "spec.connectionSecretName", wanted, because, found);
	check_field(context, json_getz(published, "name"), "spec.publishConnectionDetailsTo.name", wanted, because, found);
	if (context->request->namespace.n > 0)
		check_field(context, json_getz(ref, "namespace"), "spec.writeConnectionSecretToRef.namespace",
			    context->request->namespace, "the claim's own namespace", found);
	check_name(context->name, found);
}

const struct rule rule_claim_secret_name = {
	.id = "claim-secret-name",
	.mode = MODE_ENFORCE,
	.check = check,
	.kinds = rule_claims,
	.kind_count = RULE_CLAIMS,
};
