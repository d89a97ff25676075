#include "kube/review.h"

#include "codec/base64.h"
#include "codec/json_scan.h"
#include "codec/json_writer.h"

/* What an error says of a value. */
static struct quote found(const struct json *v)
{
	static const struct quote missing = {"missing"};
	return json_kind(v) == JSON_ABSENT ? missing : json_quote(v);
}

static int expect_text(const struct json *parent, const char *key, const char *wanted, struct error *err)
{
	const struct json *v = json_getz(parent, key);
	if (str_eqz(json_string(v), wanted))
		return 0;
	return error_set(err, ERR_INVALID, "%s is %s; expected \"%s\"", key, found(v).text, wanted);
}

/* The member of `parent` that ends the path, of the kind wanted; NULL when it is absent or null. */
static int member(const struct json *parent, const char *path, enum json_kind wanted, const struct json **out,
		  struct error *err)
{
	struct str whole = str_of(path);
	const struct json *v = json_get(parent, str_from(whole, str_rfind(whole, '.') + 1));
	enum json_kind kind = json_kind(v);
	if (kind != JSON_ABSENT && kind != JSON_NULL && kind != wanted)
		return error_set(err, ERR_INVALID, "%s is %s; expected %s or null", path, json_kind_name(kind),
				 json_kind_name(wanted));
	*out = kind == wanted ? v : NULL;
	return 0;
}

/* The names in the request; one that is absent or null is empty. */
static int read_names(const struct json *request, struct review_request *r, struct error *err)
{
	const struct json *kind, *resource, *user;
	int rc = member(request, "request.kind", JSON_OBJECT, &kind, err);
	if (rc == 0)
		rc = member(request, "request.resource", JSON_OBJECT, &resource, err);
	if (rc == 0)
		rc = member(request, "request.userInfo", JSON_OBJECT, &user, err);
	if (rc == 0)
		rc = member(user, "request.userInfo.groups", JSON_ARRAY, &r->groups, err);
	if (rc != 0)
		return rc;
	const struct {
		const struct json *parent;
		const char *path;
		struct str *out;
	} names[] = {
		{request, "request.operation", &r->operation},  {kind, "request.kind.group", &r->group},
		{kind, "request.kind.version", &r->version},    {kind, "request.kind.kind", &r->kind},
		{resource, "request.resource.resource", &r->resource}, {request, "request.subResource", &r->sub_resource},
		{request, "request.name", &r->name},            {request, "request.namespace", &r->namespace},
		{user, "request.userInfo.username", &r->user},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0] && rc == 0; i++) {
		const struct json *v;
		rc = member(names[i].parent, names[i].path, JSON_STRING, &v, err);
		if (rc == 0)
			*names[i].out = v != NULL ? json_string(v) : STR("");
	}
	size_t index = 0;
	for (const struct json *g = json_first(r->groups); g != NULL && rc == 0; g = json_next(g), index++)
		if (json_kind(g) != JSON_STRING)
			rc = error_set(err, ERR_INVALID, "request.userInfo.groups[%zu] is %s; expected a string", index,
				       json_kind_name(json_kind(g)));
	return rc;
}

static int check_operation(const struct json *request, const struct review_request *r, struct error *err)
{
	static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT"};
	bool known = false;
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
		known = known || str_eqz(r->operation, operations[i]);
	if (!known)
		return error_set(err, ERR_INVALID, "request.operation is %s; expected CREATE, UPDATE, DELETE or CONNECT",
				 found(json_getz(request, "operation")).text);
	bool writes = str_eqz(r->operation, "CREATE") || str_eqz(r->operation, "UPDATE");
	if (writes && r->object == NULL && !r->too_large)
		return error_set(err, ERR_INVALID, "request.object is %s; %.*s carries the object",
				 found(json_getz(request, "object")).text, STR_ARG(r->operation));
	return 0;
}

/* The body with null for the two objects. */
static struct str without_objects(struct arena *arena, struct str body, const struct json_cut *cut)
{
	struct str first = cut->found[0], second = cut->found[1];
	struct buf text;
	buf_init_in(&text, body.n + 2 * sizeof "null", arena);
	if (first.p == NULL || (second.p != NULL && second.p < first.p)) {
		first = cut->found[1];
		second = cut->found[0];
	}
	const char *at = body.p;
	for (size_t i = 0; i < 2; i++, first = second) {
		if (first.p == NULL || first.p < at)
			continue;
		buf_add(&text, (struct str){at, (size_t)(first.p - at)});
		buf_addz(&text, "null");
		at = first.p + first.n;
	}
	buf_add(&text, str_from(body, (size_t)(at - body.p)));
	return buf_move(&text, arena);
}

/*
 * Parses the body. Where that is more than the budget has, or too late, *too_large: who asks for what can still be
 * told, and the objects are left out. Nothing of them has been kept when that turns out, so for this the memory begins
 * anew, and what is left of the body, which no tenant writes, is read whatever the time is.
 */
static int parse(struct arena *arena, struct str body, const struct json **root, bool *too_large, struct error *err)
{
	struct budget *budget = arena->budget;
	size_t held = budget != NULL ? budget->memory : 0;
	*too_large = false;
	int rc = json_parse_in(arena, body, root, err);
	if (rc == 0 || budget == NULL || budget->over == BUDGET_KEPT)
		return rc;
	struct json_cut cut = {.outer = "request", .names = {"object", "oldObject"}};
	rc = json_scan_cut(body, &cut, err);
	if (rc != 0)
		return rc;
	const struct budget whole = *budget;
	*budget = (struct budget){.memory_limit = whole.memory_limit, .memory = held};
	arena->failed = false;
	struct str rest = without_objects(arena, body, &cut);
	rc = rest.p != NULL ? json_parse_in(arena, rest, root, err) : error_nomem(err);
	*too_large = true;
	const struct budget rests = *budget;
	*budget = whole;
	budget->over = rc == 0 ? whole.over : rests.over;
	budget->memory = rests.memory;
	budget->work += rests.work;
	return rc;
}

int review_parse(struct arena *arena, struct str body, struct review_request *out, struct error *err)
{
	const struct json *root;
	bool too_large;
	int rc = parse(arena, body, &root, &too_large, err);
	if (rc != 0)
		return rc;
	if (json_kind(root) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "the body is %s; expected an AdmissionReview object",
				 json_kind_name(json_kind(root)));
	rc = expect_text(root, "kind", "AdmissionReview", err);
	if (rc == 0)
		rc = expect_text(root, "apiVersion", "admission.k8s.io/v1", err);
	if (rc != 0)
		return rc;
	const struct json *request = json_getz(root, "request");
	if (json_kind(request) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "request is %s; expected the object that the API server sends",
				 found(request).text);
	struct review_request r = {.uid_value = json_getz(request, "uid"), .too_large = too_large};
	r.uid = json_string(r.uid_value);
	if (r.uid.n == 0)
		return error_set(err, ERR_INVALID, "request.uid is %s; expected the string that the answer repeats",
				 found(r.uid_value).text);
	const struct json *dry_run = NULL;
	rc = read_names(request, &r, err);
	if (rc == 0 && r.kind.n == 0)
		rc = error_set(err, ERR_INVALID, "request.kind.kind is missing or empty; expected the object's kind");
	if (rc == 0)
		rc = member(request, "request.dryRun", JSON_BOOL, &dry_run, err);
	if (rc == 0)
		rc = member(request, "request.object", JSON_OBJECT, &r.object, err);
	if (rc == 0)
		rc = member(request, "request.oldObject", JSON_OBJECT, &r.old_object, err);
	r.dry_run = json_is_true(dry_run);
	if (!str_eqz(r.operation, "UPDATE"))
		r.old_object = NULL;
	if (rc == 0)
		rc = check_operation(request, &r, err);
	if (rc == 0 && arena->failed)
		rc = error_nomem(err);
	if (rc == 0)
		*out = r;
	return rc;
}

/* What the API server calls the code (metav1.StatusReason). */
static const char *reason_of(int code)
{
	return code == 403 ? "Forbidden" : code == 503 ? "ServiceUnavailable" : "Invalid";
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
