/*
 * Reads configuration and certificates anew when their files change: on SIGHUP, on a change in their directories
 * (inotify: writes in place, renames, the kubelet's swap of ..data), and once a minute in case a change was not seen.
 * What is bad is logged and counted, and the last good one stays. Says when a certificate is about to end.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "server/service.h"

/* Where the server reads what it began with. */
struct server_source {
	void *context;
	const char *config_file; /* NULL when it is built in */
	int (*config)(void *context, struct config **out, struct error *err);
	struct tls_files tls;
};

/* Start with reload_init. */
struct reload {
	struct service *service;
	const struct server_source *source;
	struct tls_material *material;        /* the one in use */
	int watch;                            /* inotify; -1 when the system has none left */
	int64_t due;                          /* when to look: INT64_MAX, never */
	struct reload_errors errors;          /* of the last attempt, as the log has them */
	struct reload_errors shown;           /* the same for strangers: without what stands in the files */
	struct validity_told certificate, ca, client_ca;
};

/*
 * `material` is the one in use, and is kept up to date. Watching may fail: then only SIGHUP and the clock remain, and
 * the log says so.
 */
void reload_init(struct reload *r, struct service *service, const struct server_source *source,
		 struct tls_material *material);
void reload_dispose(struct reload *r);

/* Something has happened in a watched directory: look soon, once it is likely to be whole. */
void reload_noticed(struct reload *r, int64_t now);

/* Somebody asks for it: all that there is to say about certificates will be said again. */
void reload_asked(struct reload *r);

/* Reads all, and puts what is new and good in the place of the old. */
void reload_now(struct reload *r, int64_t now);

#endif
