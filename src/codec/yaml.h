/*
 * YAML as Kubernetes reads it (sigs.k8s.io/yaml over go-yaml v2): YAML 1.1, reduced to what JSON can say. The only
 * user of libyaml.
 *
 * - Plain scalars: y yes on true / n no off false are booleans, ~ null and nothing are null; numbers in decimal, 0x,
 *   0b, 0o and with a leading zero octal, with underscores; dates are strings. Quoted and block scalars are strings.
 * - A number keeps its digits: 1.50 stays 1.50, and an integer past 64 bits is written out in full (as go-yaml, it
 *   counts as a float). A float past the range of a double (1e400) is a string, as there; with !!float a number.
 * - Keys become strings as there: 1 is "1", 1.50 is "1.5", yes is "true". A null or a collection as key is an error.
 * - A key twice in one mapping is an error in yaml_parse. In a part of a stream the last one wins, as for kubectl, and
 *   the place is remembered. Merge keys are applied where they stand, as kubectl does: what comes later wins, so a key
 *   behind `<<` overrides the merged one; in a list of mappings the first wins.
 * - Aliases are shared, not copied; what they would expand to is limited by LIMIT_YAML_NODES and LIMIT_YAML_DEPTH.
 * - Tags of somebody's own (!Ref, !!python/name:x) are an error in yaml_parse. In a part of a stream they say nothing,
 *   as for kubectl: a scalar that has one is a string.
 *
 * JSON is YAML but for two things that JSON files do hold: indentation with tabs, and \ud83d\ude00 pairs. Text that
 * begins with { or [ goes to json_parse first, and to yaml_parse when that refuses it.
 */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum yaml_kind { YAML_NULL, YAML_BOOL, YAML_INT, YAML_FLOAT, YAML_STRING, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	struct str text;      /* STRING: its content; INT and FLOAT: the JSON number; BOOL: "true" or "false" */
	size_t line, column;  /* of its first character, from 1; columns count characters */
	size_t width;         /* of a scalar in the text, quotes included; 0 when it has several lines */
	struct str key;       /* of a value in a mapping; absent elsewhere */
	size_t key_line, key_column, key_width;
	const struct yaml_node *first, *next; /* children of a collection; the next sibling */
};

/*
 * Reads all documents of a stream, UTF-8 with or without a byte order mark. *documents is an array of *count roots;
 * it, nodes and text live in the arena. A document that is empty or null gives no root. ERR_INVALID, ERR_LIMIT (one
 * document is too large or too deep): the sentence begins with "LINE:COLUMN: ". ERR_NOMEM.
 */
int yaml_parse(struct arena *arena, struct str text, const struct yaml_node ***documents, size_t *count,
	       struct error *err);

/* A key that its mapping has had before. */
struct yaml_repeat {
	struct str key;
	size_t line, column, first_line;
};

/* What parts of streams have in common, and what was let pass in the last one. Start with the first member set. */
struct yaml_lenient {
	size_t aliased;              /* nodes that aliases may still stand for: lowered, one budget for all parts */
	struct yaml_repeat *repeats; /* in the arena; of the part that was read last, at most LIMIT_YAML_REPEATS */
	size_t repeat_count, repeat_capacity;
};

/* yaml_parse of a part of a stream that begins with line `first_line`, as kubectl reads it. */
int yaml_parse_part(struct arena *arena, struct str text, size_t first_line, struct yaml_lenient *lenient,
		    const struct yaml_node ***documents, size_t *count, struct error *err);

/*
 * Takes the next part of a stream from *rest: up to a line that begins with "---", a blank or "#" behind it, as kubectl
 * divides it; *lines is how many lines it has. A part that cannot be read so never hides the others. False at the end.
 */
bool yaml_next_part(struct str *rest, struct str *part, size_t *lines);

/*
 * What stands behind the "---" of a part, other than a comment: kubectl refuses it. Absent when there is nothing;
 * *line is its line in the part, from 0.
 */
struct str yaml_behind_separator(struct str part, size_t *line);

/*
 * Moves *text behind the lines before a document that hold nothing but blanks, a comment or a separator, and counts
 * them in *line. Behind them a byte order mark may stand, which libyaml knows only at the beginning.
 */
void yaml_skip_preamble(struct str *text, size_t *line);

/* Appends the node as compact JSON. Aliases are written out: the limit of `out` is the limit of the result. */
void yaml_to_json(struct buf *out, const struct yaml_node *node);

/* "a mapping", "a string": for sentences. */
const char *yaml_kind_name(enum yaml_kind kind);

/* The value under `key`; NULL when `mapping` is no mapping or has none. Linear in its entries. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, struct str key);

#endif
