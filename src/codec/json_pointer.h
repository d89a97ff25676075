/* JSON Pointer, RFC 6901: "/spec/containers/0/name", with ~ as ~0 and / as ~1. The empty pointer is the whole value. */
#ifndef CODEC_JSON_POINTER_H
#define CODEC_JSON_POINTER_H

#include "codec/json.h"

/* `base` and one more step, a key or an index; in the arena. Absent when memory is out. */
struct str json_pointer_join(struct arena *arena, struct str base, struct str token);
struct str json_pointer_index(struct arena *arena, struct str base, size_t index);

/* The value there; NULL when there is none or the pointer is malformed. */
const struct json *json_pointer_get(const struct json *root, struct str pointer);

/* ---- the steps of a pointer, as they are written: escaped ---- */

/* Empty, or begins with a slash, and every ~ is followed by 0 or 1. */
bool json_pointer_is_valid(struct str pointer);

/* The member or element that the step leads to; NULL when there is none. Linear. */
const struct json *json_pointer_step(const struct json *parent, struct str token);

/* Reads an array index: digits without a leading zero. False for anything else. */
bool json_pointer_to_index(struct str token, size_t *index);

/* The key that the step stands for, in the arena. Absent when memory is out. */
struct str json_pointer_to_key(struct arena *arena, struct str token);

#endif
