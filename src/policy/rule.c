#include "policy/rule.h"

const struct rule *const rules[RULE_COUNT] = {
	[RULE_CLAIM_SECRET_NAME] = &rule_claim_secret_name,
	[RULE_NO_IN_CLUSTER_DATABASE] = &rule_no_in_cluster_database,
	[RULE_ENV_COLLISION] = &rule_env_collision,
	[RULE_INJECTION_COMPLETE] = &rule_injection_complete,
};

enum rule_id rule_find(struct str id)
{
	enum rule_id i = 0;
	while (i < RULE_COUNT && !str_eqz(id, rules[i]->id))
		i++;
	return i;
}

bool rule_exempts(const struct rule_config *rule, const struct review_request *request)
{
	return names_match(&rule->exempt_namespaces, request->namespace) || names_match(&rule->exempt_users, request->user);
}

bool rule_kind_matches(const struct rule_config *rule, const struct review_request *request)
{
	for (size_t i = 0; i < rule->kind_count; i++)
		if (str_glob(rule->kinds[i].group, request->group) && str_glob(rule->kinds[i].kind, request->kind))
			return true;
	return false;
}
