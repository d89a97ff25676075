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
	bool only_judged;               /* nothing is injected */
};

/* All kinds, and how many. */
extern const struct workload_kind workload_kinds[];
extern const size_t workload_kind_count;

/* The row for a group and kind; NULL when that is no workload. */
const struct workload_kind *workload_find(struct str group, struct str kind);

/* A workload's parts; views into its tree. Absent parts are NULL. */
struct workload {
	const struct workload_kind *kind;
	const struct json *object, *metadata, *job_metadata, *template, *template_metadata, *pod_spec;
	const struct json *containers, *init_containers; /* arrays of objects, or NULL */
};

#define WORKLOAD_FIELD_MAX 160 /* the longest field path has 64 characters and two indexes */

/* A part that connhook reads and that has a type that Kubernetes would refuse: its field path, and the two types. */
struct workload_fault {
	char field[WORKLOAD_FIELD_MAX];
	enum json_kind found, wanted;
};

/*
 * Finds the parts of `object`. False when one of them is at fault, which is then *fault. A missing template is none.
 */
bool workload_open(const struct workload_kind *kind, const struct json *object, struct workload *out,
		   struct workload_fault *fault);

/* The value of a container's `name`; empty when it has none. */
struct str container_name(const struct json *container);

/* The container of that name in an array of containers, its index in *index (may be NULL); NULL when none has it. */
const struct json *container_find(const struct json *containers, struct str name, size_t *index);

#endif
