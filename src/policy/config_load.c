/* Reads the configuration's YAML, strictly, into the model. */
#include "policy/config.h"

#include "base/limits.h"
#include "codec/json_writer.h"
#include "codec/yaml.h"
#include "kube/name.h"
#include "kube/quantity.h"
#include "policy/binding.h"
#include "policy/rule.h"
#include "policy/template.h"

#include <stdlib.h>

#define API_VERSION "connhook.zerotouch.io/v1alpha1"
#define KIND "InjectorConfig"

struct loader {
	struct arena *arena;
	struct config *config;
	const char *source;
	struct error *err;
};

/* ---- errors ---- */

__attribute__((format(printf, 3, 4))) static int fail(struct loader *l, const struct yaml_node *at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct str text = arena_fmtv(l->arena, format, args);
	va_end(args);
	return error_set(l->err, ERR_INVALID, "%s:%zu:%zu: %.*s", l->source, at->line, at->column, STR_ARG(text));
}

static int wrong_kind(struct loader *l, const struct yaml_node *v, const char *what, const char *expected)
{
	return fail(l, v, "%s is %s; expected %s", what, yaml_kind_name(v->kind), expected);
}

static struct str quote(struct str s)
{
	return str_utf8_cut(s, LIMIT_QUOTE);
}

/* "a, b, c" of a NULL-terminated list. */
static struct str listed(struct loader *l, const char *const *items)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	for (size_t i = 0; items[i] != NULL; i++)
		buf_fmt(&text, "%s%s", i > 0 ? ", " : "", items[i]);
	struct str result = arena_str(l->arena, buf_str(&text));
	buf_free(&text);
	return result;
}

/* Every key of the mapping is one of `allowed`. */
static int check_keys(struct loader *l, const struct yaml_node *mapping, const char *what, const char *const *allowed)
{
	if (mapping->kind != YAML_MAPPING)
		return wrong_kind(l, mapping, what, "a mapping");
	for (const struct yaml_node *m = mapping->first; m != NULL; m = m->next) {
		const char *closest = NULL;
		size_t least = m->key.n / 3 + 2;
		bool known = false;
		for (size_t i = 0; allowed[i] != NULL && !known; i++) {
			size_t distance = str_distance(m->key, str_of(allowed[i]));
			known = str_eqz(m->key, allowed[i]);
			if (distance < least) {
				least = distance;
				closest = allowed[i];
			}
		}
		if (known)
			continue;
		struct yaml_node key = {.line = m->key_line, .column = m->key_column};
		return fail(l, &key, "unknown key \"%.*s\" in %s; allowed: %.*s%s%s%s", STR_ARG(quote(m->key)), what,
			    STR_ARG(listed(l, allowed)), closest ? "; did you mean \"" : "", closest ? closest : "",
			    closest ? "\"?" : "");
	}
	return 0;
}

/* ---- scalars and lists: an absent key leaves *out as it is ---- */

static int read_string(struct loader *l, const struct yaml_node *mapping, const char *key, struct str *out)
{
	const struct yaml_node *v = yaml_get(mapping, str_of(key));
	if (v == NULL)
		return 0;
	if (v->kind != YAML_STRING)
		return wrong_kind(l, v, key, "a string: put it in quotes");
	if (v->text.n == 0)
		return fail(l, v, "%s is empty; write a value, or leave the key out", key);
	*out = v->text;
	return 0;
}

static int read_bool(struct loader *l, const struct yaml_node *mapping, const char *key, bool *out)
{
	const struct yaml_node *v = yaml_get(mapping, str_of(key));
	if (v == NULL)
		return 0;
	if (v->kind != YAML_BOOL)
		return wrong_kind(l, v, key, "true or false");
	*out = str_eqz(v->text, "true");
	return 0;
}

static size_t child_count(const struct yaml_node *v)
{
	size_t n = 0;
	for (const struct yaml_node *c = v->first; c != NULL; c = c->next)
		n++;
	return n;
}

/* The sequence at `key`; NULL when there is none. */
static int read_sequence(struct loader *l, const struct yaml_node *mapping, const char *key, const struct yaml_node **out)
{
	*out = yaml_get(mapping, str_of(key));
	return *out != NULL && (*out)->kind != YAML_SEQUENCE ? wrong_kind(l, *out, key, "a list") : 0;
}

static int read_names_of(struct loader *l, const struct yaml_node *list, const char *what, struct names *out)
{
	struct str *items = arena_array(l->arena, child_count(list), sizeof *items);
	size_t count = 0;
	if (items == NULL)
		return error_nomem(l->err);
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		if (c->kind != YAML_STRING)
			return wrong_kind(l, c, what, "a list of strings: put them in quotes");
		if (c->text.n == 0)
			return fail(l, c, "%s holds an empty string; remove it", what);
		items[count++] = c->text;
	}
	*out = (struct names){items, count};
	return 0;
}

static int read_names(struct loader *l, const struct yaml_node *mapping, const char *key, struct names *out)
{
	const struct yaml_node *list;
	int rc = read_sequence(l, mapping, key, &list);
	return rc != 0 || list == NULL ? rc : read_names_of(l, list, key, out);
}

/* A string at `key` that is a good template. */
static int read_template(struct loader *l, const struct yaml_node *mapping, const char *key, struct str *out)
{
	struct error why;
	int rc = read_string(l, mapping, key, out);
	if (rc == 0 && out->p != NULL && template_check(*out, &why) != 0)
		return fail(l, yaml_get(mapping, str_of(key)), "%s: %s", key, why.text);
	return rc;
}

static int must_have(struct loader *l, const struct yaml_node *mapping, const char *key, const char *what)
{
	return yaml_get(mapping, str_of(key)) != NULL ? 0 : fail(l, mapping, "%s has no %s; add it", what, key);
}

/* A Secret name, once a template's placeholders are filled with something good. */
static int check_secret_template(struct loader *l, const struct yaml_node *at, struct str template)
{
	struct template_values sample = {STR("a"), STR("a"), STR("a")};
	struct str name = template_expand(l->arena, template, &sample);
	return name_is_subdomain(name)
		       ? 0
		       : fail(l, at, "\"%.*s\" can never give a valid Secret name; expected lower-case letters, digits, - and .",
			      STR_ARG(quote(template)));
}

/* ---- bindings ---- */

static int read_env_entry(struct loader *l, const struct yaml_node *node, bool has_secret, struct env_mapping *out)
{
	static const char *const keys[] = {"name", "key", "value", NULL};
	struct env_mapping e = {0};
	int rc = check_keys(l, node, "an entry of env", keys);
	if (rc == 0)
		rc = must_have(l, node, "name", "an entry of env");
	if (rc == 0)
		rc = read_string(l, node, "name", &e.name);
	if (rc == 0)
		rc = read_string(l, node, "key", &e.key);
	const struct yaml_node *value = yaml_get(node, STR("value"));
	if (rc == 0 && !(value != NULL && value->kind == YAML_STRING && value->text.n == 0))
		rc = read_template(l, node, "value", &e.value);
	else if (rc == 0)
		e.value = STR("");
	if (rc != 0)
		return rc;
	if (!name_is_env(e.name))
		return fail(l, node, "\"%.*s\" cannot name an environment variable; expected printable ASCII without =",
			    STR_ARG(quote(e.name)));
	if ((e.key.p != NULL) == (e.value.p != NULL))
		return fail(l, node, "entry \"%.*s\" of env has %s; expected either key (of the Secret) or value", STR_ARG(e.name),
			    e.key.p ? "both key and value" : "neither key nor value");
	if (e.key.p != NULL && !has_secret)
		return fail(l, node, "entry \"%.*s\" of env reads a key, but the binding has no Secret; add secretName or claim",
			    STR_ARG(e.name));
	if (e.key.p != NULL && !name_is_secret_key(e.key))
		return fail(l, node, "\"%.*s\" cannot be a key of a Secret", STR_ARG(quote(e.key)));
	*out = e;
	return 0;
}

static int read_env(struct loader *l, const struct yaml_node *node, struct binding *b)
{
	const struct yaml_node *list;
	bool has_secret = b->secret_name.p != NULL || b->claim.p != NULL;
	int rc = read_sequence(l, node, "env", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct env_mapping *env = arena_array(l->arena, child_count(list), sizeof *env);
	if (env == NULL)
		return error_nomem(l->err);
	bool keyed = false;
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		rc = read_env_entry(l, c, has_secret, &env[b->env_count]);
		if (rc != 0)
			return rc;
		for (size_t i = 0; i < b->env_count; i++)
			if (str_eq(env[i].name, env[b->env_count].name))
				return fail(l, c, "env names \"%.*s\" twice; remove one", STR_ARG(env[i].name));
		keyed = keyed || env[b->env_count].key.p != NULL;
		b->env_count++;
	}
	b->env = env;
	if (keyed && b->prefix.n > 0)
		return fail(l, yaml_get(node, STR("prefix")),
			    "prefix has no effect beside env entries that read keys, because there is no envFrom then; remove it");
	return 0;
}

static int check_keys_known(struct loader *l, const struct yaml_node *node, const struct binding *b)
{
	for (size_t i = 0; i < b->keys.count; i++)
		if (!name_is_secret_key(b->keys.items[i]))
			return fail(l, yaml_get(node, STR("keys")), "\"%.*s\" cannot be a key of a Secret",
				    STR_ARG(quote(b->keys.items[i])));
	return 0;
}

static int check_binding(struct loader *l, const struct yaml_node *node, const struct binding *b)
{
	const struct yaml_node *secret = yaml_get(node, STR("secretName")), *claim = yaml_get(node, STR("claim"));
	if (!name_is_label(b->name))
		return fail(l, yaml_get(node, STR("name")),
			    "\"%.*s\" cannot name a binding; expected at most 63 lower-case letters, digits and -",
			    STR_ARG(quote(b->name)));
	if (secret != NULL && claim != NULL)
		return fail(l, claim, "binding \"%.*s\" has both secretName and claim; keep one", STR_ARG(b->name));
	if (secret == NULL && claim == NULL && b->env_count == 0)
		return fail(l, node, "binding \"%.*s\" gives nothing; add secretName, claim or env", STR_ARG(b->name));
	if (secret == NULL && claim == NULL && (b->optional || b->prefix.n > 0 || b->keys.count > 0))
		return fail(l, node, "binding \"%.*s\" has keys, prefix or optional but no Secret; add secretName or claim",
			    STR_ARG(b->name));
	if (b->prefix.n > 0 && !name_is_env(b->prefix))
		return fail(l, yaml_get(node, STR("prefix")), "\"%.*s\" cannot begin an environment variable",
			    STR_ARG(quote(b->prefix)));
	int rc = check_keys_known(l, node, b);
	if (rc == 0 && secret != NULL)
		rc = check_secret_template(l, secret, b->secret_name);
	if (rc == 0 && claim != NULL)
		rc = check_secret_template(l, claim, b->claim);
	return rc;
}

static int read_binding(struct loader *l, const struct yaml_node *node, struct binding *out)
{
	static const char *const keys[] = {"name", "secretName", "claim", "keys", "prefix", "optional", "env", NULL};
	struct binding b = {.prefix = STR("")};
	int rc = check_keys(l, node, "a binding", keys);
	if (rc == 0)
		rc = must_have(l, node, "name", "a binding");
	if (rc == 0)
		rc = read_string(l, node, "name", &b.name);
	if (rc == 0)
		rc = read_template(l, node, "secretName", &b.secret_name);
	if (rc == 0)
		rc = read_template(l, node, "claim", &b.claim);
	if (rc == 0)
		rc = read_template(l, node, "prefix", &b.prefix);
	if (rc == 0)
		rc = read_names(l, node, "keys", &b.keys);
	if (rc == 0)
		rc = read_bool(l, node, "optional", &b.optional);
	if (rc == 0)
		rc = read_env(l, node, &b);
	if (rc == 0)
		rc = check_binding(l, node, &b);
	if (rc == 0)
		*out = b;
	return rc;
}

static int read_bindings(struct loader *l, const struct yaml_node *root)
{
	const struct yaml_node *list;
	int rc = read_sequence(l, root, "bindings", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct binding *bindings = arena_array(l->arena, child_count(list), sizeof *bindings);
	if (bindings == NULL)
		return error_nomem(l->err);
	l->config->bindings = bindings;
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		struct binding b;
		rc = read_binding(l, c, &b);
		if (rc != 0)
			return rc;
		if (config_binding(l->config, b.name) != NULL)
			return fail(l, c, "there are two bindings named \"%.*s\"; rename one", STR_ARG(b.name));
		bindings[l->config->binding_count++] = b;
	}
	return 0;
}

/* ---- defaults ---- */

/* Text that connhook has written from the YAML, as a tree. */
static int as_json(struct loader *l, const struct yaml_node *node, const struct json **out)
{
	struct buf text;
	buf_init(&text, LIMIT_CONFIG * 4);
	yaml_to_json(&text, node);
	int rc = text.error != 0 ? text.error : json_parse_in(l->arena, buf_str(&text), out, l->err);
	buf_free(&text);
	return rc;
}

static int read_match_labels(struct loader *l, const struct yaml_node *node, struct default_bindings *d)
{
	const struct yaml_node *labels = yaml_get(node, STR("matchLabels"));
	if (labels == NULL)
		return 0;
	if (labels->kind != YAML_MAPPING)
		return wrong_kind(l, labels, "matchLabels", "a mapping of labels to values");
	for (const struct yaml_node *m = labels->first; m != NULL; m = m->next)
		if (m->kind != YAML_STRING)
			return wrong_kind(l, m, "a label's value", "a string: put it in quotes");
	return as_json(l, labels, &d->match_labels);
}

static int read_default(struct loader *l, const struct yaml_node *node, struct default_bindings *out)
{
	static const char *const keys[] = {"namespaces", "matchLabels", "bindings", NULL};
	struct default_bindings d = {0};
	int rc = check_keys(l, node, "an entry of defaults", keys);
	if (rc == 0)
		rc = must_have(l, node, "bindings", "an entry of defaults");
	if (rc == 0)
		rc = read_string(l, node, "bindings", &d.bindings);
	if (rc == 0)
		rc = read_names(l, node, "namespaces", &d.namespaces);
	if (rc == 0)
		rc = read_match_labels(l, node, &d);
	if (rc != 0)
		return rc;
	struct violations problems = {.arena = l->arena};
	binding_list_check(l->config, d.bindings, STR(""), &problems);
	if (problems.count > 0)
		return fail(l, yaml_get(node, STR("bindings")), "%.*s", STR_ARG(problems.items[0].message));
	*out = d;
	return 0;
}

static int read_defaults(struct loader *l, const struct yaml_node *root)
{
	const struct yaml_node *list;
	int rc = read_sequence(l, root, "defaults", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct default_bindings *defaults = arena_array(l->arena, child_count(list), sizeof *defaults);
	if (defaults == NULL)
		return error_nomem(l->err);
	l->config->defaults = defaults;
	for (const struct yaml_node *c = list->first; c != NULL && rc == 0; c = c->next) {
		rc = read_default(l, c, &defaults[l->config->default_count]);
		l->config->default_count += rc == 0;
	}
	return rc;
}

/* ---- migration, image pull secrets ---- */

/* Writes requests and limits; amounts become strings, as the API server has them. */
static int write_amounts(struct loader *l, const struct yaml_node *resources, struct json_writer *w)
{
	jw_object(w);
	for (const struct yaml_node *part = resources->first; part != NULL; part = part->next) {
		if (part->kind != YAML_MAPPING)
			return wrong_kind(l, part, "an entry of resources", "a mapping of resources to amounts");
		jw_key_str(w, part->key);
		jw_object(w);
		for (const struct yaml_node *m = part->first; m != NULL; m = m->next) {
			if (m->kind != YAML_STRING && m->kind != YAML_INT && m->kind != YAML_FLOAT)
				return wrong_kind(l, m, "an amount", "a quantity such as 100m or 128Mi");
			if (!quantity_is_valid(m->text))
				return fail(l, m, "\"%.*s\" is no quantity; expected an amount such as 100m or 128Mi",
					    STR_ARG(quote(m->text)));
			jw_key_str(w, m->key);
			jw_string(w, m->text);
		}
		jw_object_end(w);
	}
	jw_object_end(w);
	return 0;
}

static int read_resources(struct loader *l, const struct yaml_node *migration)
{
	static const char *const keys[] = {"requests", "limits", NULL};
	const struct yaml_node *resources = yaml_get(migration, STR("resources"));
	if (resources == NULL)
		return 0;
	int rc = check_keys(l, resources, "resources", keys);
	if (rc != 0)
		return rc;
	struct buf text;
	buf_init(&text, LIMIT_CONFIG * 4);
	struct json_writer w = {.out = &text};
	rc = write_amounts(l, resources, &w);
	if (rc == 0)
		rc = text.error != 0 ? text.error
				     : json_parse_in(l->arena, buf_str(&text), &l->config->migration_resources, l->err);
	buf_free(&text);
	return rc;
}

static int read_migration(struct loader *l, const struct yaml_node *root)
{
	static const char *const keys[] = {"containerName", "shell", "resources", NULL};
	static const struct str shell[] = {STR_INIT("/bin/sh"), STR_INIT("-c")};
	struct config *c = l->config;
	c->migration_container = STR("run-migrations");
	c->migration_shell = (struct names){shell, 2};
	const struct yaml_node *node = yaml_get(root, STR("migration"));
	if (node == NULL)
		return 0;
	int rc = check_keys(l, node, "migration", keys);
	if (rc == 0)
		rc = read_string(l, node, "containerName", &c->migration_container);
	if (rc == 0)
		rc = read_names(l, node, "shell", &c->migration_shell);
	if (rc == 0)
		rc = read_resources(l, node);
	if (rc == 0 && !name_is_label(c->migration_container))
		return fail(l, yaml_get(node, STR("containerName")),
			    "\"%.*s\" cannot name a container; expected at most 63 lower-case letters, digits and -",
			    STR_ARG(quote(c->migration_container)));
	if (rc == 0 && c->migration_shell.count == 0)
		return fail(l, yaml_get(node, STR("shell")), "shell is empty; expected a list such as [\"/bin/sh\", \"-c\"]");
	return rc;
}

static int read_pull_secret(struct loader *l, const struct yaml_node *node, struct pull_secret *out)
{
	static const char *const keys[] = {"name", "registries", NULL};
	struct pull_secret s = {0};
	int rc = check_keys(l, node, "an image pull secret", keys);
	if (rc == 0)
		rc = must_have(l, node, "name", "an image pull secret");
	if (rc == 0)
		rc = must_have(l, node, "registries", "an image pull secret");
	if (rc == 0)
		rc = read_string(l, node, "name", &s.name);
	if (rc == 0)
		rc = read_names(l, node, "registries", &s.registries);
	if (rc == 0 && !name_is_subdomain(s.name))
		return fail(l, node, "\"%.*s\" cannot name a Secret", STR_ARG(quote(s.name)));
	if (rc == 0 && s.registries.count == 0)
		return fail(l, node, "registries is empty; name at least one, such as \"ghcr.io\"");
	if (rc == 0)
		*out = s;
	return rc;
}

static int read_pull_secrets(struct loader *l, const struct yaml_node *root)
{
	const struct yaml_node *list;
	int rc = read_sequence(l, root, "imagePullSecrets", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct pull_secret *secrets = arena_array(l->arena, child_count(list), sizeof *secrets);
	if (secrets == NULL)
		return error_nomem(l->err);
	l->config->pull_secrets = secrets;
	for (const struct yaml_node *c = list->first; c != NULL; c = c->next) {
		struct pull_secret *s = &secrets[l->config->pull_secret_count];
		rc = read_pull_secret(l, c, s);
		if (rc != 0)
			return rc;
		for (size_t i = 0; i < l->config->pull_secret_count; i++)
			if (str_eq(secrets[i].name, s->name))
				return fail(l, c, "\"%.*s\" stands twice in imagePullSecrets; join its registries",
					    STR_ARG(s->name));
		l->config->pull_secret_count++;
	}
	return 0;
}

/* ---- rules ---- */

static int read_exempt(struct loader *l, const struct yaml_node *mapping, struct names *namespaces, struct names *users)
{
	static const char *const keys[] = {"namespaces", "users", NULL};
	const struct yaml_node *node = yaml_get(mapping, STR("exempt"));
	if (node == NULL)
		return 0;
	int rc = check_keys(l, node, "exempt", keys);
	if (rc == 0)
		rc = read_names(l, node, "namespaces", namespaces);
	if (rc == 0)
		rc = read_names(l, node, "users", users);
	return rc;
}

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
		return fail(l, v, "mode is \"%.*s\"; expected enforce, warn or off", STR_ARG(quote(v->text)));
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
	int rc = check_keys(l, node, key, keys);
	if (rc != 0)
		return rc;
	if (child_count(node) != 1)
		return fail(l, node, "%s has %s; expected either extend or replace, with a list", key,
			    node->first ? "both extend and replace" : "nothing in it");
	*extend = str_eqz(node->first->key, "extend");
	return read_sequence(l, node, *extend ? "extend" : "replace", out);
}

static int read_names_parameter(struct loader *l, const struct yaml_node *mapping, const char *key, struct names *list)
{
	const struct yaml_node *node;
	bool extend;
	struct names read;
	int rc = read_parameter(l, mapping, key, &extend, &node);
	if (rc == 0 && node != NULL)
		rc = read_names_of(l, node, key, &read);
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
	struct group_kind *items = arena_array(l->arena, count + child_count(node), sizeof *items);
	if (items == NULL)
		return error_nomem(l->err);
	for (size_t i = 0; i < count; i++)
		items[i] = rule->kinds[i];
	for (const struct yaml_node *c = node->first; c != NULL; c = c->next, count++) {
		rc = check_keys(l, c, "an entry of kinds", keys);
		if (rc == 0)
			rc = must_have(l, c, "group", "an entry of kinds");
		if (rc == 0)
			rc = must_have(l, c, "kind", "an entry of kinds");
		if (rc == 0)
			rc = read_string(l, c, "group", &items[count].group);
		if (rc == 0)
			rc = read_string(l, c, "kind", &items[count].kind);
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
	int rc = check_keys(l, node, rules[id]->id, keys);
	if (rc == 0)
		rc = read_mode(l, node, &rule->mode);
	if (rc == 0)
		rc = read_exempt(l, node, &rule->exempt_namespaces, &rule->exempt_users);
	if (rc == 0)
		rc = read_kinds_parameter(l, node, rule);
	if (rc == 0)
		rc = read_names_parameter(l, node, "images", &rule->images);
	if (rc == 0)
		rc = read_names_parameter(l, node, "allowedImages", &rule->allowed_images);
	return rc;
}

static int read_rules(struct loader *l, const struct yaml_node *root)
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
	int rc = check_keys(l, node, "rules", ids);
	for (const struct yaml_node *m = rc == 0 ? node->first : NULL; m != NULL && rc == 0; m = m->next)
		rc = read_rule(l, m, rule_find(m->key));
	return rc;
}

/* ---- the whole ---- */

static int check_identity(struct loader *l, const struct yaml_node *root)
{
	static const struct {
		const char *key, *wanted;
	} identity[] = {{"apiVersion", API_VERSION}, {"kind", KIND}};
	for (size_t i = 0; i < 2; i++) {
		struct str value = {NULL, 0};
		int rc = must_have(l, root, identity[i].key, "the configuration");
		if (rc == 0)
			rc = read_string(l, root, identity[i].key, &value);
		if (rc == 0 && !str_eqz(value, identity[i].wanted))
			rc = fail(l, yaml_get(root, str_of(identity[i].key)), "%s is \"%.*s\"; expected \"%s\"", identity[i].key,
				  STR_ARG(quote(value)), identity[i].wanted);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* A hash of the content: of the tree as JSON, so that comments and layout do not count. */
static int fingerprint(struct loader *l, const struct yaml_node *root)
{
	struct buf text;
	buf_init(&text, LIMIT_CONFIG * 4);
	yaml_to_json(&text, root);
	unsigned long long hash = str_hash(STR_HASH_SEED, buf_str(&text));
	int error = text.error;
	buf_free(&text);
	if (error == ERR_NOMEM)
		return error_nomem(l->err);
	if (error != 0)
		return error_set(l->err, error, "%s:1:1: the configuration is too large once its aliases are expanded", l->source);
	l->config->fingerprint = arena_fmt(l->arena, "%016llx", hash);
	return 0;
}

static int read_config(struct loader *l, const struct yaml_node *root)
{
	static const char *const keys[] = {"apiVersion", "kind",	     "annotationPrefix", "bindings",
					   "defaults",	 "migration",	     "imagePullSecrets", "reloader",
					   "excludeContainers", "exempt", "rules",	       NULL};
	struct config *c = l->config;
	c->annotation_prefix = STR("inject.zerotouch.io");
	int rc = check_keys(l, root, "the configuration", keys);
	if (rc == 0)
		rc = check_identity(l, root);
	if (rc == 0)
		rc = read_string(l, root, "annotationPrefix", &c->annotation_prefix);
	if (rc == 0 && !name_is_subdomain(c->annotation_prefix))
		rc = fail(l, yaml_get(root, STR("annotationPrefix")),
			  "\"%.*s\" cannot be the prefix of an annotation; expected a DNS name without a slash",
			  STR_ARG(quote(c->annotation_prefix)));
	if (rc == 0)
		rc = read_bindings(l, root);
	if (rc == 0)
		rc = read_defaults(l, root);
	if (rc == 0)
		rc = read_migration(l, root);
	if (rc == 0)
		rc = read_pull_secrets(l, root);
	if (rc == 0)
		rc = read_bool(l, root, "reloader", &c->reloader);
	if (rc == 0)
		rc = read_names(l, root, "excludeContainers", &c->exclude_containers);
	if (rc == 0)
		rc = read_exempt(l, root, &c->exempt_namespaces, &c->exempt_users);
	if (rc == 0)
		rc = read_rules(l, root);
	if (rc == 0)
		rc = fingerprint(l, root);
	return rc == 0 && l->arena->failed ? error_nomem(l->err) : rc;
}

int config_load(struct str text, const char *source, struct config **out, struct error *err)
{
	struct error why;
	if (text.n > LIMIT_CONFIG)
		return error_set(err, ERR_LIMIT, "%s: the file has %zu bytes; a configuration has at most %lu", source, text.n,
				 LIMIT_CONFIG);
	struct config *c = calloc(1, sizeof *c);
	if (c == NULL)
		return error_nomem(err);
	struct loader l = {&c->arena, c, source, err};
	const struct yaml_node **documents;
	size_t count;
	int rc = yaml_parse(&c->arena, text, &documents, &count, &why);
	if (rc != 0)
		rc = rc == ERR_NOMEM ? error_nomem(err) : error_set(err, rc, "%s:%s", source, why.text);
	else if (count != 1)
		rc = error_set(err, ERR_INVALID, "%s:1:1: found %zu YAML documents; expected one", source, count);
	else
		rc = read_config(&l, documents[0]);
	if (rc != 0) {
		config_free(c);
		return rc;
	}
	*out = c;
	return 0;
}
