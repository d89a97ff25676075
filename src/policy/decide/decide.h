/*
 * The decision: AdmissionReview bytes and a configuration in, AdmissionReview bytes out. No clock, no I/O, no globals.
 * The server, `connhook review`, the golden tests and the fuzz targets all call this.
 */
#ifndef POLICY_DECIDE_DECIDE_H
#define POLICY_DECIDE_DECIDE_H

#include "base/arena.h"
#include "base/budget.h"
#include "base/buf.h"
#include "policy/config/config.h"
#include "policy/verdict/violation.h"

#include <stdbool.h>

enum phase { PHASE_MUTATE, PHASE_VALIDATE };

/* A violation or a problem, as logs, metrics and `review` need it. */
struct finding {
	const char *rule;   /* the rule's id; "annotations": a malformed one; "limits": a budget that is over */
	enum rule_mode mode; /* enforce: it denies; warn: it warns (also when it was downgraded) */
	bool audited;       /* it warns, and would deny without the configuration's `audit` */
	struct str field;   /* field path as Kubernetes writes it: spec.template.spec.containers[0].env[1].name */
	struct str message; /* a whole sentence */
};

/*
 * What came of one call. Strings live in `arena`, or in the configuration, which must outlive this. Start with {0};
 * decision_free when done.
 *
 * The caller may set limits and a deadline in `budget`; those that are 0 become LIMIT_WORK and LIMIT_MEMORY. Over one
 * of them, which budget.over then tells, the answer is a denial that names it, and in the mutating phase a warning.
 */
struct decision {
	struct arena arena;
	struct budget budget;
	int http_status;    /* 200 with an AdmissionReview; 400, 500 or 503 with a Kubernetes Status that says why */
	struct buf body;    /* the answer, JSON */
	bool allowed;
	bool patched;
	bool dry_run;
	const char *skipped; /* why nothing was done ("no-bindings", ...); NULL when something was looked at */
	struct str uid, operation, group, kind, namespace, name, user;
	struct str patch;   /* the JSON Patch as plain text; absent when there is none */
	const struct finding *findings;
	size_t finding_count;
	const struct str *bindings; /* in the mutating phase: names of those whose entries are in the result */
	size_t binding_count;
	const struct str *warnings; /* as they are sent */
	size_t warning_count;
	const struct violation *advice; /* what the injection warns of: whole, with fields */
	size_t advice_count;
};

/* Decides on `body` (JSON bytes of an AdmissionReview). Fills *out in every case, also for bad input. */
void decide(const struct config *config, enum phase phase, struct str body, struct decision *out);

void decision_free(struct decision *d);

#endif
