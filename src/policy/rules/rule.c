#include "policy/rules/rule.h"

#include "base/limits.h"

#define INTEGER_DIGITS_MAX 9 /* any of them fits into an int */

const struct rule *const rules[RULE_COUNT] = {
	[RULE_CLAIM_SECRET_NAME] = &rule_claim_secret_name,
	[RULE_NO_IN_CLUSTER_DATABASE] = &rule_no_in_cluster_database,
	[RULE_EXTERNAL_SECRET_PATH] = &rule_external_secret_path,
	[RULE_LITERAL_CREDENTIALS] = &rule_literal_credentials,
	[RULE_RESERVED_SECRET] = &rule_reserved_secret,
	[RULE_CONN_COLLISION] = &rule_conn_collision,
	[RULE_ENV_COLLISION] = &rule_env_collision,
	[RULE_SYNC_WAVE] = &rule_sync_wave,
	[RULE_INJECTION_COMPLETE] = &rule_injection_complete,
};

enum rule_id rule_find(struct str id)
{
	enum rule_id i = 0;
	while (i < RULE_COUNT && !str_eqz(id, rules[i]->id))
		i++;
	return i;
}

/* Does the object carry all of these labels, with values that match? */
static bool labels_match(const struct json *wanted, const struct json *object)
{
	const struct json *labels = json_path(object, "metadata", "labels", NULL);
	for (const struct json *w = json_first(wanted); w != NULL; w = json_next(w)) {
		struct str value = json_string(json_get(labels, json_key(w)));
		if (value.p == NULL || !str_glob(json_string(w), value))
			return false;
	}
	return wanted != NULL;
}

bool rule_exempts(const struct rule_config *rule, const struct review_request *request)
{
	return names_match(&rule->exempt_namespaces, request->namespace) ||
	       names_match(&rule->exempt_users, request->user) || names_match_any(&rule->exempt_groups, request->groups) ||
	       labels_match(rule->exempt_labels, request->object);
}

bool rule_kind_matches(const struct rule_config *rule, const struct review_request *request)
{
	for (size_t i = 0; i < rule->kind_count; i++)
		if (str_glob(rule->kinds[i].group, request->group) && str_glob(rule->kinds[i].kind, request->kind))
			return true;
	return false;
}

struct str rule_identity(const struct rule_context *context, struct str place, const struct json *value)
{
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	buf_add(&text, place);
	buf_addc(&text, '=');
	json_write(&text, value);
	return buf_move(&text, context->arena);
}

struct str rule_place(const struct rule_context *context, struct str field)
{
	char *text = arena_alloc(context->arena, field.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < field.n && text != NULL; i++)
		if (field.p[i] < '0' || field.p[i] > '9' || n == 0 || text[n - 1] != '[')
			text[n++] = field.p[i];
	return (struct str){text, n};
}

static const struct json *of_kind(const struct rule_context *context, const struct json *v, enum json_kind wanted,
				  struct str field, struct violations *found)
{
	enum json_kind kind = json_kind(v);
	if (kind == wanted)
		return v;
	if (kind != JSON_ABSENT && kind != JSON_NULL)
		violation_add(found, field, rule_identity(context, rule_place(context, field), v),
			      "found %s; expected %s, as its API has it; write one", json_kind_name(kind), json_kind_name(wanted));
	return NULL;
}

const struct json *rule_part(const struct rule_context *context, const struct json *parent, const char *key,
			     enum json_kind wanted, struct str field, struct violations *found)
{
	return of_kind(context, json_getz(parent, key), wanted, field, found);
}

const struct json *rule_element(const struct rule_context *context, const struct json *element, struct str field,
				struct violations *found)
{
	return of_kind(context, element, JSON_OBJECT, field, found);
}

bool rule_integer(struct str text, int *out)
{
	bool negative = text.n > 0 && text.p[0] == '-';
	int value = 0;
	if (negative || (text.n > 0 && text.p[0] == '+'))
		text = str_from(text, 1);
	if (text.n == 0 || text.n > INTEGER_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = value * 10 + (text.p[i] - '0');
	}
	*out = negative ? -value : value;
	return true;
}
