/* The sections `bindings` and `defaults` of the configuration. */
#include "policy/load/reader.h"

#include "base/text.h"
#include "kube/name.h"
#include "policy/config/binding.h"
#include "policy/config/template.h"

#define SECRET_NAME "at most 253 lower-case letters, digits, - and ."
#define SECRET_KEY "at most 253 letters, digits, - _ and ."

/* What fills a template's placeholders without making a name bad that could be good. */
static const struct template_values sample = {STR_INIT("a"), STR_INIT("a"), STR_INIT("a")};

/* A Secret name, once a template's placeholders are filled; `suffix` goes behind it. */
static int check_secret_template(struct loader *l, const struct yaml_node *at, struct str template, const char *suffix)
{
	struct str name = template_expand(l->arena, template, &sample);
	if (*suffix != '\0' && str_ends(name, str_of(suffix)))
		return reader_fail(l, at, "%s names a claim's Secret; expected the claim, without %s",
				   text_quote_name(template).text, suffix);
	if (!name_is_subdomain(arena_fmt(l->arena, "%.*s%s", STR_ARG(name), suffix)))
		return reader_fail(l, at, "%s can never give a valid Secret name; expected " SECRET_NAME,
				   text_quote(template).text);
	return 0;
}

static int read_env_entry(struct loader *l, const struct yaml_node *node, bool has_secret, struct env_mapping *out)
{
	static const char *const keys[] = {"name", "key", "value", NULL};
	struct env_mapping e = {0};
	int rc = reader_check_keys(l, node, "an entry of env", keys);
	if (rc == 0)
		rc = reader_required(l, node, "name", "an entry of env", &e.name);
	if (rc == 0)
		rc = reader_string(l, node, "key", &e.key);
	const struct yaml_node *value = yaml_get(node, STR("value"));
	if (rc == 0 && !(value != NULL && value->kind == YAML_STRING && value->text.n == 0))
		rc = reader_template(l, node, "value", &e.value);
	else if (rc == 0)
		e.value = STR("");
	if (rc != 0)
		return rc;
	if (!name_is_env(e.name))
		return reader_fail(l, node, "%s cannot name an environment variable; expected printable ASCII without =",
			    text_quote(e.name).text);
	if ((e.key.p != NULL) == (e.value.p != NULL))
		return reader_fail(l, node, "entry %s of env has %s; expected either key (of the Secret) or value",
				   text_quote(e.name).text,
			    e.key.p ? "both key and value" : "neither key nor value");
	if (e.key.p != NULL && !has_secret)
		return reader_fail(l, node,
				   "entry %s of env reads a key, but the binding has no Secret; add secretName or claim",
			    text_quote(e.name).text);
	if (e.key.p != NULL && !name_is_secret_key(e.key))
		return reader_fail(l, node, "%s cannot be a key of a Secret; expected " SECRET_KEY, text_quote(e.key).text);
	*out = e;
	return 0;
}

static int read_env(struct loader *l, const struct yaml_node *node, struct binding *b)
{
	const struct yaml_node *list;
	bool has_secret = b->secret_name.p != NULL || b->claim.p != NULL;
	int rc = reader_sequence(l, node, "env", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct env_mapping *env = arena_array(l->arena, reader_count(list), sizeof *env);
	if (env == NULL)
		return error_nomem(l->err);
	bool keyed = false;
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		rc = read_env_entry(l, c, has_secret, &env[b->env_count]);
		if (rc != 0)
			return rc;
		for (size_t i = 0; i < b->env_count; i++)
			if (str_eq(env[i].name, env[b->env_count].name))
				return reader_fail(l, c, "env names %s twice; remove one", text_quote(env[i].name).text);
		keyed = keyed || env[b->env_count].key.p != NULL;
		b->env_count++;
	}
	b->env = env;
	if (keyed && b->prefix.n > 0)
		return reader_fail(l, yaml_get(node, STR("prefix")),
			    "prefix has no effect beside env entries that read keys, because there is no envFrom then; remove it");
	return 0;
}

static const struct name_form secret_keys = {name_is_secret_key, "keys of a Secret: " SECRET_KEY};

static int check_keys(struct loader *l, const struct yaml_node *node, const struct names *keys)
{
	for (size_t i = 1; i < keys->count; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(keys->items[i], keys->items[k]))
				return reader_fail(l, yaml_get(node, STR("keys")), "keys holds %s twice; remove one",
						   text_quote(keys->items[i]).text);
	return 0;
}

static int check_binding(struct loader *l, const struct yaml_node *node, const struct binding *b)
{
	const struct yaml_node *secret = yaml_get(node, STR("secretName")), *claim = yaml_get(node, STR("claim"));
	if (!name_is_label(b->name))
		return reader_fail(l, yaml_get(node, STR("name")),
			    "%s cannot name a binding; expected at most 63 lower-case letters, digits and -",
			    text_quote(b->name).text);
	if (secret != NULL && claim != NULL)
		return reader_fail(l, claim, "binding \"%.*s\" has both secretName and claim; keep one", STR_ARG(b->name));
	if (secret == NULL && claim == NULL && b->env_count == 0)
		return reader_fail(l, node, "binding \"%.*s\" gives nothing; add secretName, claim or env", STR_ARG(b->name));
	if (secret == NULL && claim == NULL && (b->optional || b->prefix.n > 0 || b->keys.count > 0))
		return reader_fail(l, node,
				   "binding \"%.*s\" has keys, prefix or optional but no Secret; add secretName or claim",
			    STR_ARG(b->name));
	if (b->prefix.n > 0 && !name_is_env(b->prefix))
		return reader_fail(l, yaml_get(node, STR("prefix")),
				   "%s cannot begin an environment variable; expected printable ASCII without =",
				   text_quote(b->prefix).text);
	int rc = check_keys(l, node, &b->keys);
	if (rc == 0 && secret != NULL)
		rc = check_secret_template(l, secret, b->secret_name, "");
	if (rc == 0 && claim != NULL)
		rc = check_secret_template(l, claim, b->claim, CONNECTION_SUFFIX);
	return rc;
}

static int read_binding(struct loader *l, const struct yaml_node *node, struct binding *out)
{
	static const char *const keys[] = {"name", "secretName", "claim", "keys", "prefix", "optional", "env", NULL};
	struct binding b = {.prefix = STR("")};
	int rc = reader_check_keys(l, node, "a binding", keys);
	if (rc == 0)
		rc = reader_required(l, node, "name", "a binding", &b.name);
	if (rc == 0)
		rc = reader_template(l, node, "secretName", &b.secret_name);
	if (rc == 0)
		rc = reader_template(l, node, "claim", &b.claim);
	if (rc == 0)
		rc = reader_template(l, node, "prefix", &b.prefix);
	if (rc == 0)
		rc = reader_names(l, node, "keys", &secret_keys, &b.keys);
	if (rc == 0)
		rc = reader_bool(l, node, "optional", &b.optional);
	if (rc == 0)
		rc = read_env(l, node, &b);
	if (rc == 0)
		rc = check_binding(l, node, &b);
	if (rc == 0)
		*out = b;
	return rc;
}

int config_read_bindings(struct loader *l, const struct yaml_node *root)
{
	const struct yaml_node *list;
	int rc = reader_sequence(l, root, "bindings", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct binding *bindings = arena_array(l->arena, reader_count(list), sizeof *bindings);
	if (bindings == NULL)
		return error_nomem(l->err);
	l->config->bindings = bindings;
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		struct binding b;
		rc = read_binding(l, c, &b);
		if (rc != 0)
			return rc;
		if (config_binding(l->config, b.name) != NULL)
			return reader_fail(l, c, "there are two bindings named \"%.*s\"; rename one", STR_ARG(b.name));
		bindings[l->config->binding_count++] = b;
	}
	return 0;
}

/* ---- defaults ---- */

static const struct name_form label_values = {name_is_label_value, "at most 63 letters, digits, - _ and dots"};

static int read_match_labels(struct loader *l, const struct yaml_node *node, struct default_bindings *d)
{
	const struct yaml_node *labels = yaml_get(node, STR("matchLabels"));
	if (labels == NULL)
		return 0;
	return reader_labels(l, labels, "matchLabels", &label_values, &d->match_labels);
}

static int read_default(struct loader *l, const struct yaml_node *node, struct default_bindings *out)
{
	static const char *const keys[] = {"namespaces", "matchLabels", "bindings", NULL};
	struct default_bindings d = {0};
	int rc = reader_check_keys(l, node, "an entry of defaults", keys);
	if (rc == 0)
		rc = reader_required(l, node, "bindings", "an entry of defaults", &d.bindings);
	if (rc == 0)
		rc = reader_names(l, node, "namespaces", &name_label_globs, &d.namespaces);
	if (rc == 0)
		rc = read_match_labels(l, node, &d);
	if (rc != 0)
		return rc;
	struct violations problems = {.arena = l->arena};
	struct bound_list bound;
	binding_list_read(l->config, d.bindings, &sample, STR(""), &problems, &bound);
	if (problems.count > 0)
		return reader_fail(l, yaml_get(node, STR("bindings")), "%.*s", STR_ARG(problems.items[0].message));
	*out = d;
	return 0;
}

int config_read_defaults(struct loader *l, const struct yaml_node *root)
{
	const struct yaml_node *list;
	int rc = reader_sequence(l, root, "defaults", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct default_bindings *defaults = arena_array(l->arena, reader_count(list), sizeof *defaults);
	if (defaults == NULL)
		return error_nomem(l->err);
	l->config->defaults = defaults;
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		struct default_bindings *d = &defaults[l->config->default_count];
		rc = read_default(l, c, d);
		if (rc != 0)
			return rc;
		if (c->next != NULL && d->namespaces.count == 0 && json_first(d->match_labels) == NULL)
			return reader_fail(l, c->next, "no workload gets here: the entry on line %zu, without namespaces and "
					   "matchLabels, fits all; put that one last",
				    c->line);
		l->config->default_count++;
	}
	return 0;
}
