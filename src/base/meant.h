/* Which of several names a misspelt one was meant to be. Begin with {.wrong = NAME}. */
#ifndef BASE_MEANT_H
#define BASE_MEANT_H

#include "base/arena.h"
#include "base/str.h"

struct meant {
	struct str wrong, right; /* `right` is absent as long as no name was close */
	size_t distance;
};

/* One of the names that there are. Of two that are equally close, the first one counts. */
void meant_offer(struct meant *m, struct str name);

/* The end of a sentence: `; did you mean "db"?`, or nothing. Absent when memory is out. */
struct str meant_text(const struct meant *m, struct arena *arena);

/* The name that a sentence asks for in these words; absent when it does not. A view of the sentence. */
struct str meant_read(struct str sentence);

#endif
