/*
 * The Common Expression Language, as the API server evaluates it (kubernetes.io/docs/reference/using-api/cel): parts
 * of expressions, and the conditions under which the API server asks at all.
 */
#ifndef PUBLISH_CEL_H
#define PUBLISH_CEL_H

#include "base/buf.h"
#include "codec/json_writer.h"
#include "policy/config/config.h"

/* A string literal. */
void cel_string(struct buf *out, struct str s);

/* A glob as a regular expression of RE2, without anchors and not yet a literal; `any` stands for one character. */
void cel_pattern(struct buf *out, struct str glob, const char *any);

/* Does `subject` match the glob? */
void cel_glob(struct buf *out, const char *subject, struct str glob);

/* In brackets: does `subject` match any glob of the list? */
void cel_any_of(struct buf *out, const char *subject, const struct names *globs);

/* One element of matchConditions. */
void cel_condition(struct json_writer *w, const char *name, const char *expression);

/* The same, of an expression that was put together; frees `text`. */
void cel_built_condition(struct json_writer *w, const char *name, struct buf *text);

/* A condition that the user is in no group that a glob of the list matches; nothing for an empty list. */
void cel_no_group(struct json_writer *w, const char *name, const struct names *globs);

/* A condition that no glob of the list matches `subject`, or that `unless` holds; nothing for an empty list. */
void cel_none_of(struct json_writer *w, const char *name, const char *unless, const char *subject,
		 const struct names *globs);

/*
 * The conditions that hold for all that connhook judges, and more for what it injects into: as skip.h has them, a
 * controller's work and what is being deleted apart.
 */
void cel_judged(struct json_writer *w, const struct config *config);
void cel_injected(struct json_writer *w, const struct config *config);

#endif
