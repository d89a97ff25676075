#include "kube/workload.h"

#include <stdarg.h>
#include <stdio.h>

#define TEMPLATE "/spec/template", "spec.template", NULL

const struct workload_kind workload_kinds[] = {
	{"apps", "Deployment", "deployments", {"v1"}, TEMPLATE, false, false},
	{"apps", "StatefulSet", "statefulsets", {"v1"}, TEMPLATE, false, false},
	{"apps", "DaemonSet", "daemonsets", {"v1"}, TEMPLATE, false, false},
	{"apps", "ReplicaSet", "replicasets", {"v1"}, TEMPLATE, false, false},
	{"batch", "Job", "jobs", {"v1"}, TEMPLATE, true, false},
	{"batch", "CronJob", "cronjobs", {"v1", "v1beta1"}, "/spec/jobTemplate/spec/template",
	 "spec.jobTemplate.spec.template", "spec.jobTemplate", false, false},
	{"argoproj.io", "Rollout", "rollouts", {"v1alpha1"}, TEMPLATE, false, false},
	/* KEDA makes Jobs of it, under its own name: what it may be asked for is judged here. */
	{"keda.sh", "ScaledJob", "scaledjobs", {"v1alpha1"}, "/spec/jobTargetRef/template", "spec.jobTargetRef.template",
	 NULL, false, true},
};

const size_t workload_kind_count = sizeof workload_kinds / sizeof workload_kinds[0];

const struct workload_kind *workload_find(struct str group, struct str kind)
{
	for (size_t i = 0; i < workload_kind_count; i++)
		if (str_eqz(group, workload_kinds[i].group) && str_eqz(kind, workload_kinds[i].kind))
			return &workload_kinds[i];
	return NULL;
}

/* Says what stands at the field (printf form) instead of something of the kind wanted. Returns false. */
static bool fail(struct workload_fault *fault, enum json_kind found, enum json_kind wanted, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool fail(struct workload_fault *fault, enum json_kind found, enum json_kind wanted, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (vsnprintf(fault->field, sizeof fault->field, format, args) < 0)
		fault->field[0] = '\0';
	va_end(args);
	fault->found = found;
	fault->wanted = wanted;
	return false;
}

/* The member `key` of the part at `field` + `below`, of the kind wanted; null and absent both give NULL. */
static bool member(const struct json *parent, const char *field, const char *below, const char *key,
		   enum json_kind wanted, const struct json **out, struct workload_fault *fault)
{
	const struct json *v = json_getz(parent, key);
	enum json_kind kind = json_kind(v);
	if (kind != JSON_ABSENT && kind != JSON_NULL && kind != wanted)
		return fail(fault, kind, wanted, "%s%s%s%s", field, below, *field ? "." : "", key);
	*out = kind == wanted ? v : NULL;
	return true;
}

/* A container's name is a string, and the lists that connhook reads or extends are lists of objects. */
static bool check_container(const struct json *container, const char *field, const char *list, size_t index,
			    struct workload_fault *fault)
{
	static const char *const lists[] = {"env", "envFrom", "volumeMounts"};
	if (json_kind(container) != JSON_OBJECT)
		return fail(fault, json_kind(container), JSON_OBJECT, "%s.spec.%s[%zu]", field, list, index);
	enum json_kind name = json_kind(json_getz(container, "name"));
	if (name != JSON_ABSENT && name != JSON_NULL && name != JSON_STRING)
		return fail(fault, name, JSON_STRING, "%s.spec.%s[%zu].name", field, list, index);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const struct json *v = json_getz(container, lists[i]);
		enum json_kind kind = json_kind(v);
		if (kind != JSON_ABSENT && kind != JSON_NULL && kind != JSON_ARRAY)
			return fail(fault, kind, JSON_ARRAY, "%s.spec.%s[%zu].%s", field, list, index, lists[i]);
		size_t at = 0;
		for (const struct json *e = json_first(v); e != NULL; e = json_next(e), at++)
			if (json_kind(e) != JSON_OBJECT)
				return fail(fault, json_kind(e), JSON_OBJECT, "%s.spec.%s[%zu].%s[%zu]", field, list, index,
					    lists[i], at);
	}
	return true;
}

static bool containers_open(const struct json *pod_spec, const char *field, const char *list, const struct json **out,
			    struct workload_fault *fault)
{
	if (!member(pod_spec, field, ".spec", list, JSON_ARRAY, out, fault))
		return false;
	size_t index = 0;
	for (const struct json *c = json_first(*out); c != NULL; c = json_next(c), index++)
		if (!check_container(c, field, list, index, fault))
			return false;
	return true;
}

/* Walks to the pod template; every step is an object or absent. */
static bool template_open(struct workload *w, struct workload_fault *fault)
{
	struct str rest = str_from(str_of(w->kind->template_field), 0), key;
	const struct json *at = w->object;
	while (at != NULL && str_split(&rest, '.', &key)) {
		const struct json *v = json_get(at, key);
		enum json_kind kind = json_kind(v);
		if (kind != JSON_OBJECT && kind != JSON_ABSENT && kind != JSON_NULL)
			return fail(fault, kind, JSON_OBJECT, "%.*s", (int)(key.p + key.n - w->kind->template_field),
				    w->kind->template_field);
		at = kind == JSON_OBJECT ? v : NULL;
	}
	w->template = at;
	return true;
}

bool workload_open(const struct workload_kind *kind, const struct json *object, struct workload *out,
		   struct workload_fault *fault)
{
	struct workload w = {.kind = kind, .object = object};
	const char *field = kind->template_field;
	const struct json *ignored;
	if (!member(object, "", "", "metadata", JSON_OBJECT, &w.metadata, fault))
		return false;
	if (w.metadata == NULL)
		return fail(fault, json_kind(json_getz(object, "metadata")), JSON_OBJECT, "metadata");
	const struct json *job = kind->job_template_field != NULL ? json_path(object, "spec", "jobTemplate", NULL) : NULL;
	if (!template_open(&w, fault) ||
	    (job != NULL && !member(job, kind->job_template_field, "", "metadata", JSON_OBJECT, &w.job_metadata, fault)) ||
	    !member(w.template, field, "", "metadata", JSON_OBJECT, &w.template_metadata, fault) ||
	    !member(w.template, field, "", "spec", JSON_OBJECT, &w.pod_spec, fault) ||
	    !containers_open(w.pod_spec, field, "containers", &w.containers, fault) ||
	    !containers_open(w.pod_spec, field, "initContainers", &w.init_containers, fault) ||
	    !member(w.pod_spec, field, ".spec", "imagePullSecrets", JSON_ARRAY, &ignored, fault) ||
	    !member(w.metadata, "metadata", "", "annotations", JSON_OBJECT, &ignored, fault) ||
	    !member(w.metadata, "metadata", "", "labels", JSON_OBJECT, &ignored, fault) ||
	    !member(w.template_metadata, field, ".metadata", "annotations", JSON_OBJECT, &ignored, fault))
		return false;
	*out = w;
	return true;
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
