/* What a plain YAML scalar means: the rules of YAML 1.1 as go-yaml v2 applies them for Kubernetes. */
#ifndef CODEC_YAML_SCALAR_H
#define CODEC_YAML_SCALAR_H

#include "codec/yaml.h"

/* NULL, BOOL, INT, FLOAT or STRING. Infinity and not-a-number are a FLOAT. */
enum yaml_kind yaml_scalar_kind(struct str plain);

/* Has `plain` the shape of a decimal number, whatever its range? */
bool yaml_scalar_decimal(struct str plain);

/*
 * The text of a plain scalar of that kind, in the arena: a JSON number for INT and FLOAT (a JSON number is left as it
 * is; one of more than LIMIT_JSON_NUMBER characters is cut behind the first too many; infinity and not-a-number are
 * .inf, -.inf and .nan), true or false, or a copy. NUL-terminated. Absent when memory is out.
 */
struct str yaml_scalar_text(struct arena *arena, struct str plain, enum yaml_kind kind);

/* Is the text of a FLOAT infinity or not-a-number, which JSON does not have? */
bool yaml_scalar_infinite(struct str number);

/* The text of a FLOAT, from yaml_scalar_text, as the key of a mapping: in single precision, as sigs.k8s.io/yaml
 * writes it. Absent when memory is out. */
struct str yaml_scalar_float_key(struct arena *arena, struct str number);

/* Is it UTF-8 (RFC 3629)? */
bool yaml_scalar_utf8(struct str bytes);

#endif
