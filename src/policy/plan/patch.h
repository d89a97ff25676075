/* Collects the operations of a JSON Patch (RFC 6902). */
#ifndef POLICY_PLAN_PATCH_H
#define POLICY_PLAN_PATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/json_writer.h"

/* Begin with patch_init; the arena's budget pays for the text. Failures stay in `text`. */
struct patch {
	struct buf text;
	struct json_writer writer;
	size_t count;
};

void patch_init(struct patch *p, const struct arena *arena);

/* Ends the array and gives its text, which lives as long as the patch; absent when there is no operation. */
struct str patch_finish(struct patch *p);

void patch_free(struct patch *p);

/* "add" (or "replace" when something stands there) with a value. */
void patch_add(struct patch *p, struct str pointer, const struct json *value);
void patch_replace(struct patch *p, struct str pointer, const struct json *value);
void patch_remove(struct patch *p, struct str pointer);
void patch_move(struct patch *p, struct str from, struct str pointer);

/* Adds an array of values, or an object of one string member, or a string. */
void patch_add_array(struct patch *p, struct str pointer, const struct json *const *values, size_t count);
void patch_add_string(struct patch *p, struct str pointer, struct str value, bool exists);

#endif
