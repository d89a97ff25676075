#include "server/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* libmicrohttpd's own messages. Clients cause them, so that they pass the valve. */
static __attribute__((format(printf, 2, 0))) void log_library(void *cls, const char *format, va_list args)
{
	struct connection_set *set = cls;
	char text[LIMIT_LOG_VALUE + 1];
	struct log_line line;
	unsigned long long held;
	int n = vsnprintf(text, sizeof text, format, args);
	if (n < 0 || !log_valve_pass(&set->valve, service_now(), &held))
		return;
	log_line(&line, &set->service->log, LOG_WARN, "libmicrohttpd");
	log_str(&line, "text", str_trim(str_of(text)));
	if (held > 0)
		log_int(&line, "held_back", (long long)held);
	log_end(&line);
}

static struct MHD_Daemon *start_daemon(struct connection_set *set, const struct worker_site *site, int listener)
{
	unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | (site->tls ? MHD_USE_TLS : 0);
	return MHD_start_daemon(flags, 0, NULL, NULL, site->handle, set,
		MHD_OPTION_EXTERNAL_LOGGER, log_library, set,
		MHD_OPTION_LISTEN_SOCKET, listener,
		MHD_OPTION_NOTIFY_CONNECTION, connection_notify, set,
		MHD_OPTION_URI_LOG_CALLBACK, connection_request, set,
		MHD_OPTION_NOTIFY_COMPLETED, connection_completed, set,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
		MHD_OPTION_CONNECTION_LIMIT, site->connections,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_REQUEST_HEAD,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		/* Without TLS the list ends here. */
		site->tls ? MHD_OPTION_HTTPS_PRIORITIES : MHD_OPTION_END, TLS_PRIORITIES,
		MHD_OPTION_HTTPS_CERT_CALLBACK, tls_no_certificate,
		MHD_OPTION_END);
}

int worker_init(struct worker *w, struct service *service, const struct worker_site *site, struct error *err)
{
	w->set = (struct connection_set){.service = service, .counted = site->tls};
	atomic_init(&w->ending, false);
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake < 0)
		return error_set(err, ERR_IO, "cannot make an event descriptor: %s", strerror(errno));
	int listener = fcntl(site->listener, F_DUPFD_CLOEXEC, 0);
	if (listener < 0)
		return error_set(err, ERR_IO, "cannot copy the listening socket: %s", strerror(errno));
	w->daemon = start_daemon(&w->set, site, listener);
	if (w->daemon == NULL) {
		close(listener);
		return error_set(err, ERR_IO, "libmicrohttpd cannot begin to listen; the log may say why");
	}
	return 0;
}

/* How long to wait for something to happen, given when the next deadline is. */
static int wait_time(struct MHD_Daemon *daemon, int64_t now, int64_t next)
{
	MHD_UNSIGNED_LONG_LONG library;
	int64_t wait = next > now ? next - now : 0;
	if (MHD_get_timeout(daemon, &library) == MHD_YES && library < (unsigned long long)wait)
		wait = (int64_t)library;
	return wait < IDLE_SECONDS * 1000 ? (int)wait : IDLE_SECONDS * 1000;
}

/* Waits, and lets libmicrohttpd do what there is to do. True when anything happened. */
static bool turn(struct worker *w, int epoll, int64_t next)
{
	struct pollfd files[] = {{.fd = epoll, .events = POLLIN}, {.fd = w->wake, .events = POLLIN}};
	int ready = poll(files, 2, wait_time(w->daemon, service_now(), next));
	uint64_t count;
	if (ready > 0 && files[1].revents != 0 && read(w->wake, &count, sizeof count) < 0)
		ready = 0;
	MHD_run_wait(w->daemon, 0);
	return ready > 0;
}

/* When to look at the connections again: soon after something happened, else at the next deadline. */
struct schedule {
	int64_t swept, due;
	bool changed;
};

static int64_t next_sweep(const struct schedule *s)
{
	int64_t soon = s->changed ? s->swept + SWEEP_MILLISECONDS : INT64_MAX;
	return soon < s->due ? soon : s->due;
}

static void serve(struct worker *w, int epoll)
{
	struct schedule schedule = {.due = INT64_MAX};
	while (!atomic_load(&w->ending)) {
		schedule.changed |= turn(w, epoll, next_sweep(&schedule));
		int64_t now = service_now();
		if (now < next_sweep(&schedule))
			continue;
		schedule = (struct schedule){.swept = now, .due = connections_sweep(&w->set, now)};
	}
}

/* Lets what is under way finish, until `end`; after that, clients may still read their refusal. */
static void drain(struct worker *w, int epoll)
{
	int64_t end = service_now() + DRAIN_SECONDS * 1000, last = end + LINGER_SECONDS * 1000;
	int listener = MHD_quiesce_daemon(w->daemon);
	if (listener >= 0)
		close(listener);
	for (int64_t now = service_now(); w->set.first != NULL && now < last; now = service_now()) {
		connections_sweep(&w->set, now);
		connections_drain(&w->set, now);
		if (now >= end)
			connections_end(&w->set, now);
		turn(w, epoll, now + SWEEP_MILLISECONDS);
	}
}

static void *run(void *worker)
{
	struct worker *w = worker;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	serve(w, info->epoll_fd);
	drain(w, info->epoll_fd);
	return NULL;
}

int worker_start(struct worker *w, struct error *err)
{
	int code = pthread_create(&w->thread, NULL, run, w);
	if (code != 0)
		return error_set(err, ERR_IO, "cannot begin a thread: %s; try fewer --threads", strerror(code));
	w->running = true;
	return 0;
}

void worker_end(struct worker *w)
{
	static const uint64_t one = 1;
	atomic_store(&w->ending, true);
	/* Fails only when it was called 2^64 times. */
	ssize_t written = w->daemon != NULL ? write(w->wake, &one, sizeof one) : 0;
	(void)written;
}

void worker_dispose(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
	if (w->daemon != NULL)
		MHD_stop_daemon(w->daemon);
	if (w->set.service != NULL && w->wake >= 0)
		close(w->wake);
	*w = (struct worker){0};
}
