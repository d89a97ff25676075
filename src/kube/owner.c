#include "kube/owner.h"

/* KEDA's ScaledJob makes Jobs; everything else that makes Jobs (workflows, operators) was not judged before. */
const struct owner_kind owner_kinds[] = {
	{"apps", "ReplicaSet", "apps", "Deployment"},
	{"apps", "ReplicaSet", "argoproj.io", "Rollout"},
	{"batch", "Job", "batch", "CronJob"},
	{"batch", "Job", "keda.sh", "ScaledJob"},
};

const size_t owner_kind_count = sizeof owner_kinds / sizeof owner_kinds[0];

/*
 * With --use-service-account-credentials, each of the controller manager's controllers has an account of its own
 * (kubernetes.io/docs/reference/access-authn-authz/rbac, "Controller roles"); without, all ask as the manager.
 */
const struct str owner_controllers[] = {
	STR_INIT("system:kube-controller-manager"),
	STR_INIT("system:serviceaccount:kube-system:deployment-controller"),
	STR_INIT("system:serviceaccount:kube-system:replicaset-controller"),
	STR_INIT("system:serviceaccount:kube-system:statefulset-controller"),
	STR_INIT("system:serviceaccount:kube-system:daemon-set-controller"),
	STR_INIT("system:serviceaccount:kube-system:cronjob-controller"),
	STR_INIT("system:serviceaccount:kube-system:job-controller"),
	STR_INIT("system:serviceaccount:kube-system:ttl-after-finished-controller"),
	STR_INIT("system:serviceaccount:kube-system:generic-garbage-collector"),
	STR_INIT("system:serviceaccount:kube-system:namespace-controller"),
};

const size_t owner_controller_count = sizeof owner_controllers / sizeof owner_controllers[0];

/* Does the reference name an owner of the kind? The group stands before the slash of its apiVersion. */
static bool is_of_kind(const struct json *reference, const struct owner_kind *row)
{
	struct str version = json_string(json_getz(reference, "apiVersion"));
	struct str group = {version.p, str_find(version, '/')};
	return group.n < version.n && str_eqz(group, row->owner_group) &&
	       str_eqz(json_string(json_getz(reference, "kind")), row->owner_kind);
}

bool owner_controls(struct str group, struct str kind, const struct json *metadata)
{
	const struct json *references = json_getz(metadata, "ownerReferences");
	for (const struct json *o = json_first(references); o != NULL; o = json_next(o)) {
		if (!json_is_true(json_getz(o, "controller")))
			continue;
		for (size_t i = 0; i < owner_kind_count; i++)
			if (str_eqz(group, owner_kinds[i].group) && str_eqz(kind, owner_kinds[i].kind) &&
			    is_of_kind(o, &owner_kinds[i]))
				return true;
	}
	return false;
}

bool owner_is_controller(struct str user)
{
	for (size_t i = 0; i < owner_controller_count; i++)
		if (str_eq(user, owner_controllers[i]))
			return true;
	return false;
}
