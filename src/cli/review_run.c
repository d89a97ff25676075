#include "cli/review_run.h"

#include "base/limits.h"
#include "codec/json_patch.h"
#include "codec/json_writer.h"

#include <stdlib.h>

/* The uid of the review that is made up here. */
#define UID "00000000-0000-0000-0000-000000000000"

static struct str group_of(struct str api_version)
{
	size_t slash = str_find(api_version, '/');
	return slash < api_version.n ? (struct str){api_version.p, slash} : STR("");
}

static struct str version_of(struct str api_version)
{
	size_t slash = str_find(api_version, '/');
	return slash < api_version.n ? str_from(api_version, slash + 1) : api_version;
}

/* The AdmissionReview that an API server would send for a creation. */
static void write_review(struct buf *out, const struct review_settings *settings, const struct review_result *r,
			 const struct json *object)
{
	struct str api_version = json_string(json_getz(object, "apiVersion"));
	struct json_writer w = {.out = out};
	jw_object(&w);
	jw_memberz(&w, "kind", "AdmissionReview");
	jw_memberz(&w, "apiVersion", "admission.k8s.io/v1");
	jw_key(&w, "request");
	jw_object(&w);
	jw_memberz(&w, "uid", UID);
	jw_key(&w, "kind");
	jw_object(&w);
	jw_member(&w, "group", group_of(api_version));
	jw_member(&w, "version", version_of(api_version));
	jw_member(&w, "kind", r->kind);
	jw_object_end(&w);
	jw_member(&w, "name", r->name);
	jw_member(&w, "namespace", r->namespace);
	jw_memberz(&w, "operation", "CREATE");
	jw_key(&w, "userInfo");
	jw_object(&w);
	jw_member(&w, "username", settings->user);
	jw_object_end(&w);
	jw_key(&w, "object");
	jw_value(&w, object);
	jw_key(&w, "oldObject");
	jw_raw(&w, STR("null"));
	jw_key(&w, "dryRun");
	jw_bool(&w, true);
	jw_object_end(&w);
	jw_object_end(&w);
}

static int call(const struct review_settings *settings, const struct review_result *r, enum phase phase,
		struct decision *out, struct error *err)
{
	struct buf body;
	buf_init(&body, LIMIT_RESPONSE);
	write_review(&body, settings, r, r->admitted);
	int rc = body.error == ERR_LIMIT ? error_set(err, ERR_LIMIT, "the object is too large for a review") : body.error;
	if (rc == 0)
		decide(settings->config, phase, buf_str(&body), out);
	buf_free(&body);
	if (rc == 0 && out->http_status == 500)
		rc = ERR_NOMEM;
	if (rc == ERR_NOMEM)
		return error_nomem(err);
	if (rc == 0 && out->http_status != 200)
		rc = error_set(err, ERR_INVALID, "%.*s", STR_ARG(buf_str(&out->body)));
	return rc;
}

static bool finding_known(const struct review_result *r, const struct finding *f)
{
	for (size_t i = 0; i < r->finding_count; i++)
		if (r->findings[i].rule == f->rule && str_eq(r->findings[i].field, f->field) &&
		    str_eq(r->findings[i].message, f->message))
			return true;
	return false;
}

static bool warning_known(const struct review_result *r, struct str text)
{
	for (size_t i = 0; i < r->warning_count; i++)
		if (str_eq(r->warnings[i], text))
			return true;
	return false;
}

static void merge(struct review_result *r, const struct decision *d)
{
	for (size_t i = 0; i < d->finding_count; i++)
		if (!finding_known(r, &d->findings[i]))
			r->findings[r->finding_count++] = d->findings[i];
	for (size_t i = 0; i < d->warning_count; i++)
		if (!warning_known(r, d->warnings[i]))
			r->warnings[r->warning_count++] = d->warnings[i];
}

/* Applies the patch to the object, as the API server does between the two calls. */
static int apply(struct review_result *r, struct error *err)
{
	struct json *patch;
	int rc = json_parse(r->mutate.patch, &patch, err);
	if (rc != 0)
		return rc;
	rc = json_patch_apply(&r->admitted, patch, err);
	json_free(patch);
	return rc;
}

int review_run(const struct review_settings *settings, const struct manifest *manifest, struct review_result *out,
	       struct error *err)
{
	struct review_result *r = out;
	const struct json *metadata = json_getz(manifest->object, "metadata");
	r->manifest = manifest;
	r->kind = json_string(json_getz(manifest->object, "kind"));
	r->name = json_string(json_getz(metadata, json_getz(metadata, "name") ? "name" : "generateName"));
	r->namespace = json_string(json_getz(metadata, "namespace"));
	if (r->namespace.n == 0)
		r->namespace = settings->namespace;
	r->admitted = json_copy(manifest->object);
	if (r->admitted == NULL)
		return error_nomem(err);
	int rc = call(settings, r, PHASE_MUTATE, &r->mutate, err);
	if (rc == 0 && r->mutate.patched)
		rc = apply(r, err);
	if (rc == 0)
		rc = call(settings, r, PHASE_VALIDATE, &r->validate, err);
	if (rc != 0)
		return rc;
	r->allowed = r->mutate.allowed && r->validate.allowed;
	r->patched = r->mutate.patched;
	r->findings = calloc(r->mutate.finding_count + r->validate.finding_count + 1, sizeof *r->findings);
	r->warnings = calloc(r->mutate.warning_count + r->validate.warning_count + 1, sizeof *r->warnings);
	if (r->findings == NULL || r->warnings == NULL)
		return error_nomem(err);
	merge(r, &r->mutate);
	merge(r, &r->validate);
	return 0;
}

void review_result_free(struct review_result *r)
{
	json_free(r->admitted);
	decision_free(&r->mutate);
	decision_free(&r->validate);
	free(r->findings);
	free(r->warnings);
	*r = (struct review_result){0};
}
