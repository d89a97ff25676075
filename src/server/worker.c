#include "server/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Of stalled handshakes, looking at this many takes much less than a millisecond. */
#define HANDSHAKES_A_MILLISECOND 16

/*
 * libmicrohttpd's own messages. Clients cause them, so that they pass the valve. That a handshake failed which was
 * refused is no news.
 */
static __attribute__((format(printf, 2, 0))) void log_library(void *cls, const char *format, va_list args)
{
	struct connection_set *set = cls;
	char text[LIMIT_LOG_VALUE + 1];
	struct log_line line;
	unsigned long long held;
	int n = vsnprintf(text, sizeof text, format, args);
	if (n < 0 || connections_gone(set) || !log_valve_pass(&set->valve, service_now(), &held))
		return;
	log_line(&line, set->service->log, LOG_WARN, "libmicrohttpd");
	log_str(&line, "text", str_trim(str_of(text)));
	const char *alert = connections_alert(set);
	if (alert != NULL)
		log_strz(&line, "tls_alert", alert);
	if (held > 0)
		log_int(&line, "held_back", (long long)held);
	log_end(&line);
}

static struct MHD_Daemon *start_daemon(struct connection_set *set, const struct worker_site *site)
{
	unsigned tls = site->priorities != NULL ? MHD_USE_TLS : 0;
	unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG | tls;
	return MHD_start_daemon(flags, 0, NULL, NULL, site->handle, set,
		MHD_OPTION_EXTERNAL_LOGGER, log_library, set,
		MHD_OPTION_NOTIFY_CONNECTION, connection_notify, set,
		MHD_OPTION_URI_LOG_CALLBACK, connection_request, set,
		MHD_OPTION_NOTIFY_COMPLETED, connection_completed, set,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
		/* Two threads may take the last one at the same time. */
		MHD_OPTION_CONNECTION_LIMIT, site->limit + LIMIT_THREADS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_REQUEST_HEAD,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		/* Without TLS the list ends here. */
		site->priorities != NULL ? MHD_OPTION_HTTPS_PRIORITIES : MHD_OPTION_END, site->priorities,
		MHD_OPTION_HTTPS_CERT_CALLBACK, tls_no_certificate,
		MHD_OPTION_END);
}

int worker_init(struct worker *w, struct service *service, const struct worker_site *site, struct error *err)
{
	w->set = (struct connection_set){.service = service, .counted = site->priorities != NULL,
		.count = site->count};
	w->limit = site->limit;
	w->at_work = site->at_work;
	w->listener = -1;
	atomic_init(&w->ending, false);
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake < 0)
		return error_set(err, ERR_IO, "cannot make an event descriptor: %s", strerror(errno));
	w->listener = fcntl(site->listener, F_DUPFD_CLOEXEC, 0);
	if (w->listener < 0)
		return error_set(err, ERR_IO, "cannot copy the listening socket: %s", strerror(errno));
	w->daemon = start_daemon(&w->set, site);
	if (w->daemon == NULL)
		return error_set(err, ERR_IO, "libmicrohttpd cannot begin to serve; the log may say why");
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return error_set(err, ERR_IO, "this libmicrohttpd has no epoll");
	w->epoll = info->epoll_fd;
	return 0;
}

/*
 * How long to wait for something to happen, but not beyond `until`. libmicrohttpd 0.9.75 takes a connection in the
 * middle of its TLS handshake for one that is ready, and one whose buffer is full of a single line between chunks. It
 * would have us ask again and again: a client that stalls there would take a whole CPU. When the last turn brought
 * nothing forward, it is not believed: what really arrives ends the wait at once, and what was left over from before
 * waits for a moment.
 */
static int wait_time(const struct worker *w, int64_t until)
{
	int64_t now = service_now(), wait = until > now ? until - now : 0;
	MHD_UNSIGNED_LONG_LONG library;
	if (MHD_get_timeout(w->daemon, &library) == MHD_YES && library < (unsigned long long)wait)
		wait = (int64_t)library;
	if (wait == 0 && until > now && !w->set.active)
		wait = 1 + w->set.handshakes / HANDSHAKES_A_MILLISECOND;
	return wait < IDLE_SECONDS * 1000 ? (int)wait : IDLE_SECONDS * 1000;
}

static void log_accept(struct worker *w, int error)
{
	unsigned long long held;
	struct log_line line;
	if (!log_valve_pass(&w->set.valve, service_now(), &held))
		return;
	log_line(&line, w->set.service->log, LOG_ERROR, "cannot accept connections");
	log_strz(&line, "error", strerror(error));
	log_int(&line, "connections", atomic_load(w->set.count));
	if (held > 0)
		log_int(&line, "held_back", (long long)held);
	log_end(&line);
}

/*
 * Takes one connection, if another thread was not faster. When the process has no descriptors or memory left for it,
 * none is taken for a moment: libmicrohttpd, left to itself, would try again and again, or never.
 */
static void take_connection(struct worker *w)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int fd = accept4(w->listener, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		w->accepts = 0;
		/* A failure is in libmicrohttpd's log, and it has closed the socket. */
		(void)MHD_add_connection(w->daemon, fd, (const struct sockaddr *)&address, length);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return;
	if (w->accepts == 0)
		log_accept(w, errno);
	w->accepts = service_now() + ACCEPT_MILLISECONDS;
}

static void make_room(struct worker *w)
{
	unsigned long long held;
	struct log_line line;
	int64_t now = service_now();
	if (!connections_make_room(&w->set, now)) {
		w->accepts = now + ACCEPT_MILLISECONDS;
		return;
	}
	if (!log_valve_pass(&w->set.valve, now, &held))
		return;
	log_line(&line, w->set.service->log, LOG_WARN, "at the limit of connections; the longest quiet one is closed");
	log_int(&line, "connections", atomic_load(w->set.count));
	if (held > 0)
		log_int(&line, "held_back", (long long)held);
	log_end(&line);
}

/*
 * A turn begins, after a wait that began at `waited`. What it finds came during the wait; if there was none, it may
 * have come at any time in the turn before.
 */
static void begin_turn(struct worker *w, int64_t waited)
{
	int64_t now = service_now();
	w->set.arrived = now > waited ? now : w->turned;
	w->turned = now;
	if (w->at_work != NULL)
		atomic_store(w->at_work, now);
}

/* Waits, and lets libmicrohttpd do what there is to do. True when anything happened. */
static bool turn(struct worker *w, int64_t until)
{
	bool accepts = service_now() >= w->accepts;
	struct pollfd files[] = {
		{.fd = w->epoll, .events = POLLIN},
		{.fd = w->wake, .events = POLLIN},
		{.fd = accepts ? w->listener : -1, .events = POLLIN},
	};
	if (!accepts && w->accepts < until)
		until = w->accepts;
	int64_t waited = service_now();
	if (w->at_work != NULL)
		atomic_store(w->at_work, 0);
	int ready = poll(files, sizeof files / sizeof *files, wait_time(w, until));
	begin_turn(w, waited);
	w->set.active = false;
	if (files[2].revents != 0 && atomic_load(w->set.count) < w->limit)
		take_connection(w);
	else if (files[2].revents != 0)
		make_room(w);
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

static void serve(struct worker *w)
{
	struct schedule schedule = {.due = INT64_MAX};
	w->turned = service_now(); /* nothing came before this */
	while (!atomic_load(&w->ending)) {
		schedule.changed |= turn(w, next_sweep(&schedule));
		int64_t now = service_now();
		if (now >= next_sweep(&schedule))
			schedule = (struct schedule){.swept = now, .due = connections_sweep(&w->set, now)};
	}
}

static void close_listener(struct worker *w)
{
	if (w->listener >= 0)
		close(w->listener);
	w->listener = -1;
}

/* Lets what is under way finish, until `end`; after that, clients may still read their refusal. */
static void drain(struct worker *w)
{
	int64_t end = service_now() + DRAIN_SECONDS * 1000, last = end + LINGER_SECONDS * 1000;
	uint64_t count;
	ssize_t cleared = read(w->wake, &count, sizeof count);
	(void)cleared;
	close_listener(w);
	for (int64_t now = service_now(); w->set.first != NULL && now < last; now = service_now()) {
		connections_sweep(&w->set, now);
		connections_drain(&w->set, now);
		if (now >= end)
			connections_end(&w->set, now);
		turn(w, now + SWEEP_MILLISECONDS);
	}
}

static void *run(void *worker)
{
	serve(worker);
	drain(worker);
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
	/* First this: the thread takes the event away once it has seen `ending`. */
	ssize_t written = w->running ? write(w->wake, &one, sizeof one) : 0;
	(void)written;
	atomic_store(&w->ending, true);
}

void worker_dispose(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
	if (w->daemon != NULL)
		MHD_stop_daemon(w->daemon);
	if (w->set.service != NULL) {
		close_listener(w);
		if (w->wake >= 0)
			close(w->wake);
	}
	*w = (struct worker){0};
}
