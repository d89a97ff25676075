/*
 * What is counted, and its text for Prometheus (format 0.0.4). Every label has a bounded set of values, so that a
 * tenant cannot make it grow. Any thread may call any function here.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "base/buf.h"
#include "policy/decide/decide.h"
#include "server/validity.h"

#include <stdint.h>
#include <time.h>

/* What came of an admission, for the label `decision` and the log. */
enum outcome { OUTCOME_ALLOWED, OUTCOME_PATCHED, OUTCOME_DENIED, OUTCOME_SKIPPED, OUTCOME_ERROR, OUTCOME_COUNT };

enum outcome outcome_of(const struct decision *d);

/* "allowed", "patched", ... */
const char *outcome_name(enum outcome outcome);

/* "mutate", "validate" */
const char *phase_name(enum phase phase);

/* Limits that somebody may run into, for the label `limit`. */
enum metric_limit { METRIC_LIMIT_BODIES, METRIC_LIMIT_WORK, METRIC_LIMIT_MEMORY, METRIC_LIMIT_TIME, METRIC_LIMITS };

/* That of a budget that is over. */
enum metric_limit metric_limit_of(enum budget_limit over);

/* What is so at the moment, and not counted here. */
struct metrics_now {
	unsigned long long lost_lines; /* of the log, since the beginning */
	size_t bodies, bodies_limit;   /* bytes */
	unsigned busy, threads;
};

struct metrics;

/* All zero, and the time when the process began; NULL when memory is out. */
struct metrics *metrics_new(time_t started);
void metrics_free(struct metrics *m);

/* An admission that took `nanoseconds`. */
void metrics_admission(struct metrics *m, enum phase phase, const struct decision *d, uint64_t nanoseconds);

/* An answer on the admission listener. */
void metrics_response(struct metrics *m, unsigned status);

/* A connection more (+1) or less (-1) on the admission listener. */
void metrics_connection(struct metrics *m, int change);

/*
 * A configuration is in use from `when` on. Its bindings, workloads and the kinds that its rules look at are counted by
 * name from now on, LIMIT_METRIC_BINDINGS and LIMIT_METRIC_KINDS of them; all others as "other".
 */
void metrics_configuration(struct metrics *m, const struct config *config, time_t when);

/* The last attempt to read the files anew was good, or was not. */
void metrics_reload(struct metrics *m, bool successful);

/* The certificate in use is valid then, and so is the CA of clients; its `not_after` is 0 without one. */
void metrics_certificates(struct metrics *m, const struct validity *certificate, const struct validity *client_ca);

/* A request was ended by that limit. */
void metrics_limit(struct metrics *m, enum metric_limit limit);

/* Appends the text. Failures stay in the buffer. */
void metrics_write(struct metrics *m, const struct metrics_now *now, struct buf *out);

#endif
