/* AdmissionReview, admission.k8s.io/v1: the request taken apart, the response put together. */
#ifndef KUBE_REVIEW_H
#define KUBE_REVIEW_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/json.h"

/* A request; views into the parsed body. Strings that are missing are empty, objects NULL. */
struct review_request {
	struct str uid, operation;
	const struct json *uid_value; /* the same, to be repeated exactly */
	struct str group, version, kind;
	struct str resource, sub_resource;
	struct str name, namespace;
	struct str user;
	const struct json *groups; /* the user's: an array of strings, or NULL */
	bool dry_run;
	const struct json *object, *old_object; /* the old one of an UPDATE only */
	bool too_large; /* for the arena's budget, which is over: the objects have not been read, everything else has */
};

/*
 * Reads an AdmissionReview. The tree belongs to the arena. ERR_INVALID: the sentence says what is malformed, missing
 * or of the wrong version. ERR_LIMIT: nested too deep, or too large even without its objects. ERR_NOMEM.
 */
int review_parse(struct arena *arena, struct str body, struct review_request *out, struct error *err);

/* One entry of status.details.causes. */
struct review_cause {
	struct str field, message;
};

/* A pair for auditAnnotations. */
struct review_audit {
	const char *key;
	struct str value;
};

struct review_response {
	bool allowed;
	int code;           /* of a denial: 422, 403 or 503 */
	struct str message; /* of a denial */
	const struct review_cause *causes;
	size_t cause_count;
	const struct str *warnings;
	size_t warning_count;
	const struct review_audit *audit;
	size_t audit_count;
	struct str patch;   /* JSON Patch; absent or empty for none */
};

/* Writes the AdmissionReview that answers `request`. Failures stay in the buffer. */
void review_write(struct buf *out, const struct review_request *request, const struct review_response *response);

/* Writes a metav1 Status of a failure: what an HTTP error carries. `reason` is Kubernetes' word for the code. */
void review_write_status(struct buf *out, int code, const char *reason, struct str message);

#endif
