#include "server/admin.h"

#include "codec/json_writer.h"
#include "server/answer.h"
#include "server/request.h"

#include <string.h>
#include <time.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static unsigned answer_healthz(struct service *service, struct MHD_Connection *mhd, struct buf *out)
{
	(void)service, (void)mhd;
	buf_addz(out, "ok");
	return MHD_HTTP_OK;
}

/* One line of /readyz?verbose, in the form of the API server's own. */
static bool check(struct buf *out, const char *name, bool good, const char *detail)
{
	buf_fmt(out, good ? "[+]%s ok%s%s%s\n" : "[-]%s failed%s%s%s\n", name, detail ? " (" : "", detail ? detail : "",
		detail ? ")" : "");
	return good;
}

/* A failed reload is no reason to be unready, the last good one serves; but it is told. */
static bool check_reload(struct buf *out, const char *name, const struct error *failure)
{
	struct error text;
	if (failure->text[0] == '\0')
		return true;
	(void)error_set(&text, 0, "the last good one is in use; the new one: %s", failure->text);
	return check(out, name, true, text.text);
}

/* One that must be valid fails when it is not; one that nobody knows has no line. */
static bool check_validity(struct buf *out, const char *name, const struct validity *v, bool must)
{
	time_t now = time(NULL);
	enum validity_state state = validity_at(v, now);
	char text[VALIDITY_TEXT_MAX];
	if (v->not_after == 0)
		return true;
	validity_text(v, now, text);
	return check(out, name, !must || state == VALIDITY_GOOD || state == VALIDITY_ENDING, text);
}

static bool check_certificates(struct service *service, const struct reload_errors *errors, struct buf *out)
{
	struct credentials *credentials = service_credentials(service);
	const struct credentials_dates *dates = credentials_dates(credentials);
	bool ready = check_validity(out, "certificate", &dates->certificate, true);
	ready &= check_validity(out, "ca", &dates->ca, true);
	ready &= check_reload(out, "certificate-reload", &errors->pair);
	/* That one of several CAs has ended says nothing about the API server's. */
	ready &= check_validity(out, "client-ca", &dates->client_ca, false);
	ready &= check_reload(out, "client-ca-reload", &errors->client_ca);
	credentials_release(credentials);
	return ready;
}

static unsigned answer_readyz(struct service *service, struct MHD_Connection *mhd, struct buf *out)
{
	bool draining = atomic_load(&service->draining);
	bool busy = busy_all(&service->busy, service_now(), (int64_t)BUSY_SECONDS * 1000);
	struct reload_errors errors;
	service_reload_errors(service, &errors);
	bool ready = check(out, "configuration", true, NULL);
	ready &= check_reload(out, "configuration-reload", &errors.config);
	ready &= check_certificates(service, &errors, out);
	ready &= check(out, "workers", !busy, busy ? "all threads have been at work on requests for too long" : NULL);
	ready &= check(out, "shutdown", !draining, draining ? "the server is shutting down" : NULL);
	buf_addz(out, ready ? "readyz check passed\n" : "readyz check failed\n");
	if (!ready)
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	struct str key = STR("verbose");
	if (MHD_lookup_connection_value_n(mhd, MHD_GET_ARGUMENT_KIND, key.p, key.n, NULL, NULL) != MHD_YES) {
		buf_cut(out, 0);
		buf_addz(out, "ok");
	}
	return MHD_HTTP_OK;
}

static unsigned answer_metrics(struct service *service, struct MHD_Connection *mhd, struct buf *out)
{
	(void)mhd;
	struct metrics_now now = {
		.lost_lines = log_lost(service->log),
		.bodies = bodies_held(&service->bodies),
		.bodies_limit = service->bodies.limit,
		.busy = busy_count(&service->busy),
		.threads = service->busy.threads,
	};
	metrics_write(service->metrics, &now, out);
	return MHD_HTTP_OK;
}

static unsigned answer_version(struct service *service, struct MHD_Connection *mhd, struct buf *out)
{
	(void)mhd;
	struct json_writer w = {.out = out};
	struct snapshot *snapshot = service_snapshot(service);
	jw_object(&w);
	jw_memberz(&w, "version", CONNHOOK_VERSION);
	jw_member(&w, "configuration", snapshot->config->fingerprint);
	jw_key(&w, "libraries");
	jw_object(&w);
	jw_memberz(&w, "libmicrohttpd", MHD_get_version());
	jw_memberz(&w, "gnutls", gnutls_check_version(NULL));
	jw_object_end(&w);
	jw_object_end(&w);
	snapshot_release(snapshot);
	return MHD_HTTP_OK;
}

static const struct page {
	const char *path, *type;
	/* Appends the page and returns its status. */
	unsigned (*write)(struct service *service, struct MHD_Connection *mhd, struct buf *out);
} pages[] = {
	{"/healthz", ANSWER_TEXT, answer_healthz},
	{"/readyz", ANSWER_TEXT, answer_readyz},
	{"/metrics", METRICS_TYPE, answer_metrics},
	{"/version", ANSWER_JSON, answer_version},
};

static const struct page *find_page(const char *path)
{
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		if (strcmp(path, pages[i].path) == 0)
			return &pages[i];
	return NULL;
}

static bool is_read(const char *method)
{
	return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static enum MHD_Result finish(struct connection *c, struct MHD_Connection *mhd, const char *path, const char *method)
{
	struct service *service = c->set->service;
	const struct page *page = find_page(path);
	struct answer answer = {.type = ANSWER_JSON, .close = atomic_load(&service->draining)};
	struct buf body;
	buf_init(&body, LIMIT_METRICS);
	if (page == NULL) {
		answer.status = MHD_HTTP_NOT_FOUND;
		answer_write_error(&body, answer.status, "there is nothing at this path; the admin port has /healthz, /readyz, "
				   "/metrics and /version, and the TLS port /mutate and /validate");
	} else if (!is_read(method)) {
		answer.status = MHD_HTTP_METHOD_NOT_ALLOWED;
		answer.allow = "GET, HEAD";
		answer_write_error(&body, answer.status, "this path can only be read; use GET");
	} else {
		answer.type = page->type;
		answer.status = page->write(service, mhd, &body);
	}
	unsigned status = answer_queue(mhd, &answer, &body);
	if (status == 0)
		return MHD_NO;
	connection_answering(c, status);
	return MHD_YES;
}

static void begin(struct connection *c, struct MHD_Connection *mhd, const char *version)
{
	struct request_head head;
	struct error err;
	c->head_read = true;
	if (request_read_head(mhd, version, &head, &err) != 0)
		connection_refuse(c, MHD_HTTP_BAD_REQUEST, err.text);
	else if (head.chunked || (head.has_length && head.length > LIMIT_ADMIN_BODY))
		connection_refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "the admin port takes no body; send GET without one");
}

enum MHD_Result admin_handle(void *set, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *data_size, void **request)
{
	(void)data;
	struct connection *c = connection_called(set, *request);
	if (c == NULL)
		return MHD_NO;
	if (c->phase >= CONNECTION_ENDING)
		return connection_discard(c, data_size);
	if (c->head_read && *data_size == 0)
		return finish(c, mhd, url, method);
	if (!c->head_read)
		begin(c, mhd, version);
	*data_size = 0;
	return MHD_YES;
}
