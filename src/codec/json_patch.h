/* JSON Patch, RFC 6902. */
#ifndef CODEC_JSON_PATCH_H
#define CODEC_JSON_PATCH_H

#include "codec/json_pointer.h"

/*
 * Applies the operations in order. On success *document is the result, for json_free, and the old tree is gone. On
 * failure *document is as before. ERR_INVALID: the patch is malformed, leads nowhere, or a test fails; the sentence
 * begins with the operation: "patch[2] replace /spec/replicas: ". ERR_NOMEM. `test` compares numbers by their text.
 */
int json_patch_apply(struct json **document, const struct json *patch, struct error *err);

#endif
