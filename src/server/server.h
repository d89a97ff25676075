/* The server as a whole: `connhook serve` after its options are read. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/listen.h"
#include "server/log.h"
#include "server/reload.h"

struct server_options {
	struct listen_address listen, admin;
	const char *tls_priorities; /* a GnuTLS priority string that tls_priorities_check accepts */
	unsigned threads;         /* 1 to LIMIT_THREADS */
	unsigned request_seconds; /* 1 to REQUEST_SECONDS_MAX */
	unsigned body_mib;        /* for the bodies of all requests */
	unsigned decision_mib;    /* for one decision */
	unsigned drain_seconds;   /* after SIGTERM, until nothing new is accepted: 0 to DRAIN_DELAY_SECONDS_MAX */
	struct log *log;          /* borrowed until server_run returns */
	struct server_source source; /* for reading certificates, and configuration and certificates anew */
};

/* The CPUs that this process may use, but no more than LIMIT_THREADS. */
unsigned server_default_threads(void);

/*
 * Serves until SIGTERM or SIGINT, reading anew on SIGHUP and when files change; then is unready for the drain delay,
 * which a second such signal ends, and lets requests under way finish: 0. Takes `config` in every case; certificates it
 * reads itself. ERR_IO, ERR_INVALID, ERR_LIMIT, ERR_NOMEM when it cannot begin. From the call on, the process ignores
 * SIGPIPE and SIGCHLD, and the calling thread blocks the three signals.
 */
int server_run(const struct server_options *options, struct config *config, struct error *err);

#endif
