#include "server/server.h"

#include "server/admin.h"
#include "server/admission.h"
#include "server/confine.h"
#include "server/worker.h"

#include "base/limits.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A block of this size is a large one. */
#define MALLOC_LARGE (128 * KIB)

/* Start with {0}, and the descriptors -1. */
struct server {
	struct service service;
	bool has_service, confined;
	struct tls_material material; /* of the credentials in use */
	int listener, admin_listener, signals;
	atomic_uint connections, admin_connections;
	struct worker workers[LIMIT_THREADS], admin;
	unsigned threads;
};

unsigned server_default_threads(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
	if (count < 1)
		return 1;
	return count < LIMIT_THREADS ? (unsigned)count : LIMIT_THREADS;
}

/* Allows as many open files as the system lets us, and returns how many connections there may be then. */
static unsigned raise_files(unsigned threads)
{
	struct rlimit limit;
	unsigned wish = threads * LIMIT_CONNECTIONS;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return wish;
	struct rlimit wanted = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
	if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &wanted) == 0)
		limit = wanted;
	rlim_t reserved = LIMIT_RESERVED_FILES + LIMIT_ADMIN_CONNECTIONS;
	rlim_t room = limit.rlim_cur > reserved ? limit.rlim_cur - reserved : 1;
	return room < wish ? (unsigned)room : wish;
}

/* The signals that steer the server; blocked in all threads, so that only the descriptor gets them. */
static sigset_t steering(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

static int prepare_signals(struct server *s, struct error *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set = steering();
	int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* A client that goes away is no reason to end. Process 1 of a container gets orphans, and keeps no zombies. */
	if (code != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0 || sigaction(SIGCHLD, &ignore, NULL) != 0)
		return error_set(err, ERR_IO, "cannot set up signals: %s", strerror(code != 0 ? code : errno));
	s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signals < 0)
		return error_set(err, ERR_IO, "cannot wait for signals: %s", strerror(errno));
	return 0;
}

static int open_listeners(struct server *s, const struct server_options *o, struct error *err)
{
	int code = listen_open(&o->listen, &s->listener, err);
	return code != 0 ? code : listen_open(&o->admin, &s->admin_listener, err);
}

static int init_workers(struct server *s, const struct server_options *o, struct error *err)
{
	struct worker_site site = {.handle = admission_handle, .priorities = o->tls_priorities,
		.limit = raise_files(s->threads), .count = &s->connections, .listener = s->listener};
	struct worker_site admin = {.handle = admin_handle, .limit = LIMIT_ADMIN_CONNECTIONS,
		.count = &s->admin_connections, .listener = s->admin_listener};
	s->service.busy.threads = s->threads;
	int code = worker_init(&s->admin, &s->service, &admin, err);
	for (unsigned i = 0; i < s->threads && code == 0; i++) {
		site.at_work = &s->service.busy.since[i];
		code = worker_init(&s->workers[i], &s->service, &site, err);
	}
	return code;
}

/* A server that cannot be confined serves all the same: false, and a line in the log. */
static bool confine_or_warn(int (*confine)(struct error *err), struct log *log)
{
	struct error err;
	struct log_line line;
	if (confine(&err) == 0)
		return true;
	log_line(&line, log, LOG_WARN, "not confined");
	log_str(&line, "error", error_str(&err));
	log_end(&line);
	return false;
}

static int start_workers(struct server *s, struct error *err)
{
	int code = worker_start(&s->admin, err);
	for (unsigned i = 0; i < s->threads && code == 0; i++)
		code = worker_start(&s->workers[i], err);
	return code;
}

static void log_listening(struct server *s)
{
	char name[LISTEN_NAME_MAX];
	struct log_line line;
	log_line(&line, s->service.log, LOG_INFO, "listening");
	listen_name(s->listener, name);
	log_strz(&line, "tls", name);
	listen_name(s->admin_listener, name);
	log_strz(&line, "admin", name);
	log_int(&line, "threads", s->threads);
	log_int(&line, "body_memory", (long long)s->service.bodies.limit);
	log_int(&line, "decision_memory", (long long)s->service.decision_memory);
	log_bool(&line, "confined", s->confined);
	log_str(&line, "configuration", s->service.snapshot->config->fingerprint);
	log_strz(&line, "version", CONNHOOK_VERSION);
	log_end(&line);
}

static void log_signal(struct log *log, int signal)
{
	struct log_line line;
	log_line(&line, log, LOG_INFO, "shutting down");
	log_strz(&line, "signal", signal == SIGINT ? "SIGINT" : "SIGTERM");
	log_end(&line);
}

static void log_stopped(struct log *log)
{
	struct log_line line;
	log_line(&line, log, LOG_INFO, "stopped");
	log_end(&line);
}

/*
 * Ends what has begun, in the order that lets requests finish: not ready, then no new connections, then none at all.
 * The admin listener answers to the last.
 */
static void end(struct server *s)
{
	if (s->has_service)
		atomic_store(&s->service.draining, true);
	for (unsigned i = 0; i < s->threads; i++)
		worker_end(&s->workers[i]);
	listen_close(&s->listener);
	for (unsigned i = 0; i < s->threads; i++)
		worker_dispose(&s->workers[i]);
	worker_end(&s->admin);
	listen_close(&s->admin_listener);
	worker_dispose(&s->admin);
	if (s->has_service)
		service_dispose(&s->service);
	tls_material_dispose(&s->material);
	if (s->signals >= 0)
		close(s->signals);
}

/* Takes `config` in every case. */
static int begin_service(struct server *s, const struct server_options *o, struct config *config, struct error *err)
{
	struct credentials *credentials = NULL;
	int code = tls_material_load(&o->source.tls, &s->material, err);
	if (code == 0)
		code = credentials_new(&o->source.tls, &s->material, &credentials, err);
	if (code != 0) {
		config_free(config);
		return code;
	}
	s->service.log = o->log;
	s->service.request_milliseconds = (int64_t)o->request_seconds * 1000;
	struct service_memory memory = {o->body_mib * MIB, o->decision_mib * MIB};
	code = service_init(&s->service, &memory, config, credentials, err);
	if (code != 0)
		credentials_release(credentials);
	s->has_service = code == 0;
	return code;
}

/*
 * Large blocks, which bodies and decisions take, come from the system and go back to it. The C library, left to itself,
 * would begin to keep them in pieces, and what is counted would not be what is held.
 */
static void give_back_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MALLOC_LARGE);
	(void)mallopt(M_TRIM_THRESHOLD, MALLOC_LARGE);
}

/* Takes `config` in every case. */
static int begin(struct server *s, const struct server_options *o, struct config *config, struct error *err)
{
	give_back_memory();
	s->confined = confine_or_warn(confine_memory, o->log);
	int code = begin_service(s, o, config, err);
	if (code == 0)
		code = prepare_signals(s, err);
	if (code == 0)
		code = open_listeners(s, o, err);
	if (code == 0)
		code = init_workers(s, o, err);
	if (code == 0) {
		s->confined = confine_or_warn(confine_calls, o->log) && s->confined;
		code = start_workers(s, err);
	}
	return code;
}

/* The next signal that has come; 0 for none. */
static int take_signal(const struct server *s)
{
	struct signalfd_siginfo info;
	return read(s->signals, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

static int until(int64_t due)
{
	int64_t left = due - service_now();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Waits for the signal that ends the server, and reads anew meanwhile. */
static int steer(struct server *s, struct reload *reload)
{
	struct pollfd wait[] = {{.fd = s->signals, .events = POLLIN}, {.fd = reload->watch, .events = POLLIN}};
	for (;;) {
		int ready = poll(wait, 2, until(reload->due));
		int signal = take_signal(s);
		if (signal == SIGTERM || signal == SIGINT)
			return signal;
		if (ready > 0 && wait[1].revents != 0)
			reload_noticed(reload, service_now());
		if (signal == SIGHUP)
			reload_asked(reload);
		if (signal == SIGHUP || service_now() >= reload->due)
			reload_now(reload, service_now());
	}
}

/* Unready, but serving: the time that endpoints need to hear of it. */
static void linger(struct server *s, unsigned seconds)
{
	struct pollfd wait = {.fd = s->signals, .events = POLLIN};
	int64_t due = service_now() + (int64_t)seconds * 1000;
	atomic_store(&s->service.draining, true);
	while (service_now() < due) {
		int signal = poll(&wait, 1, until(due)) > 0 ? take_signal(s) : 0;
		if (signal == SIGTERM || signal == SIGINT)
			return;
	}
}

int server_run(const struct server_options *options, struct config *config, struct error *err)
{
	struct server s = {.listener = -1, .admin_listener = -1, .signals = -1, .threads = options->threads};
	int code = begin(&s, options, config, err);
	if (code == 0) {
		struct reload reload;
		reload_init(&reload, &s.service, &options->source, &s.material);
		log_listening(&s);
		log_signal(options->log, steer(&s, &reload));
		reload_dispose(&reload);
		linger(&s, options->drain_seconds);
	}
	end(&s);
	if (code == 0)
		log_stopped(options->log);
	return code;
}
