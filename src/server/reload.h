/*
 * Reads configuration and certificate anew when their files change: on SIGHUP, on a change in their directories
 * (inotify: writes in place, renames, the kubelet's swap of ..data), and once a minute in case a change was not seen.
 * What is bad is logged and counted, and the last good one stays.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "server/service.h"

/* Where the server reads what it began with. */
struct server_source {
	void *context;
	const char *paths[3]; /* files to watch: configuration (NULL when it is built in), certificate, key */
	int (*config)(void *context, struct config **out, struct error *err);
	int (*pair)(void *context, struct pki_pair *out, struct error *err);
};

/* Start with reload_init. */
struct reload {
	struct service *service;
	const struct server_source *source;
	int watch;                                 /* inotify; -1 when the system has none left */
	int64_t due;                               /* when to look: INT64_MAX, never */
	unsigned long long certificate;            /* hash of the certificate in use */
	struct error config_error, pair_error;     /* of the last attempt; empty when it was good */
};

/* `pair` is the one in use. Watching may fail: then only SIGHUP and the clock remain, and the log says so. */
void reload_init(struct reload *r, struct service *service, const struct server_source *source,
		 const struct pki_pair *pair);
void reload_dispose(struct reload *r);

/* Something has happened in a watched directory: look soon, once it is likely to be whole. */
void reload_noticed(struct reload *r, int64_t now);

/* Reads both, and puts what is new and good in the place of the old. */
void reload_now(struct reload *r, int64_t now);

#endif
