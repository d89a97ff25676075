/* What all threads of a server share: the log, the counters, and what may be replaced while it runs. */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "policy/config/config.h"
#include "server/bodies.h"
#include "server/busy.h"
#include "server/credentials.h"
#include "server/log.h"
#include "server/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* A configuration with its users counted: a request keeps the one it began with. */
struct snapshot {
	atomic_uint users;
	struct config *config;
};

/* What was wrong at the last attempt to read anew; empty where it was good. */
struct reload_errors {
	struct error config, pair, client_ca;
};

struct service {
	struct log *log; /* borrowed */
	struct metrics *metrics;
	int64_t request_milliseconds; /* for a request, first byte to last, and again for its answer */
	size_t decision_memory;       /* what one decision may take */
	struct bodies bodies;
	struct busy busy;
	atomic_bool draining;         /* the end has begun: not ready, and answers close their connection */
	pthread_mutex_t lock;         /* over all below */
	struct snapshot *snapshot;
	struct credentials *credentials;
	struct reload_errors errors;
};

/* Milliseconds of a clock that never goes back. */
int64_t service_now(void);

/* What a server may take, in bytes. */
struct service_memory {
	size_t bodies, decision;
};

/*
 * Makes a service. Takes `config` in every case, and `credentials` when it succeeds. ERR_NOMEM. On failure there is
 * nothing to dispose.
 */
int service_init(struct service *service, const struct service_memory *memory, struct config *config,
	struct credentials *credentials, struct error *err);

/* Gives back all but what connections still hold. */
void service_dispose(struct service *service);

/* The configuration in use, for snapshot_release; the credentials in use, for credentials_release. */
struct snapshot *service_snapshot(struct service *service);
struct credentials *service_credentials(struct service *service);

/*
 * Puts another one in the place of the one in use, which those who hold it keep. Takes `config` and `credentials` in
 * every case. ERR_NOMEM: the old configuration stays.
 */
int service_replace_config(struct service *service, struct config *config, struct error *err);
void service_replace_credentials(struct service *service, struct credentials *credentials);

/* What came of the last attempt to read anew, for /readyz?verbose and the metrics. A copy of it. */
void service_note_reload(struct service *service, const struct reload_errors *errors);
void service_reload_errors(struct service *service, struct reload_errors *out);

void snapshot_release(struct snapshot *snapshot);

#endif
