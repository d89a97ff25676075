/* The workload kinds, and where each keeps its pod template. A new kind is one line in the table of workload.c. */
#ifndef KUBE_WORKLOAD_H
#define KUBE_WORKLOAD_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"

struct workload_kind {
	const char *group, *kind;
	const char *resource;           /* the plural, as rules of a webhook configuration name it */
	const char *versions[3];        /* that a webhook configuration registers; ends in NULL */
	const char *template_pointer;   /* JSON Pointer of the pod template */
	const char *template_field;     /* the same as Kubernetes writes field paths */
	const char *job_template_field; /* CronJob: the metadata between; else NULL */
	bool template_is_immutable;     /* on UPDATE */
};

/* All kinds, and how many. */
extern const struct workload_kind workload_kinds[];
extern const size_t workload_kind_count;

/* The row for a group and kind; NULL when that is no workload. */
const struct workload_kind *workload_find(struct str group, struct str kind);

/* A workload's parts; views into its tree. Absent parts are NULL. */
struct workload {
	const struct workload_kind *kind;
	const struct json *object, *metadata, *template, *template_metadata, *pod_spec;
	const struct json *containers, *init_containers; /* arrays of objects, or NULL */
};

/*
 * Finds the parts of `object`. ERR_INVALID: a part that connhook reads has a type that Kubernetes would refuse; the
 * sentence names the field, what was found and what was expected. A missing template is no error.
 */
int workload_open(const struct workload_kind *kind, const struct json *object, struct workload *out, struct error *err);

/* The value of a container's `name`; empty when it has none. */
struct str container_name(const struct json *container);

/* The container of that name in an array of containers, its index in *index (may be NULL); NULL when none has it. */
const struct json *container_find(const struct json *containers, struct str name, size_t *index);

#endif
