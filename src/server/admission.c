#include "server/admission.h"

#include "server/answer.h"
#include "server/request.h"
#include "server/timeout.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MESSAGE_MAX 320

static const struct endpoint {
	const char *path;
	enum phase phase;
} endpoints[] = {
	{"/mutate", PHASE_MUTATE},
	{"/validate", PHASE_VALIDATE},
};

static const struct endpoint *find_endpoint(const char *path)
{
	for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
		if (strcmp(path, endpoints[i].path) == 0)
			return &endpoints[i];
	return NULL;
}

/* What is wrong with a request that is refused with `status`, and what to do. */
static void explain(unsigned status, char out[MESSAGE_MAX])
{
	const char *text = "connhook cannot answer this request";
	if (status == MHD_HTTP_NOT_FOUND)
		text = "there is nothing at this path; send POST /mutate or POST /validate here, and GET /healthz, "
		       "/readyz, /metrics or /version to the admin port";
	else if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		text = "this path takes no other method than POST; send an AdmissionReview with POST";
	else if (status == MHD_HTTP_LENGTH_REQUIRED)
		text = "the request has no body of a known length; send Content-Length, or Transfer-Encoding: chunked";
	else if (status == MHD_HTTP_UNSUPPORTED_MEDIA_TYPE)
		text = "the body is not declared as JSON; send Content-Type: application/json";
	else if (status == MHD_HTTP_INTERNAL_SERVER_ERROR)
		text = "connhook is out of memory; give its container more";
	int n = status == MHD_HTTP_CONTENT_TOO_LARGE
			? snprintf(out, MESSAGE_MAX, "the body is larger than %lu bytes; send a smaller object",
				   LIMIT_BODY)
			: snprintf(out, MESSAGE_MAX, "%s", text);
	if (n < 0)
		out[0] = '\0';
}

/* Queues the error that was decided on while the head or the body was read. */
static enum MHD_Result answer_refusal(struct connection *c, struct MHD_Connection *mhd, unsigned status,
	const char *message)
{
	struct answer answer = {status, ANSWER_JSON, c->allow, c->close || atomic_load(&c->set->service->draining)};
	struct buf body;
	buf_init(&body, LIMIT_RESPONSE);
	answer_write_error(&body, status, message);
	status = answer_queue(mhd, &answer, &body);
	if (status == 0)
		return MHD_NO;
	connection_answering(c, status);
	return MHD_YES;
}

/*
 * Refuses without the body. A client that waits for "100 Continue" gets an ordinary answer, which libmicrohttpd ends
 * the connection with; others are sending already.
 */
static enum MHD_Result refuse_now(struct connection *c, struct MHD_Connection *mhd, bool waits, unsigned status,
	const char *message)
{
	c->close = true;
	if (waits)
		return answer_refusal(c, mhd, status, message);
	connection_refuse(c, status, message);
	return MHD_YES;
}

/* The status that a request with this head has to be refused with; 0 for none. */
static unsigned check_head(struct connection *c, const char *path, const char *method, const struct request_head *head)
{
	if (find_endpoint(path) == NULL)
		return MHD_HTTP_NOT_FOUND;
	if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
		c->allow = MHD_HTTP_METHOD_POST;
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if (!head->has_length && !head->chunked) {
		/* There may be a body all the same, which would be taken for the next request. */
		c->close = true;
		return MHD_HTTP_LENGTH_REQUIRED;
	}
	return head->is_json ? 0 : MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
}

static enum MHD_Result begin(struct connection *c, struct MHD_Connection *mhd, const char *path, const char *method,
	const char *version)
{
	char message[MESSAGE_MAX];
	struct request_head head;
	struct error err;
	c->head_read = true;
	if (request_read_head(mhd, version, &head, &err) != 0)
		return refuse_now(c, mhd, false, MHD_HTTP_BAD_REQUEST, err.text);
	c->refusal = check_head(c, path, method, &head);
	bool too_large = head.has_length && head.length > LIMIT_BODY;
	if (!too_large && (c->refusal == 0 || !head.expects_continue))
		return MHD_YES;
	unsigned status = too_large ? MHD_HTTP_CONTENT_TOO_LARGE : c->refusal;
	explain(status, message);
	return refuse_now(c, mhd, head.expects_continue, status, message);
}

/* A part of the body. Memory grows with what has come, never with what was announced. */
static enum MHD_Result take(struct connection *c, struct MHD_Connection *mhd, struct str data)
{
	char message[MESSAGE_MAX];
	if (data.n > LIMIT_BODY - c->received) {
		explain(MHD_HTTP_CONTENT_TOO_LARGE, message);
		return refuse_now(c, mhd, false, MHD_HTTP_CONTENT_TOO_LARGE, message);
	}
	c->received += data.n;
	if (c->refusal != 0)
		return MHD_YES;
	enum body_added added = body_add(&c->body, data, LIMIT_BODY, c->changed, service_now());
	if (added == BODY_LOST)
		connection_refuse_body(c);
	else if (added == BODY_NOMEM)
		c->refusal = MHD_HTTP_INTERNAL_SERVER_ERROR;
	return MHD_YES;
}

/* A comma list for the log, cut where its room ends. */
struct list_text {
	size_t n;
	char text[LIMIT_LOG_VALUE];
};

static void list_add(struct list_text *list, struct str item)
{
	size_t comma = list->n > 0;
	if (item.n + comma > sizeof list->text - list->n)
		return;
	if (comma)
		list->text[list->n++] = ',';
	if (item.n > 0)
		memcpy(list->text + list->n, item.p, item.n);
	list->n += item.n;
}

/* The rules of the findings, each once. */
static struct list_text rules_of(const struct decision *d)
{
	struct list_text list = {0};
	for (size_t i = 0; i < d->finding_count; i++) {
		size_t before = 0;
		while (before < i && strcmp(d->findings[before].rule, d->findings[i].rule) != 0)
			before++;
		if (before == i)
			list_add(&list, str_of(d->findings[i].rule));
	}
	return list;
}

static struct list_text bindings_of(const struct decision *d)
{
	struct list_text list = {0};
	for (size_t i = 0; i < d->binding_count; i++)
		list_add(&list, d->bindings[i]);
	return list;
}

static void log_value(struct log_line *line, const char *key, struct str value)
{
	if (value.n > 0)
		log_str(line, key, value);
}

/* One line for one admission: names and what was decided, never what an object holds. */
static void log_admission(struct log *log, enum phase phase, const struct decision *d, uint64_t nanoseconds)
{
	enum outcome outcome = outcome_of(d);
	bool matters = outcome == OUTCOME_PATCHED || outcome == OUTCOME_DENIED || d->finding_count > 0;
	struct list_text rules = rules_of(d), bindings = bindings_of(d);
	struct log_line line;
	log_line(&line, log, matters ? LOG_INFO : LOG_DEBUG, "admission");
	log_strz(&line, "webhook", phase_name(phase));
	log_str(&line, "uid", d->uid);
	log_str(&line, "operation", d->operation);
	log_value(&line, "group", d->group);
	log_str(&line, "kind", d->kind);
	log_value(&line, "namespace", d->namespace);
	log_str(&line, "name", d->name);
	log_str(&line, "user", d->user);
	log_strz(&line, "decision", outcome_name(outcome));
	if (d->skipped != NULL)
		log_strz(&line, "reason", d->skipped);
	log_value(&line, "rules", (struct str){rules.text, rules.n});
	log_value(&line, "bindings", (struct str){bindings.text, bindings.n});
	log_bool(&line, "dry_run", d->dry_run);
	log_seconds(&line, "duration", nanoseconds);
	log_end(&line);
}

/* A request that was no AdmissionReview. Any client can send those, so that they pass the valve. */
static void log_bad_request(struct connection_set *set, enum phase phase, const struct decision *d, size_t size)
{
	unsigned long long held;
	struct log_line line;
	if (!log_valve_pass(&set->valve, service_now(), &held))
		return;
	log_line(&line, set->service->log, LOG_WARN, "request refused");
	log_strz(&line, "webhook", phase_name(phase));
	log_int(&line, "code", d->http_status);
	log_int(&line, "bytes", (long long)size);
	if (held > 0)
		log_int(&line, "held_back", (long long)held);
	log_end(&line);
}

static uint64_t elapsed(const struct timespec *from, const struct timespec *to)
{
	int64_t n = ((int64_t)to->tv_sec - from->tv_sec) * 1000000000 + (to->tv_nsec - from->tv_nsec);
	return n > 0 ? (uint64_t)n : 0;
}

/* When the answer has to be there: before whoever asks stops to wait. */
static int64_t due_at(const struct connection *c, struct MHD_Connection *mhd)
{
	const char *text = MHD_lookup_connection_value(mhd, MHD_GET_ARGUMENT_KIND, "timeout");
	int64_t from = c->changed < c->set->arrived ? c->changed : c->set->arrived;
	return from + timeout_to_decide(timeout_parse(str_of(text)));
}

/* For struct budget. */
static bool is_expired(const void *deadline)
{
	const int64_t *due = deadline;
	return service_now() >= *due;
}

/* Decides on the complete body and queues the answer. */
static enum MHD_Result decide_request(struct connection *c, struct MHD_Connection *mhd, enum phase phase)
{
	struct service *service = c->set->service;
	int64_t due = due_at(c, mhd);
	struct decision d = {.budget = {
		.memory_limit = service->decision_memory, .expired = is_expired, .deadline = &due,
	}};
	struct timespec from = {0}, to = {0};
	struct str body;
	if (!body_keep(&c->body, &body)) {
		connection_refuse_body(c);
		return MHD_YES;
	}

	struct snapshot *snapshot = service_snapshot(service);
	clock_gettime(CLOCK_MONOTONIC, &from);
	decide(snapshot->config, phase, body, &d);
	clock_gettime(CLOCK_MONOTONIC, &to);

	uint64_t nanoseconds = elapsed(&from, &to);
	metrics_admission(service->metrics, phase, &d, nanoseconds);
	if (d.budget.over != BUDGET_KEPT)
		metrics_limit(service->metrics, metric_limit_of(d.budget.over));
	if (d.http_status == MHD_HTTP_OK)
		log_admission(service->log, phase, &d, nanoseconds);
	else
		log_bad_request(c->set, phase, &d, body.n);

	struct answer answer = {(unsigned)d.http_status, ANSWER_JSON, NULL, atomic_load(&service->draining)};
	bool room = body_answer(&c->body, d.body.capacity, c->changed, service_now());
	unsigned status = room ? answer_queue(mhd, &answer, &d.body) : 0;
	decision_free(&d);
	snapshot_release(snapshot); /* the decision pointed into it */
	if (!room)
		connection_refuse_body(c);
	else if (status == 0)
		return MHD_NO;
	else
		connection_answering(c, status);
	return MHD_YES;
}

static enum MHD_Result finish(struct connection *c, struct MHD_Connection *mhd, const char *path)
{
	char message[MESSAGE_MAX];
	const struct endpoint *endpoint = find_endpoint(path);
	if (c->refusal == 0 && endpoint != NULL)
		return decide_request(c, mhd, endpoint->phase);
	explain(c->refusal, message);
	return answer_refusal(c, mhd, c->refusal, message);
}

enum MHD_Result admission_handle(void *set, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *data_size, void **request)
{
	struct connection *c = connection_called(set, *request);
	if (c == NULL)
		return MHD_NO;
	if (c->phase >= CONNECTION_ENDING)
		return connection_discard(c, data_size);
	if (!c->head_read)
		return begin(c, mhd, url, method, version);
	if (*data_size == 0)
		return finish(c, mhd, url);
	struct str part = {data, *data_size};
	*data_size = 0;
	return take(c, mhd, part);
}
