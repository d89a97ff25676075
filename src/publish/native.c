#include "publish/native.h"

#include "base/error.h"
#include "base/limits.h"
#include "kube/workload.h"
#include "publish/cel.h"
#include "publish/native_parts.h"

#include <string.h>

#define PREFIX "connhook-" /* of the names of policies and bindings */

static const struct native_rule *const native_rules[RULE_COUNT] = {
	[RULE_CLAIM_SECRET_NAME] = &native_claim_secret_name,
	[RULE_NO_IN_CLUSTER_DATABASE] = &native_no_in_cluster_database,
	[RULE_EXTERNAL_SECRET_PATH] = &native_external_secret_path,
	[RULE_LITERAL_CREDENTIALS] = &native_literal_credentials,
	[RULE_RESERVED_SECRET] = &native_reserved_secret,
	[RULE_CONN_COLLISION] = &native_conn_collision,
	[RULE_SYNC_WAVE] = &native_sync_wave,
};

bool native_has(const struct config *config, enum rule_id id)
{
	return native_rules[id] != NULL && config->rules[id].mode != MODE_OFF;
}

/* ---- parts ---- */

struct str native_take(const struct native *n, struct buf *text)
{
	struct str result = arena_str(n->arena, buf_str(text));
	buf_fail(n->w->out, text->error);
	buf_free(text);
	return result.p ? result : STR("");
}

void native_variable(const struct native *n, const char *name, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct str expression = arena_fmtv(n->arena, format, args);
	va_end(args);
	jw_object(n->w);
	jw_memberz(n->w, "name", name);
	jw_member(n->w, "expression", expression);
	jw_object_end(n->w);
}

void native_member(const struct native *n, const char *name, const char *from, const char *key, const char *type)
{
	native_variable(n, name, "variables.%s.map(x, has(x.%s) && type(x.%s) == %s ? x.%s : %s)", from, key, key, type,
			key, strcmp(type, "map") == 0 ? "{}" : "[]");
}

void native_validation(const struct native *n, struct str expression, struct str message, struct str detail)
{
	struct str help = n->rule->help;
	if (help.n > 0) {
		struct buf literal;
		buf_init(&literal, LIMIT_RESPONSE);
		cel_string(&literal, arena_fmt(n->arena, "; %.*s", STR_ARG(help)));
		struct str text = native_take(n, &literal);
		message = arena_fmt(n->arena, "%.*s; %.*s", STR_ARG(message), STR_ARG(help));
		if (detail.n > 0)
			detail = arena_fmt(n->arena, "(%.*s) + %.*s", STR_ARG(detail), STR_ARG(text));
	}
	jw_object(n->w);
	jw_member(n->w, "expression", expression);
	jw_member(n->w, "message", message);
	if (detail.n > 0)
		jw_member(n->w, "messageExpression", detail);
	jw_memberz(n->w, "reason", n->about->forbidden ? "Forbidden" : "Invalid");
	jw_object_end(n->w);
}

void native_objects(const struct native *n)
{
	native_variable(n, "objects",
			"request.operation == \"UPDATE\" ? [dyn(object), dyn(oldObject)] : [dyn(object)]");
}

void native_pods(const struct native *n)
{
	native_member(n, "specs", "objects", "spec", "map");
	native_member(n, "jobTemplates", "specs", "jobTemplate", "map");
	native_member(n, "jobs", "jobTemplates", "spec", "map");
	native_member(n, "jobTargets", "specs", "jobTargetRef", "map"); /* ScaledJob */
	native_variable(n, "owners",
			"request.kind.kind == \"CronJob\" ? variables.jobs : request.kind.kind == \"ScaledJob\" ? "
			"variables.jobTargets : variables.specs");
	native_member(n, "templates", "owners", "template", "map");
	native_member(n, "pods", "templates", "spec", "map");
}

struct str native_regex(const struct native *n, const struct names *globs, const char *any, const char *before,
			const char *after)
{
	struct buf pattern, literal;
	buf_init(&pattern, LIMIT_RESPONSE);
	buf_init(&literal, LIMIT_RESPONSE);
	buf_addz(&pattern, before);
	for (size_t i = 0; i < globs->count; i++) {
		buf_addz(&pattern, i > 0 ? "|" : "");
		cel_pattern(&pattern, globs->items[i], any);
	}
	buf_addz(&pattern, after);
	cel_string(&literal, native_take(n, &pattern));
	return native_take(n, &literal);
}

struct str native_kinds(const struct native *n, const struct group_kind *kinds, size_t count)
{
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	buf_addc(&text, '(');
	for (size_t i = 0; i < count; i++) {
		buf_addz(&text, i > 0 ? " || (" : "(");
		cel_glob(&text, "request.kind.group", kinds[i].group);
		if (!str_eqz(kinds[i].kind, "*")) {
			buf_addz(&text, " && ");
			cel_glob(&text, "request.kind.kind", kinds[i].kind);
		}
		buf_addc(&text, ')');
	}
	buf_addz(&text, count > 0 ? ")" : "false)");
	return native_take(n, &text);
}

struct str native_workload_kinds(const struct native *n)
{
	struct group_kind *kinds = arena_array(n->arena, workload_kind_count, sizeof *kinds);
	for (size_t i = 0; i < workload_kind_count && kinds != NULL; i++)
		kinds[i] = (struct group_kind){str_of(workload_kinds[i].group), str_of(workload_kinds[i].kind)};
	return native_kinds(n, kinds, kinds != NULL ? workload_kind_count : 0);
}

/* ---- which objects ---- */

static void write_one(struct json_writer *w, const char *key, struct str item)
{
	jw_key(w, key);
	jw_array(w);
	jw_string(w, item);
	jw_array_end(w);
}

/* A resource rule of one resource; `versions` ends in NULL. */
static void write_resource_rule(struct json_writer *w, struct str group, const char *const *versions,
				struct str resource, bool cluster)
{
	jw_object(w);
	write_one(w, "apiGroups", group);
	jw_key(w, "apiVersions");
	jw_array(w);
	for (; *versions != NULL; versions++)
		jw_stringz(w, *versions);
	jw_array_end(w);
	jw_key(w, "operations");
	jw_array(w);
	jw_stringz(w, "CREATE");
	jw_stringz(w, "UPDATE");
	jw_array_end(w);
	write_one(w, "resources", resource);
	jw_memberz(w, "scope", cluster ? "Cluster" : "Namespaced");
	jw_object_end(w);
}

/* Has a kind of the rule, before number `index`, the same group? */
static bool has_group(const struct rule_config *rule, size_t index, struct str group)
{
	for (size_t i = 0; i < index; i++)
		if (str_eq(rule->kinds[i].group, group))
			return true;
	return false;
}

static void write_resource_rules(const struct native *n, bool workloads)
{
	static const char *const any[] = {"*", NULL};
	const struct rule_config *rule = n->rule;
	for (size_t i = 0; i < workload_kind_count && workloads; i++)
		write_resource_rule(n->w, str_of(workload_kinds[i].group), workload_kinds[i].versions,
				    str_of(workload_kinds[i].resource), false);
	for (size_t i = 0; i < rule->kind_count; i++) {
		struct str group = rule->kinds[i].group;
		if (!str_is_glob(group) && !has_group(rule, i, group))
			write_resource_rule(n->w, group, any, STR("*"), false);
	}
	for (const struct rule_resource *r = n->about->resources; r != NULL && r->group != NULL; r++)
		if (!has_group(rule, rule->kind_count, str_of(r->group)))
			write_resource_rule(n->w, str_of(r->group), any, str_of(r->resource), r->cluster);
}

/* As the webhooks are registered: nothing must keep the cluster itself from coming up. */
static void write_namespace_selector(struct json_writer *w)
{
	jw_key(w, "namespaceSelector");
	jw_object(w);
	jw_key(w, "matchExpressions");
	jw_array(w);
	jw_object(w);
	jw_memberz(w, "key", "kubernetes.io/metadata.name");
	jw_memberz(w, "operator", "NotIn");
	write_one(w, "values", STR("kube-system"));
	jw_object_end(w);
	jw_array_end(w);
	jw_object_end(w);
}

/* ---- which requests ---- */

/* No object with all of these labels. */
static void write_exempt_labels(const struct native *n)
{
	struct buf text;
	bool first = true;
	if (n->rule->exempt_labels == NULL)
		return;
	buf_init(&text, LIMIT_RESPONSE);
	buf_addz(&text, "!has(object.metadata.labels) || !(");
	for (const struct json *l = json_first(n->rule->exempt_labels); l != NULL; l = json_next(l), first = false) {
		struct buf key;
		buf_init(&key, LIMIT_RESPONSE);
		cel_string(&key, json_key(l));
		struct str literal = native_take(n, &key);
		buf_fmt(&text, "%s%.*s in object.metadata.labels && ", first ? "" : " && ", STR_ARG(literal));
		struct str value = arena_fmt(n->arena, "object.metadata.labels[%.*s]", STR_ARG(literal));
		cel_glob(&text, value.p ? value.p : "", json_string(l));
	}
	buf_addc(&text, ')');
	cel_built_condition(n->w, "not-exempt-label-of-rule", &text);
}

static void write_conditions(const struct native *n, const struct native_rule *native)
{
	/* A list that holds * is for cluster-scoped objects as well, whose requests have no namespace. */
	bool all = names_match(&n->rule->exempt_namespaces, STR(""));
	cel_judged(n->w, n->config);
	cel_none_of(n->w, "not-exempt-namespace-of-rule",
		    all ? "has(request.namespace) && " : "!has(request.namespace) || ", "request.namespace",
		    &n->rule->exempt_namespaces);
	cel_none_of(n->w, "not-exempt-user-of-rule", "", "request.userInfo.username", &n->rule->exempt_users);
	cel_no_group(n->w, "not-exempt-group-of-rule", &n->rule->exempt_groups);
	write_exempt_labels(n);
	if (native->write_conditions != NULL)
		native->write_conditions(n);
}

/* ---- the objects ---- */

static void write_head(struct json_writer *w, const char *kind, enum rule_id id)
{
	jw_object(w);
	jw_memberz(w, "apiVersion", "admissionregistration.k8s.io/v1");
	jw_memberz(w, "kind", kind);
	jw_key(w, "metadata");
	jw_object(w);
	jw_key(w, "name");
	buf_fmt(w->out, "\"" PREFIX "%s\"", rules[id]->id);
	w->comma = true;
	jw_key(w, "labels");
	jw_object(w);
	jw_memberz(w, "app.kubernetes.io/name", "connhook");
	jw_object_end(w);
	jw_object_end(w);
	jw_key(w, "spec");
	jw_object(w);
}

void native_write_policy(struct buf *out, const struct config *config, enum rule_id id)
{
	const struct native_rule *native = native_rules[id];
	struct json_writer w = {.out = out};
	struct arena arena = {0};
	struct native n = {&arena, &w, config, &config->rules[id], rules[id]};
	write_head(&w, "ValidatingAdmissionPolicy", id);
	jw_memberz(&w, "failurePolicy", "Fail");
	jw_key(&w, "matchConstraints");
	jw_object(&w);
	jw_memberz(&w, "matchPolicy", "Equivalent");
	write_namespace_selector(&w);
	jw_key(&w, "resourceRules");
	jw_array(&w);
	write_resource_rules(&n, native->workloads);
	jw_array_end(&w);
	jw_object_end(&w);
	jw_key(&w, "matchConditions");
	jw_array(&w);
	write_conditions(&n, native);
	jw_array_end(&w);
	jw_key(&w, "variables");
	jw_array(&w);
	native->write_variables(&n);
	jw_array_end(&w);
	jw_key(&w, "validations");
	jw_array(&w);
	native->write_validations(&n);
	jw_array_end(&w);
	jw_object_end(&w);
	jw_object_end(&w);
	if (arena.failed)
		buf_fail(out, ERR_NOMEM);
	arena_free(&arena);
}

void native_write_binding(struct buf *out, const struct config *config, enum rule_id id)
{
	bool denies = config->rules[id].mode == MODE_ENFORCE && !config->audit;
	struct json_writer w = {.out = out};
	write_head(&w, "ValidatingAdmissionPolicyBinding", id);
	jw_key(&w, "policyName");
	buf_fmt(out, "\"" PREFIX "%s\"", rules[id]->id);
	w.comma = true;
	jw_key(&w, "validationActions");
	jw_array(&w);
	jw_stringz(&w, denies ? "Deny" : "Warn");
	if (!denies)
		jw_stringz(&w, "Audit");
	jw_array_end(&w);
	jw_object_end(&w);
	jw_object_end(&w);
}

/* ---- what is not expressed ---- */

static const char notes[] =
	"# Rules of connhook for the API server itself, Kubernetes 1.30 and newer. Not expressed here:\n"
	"# - injection: it takes a mutating webhook\n"
	"# - annotations (always in force): a list of bindings is parsed and its names built from templates\n"
	"# - injection-complete: it compares the workload with what connhook would inject\n"
	"# - env-collision: it needs the variables of the bindings that connhook would inject\n"
	"# - old violations in updates: they pass in silence; connhook warns\n"
	"# - several violations: the API server reports the first; connhook reports all\n";

void native_write_notes(struct buf *out, const struct config *config)
{
	buf_addz(out, notes);
	for (enum rule_id id = 0; id < RULE_COUNT; id++) {
		const struct rule_config *rule = &config->rules[id];
		if (!native_has(config, id))
			continue;
		if (native_rules[id]->note != NULL)
			buf_fmt(out, "# - %s: %s\n", rules[id]->id, native_rules[id]->note);
		for (size_t i = 0; i < rule->kind_count; i++)
			if (str_is_glob(rule->kinds[i].group)) {
				buf_fmt(out, "# - %s: groups like ", rules[id]->id);
				cel_string(out, rule->kinds[i].group);
				buf_addz(out, ", which no API server can be told; name them in the configuration\n");
			}
	}
}
