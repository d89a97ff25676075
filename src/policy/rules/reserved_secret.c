/*
 * reserved-secret: Secrets with the names of connection Secrets are Crossplane's. Whoever creates one first, or writes
 * into one, sends a service to a host of their choice.
 */
#include "policy/rules/rule.h"

#include "base/limits.h"
#include "base/text.h"
#include "kube/name.h"

/* The lists of its configuration. */
enum { NAMES };

static const struct str reserved[] = {STR_INIT("*" CONNECTION_SUFFIX)};

/* Crossplane itself writes claims' Secrets into the tenants' namespaces. */
static const struct str writers[] = {STR_INIT("system:serviceaccount:crossplane-system:*")};

/* What makes a Secret somebody's own: with this unchanged, an update takes nothing over. */
static struct str content(struct arena *arena, const struct json *secret)
{
	static const char *const parts[] = {"type", "immutable", "data", "stringData"};
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		const struct json *part = json_getz(secret, parts[i]);
		buf_addc(&text, ':');
		if (!json_is_empty(part))
			json_write(&text, part);
	}
	const struct json *owners = json_path(secret, "metadata", "ownerReferences", NULL);
	buf_addc(&text, ':');
	if (!json_is_empty(owners))
		json_write(&text, owners);
	struct str result = arena_str(arena, buf_str(&text));
	if (result.p == NULL)
		arena->failed = true;
	buf_free(&text);
	return result;
}

/*
 * A file that SOPS has encrypted: its metadata stand beside the data (getsops.io/docs). The API server knows no such
 * field, so only a file says this, which `review` reads; what it is decrypted to is judged in the cluster.
 */
static bool is_encrypted(const struct json *secret)
{
	const struct json *sops = json_getz(secret, "sops");
	return json_string(json_getz(sops, "mac")).n > 0 && json_string(json_getz(sops, "version")).n > 0;
}

static void check(const struct rule_context *context, struct violations *found)
{
	const struct review_request *request = context->request;
	if (request->group.n > 0 || !str_eqz(request->kind, "Secret") ||
	    !names_match(&context->rule->lists[NAMES], context->name) || is_encrypted(context->object))
		return;
	violation_add(found, STR("metadata.name"), content(context->arena, context->object),
		      "found Secret %s, a name kept for the connection Secrets of claims; expected Crossplane alone to "
		      "write it; put own values into a Secret of another name, or ask for this one with a claim",
		      text_quote_name(context->name).text);
}

static const struct rule_resource resources[] = {{"", "Secret", "secrets", false}, {NULL, NULL, NULL, false}};

const struct rule rule_reserved_secret = {
	.id = "reserved-secret",
	.mode = MODE_OFF,
	.forbidden = true,
	.check = check,
	.resources = resources,
	.exempt_users = NAMES_OF(writers),
	.lists = {[NAMES] = {.key = "names", .names = NAMES_OF(reserved), .form = &name_subdomain_globs}},
};
