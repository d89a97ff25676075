#include "review/run.h"

#include "base/limits.h"
#include "codec/json_patch.h"
#include "codec/json_writer.h"
#include "policy/rules/rule.h"
#include "review/line.h"

#include <stdlib.h>
#include <string.h>

/* The uid of the review that is made up here. */
#define UID "00000000-0000-0000-0000-000000000000"

/* Five characters that the API server would choose. */
#define GENERATED "xxxxx"

/* One manifest that is reviewed. */
struct run {
	struct arena *arena;
	const struct review_settings *settings;
	struct review_result *result;
	struct str version;
	const struct json *object; /* as the next call gets it */
	bool refused; /* by the first call: nothing is injected, which the second one would miss */
	struct error *err;
};

/* ---- whose object it is ---- */

/* Kinds of tenants' and platforms' repositories that live in no namespace; others get the namespace of the command. */
static bool lives_in_no_namespace(struct str group, struct str kind)
{
	static const struct {
		const char *group, *kind;
	} kinds[] = {
		{"", "Namespace"}, {"", "Node"}, {"", "PersistentVolume"},
		{"rbac.authorization.k8s.io", "ClusterRole*"}, {"apiextensions.k8s.io", "CustomResourceDefinition"},
		{"apiregistration.k8s.io", "APIService"}, {"admissionregistration.k8s.io", "*"},
		{"storage.k8s.io", "StorageClass"}, {"storage.k8s.io", "CSIDriver"}, {"scheduling.k8s.io", "PriorityClass"},
		{"networking.k8s.io", "IngressClass"}, {"node.k8s.io", "RuntimeClass"},
		{"apiextensions.crossplane.io", "*"}, {"pkg.crossplane.io", "*"}, {"external-secrets.io", "Cluster*"},
		{"cert-manager.io", "ClusterIssuer"}, {"kyverno.io", "ClusterPolicy"},
		{"gateway.networking.k8s.io", "GatewayClass"},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (str_eqz(group, kinds[i].group) && str_glob(str_of(kinds[i].kind), kind))
			return true;
	return false;
}

static void identify(struct run *run, const struct manifest *manifest)
{
	struct review_result *r = run->result;
	const struct json *metadata = json_getz(manifest->object, "metadata");
	struct str version = json_string(json_getz(manifest->object, "apiVersion"));
	size_t slash = str_find(version, '/');
	r->manifest = manifest;
	r->group = slash < version.n ? (struct str){version.p, slash} : STR("");
	run->version = slash < version.n ? str_from(version, slash + 1) : version;
	r->kind = json_string(json_getz(manifest->object, "kind"));
	r->name = json_string(json_getz(metadata, json_getz(metadata, "name") ? "name" : "generateName"));
	r->namespace = json_string(json_getz(metadata, "namespace"));
	if (r->namespace.n == 0)
		r->namespace = lives_in_no_namespace(r->group, r->kind) ? STR("") : run->settings->namespace;
}

/* ---- the two calls ---- */

/* The AdmissionReview that an API server would send for a creation. */
static void write_review(struct buf *out, const struct run *run)
{
	const struct review_result *r = run->result;
	struct json_writer w = {.out = out};
	jw_object(&w);
	jw_memberz(&w, "kind", "AdmissionReview");
	jw_memberz(&w, "apiVersion", "admission.k8s.io/v1");
	jw_key(&w, "request");
	jw_object(&w);
	jw_memberz(&w, "uid", UID);
	jw_key(&w, "kind");
	jw_object(&w);
	jw_member(&w, "group", r->group);
	jw_member(&w, "version", run->version);
	jw_member(&w, "kind", r->kind);
	jw_object_end(&w);
	jw_member(&w, "name", r->name);
	jw_member(&w, "namespace", r->namespace);
	jw_memberz(&w, "operation", "CREATE");
	jw_key(&w, "userInfo");
	jw_object(&w);
	jw_member(&w, "username", run->settings->user);
	jw_key(&w, "groups");
	jw_array(&w);
	for (size_t i = 0; i < run->settings->group_count; i++)
		jw_string(&w, run->settings->groups[i]);
	jw_array_end(&w);
	jw_object_end(&w);
	jw_key(&w, "object");
	jw_value(&w, run->object);
	jw_key(&w, "oldObject");
	jw_raw(&w, STR("null"));
	jw_key(&w, "dryRun");
	jw_bool(&w, true);
	jw_object_end(&w);
	jw_object_end(&w);
}

static int call(const struct run *run, enum phase phase, struct decision *out)
{
	struct buf body;
	buf_init(&body, LIMIT_RESPONSE);
	write_review(&body, run);
	int rc = body.error;
	if (rc == 0)
		decide(run->settings->config, phase, buf_str(&body), out);
	buf_free(&body);
	if (rc == ERR_LIMIT)
		return error_set(run->err, rc, "the object is too large for a review");
	if (rc != 0 || out->http_status == 500)
		return error_nomem(run->err);
	return out->http_status == 200 ? 0 : error_set(run->err, ERR_INVALID, "%.*s", STR_ARG(buf_str(&out->body)));
}

/* ---- what they have said ---- */

/* Both calls may find the same, at an index that the patch has moved. */
static int by_content(const void *a, const void *b)
{
	const struct review_finding *const *x = a, *const *y = b;
	int order = str_cmp((*x)->finding.message, (*y)->finding.message);
	if (order == 0)
		order = strcmp((*x)->finding.rule, (*y)->finding.rule);
	return order != 0 ? order : ((*x)->line > (*y)->line) - ((*x)->line < (*y)->line);
}

/* Adds the findings that the earlier call has not had. */
static void add_findings(struct run *run, const struct decision *d)
{
	struct review_result *r = run->result;
	struct line_finder lines = {.manifest = r->manifest, .object = run->object};
	size_t before = r->finding_count;
	const struct review_finding **known = arena_array(run->arena, before, sizeof(*known));
	if (known == NULL)
		return;
	for (size_t i = 0; i < before; i++)
		known[i] = &r->findings[i];
	if (before > 1)
		qsort(known, before, sizeof(*known), by_content);
	for (size_t i = 0; i < d->finding_count; i++) {
		struct review_finding f = {.finding = d->findings[i]}, *key = &f;
		f.line = line_find(&lines, f.finding.field);
		if (run->refused && strcmp(f.finding.rule, rules[RULE_INJECTION_COMPLETE]->id) == 0)
			continue;
		if (before > 0 && bsearch(&key, known, before, sizeof(*known), by_content) != NULL)
			continue;
		f.finding.field = arena_str(run->arena, f.finding.field);
		f.finding.message = arena_str(run->arena, f.finding.message);
		f.fix = fix_find(&lines, f.finding.rule, f.finding.field, f.finding.message);
		r->findings[r->finding_count++] = f;
	}
}

static void add_warnings(struct run *run, const struct decision *d)
{
	struct review_result *r = run->result;
	size_t before = r->warning_count;
	for (size_t i = 0; i < d->warning_count; i++) {
		bool known = false;
		for (size_t k = 0; k < before && !known; k++)
			known = str_eq(r->warnings[k], d->warnings[i]);
		if (!known)
			r->warnings[r->warning_count++] = arena_str(run->arena, d->warnings[i]);
	}
}

static void add_advice(struct run *run, const struct decision *d)
{
	struct review_result *r = run->result;
	struct line_finder lines = {.manifest = r->manifest, .object = run->object};
	for (size_t i = 0; i < d->advice_count; i++) {
		struct str field = arena_str(run->arena, d->advice[i].field);
		struct str message = arena_str(run->arena, d->advice[i].message);
		r->advice[r->advice_count++] = (struct review_advice){field, message, line_find(&lines, field),
								      fix_find(&lines, "", field, message)};
	}
}

static void add_bindings(struct run *run, const struct decision *d)
{
	struct str *names = arena_array(run->arena, d->binding_count, sizeof *names);
	for (size_t i = 0; i < d->binding_count && names != NULL; i++)
		names[i] = arena_str(run->arena, d->bindings[i]);
	run->result->bindings = names;
	run->result->binding_count = d->binding_count;
}

static int make_room(struct run *run, const struct decision *mutate, const struct decision *validate)
{
	struct review_result *r = run->result;
	size_t warnings = mutate->warning_count + validate->warning_count;
	r->findings = arena_array(run->arena, mutate->finding_count + validate->finding_count, sizeof *r->findings);
	r->warnings = arena_array(run->arena, warnings, sizeof *r->warnings);
	r->advice = arena_array(run->arena, mutate->advice_count + validate->advice_count, sizeof *r->advice);
	return run->arena->failed ? error_nomem(run->err) : 0;
}

/* Between the two calls the API server gives the object its name: it is unknown, but its form is not. */
static int generate_name(struct json **object, struct str begin, struct error *err)
{
	struct json *patch = NULL;
	struct buf text, name;
	buf_init(&text, LIMIT_RESPONSE);
	buf_init(&name, LIMIT_RESPONSE);
	buf_add(&name, begin);
	buf_addz(&name, GENERATED);
	buf_addz(&text, "[{\"op\":\"add\",\"path\":\"/metadata/name\",\"value\":");
	json_write_string(&text, buf_str(&name));
	buf_addz(&text, "}]");
	int rc = text.error != 0 || name.error != 0 ? error_nomem(err) : json_parse(buf_str(&text), &patch, err);
	if (rc == 0)
		rc = json_patch_apply(object, patch, err);
	json_free(patch);
	buf_free(&text);
	buf_free(&name);
	return rc;
}

/* Both calls, and the patch between them as the API server applies it. */
static int run_calls(struct run *run, struct decision *mutate, struct decision *validate)
{
	struct review_result *r = run->result;
	int rc = call(run, PHASE_MUTATE, mutate);
	if (rc != 0)
		return rc;
	run->refused = !mutate->allowed;
	r->patch = mutate->patched ? arena_str(run->arena, mutate->patch) : (struct str){NULL, 0};
	struct json *admitted = NULL;
	bool generated = json_string(json_path(run->object, "metadata", "name", NULL)).n == 0 && r->name.n > 0;
	if (r->patch.n > 0 || generated)
		rc = review_admitted(r, &admitted, run->err);
	if (rc == 0 && generated)
		rc = generate_name(&admitted, r->name, run->err);
	const struct json *before = run->object;
	run->object = admitted != NULL ? admitted : before;
	if (rc == 0)
		rc = call(run, PHASE_VALIDATE, validate);
	if (rc == 0)
		rc = make_room(run, mutate, validate);
	if (rc == 0) {
		const struct json *after = run->object;
		run->object = before;
		add_findings(run, mutate);
		add_advice(run, mutate);
		run->object = after;
		add_findings(run, validate);
		add_advice(run, validate);
		add_warnings(run, mutate);
		add_warnings(run, validate);
		add_bindings(run, mutate);
	}
	json_free(admitted);
	return rc;
}

int review_run(struct arena *arena, const struct review_settings *settings, const struct manifest *manifest,
	       struct review_result *out, struct error *err)
{
	struct run run = {.arena = arena, .settings = settings, .result = out, .err = err};
	struct decision mutate = {0}, validate = {0};
	*out = (struct review_result){0};
	identify(&run, manifest);
	run.object = manifest->object;
	int rc = run_calls(&run, &mutate, &validate);
	out->allowed = rc == 0 && mutate.allowed && validate.allowed;
	out->skipped = mutate.skipped;
	if (!out->allowed)
		out->patch = (struct str){NULL, 0};
	decision_free(&mutate);
	decision_free(&validate);
	return rc == 0 && arena->failed ? error_nomem(err) : rc;
}

int review_admitted(const struct review_result *result, struct json **out, struct error *err)
{
	struct json *object = json_copy(result->manifest->object), *patch = NULL;
	if (object == NULL)
		return error_nomem(err);
	int rc = result->patch.n > 0 ? json_parse(result->patch, &patch, err) : 0;
	if (rc == 0 && patch != NULL)
		rc = json_patch_apply(&object, patch, err);
	json_free(patch);
	if (rc != 0)
		json_free(object);
	else
		*out = object;
	return rc;
}
