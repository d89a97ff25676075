/* The offline twin of the API server's two calls: mutate, then validate, for one manifest. */
#ifndef CLI_REVIEW_RUN_H
#define CLI_REVIEW_RUN_H

#include "cli/review_input.h"
#include "policy/decide.h"

/* Who asks, and where objects without a namespace go. */
struct review_settings {
	const struct config *config;
	struct str namespace, user;
};

/* What would come of one manifest. Start with {0}; review_result_free. */
struct review_result {
	const struct manifest *manifest;
	struct str kind, namespace, name;
	bool allowed, patched;
	struct json *admitted; /* the object as it would be stored; the manifest's own when it is denied */
	struct decision mutate, validate;
	/* Of both calls, each once; they point into the decisions. */
	struct finding *findings;
	size_t finding_count;
	struct str *warnings;
	size_t warning_count;
};

/* Fills *out. ERR_NOMEM; ERR_INVALID when the core refuses the object as no AdmissionReview can hold it. */
int review_run(const struct review_settings *settings, const struct manifest *manifest, struct review_result *out,
	       struct error *err);

void review_result_free(struct review_result *r);

#endif
