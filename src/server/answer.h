/* Answers: what an HTTP status carries, and how it gets to libmicrohttpd or straight onto the wire. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "base/buf.h"

#include <microhttpd.h>

#include <stdbool.h>

#define ANSWER_JSON "application/json"
#define ANSWER_TEXT "text/plain; charset=utf-8"

/* How an answer goes out. Strings are borrowed for the call. */
struct answer {
	unsigned status;
	const char *type;  /* Content-Type */
	const char *allow; /* the Allow header of a 405; NULL: none */
	bool close;        /* the connection ends with it */
};

/*
 * Queues `body`, whose memory passes to libmicrohttpd in every case; an empty or failed buffer stands for "out of
 * memory" and becomes a 500. Returns the status that goes out, 0 when nothing can be sent: the connection ends.
 */
unsigned answer_queue(struct MHD_Connection *connection, const struct answer *answer, struct buf *body);

/* Appends a Kubernetes Status for an HTTP error. `message` is a sentence: what is wrong and what to do. */
void answer_write_error(struct buf *out, unsigned status, const char *message);

/* Appends a whole HTTP response for an error that ends the connection. A 503 asks to try again in a second. */
void answer_write_raw(struct buf *out, unsigned status, const char *message);

#endif
