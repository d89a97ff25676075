/* The strict reading of JSON text without a tree. */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include "base/error.h"
#include "base/str.h"

/* The values of two members, where they stand in the text; absent when they do not. */
struct json_cut {
	const char *outer, *names[2]; /* members of the member `outer` of the outermost object, written without escapes */
	struct str found[2];
};

/*
 * Checks that `text` is one JSON value of RFC 8259 and nothing else, in UTF-8, no deeper than LIMIT_JSON_DEPTH, no
 * number longer than LIMIT_JSON_NUMBER, no NUL in a key, no unpaired surrogate, and finds the members. The same key
 * twice in an object is not looked for. Takes no memory. ERR_LIMIT when the nesting is too deep; ERR_INVALID.
 */
int json_scan_cut(struct str text, struct json_cut *cut, struct error *err);

#endif
