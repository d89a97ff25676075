/* Reads the configuration's YAML, strictly, into the model. */
#include "policy/load/load.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/json_writer.h"
#include "kube/name.h"
#include "kube/quantity.h"
#include "policy/load/reader.h"

#include <stdlib.h>

#define API_VERSION "connhook.zerotouch.io/v1alpha1"
#define KIND "InjectorConfig"

/* ---- migration, image pull secrets ---- */

/* Resources that a container may ask for (kubernetes.io/docs/concepts/configuration/manage-resources-containers). */
static bool is_resource(struct str name)
{
	bool standard = str_eqz(name, "cpu") || str_eqz(name, "memory") || str_eqz(name, "ephemeral-storage") ||
			str_starts(name, STR("hugepages-"));
	return standard || (name_is_label_key(name) && str_find(name, '/') < name.n);
}

/* No request is more than its limit: the API server would refuse every migration. */
static int check_limits(struct loader *l, const struct yaml_node *resources)
{
	const struct yaml_node *limits = yaml_get(resources, STR("limits"));
	const struct yaml_node *requests = yaml_get(resources, STR("requests"));
	for (const struct yaml_node *r = requests ? requests->first : NULL; r != NULL; r = r->next) {
		const struct yaml_node *limit = yaml_get(limits, r->key);
		if (limit != NULL && quantity_exceeds(r->text, limit->text))
			return reader_fail(l, r, "the request %s of %.*s is over its limit %s; raise the limit, or lower the "
					   "request",
					   text_quote(r->text).text, STR_ARG(r->key), text_quote(limit->text).text);
	}
	return 0;
}

/* Writes requests and limits; amounts become strings, as the API server has them. */
static int write_amounts(struct loader *l, const struct yaml_node *resources, struct json_writer *w)
{
	jw_object(w);
	for (const struct yaml_node *part = resources->first; part != NULL; part = part->next) {
		if (part->kind != YAML_MAPPING)
			return reader_wrong_kind(l, part, "an entry of resources", "a mapping of resources to amounts");
		jw_key_str(w, part->key);
		jw_object(w);
		for (const struct yaml_node *m = part->first; m != NULL; m = m->next) {
			if (m->kind != YAML_STRING && m->kind != YAML_INT && m->kind != YAML_FLOAT)
				return reader_wrong_kind(l, m, "an amount", "a quantity such as 100m or 128Mi");
			struct yaml_node key = {.line = m->key_line, .column = m->key_column};
			if (!is_resource(m->key))
				return reader_fail(l, &key, "%s is no resource; expected cpu, memory, ephemeral-storage or one such as "
						   "example.com/gpu",
					    text_quote(m->key).text);
			if (!quantity_is_valid(m->text) || m->text.p[0] == '-')
				return reader_fail(l, m, "%s is no quantity; expected an amount such as 100m or 128Mi",
					    text_quote(m->text).text);
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
	int rc = reader_check_keys(l, resources, "resources", keys);
	if (rc != 0)
		return rc;
	struct buf text;
	buf_init(&text, LIMIT_CONFIG * 4);
	struct json_writer w = {.out = &text};
	rc = write_amounts(l, resources, &w);
	if (rc == 0)
		rc = check_limits(l, resources);
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
	c->migration_shell = (struct names){.items = shell, .count = 2};
	const struct yaml_node *node = yaml_get(root, STR("migration"));
	if (node == NULL)
		return 0;
	int rc = reader_check_keys(l, node, "migration", keys);
	if (rc == 0)
		rc = reader_string(l, node, "containerName", &c->migration_container);
	if (rc == 0)
		rc = reader_names(l, node, "shell", NULL, &c->migration_shell);
	if (rc == 0)
		rc = read_resources(l, node);
	if (rc == 0 && !name_is_label(c->migration_container))
		return reader_fail(l, yaml_get(node, STR("containerName")),
			    "%s cannot name a container; expected at most 63 lower-case letters, digits and -",
			    text_quote(c->migration_container).text);
	if (rc == 0 && c->migration_shell.count == 0)
		return reader_fail(l, yaml_get(node, STR("shell")),
				   "shell is empty; expected a list such as [\"/bin/sh\", \"-c\"]");
	return rc;
}

static bool is_registry_glob(struct str s)
{
	return name_is_glob_of(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:[]");
}

static const struct name_form registry_globs = {
	is_registry_glob, "a registry's host, and port if it has one, without scheme and path: ghcr.io"};

static int read_pull_secret(struct loader *l, const struct yaml_node *node, struct pull_secret *out)
{
	static const char *const keys[] = {"name", "registries", NULL};
	struct pull_secret s = {0};
	int rc = reader_check_keys(l, node, "an image pull secret", keys);
	if (rc == 0)
		rc = reader_required(l, node, "name", "an image pull secret", &s.name);
	if (rc == 0)
		rc = reader_must_have(l, node, "registries", "an image pull secret");
	if (rc == 0)
		rc = reader_names(l, node, "registries", &registry_globs, &s.registries);
	if (rc == 0 && !name_is_subdomain(s.name))
		return reader_fail(l, node, "%s cannot name a Secret; expected at most 253 lower-case letters, digits, - and .",
				   text_quote(s.name).text);
	if (rc == 0 && s.registries.count == 0)
		return reader_fail(l, node, "registries is empty; name at least one, such as \"ghcr.io\"");
	if (rc == 0)
		*out = s;
	return rc;
}

static int read_pull_secrets(struct loader *l, const struct yaml_node *root)
{
	const struct yaml_node *list;
	int rc = reader_sequence(l, root, "imagePullSecrets", &list);
	if (rc != 0 || list == NULL)
		return rc;
	struct pull_secret *secrets = arena_array(l->arena, reader_count(list), sizeof *secrets);
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
				return reader_fail(l, c, "\"%.*s\" stands twice in imagePullSecrets; join its registries",
					    STR_ARG(s->name));
		l->config->pull_secret_count++;
	}
	return 0;
}

/* ---- the whole ---- */

static int check_identity(struct loader *l, const struct yaml_node *root)
{
	static const struct {
		const char *key, *wanted;
	} identity[] = {{"apiVersion", API_VERSION}, {"kind", KIND}};
	for (size_t i = 0; i < 2; i++) {
		struct str value = {NULL, 0};
		int rc = reader_required(l, root, identity[i].key, "the configuration", &value);
		if (rc == 0 && !str_eqz(value, identity[i].wanted))
			rc = reader_fail(l, yaml_get(root, str_of(identity[i].key)), "%s is %s; expected \"%s\"",
					 identity[i].key,
				  text_quote(value).text, identity[i].wanted);
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
		return error_place(l->err, error_set(l->err, error, "%s:1:1: the configuration is too large once its aliases "
						     "are expanded", l->source), 1, 1);
	l->config->fingerprint = arena_fmt(l->arena, "%016llx", hash);
	return 0;
}

/* The prefix may not be one under which others write: their annotations would be unknown ones of connhook. */
static int read_prefix(struct loader *l, const struct yaml_node *root)
{
	static const struct str taken[] = {
		STR_INIT("kubernetes.io"), STR_INIT("k8s.io"), STR_INIT("stakater.com"), STR_INIT("argoproj.io"),
	};
	struct str prefix = STR("inject.zerotouch.io");
	const struct yaml_node *at = yaml_get(root, STR("annotationPrefix"));
	int rc = reader_string(l, root, "annotationPrefix", &prefix);
	if (rc == 0 && !name_is_subdomain(prefix))
		rc = reader_fail(l, at, "%s cannot be the prefix of an annotation; expected a DNS name in lower case without "
				 "a slash",
				 text_quote(prefix).text);
	for (size_t i = 0; i < sizeof taken / sizeof taken[0] && rc == 0; i++)
		if (str_ends(prefix, taken[i]) && (prefix.n == taken[i].n || prefix.p[prefix.n - taken[i].n - 1] == '.'))
			rc = reader_fail(l, at, "%s is the prefix of others' annotations, which connhook would take for its own; "
					 "expected a name of your own",
				  text_quote(prefix).text);
	l->config->annotation_prefix = prefix;
	return rc;
}

static int read_config(struct loader *l, const struct yaml_node *root)
{
	static const char *const keys[] = {
		"apiVersion", "kind", "annotationPrefix", "bindings", "defaults", "migration", "imagePullSecrets", "reloader",
		"excludeContainers", "exempt", "audit", "rules", NULL,
	};
	struct config *c = l->config;
	int rc = reader_check_keys(l, root, "the configuration", keys);
	if (rc == 0)
		rc = check_identity(l, root);
	if (rc == 0)
		rc = read_prefix(l, root);
	if (rc == 0)
		rc = config_read_bindings(l, root);
	if (rc == 0)
		rc = config_read_defaults(l, root);
	if (rc == 0)
		rc = read_migration(l, root);
	if (rc == 0)
		rc = read_pull_secrets(l, root);
	if (rc == 0)
		rc = reader_bool(l, root, "reloader", &c->reloader);
	if (rc == 0)
		rc = reader_names(l, root, "excludeContainers", &name_label_globs, &c->exclude_containers);
	if (rc == 0)
		rc = reader_exempt(l, root, c);
	if (rc == 0)
		rc = reader_bool(l, root, "audit", &c->audit);
	if (rc == 0)
		rc = config_read_rules(l, root);
	if (rc == 0)
		rc = fingerprint(l, root);
	return l->arena->failed ? ERR_NOMEM : rc;
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
		rc = error_place(err, error_set(err, rc, "%s:%s", source, why.text), why.line, why.column);
	else if (count == 0)
		rc = error_place(err, error_set(err, ERR_INVALID, "%s:1:1: the file is empty; expected a mapping with "
						"apiVersion and kind", source), 1, 1);
	else if (count > 1)
		rc = reader_fail(&l, documents[1], "this is document 2 of %zu; expected one: remove the others", count);
	else
		rc = read_config(&l, documents[0]);
	if (rc != 0) {
		config_free(c);
		return rc == ERR_NOMEM ? error_nomem(err) : rc;
	}
	*out = c;
	return 0;
}
