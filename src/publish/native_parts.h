/* What the files of native policies share. Expressions are text in an arena. */
#ifndef PUBLISH_NATIVE_PARTS_H
#define PUBLISH_NATIVE_PARTS_H

#include "codec/json_writer.h"
#include "policy/config/config.h"
#include "policy/rules/rule.h"

/* A policy that is being written. */
struct native {
	struct arena *arena;
	struct json_writer *w;
	const struct config *config;
	const struct rule_config *rule;
	const struct rule *about;
};

/* How one rule becomes a policy. */
struct native_rule {
	enum rule_id id;
	bool workloads;                                 /* it looks at workloads, beside kinds and resources of its own */
	void (*write_conditions)(const struct native *n); /* more matchConditions; NULL: none */
	void (*write_variables)(const struct native *n);
	void (*write_validations)(const struct native *n);
	const char *note; /* what is different from connhook's own rule; NULL: nothing */
};

extern const struct native_rule native_claim_secret_name;
extern const struct native_rule native_no_in_cluster_database;
extern const struct native_rule native_external_secret_path;
extern const struct native_rule native_literal_credentials;
extern const struct native_rule native_reserved_secret;
extern const struct native_rule native_conn_collision;
extern const struct native_rule native_sync_wave;

/* One element of `variables`. The API server evaluates it when it is first used. */
void native_variable(const struct native *n, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A variable that holds, for each element of the variable `from`, its member `key`: of the CEL type `type`, map or
 * list, else an empty one.
 */
void native_member(const struct native *n, const char *name, const char *from, const char *key, const char *type);

/*
 * One element of `validations`: what must hold; the sentence when it does not; and an expression for a better one,
 * which the API server drops when it fails or gives several lines.
 */
void native_validation(const struct native *n, struct str expression, struct str message, struct str detail);

/*
 * The variable `objects`: the new object, and on UPDATE the old one behind it. dyn() keeps the API server from
 * warning about fields that only some of the matched kinds have.
 */
void native_objects(const struct native *n);

/* The variables `owners` (what holds the pod template), `templates` and `pods`, one for each of `objects`. */
void native_pods(const struct native *n);

/* What a buffer holds, as text of the arena; frees the buffer. */
struct str native_take(const struct native *n, struct buf *text);

/* A list of globs as one regular expression, a literal of CEL: `before` and `after` stand around the alternatives. */
struct str native_regex(const struct native *n, const struct names *globs, const char *any, const char *before,
			const char *after);

/* Is the request's kind one of these? In brackets. */
struct str native_kinds(const struct native *n, const struct group_kind *kinds, size_t count);

/* Is the request's kind a workload? In brackets. */
struct str native_workload_kinds(const struct native *n);

#endif
