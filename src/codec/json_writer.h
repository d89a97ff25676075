/* Writes compact JSON into a buffer, and keeps the commas. */
#ifndef CODEC_JSON_WRITER_H
#define CODEC_JSON_WRITER_H

#include "codec/json.h"

/* Start with {.out = buffer}. The caller balances begin and end; failures stay in the buffer. */
struct json_writer {
	struct buf *out;
	bool comma; /* an element stands before the place where the next one goes */
};

void jw_object(struct json_writer *w);
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_array_end(struct json_writer *w);

/* The key of the next value. */
void jw_key(struct json_writer *w, const char *key);
void jw_key_str(struct json_writer *w, struct str key);

void jw_string(struct json_writer *w, struct str s);
void jw_stringz(struct json_writer *w, const char *z);
void jw_bool(struct json_writer *w, bool b);
void jw_int(struct json_writer *w, long long n);
void jw_value(struct json_writer *w, const struct json *v);

/* `text` is one JSON value already. */
void jw_raw(struct json_writer *w, struct str text);

/* Key and array in one; nothing for an empty one. */
void jw_list(struct json_writer *w, const char *key, const struct json *const *values, size_t count);

/* Key and string value in one. */
void jw_member(struct json_writer *w, const char *key, struct str value);
void jw_memberz(struct json_writer *w, const char *key, const char *value);

#endif
