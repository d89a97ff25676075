#include "policy/rule.h"

#define INTEGER_DIGITS_MAX 9 /* any of them fits into an int */

const struct rule *const rules[RULE_COUNT] = {
	[RULE_CLAIM_SECRET_NAME] = &rule_claim_secret_name,
	[RULE_NO_IN_CLUSTER_DATABASE] = &rule_no_in_cluster_database,
	[RULE_EXTERNAL_SECRET_PATH] = &rule_external_secret_path,
	[RULE_LITERAL_CREDENTIALS] = &rule_literal_credentials,
	[RULE_RESERVED_SECRET] = &rule_reserved_secret,
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
