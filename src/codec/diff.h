/* The difference of two texts, line by line, in unified format. */
#ifndef CODEC_DIFF_H
#define CODEC_DIFF_H

#include "base/buf.h"

#include <stdbool.h>

/*
 * Appends what `patch` and `git apply` read: "--- name", "+++ name" and hunks with three lines of context; nothing
 * when the texts are equal. `colour` adds ANSI colours as git does. The shortest difference, unless finding it takes
 * too long: then all from the first to the last differing line is replaced. Failures stay in `out`.
 */
void diff_unified(struct buf *out, struct str before, struct str after, struct str before_name, struct str after_name,
		  bool colour);

#endif
