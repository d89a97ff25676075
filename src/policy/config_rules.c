/* The section `rules` of the configuration. */
#include "policy/config_reader.h"

#include "base/text.h"
#include "policy/rule.h"

/* YAML reads a plain off as false. */
static int read_mode(struct loader *l, const struct yaml_node *mapping, enum rule_mode *out)
{
	const struct yaml_node *v = yaml_get(mapping, STR("mode"));
	if (v == NULL)
		return 0;
	if (v->kind == YAML_BOOL ? str_eqz(v->text, "false") : v->kind == YAML_STRING && str_eqz(v->text, "off"))
		*out = MODE_OFF;
	else if (v->kind == YAML_STRING && str_eqz(v->text, "warn"))
		*out = MODE_WARN;
	else if (v->kind == YAML_STRING && str_eqz(v->text, "enforce"))
		*out = MODE_ENFORCE;
	else
		return reader_fail(l, v, "mode is %s; expected enforce, warn or off", text_quote(v->text).text);
	return 0;
}

/*
 * A parameter that is a list, {extend: [...]} or {replace: [...]}: gives the sequence, and in *extend which of the two
 * it is. NULL when the parameter is absent.
 */
static int read_parameter(struct loader *l, const struct yaml_node *mapping, const char *key, bool *extend,
			  const struct yaml_node **out)
{
	static const char *const keys[] = {"extend", "replace", NULL};
	const struct yaml_node *node = yaml_get(mapping, str_of(key));
	*out = NULL;
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, key, keys);
	if (rc != 0)
		return rc;
	if (reader_count(node) != 1)
		return reader_fail(l, node, "%s has %s; expected either extend or replace, with a list", key,
			    node->first ? "both extend and replace" : "nothing in it");
	*extend = str_eqz(node->first->key, "extend");
	return reader_sequence(l, node, *extend ? "extend" : "replace", out);
}

/* `first` and behind it `second`, as one list. */
static int join(struct loader *l, const struct names *first, const struct names *second, struct names *out)
{
	struct str *items = arena_array(l->arena, first->count + second->count, sizeof *items);
	if (items == NULL)
		return error_nomem(l->err);
	for (size_t i = 0; i < first->count; i++)
		items[i] = first->items[i];
	for (size_t i = 0; i < second->count; i++)
		items[first->count + i] = second->items[i];
	*out = (struct names){items, first->count + second->count};
	return 0;
}

static int read_list_parameter(struct loader *l, const struct yaml_node *mapping, const struct rule_list *list,
			       struct names *out)
{
	static const struct names none;
	const struct yaml_node *node;
	bool extend;
	struct names read;
	int rc = read_parameter(l, mapping, list->key, &extend, &node);
	if (rc == 0 && node != NULL)
		rc = reader_names_of(l, node, list->key, &read);
	if (rc != 0 || node == NULL)
		return rc;
	for (const struct yaml_node *c = list->valid ? node->first : NULL; c != NULL; c = c->next)
		if (!list->valid(c->text))
			return reader_fail(l, c, "%s cannot stand in %s; expected %s",
					   text_quote(c->text).text, list->key, list->expected);
	return join(l, extend ? &list->names : &none, &read, out);
}

static int read_integer_parameter(struct loader *l, const struct yaml_node *mapping, const char *key, int *out)
{
	const struct yaml_node *v = yaml_get(mapping, str_of(key));
	if (v == NULL)
		return 0;
	if (v->kind != YAML_INT)
		return reader_wrong_kind(l, v, key, "a whole number");
	return rule_integer(v->text, out) ? 0 : reader_fail(l, v, "%s is %.*s; expected a number of at most 9 digits", key,
							    STR_ARG(v->text));
}

static int read_kinds_parameter(struct loader *l, const struct yaml_node *mapping, struct rule_config *rule)
{
	static const char *const keys[] = {"group", "kind", NULL};
	const struct yaml_node *node;
	bool extend;
	int rc = read_parameter(l, mapping, "kinds", &extend, &node);
	if (rc != 0 || node == NULL)
		return rc;
	size_t count = extend ? rule->kind_count : 0;
	struct group_kind *items = arena_array(l->arena, count + reader_count(node), sizeof *items);
	if (items == NULL)
		return error_nomem(l->err);
	for (size_t i = 0; i < count; i++)
		items[i] = rule->kinds[i];
	for (const struct yaml_node *c = node->first; c != NULL; c = c->next, count++) {
		rc = reader_check_keys(l, c, "an entry of kinds", keys);
		if (rc == 0)
			rc = reader_must_have(l, c, "group", "an entry of kinds");
		if (rc == 0)
			rc = reader_must_have(l, c, "kind", "an entry of kinds");
		if (rc == 0)
			rc = reader_string(l, c, "group", &items[count].group);
		if (rc == 0)
			rc = reader_string(l, c, "kind", &items[count].kind);
		if (rc != 0)
			return rc;
	}
	rule->kinds = items;
	rule->kind_count = count;
	return 0;
}

static int read_exempt_labels(struct loader *l, const struct yaml_node *exempt, const struct json **out)
{
	const struct yaml_node *labels = yaml_get(exempt, STR("labels"));
	if (labels == NULL)
		return 0;
	if (labels->kind != YAML_MAPPING)
		return reader_wrong_kind(l, labels, "labels", "a mapping of labels to values");
	if (labels->first == NULL)
		return reader_fail(l, labels,
				   "labels is empty, which would exempt every object; name a label, or remove the key");
	for (const struct yaml_node *m = labels->first; m != NULL; m = m->next)
		if (m->kind != YAML_STRING)
			return reader_wrong_kind(l, m, "a label's value", "a string: put it in quotes");
	return reader_json(l, labels, out);
}

/* The built-in exempt users of the rule stay. */
static int read_exempt(struct loader *l, const struct yaml_node *mapping, enum rule_id id)
{
	static const char *const keys[] = {"namespaces", "users", "groups", "labels", NULL};
	struct rule_config *rule = &l->config->rules[id];
	const struct yaml_node *node = yaml_get(mapping, STR("exempt"));
	struct names users = {NULL, 0};
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, "exempt", keys);
	if (rc == 0)
		rc = reader_names(l, node, "namespaces", &rule->exempt_namespaces);
	if (rc == 0)
		rc = reader_names(l, node, "users", &users);
	if (rc == 0)
		rc = join(l, &rules[id]->exempt_users, &users, &rule->exempt_users);
	if (rc == 0)
		rc = reader_names(l, node, "groups", &rule->exempt_groups);
	if (rc == 0)
		rc = read_exempt_labels(l, node, &rule->exempt_labels);
	return rc;
}

/* The keys that a rule may have, ending in NULL. */
static void list_keys(const struct rule *rule, const char *keys[5 + RULE_LISTS])
{
	size_t count = 0;
	keys[count++] = "mode";
	keys[count++] = "exempt";
	if (rule->kind_count > 0)
		keys[count++] = "kinds";
	for (size_t i = 0; i < RULE_LISTS && rule->lists[i].key != NULL; i++)
		keys[count++] = rule->lists[i].key;
	if (rule->integer != NULL)
		keys[count++] = rule->integer;
	keys[count] = NULL;
}

static int read_rule(struct loader *l, const struct yaml_node *node, enum rule_id id)
{
	const struct rule *rule = rules[id];
	struct rule_config *config = &l->config->rules[id];
	const char *keys[5 + RULE_LISTS];
	list_keys(rule, keys);
	int rc = reader_check_keys(l, node, rule->id, keys);
	if (rc == 0)
		rc = read_mode(l, node, &config->mode);
	if (rc == 0)
		rc = read_exempt(l, node, id);
	if (rc == 0 && rule->kind_count > 0)
		rc = read_kinds_parameter(l, node, config);
	for (size_t i = 0; i < RULE_LISTS && rule->lists[i].key != NULL && rc == 0; i++)
		rc = read_list_parameter(l, node, &rule->lists[i], &config->lists[i]);
	if (rc == 0 && rule->integer != NULL)
		rc = read_integer_parameter(l, node, rule->integer, &config->integer);
	return rc;
}

int config_read_rules(struct loader *l, const struct yaml_node *root)
{
	const char *ids[RULE_COUNT + 1] = {NULL};
	for (size_t i = 0; i < RULE_COUNT; i++) {
		struct rule_config *config = &l->config->rules[i];
		ids[i] = rules[i]->id;
		*config = (struct rule_config){
			.mode = rules[i]->mode,
			.exempt_users = rules[i]->exempt_users,
			.kinds = rules[i]->kinds,
			.kind_count = rules[i]->kind_count,
			.integer = rules[i]->integer_value,
		};
		for (size_t k = 0; k < RULE_LISTS; k++)
			config->lists[k] = rules[i]->lists[k].names;
	}
	const struct yaml_node *node = yaml_get(root, STR("rules"));
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, "rules", ids);
	for (const struct yaml_node *m = rc == 0 ? node->first : NULL; m != NULL && rc == 0; m = m->next)
		rc = read_rule(l, m, rule_find(m->key));
	return rc;
}
