/* Text of Windows programs: UTF-16 behind a byte order mark. */
#ifndef CODEC_UTF16_H
#define CODEC_UTF16_H

#include "base/buf.h"

#include <stdbool.h>

/* Does the text begin with the mark of UTF-16, of either byte order? */
bool utf16_is_marked(struct str text);

/*
 * Appends the marked text as UTF-8, without the mark. Half a character (a surrogate alone, a byte too few at the end)
 * becomes U+FFFD, as for kubectl.
 */
void utf16_decode(struct buf *out, struct str text);

#endif
