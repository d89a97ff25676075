/* The strict reading of JSON text, before a tree is made: grammar, UTF-8, depth, and where exact text must be kept. */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include "base/arena.h"
#include "base/error.h"

/* The source text, in document order, of every value that a tree of doubles and C strings would falsify. */
struct json_exact {
	struct json_exact_item {
		size_t ordinal;  /* which value of the document it is: 0 is the outermost, then in the order of the text */
		struct str text; /* a number, or a string with a NUL (with its quotes) */
	} *items;
	size_t count, capacity;
};

/* The values of two members, where they stand in the text; absent when they do not. */
struct json_cut {
	const char *outer, *names[2]; /* members of the member `outer` of the outermost object, written without escapes */
	struct str found[2];
};

/*
 * Checks that `text` is one JSON value of RFC 8259 and nothing else, in UTF-8, no deeper than LIMIT_JSON_DEPTH, no
 * number longer than LIMIT_JSON_NUMBER, no NUL in a key, no unpaired surrogate. Fills *exact, whose list lives in
 * the arena and whose items point into `text`. Same key twice in an object is not looked for here.
 * The arena's budget pays for what a tree of the text will take, before there is one. ERR_LIMIT when it is over, or
 * when the nesting is too deep; ERR_INVALID, ERR_NOMEM.
 */
int json_scan(struct arena *arena, struct str text, struct json_exact *exact, struct error *err);

/* Checks `text` in the same way, a tree of any size, and finds the members. Takes no memory. */
int json_scan_cut(struct str text, struct json_cut *cut, struct error *err);

#endif
