/* The offline twin of the API server's two calls: mutate, then validate, for one manifest. */
#ifndef REVIEW_RUN_H
#define REVIEW_RUN_H

#include "policy/decide/decide.h"
#include "review/fix.h"
#include "review/manifests.h"

/* Who asks, and where objects without a namespace go. */
struct review_settings {
	const struct config *config;
	struct str namespace, user;
	const struct str *groups;
	size_t group_count;
};

/* A finding of the core, and its line. */
struct review_finding {
	struct finding finding;
	size_t line;
	struct review_fix fix;
};

/* What the injection has to say beside findings. */
struct review_advice {
	struct str field, message;
	size_t line;
	struct review_fix fix;
};

/* What no call about one object can know. Never a denial. */
struct review_note {
	const char *id;
	struct str field, message;
	size_t line;
	struct review_fix fix;
};

/* What would come of one manifest. Text is the arena's that was given. */
struct review_result {
	const struct manifest *manifest;
	struct str group, kind, namespace, name; /* no namespace: the kind is known to live in none */
	bool allowed;
	struct str patch;    /* JSON Patch; absent when there is none, or the object is denied */
	const char *skipped; /* why nothing was injected; NULL */
	size_t twin;         /* how often the same object stands before it in its file */
	const struct str *bindings;
	size_t binding_count;
	/* Of both calls, each once. */
	struct review_finding *findings;
	size_t finding_count;
	struct str *warnings; /* as they would be sent: of findings, and of the advice */
	size_t warning_count;
	struct review_advice *advice;
	size_t advice_count;
	struct review_note *notes;
	size_t note_count, note_capacity;
};

/*
 * Fills *out. ERR_NOMEM; ERR_INVALID when the core refuses the object as no AdmissionReview can hold it; ERR_LIMIT when
 * it is too large for one. *out is then incomplete.
 */
int review_run(struct arena *arena, const struct review_settings *settings, const struct manifest *manifest,
	       struct review_result *out, struct error *err);

/* The object as it would be stored, for json_free. ERR_NOMEM. */
int review_admitted(const struct review_result *result, struct json **out, struct error *err);

#endif
