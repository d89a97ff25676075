/*
 * The status annotation: what connhook injected into a workload. It is what makes a mutation a reconciliation: what
 * stands here is connhook's to take away again, everything else is the owner's.
 *
 *   {"v":1,"config":"<fingerprint>","bindings":["db"],
 *    "injected":[{"containers":["app"],"envFrom":[...],"env":[...],"was":{"envFrom":[]}}],
 *    "migration":"run-migrations","imagePullSecrets":[...],"reloader":"...","was":{"initContainers":[]}}
 *
 * Entries stand as Kubernetes writes them. Containers that got the same share one element. "was" holds lists that
 * were there before, empty or null, so that taking the entries away gives back exactly that.
 */
#ifndef POLICY_STATUS_H
#define POLICY_STATUS_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/json.h"

/* One container of `injected`. */
struct status_container {
	struct str name;
	const struct json *record; /* the element with its envFrom, env and was */
};

/* A status that was read. All absent or empty when there is none. */
struct status {
	bool present;
	struct str fingerprint;
	const struct status_container *containers; /* sorted by name */
	size_t container_count;
	const struct json *pull_secrets; /* array, or NULL */
	struct str migration;            /* name of the init container; absent */
	struct str reloader;             /* absent */
	const struct json *was;          /* object, or NULL */
};

/*
 * Reads the annotation's text; an absent text gives an empty status. False, and *out is empty, when it is no status
 * of a version that connhook knows.
 */
bool status_read(struct arena *arena, struct str text, struct status *out);

/* Does it say that anything was injected? */
bool status_claims(const struct status *status);

/* What was injected into a container; NULL for nothing. */
const struct json *status_record(const struct status *status, struct str container);

/* What stood under the key before, as `was` of the status or of a record has it: an empty list or null; else NULL. */
const struct json *status_was(const struct json *was, const char *key);

#endif
