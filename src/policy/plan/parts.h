/*
 * What the stages of plan_make hand on to one another. Nobody outside this folder includes this. The stages, each using
 * only what those before it have filled:
 *
 *   read   the scene: record, declarations, what the annotations want
 *   want   for each container the targets of its lists; the migration's container
 *   write  the differences as a patch, the new record, the annotations of the workload
 */
#ifndef POLICY_PLAN_PARTS_H
#define POLICY_PLAN_PARTS_H

#include "policy/plan/list.h"
#include "policy/plan/plan.h"
#include "policy/plan/want.h"

/* What stands there, and what is asked for: filled by read, then only read; `patch`, `out` and `error` collect. */
struct scene {
	struct arena *arena;
	const struct config *config;
	const struct workload *workload, *old; /* `old`: the object before an UPDATE; or NULL */
	struct str pod_pointer, pod_field;     /* of the pod spec */
	struct wishes wishes;
	struct wishes before; /* of the old object, where that has a record, or a migration is asked for */
	struct record record, old_record;
	struct declared declared, old_declared;
	bool applied_anew; /* this request is a server-side apply, as far as the old declarations tell */
	struct want want;
	bool *reads_secret;  /* by index of the binding: a container has got an entry that reads its Secret */
	struct patch *patch;
	struct plan *out;
	int error;           /* ERR_LIMIT: a result is too large; ERR_NOMEM */
};

/* What one container gets. */
struct container_plan {
	struct str name, pointer, field;
	struct list env_from, env;
	struct target *env_from_targets, *env_targets;
	size_t env_from_count, env_count; /* of the targets */
	const struct json **env_from_result, **env_result; /* the lists as they will be */
	size_t env_from_result_count, env_result_count;
	struct str members; /* for the record; empty when nothing is injected */
};

/*
 * Plans container `index`, whose part of the record is `recorded` (NULL for none), and adds its operations. `selected`:
 * it gets the bindings. `was` is the container of that name before an UPDATE; or NULL. False when memory is out.
 */
bool container_plan(struct scene *s, const struct json *container, size_t index, bool selected,
		    struct record_group *recorded, const struct json *was, struct container_plan *out);

/* Adds a finding for each pair of sources that give the same variables to a container. */
void plan_collisions(struct scene *s, const struct container_plan *c);

/*
 * Plans the migration's container: modelled on `model`, which gets `result`; NULL when none is to be there. *record is
 * its part of the new record, absent for none. False when memory is out.
 */
bool migration_plan(struct scene *s, const struct json *model, const struct container_plan *result, struct str *record);

/*
 * The init container that connhook injected, by the record and by its form, with its place in *at (may be NULL); NULL
 * when there is none.
 */
const struct json *migration_find(const struct scene *s, size_t *at);

/* The resources of the migration's container, an object; NULL for none, or when memory is out (s->error says so). */
const struct json *migration_resources(struct scene *s, const struct json *model);

/* Writes the record, the annotation for Reloader and the status. False when memory is out. */
bool traces_plan(struct scene *s, struct record_new *record);

/* Removes the record. */
void traces_forget(struct scene *s);

/*
 * Ends a buffer: its text, copied into the arena, or absent with s->error set. plan_parse gives the tree of its text,
 * NULL likewise.
 */
struct str plan_keep(struct scene *s, struct buf *text);
const struct json *plan_parse(struct scene *s, struct buf *text);

#endif
