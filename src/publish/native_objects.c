/* Native policies of the rules about claims, Secrets and waves. */
#include "publish/native_parts.h"

#include "base/limits.h"
#include "kube/name.h"
#include "publish/cel.h"

/* ---- claim-secret-name ---- */

static void write_of_kinds(const struct native *n)
{
	struct buf text;
	struct str kinds = native_kinds(n, n->rule->kinds, n->rule->kind_count);
	buf_init(&text, LIMIT_RESPONSE);
	buf_add(&text, kinds);
	cel_built_condition(n->w, "of-the-kinds", &text);
}

static void write_claim_variables(const struct native *n)
{
	native_objects(n);
	native_member(n, "specs", "objects", "spec", "map");
	native_member(n, "references", "specs", "writeConnectionSecretToRef", "map");
	native_member(n, "published", "specs", "publishConnectionDetailsTo", "map");
	native_variable(n, "name", "has(object.metadata.name) ? object.metadata.name : \"\"");
	native_variable(n, "space", "has(request.namespace) ? request.namespace : \"\"");
	native_variable(n, "secret", "variables.name + \"" CONNECTION_SUFFIX "\"");
}

/* The member `key` of the variable `at`, where present, equals the variable `wanted`; an empty one asks for nothing. */
static void write_claim_field(const struct native *n, const char *at, const char *key, const char *field,
			      const char *wanted, const char *because)
{
	struct arena *a = n->arena;
	struct str value = arena_fmt(a, "variables.%s[0].%s", at, key), was = arena_fmt(a, "variables.%s[1].%s", at, key);
	native_validation(
		n,
		arena_fmt(a,
			  "variables.name == \"\" || variables.%s == \"\" || !(\"%s\" in variables.%s[0]) || %.*s == null || "
			  "%.*s == variables.%s || (size(variables.%s) == 2 && \"%s\" in variables.%s[1] && %.*s == %.*s)",
			  wanted, key, at, STR_ARG(value), STR_ARG(value), wanted, at, key, at, STR_ARG(was), STR_ARG(value)),
		arena_fmt(a, "%s: found another value; expected %s; write that, or leave the field out", field, because),
		arena_fmt(a,
			  "\"%s: found \\\"\" + string(%.*s) + \"\\\"; expected \\\"\" + variables.%s + \"\\\", %s; write that, or "
			  "leave the field out\"",
			  field, STR_ARG(value), wanted, because));
}

static void write_claim_validations(const struct native *n)
{
	const char *because = "the claim's name and " CONNECTION_SUFFIX;
	write_claim_field(n, "references", "name", "spec.writeConnectionSecretToRef.name", "secret", because);
	write_claim_field(n, "specs", "connectionSecretName", "spec.connectionSecretName", "secret", because);
	write_claim_field(n, "published", "name", "spec.publishConnectionDetailsTo.name", "secret", because);
	write_claim_field(n, "references", "namespace", "spec.writeConnectionSecretToRef.namespace", "space",
			  "the claim's own namespace");
	/* A name never changes. */
	native_validation(n, STR("request.operation == \"UPDATE\" || !variables.name.endsWith(\"" CONNECTION_SUFFIX "\")"),
			  STR("metadata.name: found a name that ends in " CONNECTION_SUFFIX
			      ", which marks connection secrets; expected a name that does not; choose a name without it"),
			  STR("\"metadata.name: found \\\"\" + variables.name + \"\\\"; expected a name that does not itself end "
			      "in "
			      CONNECTION_SUFFIX ", which marks connection secrets; name the claim without it\""));
	native_validation(
		n,
		arena_fmt(n->arena,
			  "request.operation == \"UPDATE\" || variables.name == \"\" || (size(variables.name) <= %d && "
			  "variables.name.matches(\"^[a-z]([-a-z0-9]*[a-z0-9])?$\"))",
			  NAME_LABEL_MAX),
		arena_fmt(n->arena,
			  "metadata.name: found another form of name; expected at most %d lower-case letters, digits and -, "
			  "beginning with a letter, because a Service carries the claim's name; choose such a name",
			  NAME_LABEL_MAX),
		arena_fmt(n->arena,
			  "\"metadata.name: found \\\"\" + variables.name + \"\\\" (\" + string(size(variables.name)) + \" "
			  "characters); expected at most %d lower-case letters, digits and -, beginning with a letter, because a "
			  "Service carries the claim's name; choose such a name\"",
			  NAME_LABEL_MAX));
}

const struct native_rule native_claim_secret_name = {
	.id = RULE_CLAIM_SECRET_NAME,
	.write_conditions = write_of_kinds,
	.write_variables = write_claim_variables,
	.write_validations = write_claim_validations,
};

/* ---- reserved-secret ---- */

static void write_of_names(const struct native *n)
{
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	buf_addz(&text, "has(object.metadata.name) && ");
	cel_any_of(&text, "object.metadata.name", &n->rule->lists[0]); /* its names */
	cel_built_condition(n->w, "of-the-names", &text);
}

static void write_secret_variables(const struct native *n)
{
	native_objects(n);
	/* What makes a Secret somebody's own. */
	native_variable(n, "contents",
			"variables.objects.map(o, ["
			"dyn(has(o.type) && o.type != null ? o.type : \"\"), "
			"dyn(has(o.immutable) && o.immutable != null ? [o.immutable] : []), "
			"dyn(has(o.data) && o.data != null ? o.data : {}), "
			"dyn(has(o.stringData) && o.stringData != null ? o.stringData : {}), "
			"dyn(has(o.metadata.ownerReferences) && o.metadata.ownerReferences != null ? "
			"o.metadata.ownerReferences : [])])");
}

static void write_secret_validations(const struct native *n)
{
	native_validation(n, STR("size(variables.contents) == 2 && variables.contents[0] == variables.contents[1]"),
			  STR("metadata.name: found a name kept for the connection Secrets of claims; expected Crossplane alone to "
			      "write it; put own values into a Secret of another name, or ask for this one with a claim"),
			  STR("\"metadata.name: found Secret \\\"\" + object.metadata.name + \"\\\", a name kept for the "
			      "connection "
			      "Secrets of claims; expected Crossplane alone to write it; put own values into a Secret of another "
			      "name, or ask for this one with a claim\""));
}

const struct native_rule native_reserved_secret = {
	.id = RULE_RESERVED_SECRET,
	.write_conditions = write_of_names,
	.write_variables = write_secret_variables,
	.write_validations = write_secret_validations,
};

/* ---- sync-wave ---- */

#define KEY "argocd.argoproj.io/sync-wave"
#define FIELD "metadata.annotations[" KEY "]: "
#define HOOK "argocd.argoproj.io/hook"
#define HELM_HOOK "helm.sh/hook"
#define HOOKS_BEFORE "[\"PreSync\", \"pre-install\", \"pre-upgrade\"]"

/* The member `key` of the only element, where it is a map. */
#define STEP(key) ".map(x, has(x." key ") && type(x." key ") == map ? x." key " : {})"

/* Do the configuration's defaults bind a workload in the request's namespace with the labels `labels`? */
static struct str default_bound(const struct native *n, const char *labels)
{
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	for (size_t i = 0; i < n->config->default_count; i++) {
		const struct default_bindings *d = &n->config->defaults[i];
		buf_addz(&text, i > 0 ? " || (has(request.namespace)" : "(has(request.namespace)");
		if (d->namespaces.count > 0) {
			buf_addz(&text, " && ");
			cel_any_of(&text, "request.namespace", &d->namespaces);
		}
		for (const struct json *l = json_first(d->match_labels); l != NULL; l = json_next(l)) {
			struct buf key;
			buf_init(&key, LIMIT_RESPONSE);
			cel_string(&key, json_key(l));
			struct str literal = native_take(n, &key);
			buf_fmt(&text, " && %.*s in %s && %s[%.*s] == ", STR_ARG(literal), labels, labels, STR_ARG(literal));
			cel_string(&text, json_string(l));
		}
		buf_addc(&text, ')');
	}
	if (n->config->default_count == 0)
		buf_addz(&text, "false");
	return native_take(n, &text);
}

/* The names of all bindings, as a list. */
static struct str binding_names(const struct native *n)
{
	struct buf text;
	buf_init(&text, LIMIT_RESPONSE);
	buf_addc(&text, '[');
	for (size_t i = 0; i < n->config->binding_count; i++) {
		buf_addz(&text, i > 0 ? ", " : "");
		cel_string(&text, n->config->bindings[i].name);
	}
	buf_addc(&text, ']');
	return native_take(n, &text);
}

static void write_wave_variables(const struct native *n)
{
	struct str prefix = n->config->annotation_prefix, names = binding_names(n), bound = default_bound(n, "p[2]");
	struct str kinds = native_kinds(n, n->rule->kinds, n->rule->kind_count), workloads = native_workload_kinds(n);
	int last = n->rule->integer;
	native_objects(n);
	native_variable(n, "source", "%.*s || (request.kind.group == \"external-secrets.io\" && "
				     "request.kind.kind == \"ExternalSecret\")",
			STR_ARG(kinds));
	native_variable(n, "workload", "%.*s", STR_ARG(workloads));
	/* Of each object: the annotations of its pod template, which win, its own, and its labels. */
	native_variable(n, "notes",
			"variables.objects.map(o, "
			"(request.kind.kind == \"CronJob\" ? "
			"[o]" STEP("spec") STEP("jobTemplate") STEP("spec") STEP("template") STEP("metadata")
			STEP("annotations") " : "
			"[o]" STEP("spec") STEP("template") STEP("metadata") STEP("annotations") ") + "
			"[o]" STEP("metadata") STEP("annotations") " + [o]" STEP("metadata") STEP("labels") ")");
	native_variable(n, "bound",
			"variables.notes.map(p, "
			"(\"%.*s/inject\" in p[0] ? p[0][\"%.*s/inject\"] : \"%.*s/inject\" in p[1] ? p[1][\"%.*s/inject\"] : "
			"\"\") "
			"!= \"false\" && "
			"(\"%.*s/bindings\" in p[0] ? p[0][\"%.*s/bindings\"].split(\",\").exists(b, b.split(\"=\")[0].trim() in "
			"%.*s) : "
			"\"%.*s/bindings\" in p[1] ? p[1][\"%.*s/bindings\"].split(\",\").exists(b, b.split(\"=\")[0].trim() in "
			"%.*s) : "
			"(%.*s)))",
			STR_ARG(prefix), STR_ARG(prefix), STR_ARG(prefix), STR_ARG(prefix), STR_ARG(prefix), STR_ARG(prefix),
			STR_ARG(names), STR_ARG(prefix), STR_ARG(prefix), STR_ARG(names), STR_ARG(bound));
	native_variable(n, "waves",
			"variables.notes.map(p, \"" KEY "\" in p[1] && type(p[1][\"" KEY "\"]) == string ? "
			"[p[1][\"" KEY "\"]] : [])");
	/* The hooks of each; Helm's count where there are none of Argo CD's. */
	native_variable(n, "hookText",
			"variables.notes.map(p, "
			"\"" HOOK "\" in p[1] && type(p[1][\"" HOOK "\"]) == string ? string(p[1][\"" HOOK "\"]) : "
			"\"" HELM_HOOK "\" in p[1] && type(p[1][\"" HELM_HOOK "\"]) == string ? "
			"string(p[1][\"" HELM_HOOK "\"]) : \"\")");
	native_variable(n, "hooks",
			"variables.hookText.map(h, h.split(\",\").map(t, t.trim()).filter(t, t != \"\" && t != "
			"\"crd-install\"))");
	native_variable(n, "before", "variables.hooks.map(h, h.exists(t, t in " HOOKS_BEFORE "))");
	native_variable(n, "behind",
			"variables.hooks.map(h, size(h) > 0 && !h.exists(t, t in " HOOKS_BEFORE " || t == \"Sync\"))");
	/* A hook of the phase Sync without a wave is in wave 0. */
	native_variable(n, "effective",
			"[0, 1].filter(i, i < size(variables.waves)).map(i, variables.waves[i] == [] && "
			"variables.hooks[i].exists(t, t == \"Sync\") ? [\"0\"] : variables.waves[i])");
	native_variable(n, "malformed", "variables.waves.map(w, w.exists(t, !t.matches(\"^[-+]?[0-9]{1,9}$\")))");
	native_variable(n, "late",
			"variables.effective.map(w, w.exists(t, t.matches(\"^[-+]?[0-9]{1,9}$\") && "
			"int(t.startsWith(\"+\") ? t.substring(1) : t) > %d))",
			last);
	/* What is wrong with each: as one word, to be compared with the old object. */
	native_variable(n, "faults",
			"[0, 1].filter(i, i < size(variables.waves)).map(i, "
			"!variables.source && !variables.workload ? \"\" : "
			"variables.malformed[i] ? \"malformed\" : "
			"variables.before[i] || variables.behind[i] || variables.effective[i] == [] ? \"\" : "
			"variables.source ? (variables.late[i] ? \"late\" : \"\") : "
			"!variables.late[i] && variables.bound[i] ? \"early\" : \"\")");
	native_variable(n, "fault", "variables.faults[0]");
	native_variable(n, "known",
			"size(variables.waves) == 2 && variables.waves[0] == variables.waves[1] && variables.faults[1] != \"\"");
	native_variable(n, "hookFaults",
			"[0, 1].filter(i, i < size(variables.waves)).map(i, variables.source ? variables.behind[i] : "
			"variables.workload && variables.before[i] && variables.bound[i])");
}

static void write_wave(const struct native *n, const char *fault, const char *found, const char *expected, int wave)
{
	native_validation(n, arena_fmt(n->arena, "variables.fault != \"%s\" || variables.known", fault),
			  arena_fmt(n->arena, FIELD "found %s; expected %s; write \"%d\"", found, expected, wave),
			  arena_fmt(n->arena,
				    "\"" FIELD "found \\\"\" + variables.effective[0][0] + \"\\\", %s; expected %s; write \\\"%d\\\"\"",
				    found, expected, wave));
}

static void write_wave_validations(const struct native *n)
{
	int last = n->rule->integer;
	struct str before = arena_fmt(n->arena, "wave %d or earlier, so that it is there before the workloads bound to it",
				      last);
	struct str behind = arena_fmt(n->arena,
				      "a wave later than %d, that of claims and ExternalSecrets, so that its Secrets are there "
				      "when it starts",
				      last);
	native_validation(n,
			  STR("!variables.hookFaults[0] || (size(variables.hookFaults) == 2 && variables.hookFaults[1] && "
			      "variables.hookText[0] == variables.hookText[1])"),
			  arena_fmt(n->arena,
				    "metadata.annotations[" HOOK "]: found a hook that runs before the claims and ExternalSecrets of "
				    "wave %d, or applies one of them behind the workloads bound to it; expected the phase Sync and "
				    "its waves; write " HOOK ": Sync for a workload, and no hook for the others",
				    last),
			  STR(""));
	write_wave(n, "malformed", "text that Argo CD reads as wave 0", "a whole number", last);
	write_wave(n, "late", "a later wave", before.p ? before.p : "", last);
	write_wave(n, "early", "an early wave for a workload with bindings", behind.p ? behind.p : "", last + 2);
}

const struct native_rule native_sync_wave = {
	.id = RULE_SYNC_WAVE,
	.workloads = true,
	.write_variables = write_wave_variables,
	.write_validations = write_wave_validations,
};
