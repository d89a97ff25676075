#include "server/service.h"

#include <stdlib.h>
#include <time.h>

int64_t service_now(void)
{
	struct timespec now = {0};
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Takes `config` in every case; NULL when memory is out. */
static struct snapshot *snapshot_new(struct config *config)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);
	if (snapshot == NULL) {
		config_free(config);
		return NULL;
	}
	atomic_init(&snapshot->users, 1);
	snapshot->config = config;
	return snapshot;
}

void snapshot_release(struct snapshot *snapshot)
{
	if (snapshot == NULL || atomic_fetch_sub(&snapshot->users, 1) > 1)
		return;
	config_free(snapshot->config);
	free(snapshot);
}

static void note_dates(struct metrics *metrics, const struct credentials *credentials)
{
	const struct credentials_dates *dates = credentials_dates(credentials);
	metrics_certificates(metrics, &dates->certificate, &dates->client_ca);
}

int service_init(struct service *service, const struct service_memory *memory, struct config *config,
	struct credentials *credentials, struct error *err)
{
	time_t now = time(NULL);
	struct snapshot *snapshot = snapshot_new(config);
	struct metrics *metrics = metrics_new(now);
	bool bodies = bodies_init(&service->bodies, memory->bodies) == 0;
	if (snapshot == NULL || metrics == NULL || !bodies || pthread_mutex_init(&service->lock, NULL) != 0) {
		if (bodies)
			bodies_dispose(&service->bodies);
		metrics_free(metrics);
		snapshot_release(snapshot);
		return error_nomem(err);
	}
	service->snapshot = snapshot;
	service->metrics = metrics;
	service->decision_memory = memory->decision;
	service->credentials = credentials;
	service->errors.config.text[0] = service->errors.pair.text[0] = service->errors.client_ca.text[0] = '\0';
	atomic_init(&service->draining, false);
	metrics_configuration(metrics, snapshot->config, now);
	note_dates(metrics, credentials);
	return 0;
}

void service_dispose(struct service *service)
{
	credentials_release(service->credentials);
	snapshot_release(service->snapshot);
	metrics_free(service->metrics);
	bodies_dispose(&service->bodies);
	pthread_mutex_destroy(&service->lock);
}

struct snapshot *service_snapshot(struct service *service)
{
	pthread_mutex_lock(&service->lock);
	struct snapshot *snapshot = service->snapshot;
	atomic_fetch_add(&snapshot->users, 1);
	pthread_mutex_unlock(&service->lock);
	return snapshot;
}

struct credentials *service_credentials(struct service *service)
{
	pthread_mutex_lock(&service->lock);
	struct credentials *credentials = credentials_hold(service->credentials);
	pthread_mutex_unlock(&service->lock);
	return credentials;
}

int service_replace_config(struct service *service, struct config *config, struct error *err)
{
	struct snapshot *new = snapshot_new(config);
	if (new == NULL)
		return error_nomem(err);
	metrics_configuration(service->metrics, config, time(NULL));
	pthread_mutex_lock(&service->lock);
	struct snapshot *old = service->snapshot;
	service->snapshot = new;
	pthread_mutex_unlock(&service->lock);
	snapshot_release(old);
	return 0;
}

void service_replace_credentials(struct service *service, struct credentials *credentials)
{
	note_dates(service->metrics, credentials);
	pthread_mutex_lock(&service->lock);
	struct credentials *old = service->credentials;
	service->credentials = credentials;
	pthread_mutex_unlock(&service->lock);
	credentials_release(old);
}

void service_note_reload(struct service *service, const struct reload_errors *errors)
{
	metrics_reload(service->metrics, errors->config.text[0] == '\0' && errors->pair.text[0] == '\0' &&
		       errors->client_ca.text[0] == '\0');
	pthread_mutex_lock(&service->lock);
	service->errors = *errors;
	pthread_mutex_unlock(&service->lock);
}

void service_reload_errors(struct service *service, struct reload_errors *out)
{
	pthread_mutex_lock(&service->lock);
	*out = service->errors;
	pthread_mutex_unlock(&service->lock);
}
