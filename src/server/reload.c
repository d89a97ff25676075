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

static void watch_directory(struct reload *r, const char *path)
{
	struct arena arena = {0};
	size_t slash = str_rfind(str_of(path), '/');
	struct str directory = slash == strlen(path) ? STR(".") : arena_fmt(&arena, "%.*s/", (int)slash, path);
	int code = directory.p != NULL ? inotify_add_watch(r->watch, directory.p, EVENTS) : -1;
	if (code < 0)
		log_reload(r, LOG_WARN, path, "error", str_of(strerror(errno)));
	arena_free(&arena);
}

/* Watches the directory of each file: files are most often replaced, not written. */
static void watch_all(struct reload *r)
{
	const struct tls_files *tls = &r->source->tls;
	const char *const paths[] = {r->source->config_file, tls->certificate, tls->key, tls->client_ca};
	for (size_t i = 0; i < sizeof paths / sizeof *paths && r->watch >= 0; i++)
		if (paths[i] != NULL)
			watch_directory(r, paths[i]);
}

static void tell_validity(struct reload *r, const char *file, const struct validity *v, struct validity_told *told)
{
	time_t now = time(NULL);
	char text[VALIDITY_TEXT_MAX];
	struct log_line line;
	if (!validity_tell(told, v, now))
		return;
	validity_text(v, now, text);
	log_line(&line, r->service->log, LOG_WARN, "certificate");
	log_strz(&line, "file", file);
	log_strz(&line, "text", text);
	log_end(&line);
}

/* A certificate that the API server will not accept is no reason to end: it may be replaced. */
static void tell_validities(struct reload *r)
{
	const struct tls_files *tls = &r->source->tls;
	struct credentials *credentials = service_credentials(r->service);
	const struct credentials_dates *dates = credentials_dates(credentials);
	tell_validity(r, tls->certificate, &dates->certificate, &r->certificate);
	tell_validity(r, tls->ca, &dates->ca, &r->ca);
	tell_validity(r, tls->client_ca, &dates->client_ca, &r->client_ca);
	credentials_release(credentials);
}

void reload_init(struct reload *r, struct service *service, const struct server_source *source,
		 struct tls_material *material)
{
	*r = (struct reload){.service = service, .source = source, .material = material,
		.due = service_now() + RELOAD_SECONDS * 1000};
	r->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->watch < 0)
		log_reload(r, LOG_WARN, "inotify", "error", str_of(strerror(errno)));
	watch_all(r);
	tell_validities(r);
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

/*
 * What /readyz?verbose says, which anybody may read who reaches the port: the place, not what stands there. Sentences
 * about a file as such, that it is none or too large, hold nothing of its content.
 */
static void show(const char *file, int code, const struct error *e, struct error *out)
{
	if (e->line > 0)
		(void)error_set(out, code, "%s:%zu:%zu: it is wrong there; the log says what", file, e->line, e->column);
	else if (code == ERR_INVALID)
		(void)error_set(out, code, "%s: it cannot be used; the log says why", file);
	else
		*out = *e;
}

/* Notes the outcome of an attempt; an error is logged when it is another one than last time. */
static void note(struct reload *r, const char *what, const char *file, int code, const struct error *now,
		 struct error *last, struct error *shown)
{
	if (code == 0) {
		*last = *shown = (struct error){0};
		return;
	}
	if (strcmp(now->text, last->text) != 0)
		log_reload(r, LOG_ERROR, what, "error", error_str(now));
	*last = *now;
	show(file, code, now, shown);
}

static bool same_config(const struct config *a, const struct config *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return str_eq(a->fingerprint, b->fingerprint) && same_config(a->other, b->other);
}

static void reload_config(struct reload *r)
{
	struct config *config;
	struct error err = {0};
	int code = r->source->config(r->source->context, &config, &err);
	if (code == 0) {
		struct snapshot *used = service_snapshot(r->service);
		bool same = same_config(used->config, config);
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
	note(r, "configuration", r->source->config_file, code, &err, &r->errors.config, &r->shown.config);
}

static struct str text_of(const struct pki_text *text)
{
	return (struct str){text->p, text->n};
}

/* Begins to use a material; the parts of the old one that it does not share are the caller's. */
static int use_material(struct reload *r, const struct tls_material *material, struct error *err)
{
	struct credentials *credentials;
	int code = credentials_new(&r->source->tls, material, &credentials, err);
	if (code != 0)
		return code;
	service_replace_credentials(r->service, credentials);
	*r->material = *material;
	return 0;
}

static void reload_pair(struct reload *r)
{
	const struct tls_files *tls = &r->source->tls;
	struct tls_material old = *r->material, new = old;
	struct error err = {0};
	new.pair = (struct pki_pair){0};
	new.ca = (struct pki_authorities){0};
	int code = tls_pair_load(tls, &old.pair, &new.pair, &err);
	bool same = code == 0 && str_eq(text_of(&new.pair.certificate), text_of(&old.pair.certificate));
	if (code == 0 && !same) {
		/* Only its end is of interest. */
		if (tls->ca != NULL)
			(void)pki_load_authorities(tls->ca, &new.ca, NULL);
		code = use_material(r, &new, &err);
	}
	bool used = code == 0 && !same;
	if (used) {
		r->certificate = r->ca = (struct validity_told){0};
		log_reload(r, LOG_INFO, "certificate", "file", str_of(tls->certificate));
	}
	pki_pair_dispose(used ? &old.pair : &new.pair);
	pki_authorities_dispose(used ? &old.ca : &new.ca);
	note(r, "certificate", "certificate or key", code, &err, &r->errors.pair, &r->shown.pair);
}

static void reload_client_ca(struct reload *r)
{
	const char *file = r->source->tls.client_ca;
	struct tls_material old = *r->material, new = old;
	struct error err = {0};
	new.client_ca = (struct pki_authorities){0};
	int code = pki_load_authorities(file, &new.client_ca, &err);
	bool same = code == 0 && str_eq(text_of(&new.client_ca.certificates), text_of(&old.client_ca.certificates));
	if (code == 0 && !same)
		code = use_material(r, &new, &err);
	bool used = code == 0 && !same;
	if (used) {
		r->client_ca = (struct validity_told){0};
		log_reload(r, LOG_INFO, "client-ca", "file", str_of(file));
	}
	pki_authorities_dispose(used ? &old.client_ca : &new.client_ca);
	note(r, "client-ca", file, code, &err, &r->errors.client_ca, &r->shown.client_ca);
}

void reload_asked(struct reload *r)
{
	r->certificate = r->ca = r->client_ca = (struct validity_told){0};
}

void reload_now(struct reload *r, int64_t now)
{
	watch_all(r);
	if (r->source->config_file != NULL)
		reload_config(r);
	reload_pair(r);
	if (r->source->tls.client_ca != NULL)
		reload_client_ca(r);
	tell_validities(r);
	service_note_reload(r->service, &r->shown);
	r->due = now + RELOAD_SECONDS * 1000;
}
