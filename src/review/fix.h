/* A fault that another word puts right: where it stands in the file, and what to write instead. */
#ifndef REVIEW_FIX_H
#define REVIEW_FIX_H

#include "review/line.h"

struct review_fix {
	size_t line, column, width; /* of the characters to replace, from 1; a line of 0: there is no such fix */
	struct str text;
};

/*
 * The fix of a remark, from what its sentence asks for: a word that was meant, or the name of a claim's Secret. Only
 * where the manifest has the wrong word on one line, and as it is. Views of the sentence.
 */
struct review_fix fix_find(struct line_finder *finder, const char *id, struct str field, struct str message);

#endif
