/*
 * JSON (RFC 8259), read strictly and kept exactly. The only user of cJSON.
 *
 * What cJSON alone would lose is kept: a number is its own source text, so that a value past 2^53 or "1.50" is
 * written as it was read. What it would let pass is refused: bytes behind the value, a second key of the same name,
 * keys with a NUL, bad UTF-8, nesting over LIMIT_JSON_DEPTH. Look-ups tell upper from lower case.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>

/* A value of a parsed tree. Borrowed from the tree unless a function says otherwise. */
struct json;

enum json_kind { JSON_ABSENT, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/*
 * Reads one JSON value. On success *out is a tree for json_free. Errors: ERR_INVALID (the sentence has line, column
 * and what was expected), ERR_LIMIT (too deep), ERR_NOMEM; *out is then untouched.
 */
int json_parse(struct str text, struct json **out, struct error *err);

/*
 * json_parse whose tree belongs to the arena, and whose budget pays for it before it is there: ERR_LIMIT or ERR_NOMEM
 * when that is over.
 */
int json_parse_in(struct arena *arena, struct str text, const struct json **out, struct error *err);

void json_free(struct json *tree);

/* JSON_ABSENT for NULL, so that look-ups can be chained without a check. */
enum json_kind json_kind(const struct json *v);

/* "an object", "a string", "nothing": for sentences. */
const char *json_kind_name(enum json_kind kind);

/* How a sentence repeats a value: a string in quotes (text_quote), anything else by its kind. */
struct quote json_quote(const struct json *v);

/* The text of a string; absent for any other kind. A string that holds a NUL reads as its JSON source text, which
 * no name or list accepts. Valid as long as the tree. */
struct str json_string(const struct json *v);

/* Is it a string that holds a NUL character? */
bool json_has_nul(const struct json *v);

/* The source text of a number; absent for any other kind. */
struct str json_number(const struct json *v);

bool json_is_true(const struct json *v);

/* Absent, null, "", [] or {}: what the API server leaves out of an object. */
bool json_is_empty(const struct json *v);

/* The first element of an array or object, and the one after `v`; NULL at the end. A member's key. */
const struct json *json_first(const struct json *v);
const struct json *json_next(const struct json *v);
struct str json_key(const struct json *member);

/* How many elements an array or object has; walks them. */
size_t json_count(const struct json *v);

/* The member of an object by exact key; NULL when `object` is no object or has none. Linear in its members. */
const struct json *json_get(const struct json *object, struct str key);
const struct json *json_getz(const struct json *object, const char *key);

/* Follows a path of keys that ends in NULL: json_path(v, "spec", "template", NULL). */
const struct json *json_path(const struct json *v, ...) __attribute__((sentinel));

/* The element at `index`; walks there. */
const struct json *json_at(const struct json *array, size_t index);

/*
 * Same value? Objects regardless of the order of members, numbers by their text. Two objects of more than
 * LIMIT_EQUAL_MEMBERS members in different orders count as different.
 */
bool json_equal(const struct json *a, const struct json *b);

/* Appends the value as compact JSON. */
void json_write(struct buf *out, const struct json *v);

/* Appends `s` as a JSON string with its quotes. */
void json_write_string(struct buf *out, struct str s);

/* ---- changing a tree: for JSON Patch and the offline review ---- */

/* A deep copy for json_free; NULL when memory is out. */
struct json *json_copy(const struct json *v);

/* The same as json_get and json_at, for a tree that may be changed. */
struct json *json_get_mutable(struct json *object, struct str key);
struct json *json_at_mutable(struct json *array, size_t index);

/*
 * Puts `value` under `key` (replacing, in place), or into an array before `index` (at most its count). Takes
 * ownership of `value` in every case. 0, or ERR_NOMEM and the tree is as before.
 */
int json_object_set(struct json *object, struct str key, struct json *value);
int json_array_insert(struct json *array, size_t index, struct json *value);

/* Puts `value` where the element `old` of `parent` stands; takes ownership of `value`, frees `old`. */
void json_replace(struct json *parent, struct json *old, struct json *value);

/* Takes the element out of its parent; the caller frees it. */
struct json *json_detach(struct json *parent, struct json *element);

#endif
