/* A workload's annotations (SPEC section 2): what its owner asks connhook for. */
#ifndef POLICY_PLAN_ANNOTATIONS_H
#define POLICY_PLAN_ANNOTATIONS_H

#include "kube/workload.h"
#include "policy/config/binding.h"
#include "policy/config/config.h"
#include "policy/verdict/violation.h"

/* An amount of a resource for the migration: a request, or a limit. */
struct wish_amount {
	bool limit;
	struct str name, amount;
};

/* What a workload asks for. `problems` says what is wrong with it; the rest is then incomplete. */
struct wishes {
	bool opted_out;          /* inject: "false" */
	bool bindings_annotated; /* the bindings are the owner's, not the configuration's defaults */
	struct bound_list bindings;
	struct str app;
	bool app_annotated;      /* the owner has named the service */
	struct names containers; /* names or globs; none: all but the excluded ones */
	struct str containers_field;
	bool migrate;
	struct names command;      /* of the migration: argv */
	struct str migrate_image;  /* absent: the image of the container it is modelled on */
	struct str migrate_from;   /* absent: the first injected container */
	struct str migrate_from_field;
	struct str migrate_field;
	bool migrate_first;
	const struct wish_amount *resources; /* of the migration, beside the configuration's */
	size_t resource_count;
	struct str resources_field;
	struct violations problems, warnings;
};

/* Reads the annotations of `workload` in `namespace`. Memory is the arena. */
void annotations_read(struct arena *arena, const struct config *config, const struct workload *workload,
		      struct str namespace, struct wishes *out);

/* The part of an annotation's key behind connhook's prefix and its slash; absent when it is somebody else's. */
struct str annotation_name(const struct config *config, struct str key);

/* Is that the name of an annotation that an owner writes? */
bool annotation_is_wish(struct str name);

/* Does the metadata carry the record of an injection? */
bool annotations_recorded(const struct config *config, const struct json *metadata);

/* The field of the annotation for bindings or for a migration; absent for none, and beside a record of an injection. */
struct str annotations_ask(struct arena *arena, const struct config *config, const struct workload *workload);

/*
 * Do two states of one workload ask for the same: the same annotations that connhook reads or writes, the same
 * service name, the same defaults?
 */
bool annotations_same(struct arena *arena, const struct config *config, const struct workload *a,
		      const struct workload *b, struct str namespace);

/*
 * The service's name as the object gives it without an annotation: its label app.kubernetes.io/name, else its name. A
 * ReplicaSet that a Deployment has made goes by the Deployment's. Empty when it has none.
 */
struct str annotations_app(struct arena *arena, const struct workload *workload);

/*
 * Does the annotation say whether Reloader (github.com/stakater/Reloader) watches Secrets, or which? What only says how
 * it rolls out, or what it writes itself, does not.
 */
bool annotation_is_reloader(struct str key);

/* Field path of an annotation of the workload: metadata.annotations[PREFIX/NAME]. */
struct str annotation_field(struct arena *arena, const struct config *config, const char *name);

#endif
