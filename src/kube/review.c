#include "kube/review.h"

#include "base/limits.h"
#include "codec/base64.h"
#include "codec/json_writer.h"

static struct str text_or_empty(const struct json *v)
{
	struct str s = json_string(v);
	return s.p ? s : STR("");
}

/* How an error repeats a value: a string in quotes, cut; anything else by its kind. */
static struct str found(struct arena *arena, const struct json *v)
{
	struct str s = json_string(v);
	if (s.p == NULL)
		return str_of(json_kind_name(json_kind(v)));
	return arena_fmt(arena, "\"%.*s\"", STR_ARG(str_utf8_cut(s, LIMIT_QUOTE)));
}

static int expect_text(struct arena *arena, const struct json *parent, const char *key, const char *wanted,
		       struct error *err)
{
	const struct json *v = json_getz(parent, key);
	if (str_eqz(json_string(v), wanted))
		return 0;
	struct str was = json_kind(v) == JSON_ABSENT ? STR("missing") : found(arena, v);
	return error_set(err, ERR_INVALID, "%s is %.*s; expected \"%s\"", key, STR_ARG(was), wanted);
}

/* An object or nothing. */
static int open_object(const struct json *request, const char *key, const struct json **out, struct error *err)
{
	const struct json *v = json_getz(request, key);
	enum json_kind kind = json_kind(v);
	if (kind != JSON_ABSENT && kind != JSON_NULL && kind != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "request.%s is %s; expected an object or null", key, json_kind_name(kind));
	*out = kind == JSON_OBJECT ? v : NULL;
	return 0;
}

static int check_operation(struct arena *arena, const struct json *request, const struct review_request *r,
			   struct error *err)
{
	static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT"};
	bool known = false;
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
		known = known || str_eqz(r->operation, operations[i]);
	if (!known) {
		struct str was = found(arena, json_getz(request, "operation"));
		return error_set(err, ERR_INVALID, "request.operation is %.*s; expected CREATE, UPDATE, DELETE or CONNECT",
				 STR_ARG(was));
	}
	bool writes = str_eqz(r->operation, "CREATE") || str_eqz(r->operation, "UPDATE");
	if (writes && r->object == NULL)
		return error_set(err, ERR_INVALID, "request.object is missing; %.*s carries the object", STR_ARG(r->operation));
	return 0;
}

int review_parse(struct arena *arena, struct str body, struct review_request *out, struct error *err)
{
	const struct json *root;
	int rc = json_parse_in(arena, body, &root, err);
	if (rc != 0)
		return rc;
	if (json_kind(root) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "the body is %s; expected an AdmissionReview object",
				 json_kind_name(json_kind(root)));
	rc = expect_text(arena, root, "kind", "AdmissionReview", err);
	if (rc == 0)
		rc = expect_text(arena, root, "apiVersion", "admission.k8s.io/v1", err);
	if (rc != 0)
		return rc;
	const struct json *request = json_getz(root, "request");
	if (json_kind(request) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "request is %s; expected the object that the API server sends",
				 json_kind(request) == JSON_ABSENT ? "missing" : json_kind_name(json_kind(request)));
	const struct json *uid = json_getz(request, "uid");
	if (json_string(uid).n == 0)
		return error_set(err, ERR_INVALID, "request.uid is %s; expected the string that the answer repeats",
				 json_kind(uid) == JSON_ABSENT   ? "missing"
				 : json_kind(uid) == JSON_STRING ? "empty"
								 : json_kind_name(json_kind(uid)));
	struct review_request r = {
		.uid = json_string(uid),
		.uid_value = uid,
		.operation = text_or_empty(json_getz(request, "operation")),
		.group = text_or_empty(json_path(request, "kind", "group", NULL)),
		.version = text_or_empty(json_path(request, "kind", "version", NULL)),
		.kind = text_or_empty(json_path(request, "kind", "kind", NULL)),
		.resource = text_or_empty(json_path(request, "resource", "resource", NULL)),
		.sub_resource = text_or_empty(json_getz(request, "subResource")),
		.name = text_or_empty(json_getz(request, "name")),
		.namespace = text_or_empty(json_getz(request, "namespace")),
		.groups = json_path(request, "userInfo", "groups", NULL),
		.user = text_or_empty(json_path(request, "userInfo", "username", NULL)),
		.dry_run = json_is_true(json_getz(request, "dryRun")),
	};
	if (r.kind.n == 0)
		return error_set(err, ERR_INVALID, "request.kind.kind is missing; expected the object's kind");
	rc = open_object(request, "object", &r.object, err);
	if (rc == 0)
		rc = open_object(request, "oldObject", &r.old_object, err);
	if (rc == 0)
		rc = check_operation(arena, request, &r, err);
	if (rc == 0 && arena->failed)
		rc = error_nomem(err);
	if (rc == 0)
		*out = r;
	return rc;
}

/* What the API server calls the code (metav1.StatusReason). */
static const char *reason_of(int code)
{
	return code == 403 ? "Forbidden" : "Invalid";
}

static void write_denial(struct json_writer *w, const struct review_request *request,
			 const struct review_response *response)
{
	jw_key(w, "status");
	jw_object(w);
	jw_memberz(w, "status", "Failure");
	jw_member(w, "message", response->message);
	jw_memberz(w, "reason", reason_of(response->code));
	jw_key(w, "details");
	jw_object(w);
	jw_member(w, "name", request->name);
	jw_member(w, "group", request->group);
	jw_member(w, "kind", request->kind);
	jw_key(w, "causes");
	jw_array(w);
	for (size_t i = 0; i < response->cause_count; i++) {
		jw_object(w);
		jw_memberz(w, "reason", "FieldValueInvalid");
		jw_member(w, "message", response->causes[i].message);
		jw_member(w, "field", response->causes[i].field);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
	jw_key(w, "code");
	jw_int(w, response->code);
	jw_object_end(w);
}

void review_write(struct buf *out, const struct review_request *request, const struct review_response *response)
{
	struct json_writer w = {.out = out};
	jw_object(&w);
	jw_memberz(&w, "kind", "AdmissionReview");
	jw_memberz(&w, "apiVersion", "admission.k8s.io/v1");
	jw_key(&w, "response");
	jw_object(&w);
	jw_key(&w, "uid");
	jw_value(&w, request->uid_value);
	jw_key(&w, "allowed");
	jw_bool(&w, response->allowed);
	if (!response->allowed)
		write_denial(&w, request, response);
	if (response->patch.n > 0) {
		jw_memberz(&w, "patchType", "JSONPatch");
		jw_key(&w, "patch");
		buf_addc(out, '"');
		base64_encode(out, response->patch);
		buf_addc(out, '"');
		w.comma = true;
	}
	if (response->audit_count > 0) {
		jw_key(&w, "auditAnnotations");
		jw_object(&w);
		for (size_t i = 0; i < response->audit_count; i++)
			jw_member(&w, response->audit[i].key, response->audit[i].value);
		jw_object_end(&w);
	}
	if (response->warning_count > 0) {
		jw_key(&w, "warnings");
		jw_array(&w);
		for (size_t i = 0; i < response->warning_count; i++)
			jw_string(&w, response->warnings[i]);
		jw_array_end(&w);
	}
	jw_object_end(&w);
	jw_object_end(&w);
}

void review_write_status(struct buf *out, int code, const char *reason, struct str message)
{
	struct json_writer w = {.out = out};
	jw_object(&w);
	jw_memberz(&w, "kind", "Status");
	jw_memberz(&w, "apiVersion", "v1");
	jw_key(&w, "metadata");
	jw_object(&w);
	jw_object_end(&w);
	jw_memberz(&w, "status", "Failure");
	jw_member(&w, "message", message);
	jw_memberz(&w, "reason", reason);
	jw_key(&w, "code");
	jw_int(&w, code);
	jw_object_end(&w);
}
