/*
 * The bodies of all requests, and the answers that wait to be taken, under one budget of memory. Where it is used up,
 * whoever has held most for longest has to give way: many who keep large requests open do not keep out a small one that
 * comes and goes. Any thread may call any function here.
 */
#ifndef SERVER_BODIES_H
#define SERVER_BODIES_H

#include "base/str.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct body;

/* Start with bodies_init. */
struct bodies {
	pthread_mutex_t lock; /* over all below, and all bodies */
	size_t limit, held;
	struct body *first;   /* those that hold something */
};

/* ERR_NOMEM. */
int bodies_init(struct bodies *all, size_t limit);
void bodies_dispose(struct bodies *all);

/* How much is held, in bytes of memory. */
size_t bodies_held(struct bodies *all);

enum body_state {
	BODY_RECEIVING, /* may be taken away at any time */
	BODY_KEPT,      /* it is complete and being looked at */
	BODY_ANSWER,    /* it stands for the answer; the connection may be ended */
};

/* The body of one request, or the answer to it. Belongs to a connection. Start with body_init. */
struct body {
	struct bodies *all;
	struct body *next, *previous;
	enum body_state state;
	char *p;              /* NULL: nothing is held here */
	size_t n, capacity;   /* `capacity` counts */
	int64_t began;        /* when the request began */
	bool lost;            /* it had to give way */
};

void body_init(struct body *b, struct bodies *all);

/* Gives its memory back; it may be used again. */
void body_free(struct body *b);

/* What became of some bytes. */
enum body_added {
	BODY_ADDED,
	BODY_LOST,  /* over the budget, now or before: the request is answered with 503 */
	BODY_NOMEM, /* memory is out, whatever the budget says */
};

/*
 * Appends what has come of a request that began at `began` and has at most `most` bytes. Memory grows with what comes,
 * never with what was announced.
 */
enum body_added body_add(struct body *b, struct str data, size_t most, int64_t began, int64_t now);

/* Keeps a complete body, in *out until it is freed; false: it had to give way. */
bool body_keep(struct body *b, struct str *out);

/* Instead of what it held, it stands for an answer of `size` bytes that somebody else owns. False: over the budget. */
bool body_answer(struct body *b, size_t size, int64_t began, int64_t now);

/* Had it to give way? Then the request is refused, or the connection ended when the answer is on its way. */
bool body_lost(struct body *b);

#endif
