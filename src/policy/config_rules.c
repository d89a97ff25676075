/* The section `rules` of the configuration. */
#include "policy/config_reader.h"

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
		return reader_fail(l, v, "mode is \"%.*s\"; expected enforce, warn or off", STR_ARG(reader_quote(v->text)));
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

static int read_names_parameter(struct loader *l, const struct yaml_node *mapping, const char *key, struct names *list)
{
	const struct yaml_node *node;
	bool extend;
	struct names read;
	int rc = read_parameter(l, mapping, key, &extend, &node);
	if (rc == 0 && node != NULL)
		rc = reader_names_of(l, node, key, &read);
	if (rc != 0 || node == NULL)
		return rc;
	size_t before = extend ? list->count : 0;
	struct str *items = arena_array(l->arena, before + read.count, sizeof *items);
	if (items == NULL)
		return error_nomem(l->err);
	for (size_t i = 0; i < before + read.count; i++)
		items[i] = i < before ? list->items[i] : read.items[i - before];
	*list = (struct names){items, before + read.count};
	return 0;
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

static int read_rule(struct loader *l, const struct yaml_node *node, enum rule_id id)
{
	struct rule_config *rule = &l->config->rules[id];
	const char *keys[8] = {"mode", "exempt"};
	size_t count = 2;
	if (rules[id]->kind_count > 0)
		keys[count++] = "kinds";
	if (rules[id]->images.count > 0) {
		keys[count++] = "images";
		keys[count++] = "allowedImages";
	}
	int rc = reader_check_keys(l, node, rules[id]->id, keys);
	if (rc == 0)
		rc = read_mode(l, node, &rule->mode);
	if (rc == 0)
		rc = reader_exempt(l, node, &rule->exempt_namespaces, &rule->exempt_users);
	if (rc == 0)
		rc = read_kinds_parameter(l, node, rule);
	if (rc == 0)
		rc = read_names_parameter(l, node, "images", &rule->images);
	if (rc == 0)
		rc = read_names_parameter(l, node, "allowedImages", &rule->allowed_images);
	return rc;
}

int config_read_rules(struct loader *l, const struct yaml_node *root)
{
	const char *ids[RULE_COUNT + 1] = {NULL};
	for (size_t i = 0; i < RULE_COUNT; i++) {
		ids[i] = rules[i]->id;
		l->config->rules[i] = (struct rule_config){
			.mode = rules[i]->mode,
			.kinds = rules[i]->kinds,
			.kind_count = rules[i]->kind_count,
			.images = rules[i]->images,
			.allowed_images = rules[i]->allowed_images,
		};
	}
	const struct yaml_node *node = yaml_get(root, STR("rules"));
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, "rules", ids);
	for (const struct yaml_node *m = rc == 0 ? node->first : NULL; m != NULL && rc == 0; m = m->next)
		rc = read_rule(l, m, rule_find(m->key));
	return rc;
}
