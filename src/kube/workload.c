#include "kube/workload.h"

#define TEMPLATE "/spec/template", "spec.template", NULL

const struct workload_kind workload_kinds[] = {
	{"apps", "Deployment", "deployments", {"v1"}, TEMPLATE, false},
	{"apps", "StatefulSet", "statefulsets", {"v1"}, TEMPLATE, false},
	{"apps", "DaemonSet", "daemonsets", {"v1"}, TEMPLATE, false},
	{"apps", "ReplicaSet", "replicasets", {"v1"}, TEMPLATE, false},
	{"batch", "Job", "jobs", {"v1"}, TEMPLATE, true},
	{"batch", "CronJob", "cronjobs", {"v1", "v1beta1"}, "/spec/jobTemplate/spec/template",
	 "spec.jobTemplate.spec.template", "spec.jobTemplate", false},
	{"argoproj.io", "Rollout", "rollouts", {"v1alpha1"}, TEMPLATE, false},
};

const size_t workload_kind_count = sizeof workload_kinds / sizeof workload_kinds[0];

const struct workload_kind *workload_find(struct str group, struct str kind)
{
	for (size_t i = 0; i < workload_kind_count; i++)
		if (str_eqz(group, workload_kinds[i].group) && str_eqz(kind, workload_kinds[i].kind))
			return &workload_kinds[i];
	return NULL;
}

/* The member `key` of the part at `field` + `below`, of the kind wanted; null and absent both give NULL. */
static int member(const struct json *parent, const char *field, const char *below, const char *key,
		  enum json_kind wanted, const struct json **out, struct error *err)
{
	const struct json *v = json_getz(parent, key);
	enum json_kind kind = json_kind(v);
	if (kind == JSON_ABSENT || kind == JSON_NULL) {
		*out = NULL;
		return 0;
	}
	if (kind != wanted)
		return error_set(err, ERR_INVALID, "%s%s%s%s is %s; expected %s", field, below, *field ? "." : "", key,
				 json_kind_name(kind), json_kind_name(wanted));
	*out = v;
	return 0;
}

/* The lists of a container that connhook reads or extends are lists of objects. */
static int check_container(const struct json *container, const char *field, const char *list, size_t index,
			   struct error *err)
{
	static const char *const lists[] = {"env", "envFrom", "volumeMounts"};
	if (json_kind(container) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "%s.spec.%s[%zu] is %s; expected an object", field, list, index,
				 json_kind_name(json_kind(container)));
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const struct json *v = json_getz(container, lists[i]);
		enum json_kind kind = json_kind(v);
		if (kind != JSON_ABSENT && kind != JSON_NULL && kind != JSON_ARRAY)
			return error_set(err, ERR_INVALID, "%s.spec.%s[%zu].%s is %s; expected an array", field, list, index,
					 lists[i], json_kind_name(kind));
		size_t at = 0;
		for (const struct json *e = json_first(v); e != NULL; e = json_next(e), at++)
			if (json_kind(e) != JSON_OBJECT)
				return error_set(err, ERR_INVALID, "%s.spec.%s[%zu].%s[%zu] is %s; expected an object", field,
						 list, index, lists[i], at, json_kind_name(json_kind(e)));
	}
	return 0;
}

static int containers_open(const struct json *pod_spec, const char *field, const char *list, const struct json **out,
			   struct error *err)
{
	int rc = member(pod_spec, field, ".spec", list, JSON_ARRAY, out, err);
	if (rc != 0)
		return rc;
	size_t index = 0;
	for (const struct json *c = json_first(*out); c != NULL && rc == 0; c = json_next(c), index++)
		rc = check_container(c, field, list, index, err);
	return rc;
}

/* Walks to the pod template; every step is an object or absent. */
static int template_open(struct workload *w, struct error *err)
{
	struct str rest = str_from(str_of(w->kind->template_field), 0), key;
	const struct json *at = w->object;
	while (at != NULL && str_split(&rest, '.', &key)) {
		const struct json *v = json_get(at, key);
		enum json_kind kind = json_kind(v);
		if (kind != JSON_OBJECT && kind != JSON_ABSENT && kind != JSON_NULL)
			return error_set(err, ERR_INVALID, "%.*s is %s; expected an object",
					 (int)(key.p + key.n - w->kind->template_field), w->kind->template_field,
					 json_kind_name(kind));
		at = kind == JSON_OBJECT ? v : NULL;
	}
	w->template = at;
	return 0;
}

int workload_open(const struct workload_kind *kind, const struct json *object, struct workload *out, struct error *err)
{
	struct workload w = {.kind = kind, .object = object};
	const char *field = kind->template_field;
	int rc = member(object, "", "", "metadata", JSON_OBJECT, &w.metadata, err);
	if (rc == 0 && w.metadata == NULL)
		rc = error_set(err, ERR_INVALID, "metadata is missing; expected an object with a name");
	if (rc == 0)
		rc = template_open(&w, err);
	if (rc == 0)
		rc = member(w.template, field, "", "metadata", JSON_OBJECT, &w.template_metadata, err);
	if (rc == 0)
		rc = member(w.template, field, "", "spec", JSON_OBJECT, &w.pod_spec, err);
	if (rc == 0)
		rc = containers_open(w.pod_spec, field, "containers", &w.containers, err);
	if (rc == 0)
		rc = containers_open(w.pod_spec, field, "initContainers", &w.init_containers, err);
	const struct json *pull_secrets;
	if (rc == 0)
		rc = member(w.pod_spec, field, ".spec", "imagePullSecrets", JSON_ARRAY, &pull_secrets, err);
	const struct json *annotations;
	if (rc == 0)
		rc = member(w.metadata, "metadata", "", "annotations", JSON_OBJECT, &annotations, err);
	if (rc == 0)
		rc = member(w.template_metadata, field, ".metadata", "annotations", JSON_OBJECT, &annotations, err);
	if (rc == 0)
		*out = w;
	return rc;
}

struct str container_name(const struct json *container)
{
	struct str name = json_string(json_getz(container, "name"));
	return name.p ? name : STR("");
}

const struct json *container_find(const struct json *containers, struct str name, size_t *index)
{
	size_t at = 0;
	for (const struct json *c = json_first(containers); c != NULL; c = json_next(c), at++) {
		if (!str_eq(container_name(c), name))
			continue;
		if (index != NULL)
			*index = at;
		return c;
	}
	return NULL;
}
