/* Which threads are at work: between two waits for something to happen. Any thread may call any function here. */
#ifndef SERVER_BUSY_H
#define SERVER_BUSY_H

#include "base/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Start with {0}. */
struct busy {
	atomic_llong since[LIMIT_THREADS]; /* when the thread began; 0: it waits */
	unsigned threads;                  /* how many there are */
};

/* How many are at work. */
unsigned busy_count(const struct busy *b);

/* Have all been at work for so long, without a look at what has come meanwhile? */
bool busy_all(const struct busy *b, int64_t now, int64_t milliseconds);

#endif
