/*
 * Read by the analyzers before each source file, because they look at one at a time: what sets an error returns its
 * code, and so never 0.
 */
#ifndef ANALYZE_H
#define ANALYZE_H

#include "base/error.h"
#include "codec/yaml_parts.h"

#define error_set(err, code, ...) (error_set(err, code, __VA_ARGS__), (code))
#define error_setv(err, code, format, args) (error_setv(err, code, format, args), (code))
#define error_nomem(err) (error_nomem(err), ERR_NOMEM)
#define yaml_error_at(err, line, column, code, ...) (yaml_error_at(err, line, column, code, __VA_ARGS__), (code))

#endif
