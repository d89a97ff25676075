/* A thread that serves connections of one listener: libmicrohttpd and the sweep, in turns. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "server/connection.h"

/* Start with {0}. */
struct worker {
	struct connection_set set;
	struct MHD_Daemon *daemon;
	unsigned limit;         /* of connections, as in worker_site */
	int listener;           /* a copy; -1 once nothing is accepted any more */
	atomic_llong *at_work;  /* as in worker_site */
	int64_t turned;         /* when the last turn began */
	int64_t accepts;        /* from when on connections are accepted again; 0: now */
	int epoll;              /* the daemon's; ready when it has something to do */
	int wake;               /* an eventfd: `ending` has changed */
	atomic_bool ending;
	bool running;
	pthread_t thread;
};

/* What a worker serves. */
struct worker_site {
	MHD_AccessHandlerCallback handle;
	const char *priorities; /* of TLS, a GnuTLS priority string; NULL: a plain listener */
	unsigned limit;       /* connections at a time, of all workers of the site */
	atomic_uint *count;   /* how many there are */
	atomic_llong *at_work;  /* since when a thread is, for struct busy; NULL: nobody asks */
	int listener;         /* a listening socket that does not block, borrowed: the worker uses a copy */
};

/*
 * Prepares a worker, without its thread. ERR_IO: libmicrohttpd, or the operating system, refused. After a failure,
 * worker_dispose.
 */
int worker_init(struct worker *w, struct service *service, const struct worker_site *site, struct error *err);

/* Begins the thread. ERR_IO. */
int worker_start(struct worker *w, struct error *err);

/*
 * Asks the thread to end: it stops to accept, closes idle connections, and lets requests under way finish, but not
 * longer than DRAIN_SECONDS. Returns at once.
 */
void worker_end(struct worker *w);

/* Waits for the thread when there is one, and gives everything back. */
void worker_dispose(struct worker *w);

#endif
