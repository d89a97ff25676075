/* The section `rules` of the configuration. */
#include "policy/load/reader.h"

#include "base/limits.h"
#include "base/text.h"
#include "policy/rules/rule.h"

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
		return reader_fail(l, v, "mode is %s; expected enforce, warn or off",
				   v->kind == YAML_STRING ? text_quote(v->text).text : yaml_kind_name(v->kind));
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
	*out = (struct names){.items = items, .count = first->count + second->count};
	return names_index(l->arena, out) ? 0 : error_nomem(l->err);
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
		rc = reader_names_of(l, node, list->key, list->form, &read);
	if (rc != 0 || node == NULL)
		return rc;
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

/* Globs that can match an API group, without its version, and the kind of an object. */
static int check_kind(struct loader *l, const struct yaml_node *node, const struct group_kind *entry)
{
	if (!name_subdomain_globs.valid(entry->group))
		return reader_fail(l, yaml_get(node, STR("group")), "%s cannot be an API group; expected %s, without a version",
				   text_quote(entry->group).text, name_subdomain_globs.expected);
	if (!name_is_glob_of(entry->kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return reader_fail(l, yaml_get(node, STR("kind")),
				   "%s cannot be a kind; expected letters, digits and the wildcards * and ?",
				   text_quote(entry->kind).text);
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
			rc = reader_required(l, c, "group", "an entry of kinds", &items[count].group);
		if (rc == 0)
			rc = reader_required(l, c, "kind", "an entry of kinds", &items[count].kind);
		if (rc == 0)
			rc = check_kind(l, c, &items[count]);
		if (rc != 0)
			return rc;
	}
	rule->kinds = items;
	rule->kind_count = count;
	return 0;
}

static bool is_label_value_glob(struct str s)
{
	return s.n == 0 || name_is_glob_of(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.");
}

static const struct name_form label_value_globs = {is_label_value_glob,
						   "letters, digits, - _, dots and the wildcards * and ?"};

static int read_exempt_labels(struct loader *l, const struct yaml_node *exempt, const struct json **out)
{
	const struct yaml_node *labels = yaml_get(exempt, STR("labels"));
	if (labels == NULL)
		return 0;
	if (labels->kind == YAML_MAPPING && labels->first == NULL)
		return reader_fail(l, labels,
				   "labels is empty, which would exempt every object; name a label, or remove the key");
	return reader_labels(l, labels, "labels", &label_value_globs, out);
}

/* The built-in exempt users of the rule stay. */
static int read_exempt(struct loader *l, const struct yaml_node *mapping, enum rule_id id)
{
	static const char *const keys[] = {"namespaces", "users", "groups", "labels", NULL};
	struct rule_config *rule = &l->config->rules[id];
	const struct yaml_node *node = yaml_get(mapping, STR("exempt"));
	struct names users = {0};
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, "exempt", keys);
	if (rc == 0)
		rc = reader_names(l, node, "namespaces", &name_label_globs, &rule->exempt_namespaces);
	if (rc == 0)
		rc = reader_names(l, node, "users", NULL, &users);
	if (rc == 0)
		rc = join(l, &rules[id]->exempt_users, &users, &rule->exempt_users);
	if (rc == 0)
		rc = reader_names(l, node, "groups", NULL, &rule->exempt_groups);
	if (rc == 0)
		rc = read_exempt_labels(l, node, &rule->exempt_labels);
	return rc;
}

/* One line of text that can be seen, and that a warning has room for. */
static int read_help(struct loader *l, const struct yaml_node *mapping, struct str *out)
{
	int rc = reader_string(l, mapping, "help", out);
	const struct yaml_node *node = yaml_get(mapping, STR("help"));
	if (rc != 0 || node == NULL)
		return rc;
	struct str shown = text_shown(l->arena, *out);
	if (shown.p == NULL)
		return error_nomem(l->err);
	if (!str_eq(shown, *out))
		return reader_fail(l, node, "help is %s; expected one line, without characters that cannot be seen",
				   text_quote(*out).text);
	if (out->n > LIMIT_HELP)
		return reader_fail(l, node,
				   "help has %zu bytes; expected at most %d, so that it fits into a warning; put the rest behind "
				   "a link",
				   out->n, LIMIT_HELP);
	return 0;
}

/* The keys that a rule may have, ending in NULL. */
static void list_keys(const struct rule *rule, const char *keys[6 + RULE_LISTS])
{
	size_t count = 0;
	keys[count++] = "mode";
	keys[count++] = "exempt";
	keys[count++] = "help";
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
	const char *keys[6 + RULE_LISTS];
	list_keys(rule, keys);
	int rc = reader_check_keys(l, node, rule->id, keys);
	if (rc == 0)
		rc = read_mode(l, node, &config->mode);
	if (rc == 0)
		rc = read_exempt(l, node, id);
	if (rc == 0)
		rc = read_help(l, node, &config->help);
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
		for (size_t k = 0; k < RULE_LISTS; k++) {
			config->lists[k] = rules[i]->lists[k].names;
			if (!names_index(l->arena, &config->lists[k]))
				return error_nomem(l->err);
		}
	}
	const struct yaml_node *node = yaml_get(root, STR("rules"));
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, "rules", ids);
	for (const struct yaml_node *m = rc == 0 ? node->first : NULL; m != NULL && rc == 0; m = m->next)
		rc = read_rule(l, m, rule_find(m->key));
	return rc;
}
