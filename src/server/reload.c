#include "server/reload.h"

#include "base/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* What happens to a file, or to a link in its directory. */
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ONLYDIR)

/* Room for the events of one read; the rest comes with the next one. */
#define EVENT_BYTES 4096

static void log_reload(struct reload *r, enum log_level level, const char *what, const char *key, struct str value)
{
	struct log_line line;
	log_line(&line, r->service->log, level, "reload");
	log_strz(&line, "what", what);
	log_str(&line, key, value);
	log_end(&line);
}

/* Watches the directory of each file: files are most often replaced, not written. */
static void watch_all(struct reload *r)
{
	for (size_t i = 0; i < 3 && r->watch >= 0; i++) {
		const char *path = r->source->paths[i];
		if (path == NULL)
			continue;
		size_t slash = str_rfind(str_of(path), '/');
		struct arena arena = {0};
		struct str directory = slash == strlen(path) ? STR(".") : arena_fmt(&arena, "%.*s/", (int)slash, path);
		int code = directory.p != NULL ? inotify_add_watch(r->watch, directory.p, EVENTS) : -1;
		if (code < 0)
			log_reload(r, LOG_WARN, path, "error", str_of(strerror(errno)));
		arena_free(&arena);
	}
}

void reload_init(struct reload *r, struct service *service, const struct server_source *source,
		 const struct pki_pair *pair)
{
	*r = (struct reload){.service = service, .source = source, .due = service_now() + RELOAD_SECONDS * 1000};
	r->certificate = str_hash(STR_HASH_SEED, (struct str){pair->certificate.p, pair->certificate.n});
	r->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->watch < 0)
		log_reload(r, LOG_WARN, "inotify", "error", str_of(strerror(errno)));
	watch_all(r);
}

void reload_dispose(struct reload *r)
{
	if (r->watch >= 0)
		close(r->watch);
}

void reload_noticed(struct reload *r, int64_t now)
{
	char events[EVENT_BYTES];
	while (read(r->watch, events, sizeof events) > 0)
		continue; /* which file it was does not matter: all are read */
	if (r->due > now + RELOAD_QUIET_MILLISECONDS)
		r->due = now + RELOAD_QUIET_MILLISECONDS;
}

/* Notes the outcome of an attempt; an error is logged when it is another one than last time. */
static void note(struct reload *r, const char *what, int code, const struct error *now, struct error *last)
{
	if (code == 0) {
		last->text[0] = '\0';
		return;
	}
	if (strcmp(now->text, last->text) != 0)
		log_reload(r, LOG_ERROR, what, "error", error_str(now));
	*last = *now;
}

static void reload_config(struct reload *r)
{
	struct config *config;
	struct error err = {""};
	int code = r->source->config(r->source->context, &config, &err);
	if (code == 0) {
		struct snapshot *used = service_snapshot(r->service);
		bool same = str_eq(used->config->fingerprint, config->fingerprint);
		struct str fingerprint = config->fingerprint;
		snapshot_release(used);
		if (same) {
			config_free(config);
		} else {
			/* Only this thread replaces it, so that its text lives on. */
			code = service_replace_config(r->service, config, &err);
			if (code == 0)
				log_reload(r, LOG_INFO, "configuration", "fingerprint", fingerprint);
		}
	}
	note(r, "configuration", code, &err, &r->config_error);
}

static void reload_pair(struct reload *r)
{
	struct pki_pair pair = {0};
	struct error err = {""};
	int code = r->source->pair(r->source->context, &pair, &err);
	unsigned long long hash = str_hash(STR_HASH_SEED, (struct str){pair.certificate.p, pair.certificate.n});
	if (code == 0 && hash != r->certificate) {
		code = service_replace_pair(r->service, &pair, &err);
		if (code == 0) {
			r->certificate = hash;
			log_reload(r, LOG_INFO, "certificate", "file", str_of(r->source->paths[1]));
		}
	}
	pki_pair_dispose(&pair);
	note(r, "certificate", code, &err, &r->pair_error);
}

void reload_now(struct reload *r, int64_t now)
{
	watch_all(r);
	if (r->source->paths[0] != NULL)
		reload_config(r);
	reload_pair(r);
	service_note_reload(r->service, &r->config_error, &r->pair_error);
	r->due = now + RELOAD_SECONDS * 1000;
}
