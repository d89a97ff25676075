#include "policy/decide/skip.h"

#include "kube/owner.h"

static bool is_deleting(const struct json *object)
{
	return !json_is_empty(json_path(object, "metadata", "deletionTimestamp", NULL));
}

/* What an object asks for is what it was: finalizers leave in such updates. A Secret has `data` and no `spec`. */
static bool asks_the_same(const struct json *object, const struct json *old)
{
	return json_equal(json_getz(object, "spec"), json_getz(old, "spec")) &&
	       json_equal(json_getz(object, "data"), json_getz(old, "data"));
}

const char *skip_request(const struct config *config, const struct review_request *request)
{
	const struct review_request *r = request;
	if (str_eqz(r->operation, "DELETE"))
		return "delete";
	if (str_eqz(r->operation, "CONNECT"))
		return "connect";
	if (r->sub_resource.n > 0)
		return "subresource";
	if (names_match(&config->exempt_namespaces, r->namespace))
		return "exempt-namespace";
	if (owner_is_controller(r->user) || names_match(&config->exempt_users, r->user))
		return "exempt-user";
	if (names_match_any(&config->exempt_groups, r->groups))
		return "exempt-group";
	if (r->old_object != NULL && is_deleting(r->object) && asks_the_same(r->object, r->old_object))
		return "deleting";
	return NULL;
}

const char *skip_injection(const struct review_request *request)
{
	if (is_deleting(request->object))
		return "deleting";
	/* The template came from another workload, which was injected. */
	if (owner_controls(request->group, request->kind, json_getz(request->object, "metadata")))
		return "owned";
	return NULL;
}
