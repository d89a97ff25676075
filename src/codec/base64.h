/* Base64 with padding: RFC 4648 section 4. */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/buf.h"
#include "base/error.h"

/* Appends the encoded bytes, on one line. */
void base64_encode(struct buf *out, struct str bytes);

/*
 * Appends the decoded bytes. Strict: only the alphabet, complete groups, padding only at the end, unused bits zero.
 * ERR_INVALID names the place in `text`; `out` is then as before. Its own failures stay in `out`.
 */
int base64_decode(struct buf *out, struct str text, struct error *err);

#endif
