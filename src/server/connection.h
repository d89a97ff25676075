/*
 * Connections and their deadlines. libmicrohttpd has one timeout, which every byte extends; here a request has to be
 * complete in time, whatever trickles in, and an idle connection may wait long (SPEC: HTTP).
 *
 * A set belongs to one thread: libmicrohttpd's callbacks and the sweep run there, one after the other, so that the
 * sweep may write to a socket, or to the TLS session on it, that libmicrohttpd manages.
 */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include "server/bodies.h"
#include "server/service.h"
#include "server/tls.h"

#include <microhttpd.h>

enum connection_phase {
	CONNECTION_HANDSHAKE, /* TLS is being agreed on */
	CONNECTION_IDLE,      /* no byte of a request has come */
	CONNECTION_RECEIVING, /* a request comes in */
	CONNECTION_ANSWERING, /* its answer goes out */
	CONNECTION_ENDING,    /* refused: the answer is sent, the client may read it and go */
	CONNECTION_CUT,       /* shut down; libmicrohttpd will notice */
};

struct connection {
	struct connection *next, *previous;
	struct connection_set *set;
	int fd;
	gnutls_session_t tls;            /* NULL on a plain listener */
	struct credentials *credentials; /* those of `tls` */
	struct tls_handshake handshake;
	bool used;                       /* a request was answered */
	enum connection_phase phase;
	int64_t began;                   /* when it was accepted */
	int64_t changed;                 /* when the phase began */
	int64_t due;                     /* when the phase has to be over; no meaning for IDLE and CUT */
	uint64_t bytes, records;         /* what had come when it became idle */

	/* the request; libmicrohttpd knows one at a time */
	bool head_read;
	unsigned refusal;                /* the status that answers it once its body is read; 0: none */
	const char *allow;               /* with a 405 */
	bool close;                      /* its answer ends the connection */
	struct body body;
	size_t received;                 /* bytes of the body, kept or not */
};

struct connection_set {
	struct service *service;
	bool counted;             /* on the admission listener: counted, and TLS */
	struct connection *first;
	atomic_uint *count;       /* of connections that libmicrohttpd has, in all sets of the listener */
	unsigned handshakes;      /* how many were in that phase at the last sweep, and those that have come since */
	bool active;              /* libmicrohttpd has called back since this was last false */
	int64_t arrived;          /* what is handled now cannot have come before */
	struct log_valve valve;   /* for log lines that any client can cause */
};

/* For MHD_OPTION_NOTIFY_CONNECTION, MHD_OPTION_URI_LOG_CALLBACK and MHD_OPTION_NOTIFY_COMPLETED; `set` is cls. */
void connection_notify(void *set, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what);
void *connection_request(void *set, const char *uri, struct MHD_Connection *mhd);
void connection_completed(void *set, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode how);

/* The connection of a callback that has `request`; notes that the thread's set is active. NULL when there is none. */
struct connection *connection_called(void *set, void *request);

/* An answer of that status was queued: it has to be taken in time. */
void connection_answering(struct connection *c, unsigned status);

/*
 * Answers with an error at once, on the wire, and ends the connection when the client has read it, or after a while.
 * Works before libmicrohttpd would take an answer, and keeps reading: a close with unread bytes would reset the
 * connection and could destroy the answer.
 */
void connection_refuse(struct connection *c, unsigned status, const char *message);

/* The same, because the budget of all bodies is used up. */
#define CONNECTION_NO_ROOM "the requests that are open together take more memory than they may; try again in a moment"
void connection_refuse_body(struct connection *c);

/* The rest of a refused request: bytes are dropped. For the access handler when the phase is ENDING or CUT. */
enum MHD_Result connection_discard(struct connection *c, size_t *upload_size);

/*
 * What a client whose handshake is failing said to that; NULL when none did. libmicrohttpd's own message about it names
 * neither the client nor the reason, which is most often a CA that the API server was not told of.
 */
const char *connections_alert(const struct connection_set *set);

/* Has a client just gone that was refused in its handshake? Each is told once. */
bool connections_gone(struct connection_set *set);

/*
 * Ends the connection on which nothing has begun or ended for the longest time, so that another one can come: whoever
 * keeps many must not keep others out. False when all are about to end.
 */
bool connections_make_room(struct connection_set *set, int64_t now);

/* Enforces the deadlines at `now`. Returns when the next one is due; INT64_MAX for none. */
int64_t connections_sweep(struct connection_set *set, int64_t now);

/* While the server ends: closes the connections that have no request under way. */
void connections_drain(struct connection_set *set, int64_t now);

/* At the end of that: requests that are still incomplete get a 503. */
void connections_end(struct connection_set *set, int64_t now);

#endif
