#include "publish/registration.h"

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "kube/workload.h"
#include "policy/rules/rule.h"
#include "publish/cel.h"

#include <string.h>

#define TIMEOUT_SECONDS 5

/* ---- which objects ---- */

static void write_strings(struct json_writer *w, const char *key, const char *const *items)
{
	jw_key(w, key);
	jw_array(w);
	for (; *items != NULL; items++)
		jw_stringz(w, *items);
	jw_array_end(w);
}

static void write_string(struct json_writer *w, const char *key, struct str item)
{
	jw_key(w, key);
	jw_array(w);
	jw_string(w, item);
	jw_array_end(w);
}

static void write_operations(struct json_writer *w, const char *scope)
{
	write_strings(w, "operations", (const char *const[]){"CREATE", "UPDATE", NULL});
	jw_memberz(w, "scope", scope);
}

/* May two kinds share one rule? */
static bool same_rule(const struct workload_kind *a, const struct workload_kind *b)
{
	bool same = strcmp(a->group, b->group) == 0;
	for (size_t i = 0; same && (a->versions[i] != NULL || b->versions[i] != NULL); i++)
		same = a->versions[i] != NULL && b->versions[i] != NULL && strcmp(a->versions[i], b->versions[i]) == 0;
	return same;
}

/* A rule for each run of kinds of one group and version. */
static void write_workloads(struct json_writer *w, bool mutating)
{
	for (size_t i = 0; i < workload_kind_count;) {
		const struct workload_kind *first = &workload_kinds[i];
		if (mutating && first->only_judged) {
			i++;
			continue;
		}
		jw_object(w);
		write_string(w, "apiGroups", str_of(first->group));
		write_strings(w, "apiVersions", first->versions);
		jw_key(w, "resources");
		jw_array(w);
		for (; i < workload_kind_count && same_rule(first, &workload_kinds[i]); i++)
			jw_stringz(w, workload_kinds[i].resource);
		jw_array_end(w);
		write_operations(w, "Namespaced");
		jw_object_end(w);
	}
}

/* Objects that a rule looks at. */
struct watched {
	struct str group, resource; /* the plural, or "*": the rule tells the kinds apart itself */
	bool cluster;
};

/* Number `index` of what a rule in force looks at: the groups of its kinds, its resources. False behind the last. */
static bool watched_at(const struct config *config, enum rule_id id, size_t index, struct watched *out)
{
	const struct rule_config *rule = &config->rules[id];
	const struct rule_resource *more = rules[id]->resources;
	if (rule->mode == MODE_OFF)
		return false;
	if (index < rule->kind_count) {
		*out = (struct watched){rule->kinds[index].group, STR("*"), false};
		return true;
	}
	for (index -= rule->kind_count; more != NULL && more->group != NULL && index > 0; index--)
		more++;
	if (more == NULL || more->group == NULL)
		return false;
	*out = (struct watched){str_of(more->group), str_of(more->resource), more->cluster};
	return true;
}

/* Has something that stands before number `index` of rule `id` registered it? */
static bool is_registered(const struct config *config, enum rule_id id, size_t index, const struct watched *one)
{
	for (enum rule_id i = 0; i <= id; i++) {
		struct watched other;
		for (size_t k = 0; (i < id || k < index) && watched_at(config, i, k, &other); k++)
			if (str_eq(other.group, one->group) && other.cluster == one->cluster &&
			    (str_eqz(other.resource, "*") || str_eq(other.resource, one->resource)))
				return true;
	}
	return false;
}

/* One rule for the run of one group that begins at number `index`; returns the number behind it. */
static size_t write_watched(struct json_writer *w, const struct config *config, enum rule_id id, size_t index)
{
	struct watched first, one;
	bool clusters = false, namespaces = false;
	if (!watched_at(config, id, index, &first))
		return index;
	jw_object(w);
	write_string(w, "apiGroups", first.group);
	write_string(w, "apiVersions", STR("*"));
	jw_key(w, "resources");
	jw_array(w);
	for (; watched_at(config, id, index, &one) && str_eq(one.group, first.group); index++) {
		if (is_registered(config, id, index, &one))
			continue;
		jw_string(w, one.resource);
		clusters = clusters || one.cluster;
		namespaces = namespaces || !one.cluster;
	}
	jw_array_end(w);
	write_operations(w, !clusters ? "Namespaced" : namespaces ? "*" : "Cluster");
	jw_object_end(w);
	return index;
}

/* What the rules in force look at. A group that is a glob cannot be registered: the command says so. */
static void write_all_watched(struct json_writer *w, const struct config *config)
{
	for (enum rule_id id = 0; id < RULE_COUNT; id++) {
		struct watched one;
		for (size_t k = 0; watched_at(config, id, k, &one);)
			if (str_is_glob(one.group) || is_registered(config, id, k, &one))
				k++;
			else
				k = write_watched(w, config, id, k);
	}
}

struct str registration_glob_group(const struct config *config)
{
	for (enum rule_id id = 0; id < RULE_COUNT; id++) {
		struct watched one;
		for (size_t k = 0; watched_at(config, id, k, &one); k++)
			if (str_is_glob(one.group))
				return one.group;
	}
	return (struct str){NULL, 0};
}

/* ---- which requests ---- */

/* kube-system, connhook's own namespace, and the exempt ones that are no globs. */
static void write_namespace_selector(struct json_writer *w, const struct config *config, const struct registration *r)
{
	jw_key(w, "namespaceSelector");
	jw_object(w);
	jw_key(w, "matchExpressions");
	jw_array(w);
	jw_object(w);
	jw_memberz(w, "key", "kubernetes.io/metadata.name");
	jw_memberz(w, "operator", "NotIn");
	jw_key(w, "values");
	jw_array(w);
	jw_stringz(w, "kube-system");
	if (r->namespace.p != NULL && !str_eqz(r->namespace, "kube-system"))
		jw_string(w, r->namespace);
	for (size_t i = 0; i < config->exempt_namespaces.count; i++) {
		struct str name = config->exempt_namespaces.items[i];
		if (!str_is_glob(name) && !str_eqz(name, "kube-system") && !str_eq(name, r->namespace))
			jw_string(w, name);
	}
	jw_array_end(w);
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
}

/* Of Secrets, connhook gets only those whose names it judges: the others are nobody's business. */
static void write_reserved(struct json_writer *w, const struct config *config)
{
	const struct rule_config *rule = &config->rules[RULE_RESERVED_SECRET];
	struct buf text;
	if (rule->mode == MODE_OFF)
		return;
	buf_init(&text, w->out->limit);
	buf_addz(&text, "request.resource.group != \"\" || request.resource.resource != \"secrets\" || "
			"(has(object.metadata.name) && ");
	cel_any_of(&text, "object.metadata.name", &rule->lists[0]); /* its names */
	buf_addc(&text, ')');
	cel_built_condition(w, "reserved-secret", &text);
}

/* The annotations of one place, of the new or the old object, have a key under the prefix. */
static void cel_annotated(struct buf *text, const char *root, const char *const *path, struct str prefix)
{
	buf_addc(text, '(');
	struct buf at;
	buf_init(&at, text->limit);
	buf_addz(&at, root);
	for (; *path != NULL; path++) {
		buf_fmt(&at, ".%s", *path);
		buf_fmt(text, "has(%.*s) && ", STR_ARG(buf_str(&at)));
	}
	buf_fmt(text, "%.*s.exists(k, k.startsWith(", STR_ARG(buf_str(&at)));
	struct buf key;
	buf_init(&key, text->limit);
	buf_fmt(&key, "%.*s/", STR_ARG(prefix));
	cel_string(text, buf_str(&key));
	buf_addz(text, ")))");
	buf_fail(text, at.error);
	buf_fail(text, key.error);
	buf_free(&at);
	buf_free(&key);
}

/* Without defaults, only workloads that carry an annotation, or carried one, can change. */
static void write_annotated(struct json_writer *w, const struct config *config)
{
	static const char *const on_workload[] = {"metadata", "annotations", NULL};
	static const char *const on_template[] = {"spec", "template", "metadata", "annotations", NULL};
	static const char *const on_cron_job[] = {"spec",     "jobTemplate", "spec", "template",
						  "metadata", "annotations", NULL};
	static const char *const on_job_template[] = {"spec", "jobTemplate", "metadata", "annotations", NULL};
	static const char *const *const places[] = {on_workload, on_template, on_cron_job, on_job_template};
	struct buf text;
	if (config->default_count > 0)
		return;
	buf_init(&text, w->out->limit);
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		buf_addz(&text, i > 0 ? " || " : "");
		cel_annotated(&text, "object", places[i], config->annotation_prefix);
	}
	buf_addz(&text, " || (request.operation == \"UPDATE\" && (");
	for (size_t i = 0; i < 3; i++) {
		buf_addz(&text, i > 0 ? " || " : "");
		cel_annotated(&text, "oldObject", places[i], config->annotation_prefix);
	}
	buf_addz(&text, "))");
	cel_built_condition(w, "annotated", &text);
}

/* Conditions under which connhook would do nothing keep the API server from calling (CEL, Kubernetes 1.30). */
static void write_conditions(struct json_writer *w, const struct config *config, const struct registration *r,
			     bool mutating)
{
	if (r->minor < REGISTRATION_MATCH_CONDITIONS)
		return;
	jw_key(w, "matchConditions");
	jw_array(w);
	if (mutating) {
		cel_injected(w, config);
		write_annotated(w, config);
	} else {
		cel_judged(w, config);
		write_reserved(w, config);
	}
	jw_array_end(w);
}

/* ---- the objects ---- */

static void write_client(struct json_writer *w, const struct registration *r, const char *path)
{
	jw_key(w, "clientConfig");
	jw_object(w);
	if (r->url.p != NULL) {
		struct buf url;
		buf_init(&url, w->out->limit);
		buf_fmt(&url, "%.*s%s", STR_ARG(r->url), path);
		jw_member(w, "url", buf_str(&url));
		buf_fail(w->out, url.error);
		buf_free(&url);
	} else {
		jw_key(w, "service");
		jw_object(w);
		jw_member(w, "namespace", r->namespace);
		jw_member(w, "name", r->service);
		jw_memberz(w, "path", path);
		jw_key(w, "port");
		jw_int(w, r->port);
		jw_object_end(w);
	}
	if (r->ca_bundle.p != NULL) {
		jw_key(w, "caBundle");
		buf_addc(w->out, '"');
		base64_encode(w->out, r->ca_bundle);
		buf_addc(w->out, '"');
		w->comma = true;
	}
	jw_object_end(w);
}

static void write_head(struct json_writer *w, const char *kind, const struct registration *r)
{
	jw_object(w);
	jw_memberz(w, "apiVersion", "admissionregistration.k8s.io/v1");
	jw_memberz(w, "kind", kind);
	jw_key(w, "metadata");
	jw_object(w);
	jw_memberz(w, "name", "connhook");
	jw_key(w, "labels");
	jw_object(w);
	jw_memberz(w, "app.kubernetes.io/name", "connhook");
	jw_object_end(w);
	if (r->inject_ca_from.p != NULL) {
		jw_key(w, "annotations");
		jw_object(w);
		jw_member(w, "cert-manager.io/inject-ca-from", r->inject_ca_from);
		jw_object_end(w);
	}
	jw_object_end(w);
	jw_key(w, "webhooks");
	jw_array(w);
	jw_object(w);
}

static void write_tail(struct json_writer *w, const struct config *config, const struct registration *r, bool mutating)
{
	write_namespace_selector(w, config, r);
	write_conditions(w, config, r, mutating);
	jw_memberz(w, "matchPolicy", "Equivalent");
	jw_memberz(w, "sideEffects", "None");
	jw_key(w, "timeoutSeconds");
	jw_int(w, TIMEOUT_SECONDS);
	jw_memberz(w, "failurePolicy", mutating ? "Ignore" : "Fail");
	if (mutating)
		jw_memberz(w, "reinvocationPolicy", "IfNeeded");
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
}

static void write_webhook(struct buf *out, const struct config *config, const struct registration *r, bool mutating)
{
	struct json_writer w = {.out = out};
	write_head(&w, mutating ? "MutatingWebhookConfiguration" : "ValidatingWebhookConfiguration", r);
	jw_memberz(&w, "name", mutating ? "mutate.connhook.zerotouch.io" : "validate.connhook.zerotouch.io");
	write_strings(&w, "admissionReviewVersions", (const char *const[]){"v1", NULL});
	write_client(&w, r, mutating ? "/mutate" : "/validate");
	jw_key(&w, "rules");
	jw_array(&w);
	write_workloads(&w, mutating);
	if (!mutating)
		write_all_watched(&w, config);
	jw_array_end(&w);
	write_tail(&w, config, r, mutating);
}

void registration_write_mutating(struct buf *out, const struct config *config, const struct registration *r)
{
	write_webhook(out, config, r, true);
}

void registration_write_validating(struct buf *out, const struct config *config, const struct registration *r)
{
	write_webhook(out, config, r, false);
}
