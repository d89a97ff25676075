/* YAML that people read: what `kubectl get -o yaml` would print. */
#ifndef CODEC_YAML_WRITE_H
#define CODEC_YAML_WRITE_H

#include "codec/json.h"

/*
 * Appends the value as one YAML document without a "---", ending in a newline: block style, two spaces, lists not
 * indented under their key, members in their order, text of several lines as a literal block. A string is quoted
 * whenever some reader of YAML 1.1 or 1.2 could take it for something else. A number is its source text; one past
 * the range of a double gets the tag !!float, without which Kubernetes reads a string.
 *
 * yaml_parse gives the same value back; only a null on its own is no document there. Failures stay in `out`.
 */
void yaml_write(struct buf *out, const struct json *value);

#endif
