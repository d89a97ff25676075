#include "server/connection.h"

#include "server/answer.h"
#include "server/listen.h"

/* Not netinet/tcp.h: glibc's struct tcp_info ends before tcpi_bytes_received. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A raw answer: a head of some 150 bytes and a Kubernetes Status. */
#define RAW_MAX (4 * KIB)

/* A client that has just connected is about to send its request. */
#define FRESH_MILLISECONDS 1000

/* Bytes that have come from the client; 0 when the kernel does not say. */
static uint64_t bytes_received(int fd)
{
	struct tcp_info info;
	memset(&info, 0, sizeof info);
	socklen_t length = sizeof info;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
		return 0;
	return info.tcpi_bytes_received;
}

/* For struct tls_handshake. The client has a moment to read its alert. */
static void refuse_client(void *connection, const struct error *why)
{
	struct connection *c = connection;
	struct log_line line;
	char name[LISTEN_NAME_MAX];
	unsigned long long held;
	c->phase = CONNECTION_ENDING;
	c->due = service_now() + LINGER_SECONDS * 1000;
	if (!log_valve_pass(&c->set->valve, service_now(), &held))
		return;
	log_line(&line, c->set->service->log, LOG_WARN, "client refused");
	listen_peer_name(c->fd, name);
	log_strz(&line, "client", name);
	log_strz(&line, "reason", why->text);
	if (held > 0)
		log_int(&line, "held_back", (long long)held);
	log_end(&line);
}

static bool begins_tls(struct connection *c, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info == NULL || info->tls_session == NULL)
		return false;
	c->tls = info->tls_session;
	c->credentials = service_credentials(c->set->service);
	c->handshake.credentials = c->credentials;
	c->handshake.fd = c->fd;
	c->handshake.refuse = refuse_client;
	c->handshake.cls = c;
	return tls_session_begin(c->tls, &c->handshake);
}

/* NULL when memory is out or TLS cannot begin. */
static struct connection *connection_new(struct connection_set *set, struct MHD_Connection *mhd, int fd)
{
	struct connection *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->set = set;
	c->fd = fd;
	c->began = c->changed = service_now();
	c->phase = CONNECTION_IDLE;
	body_init(&c->body, &set->service->bodies);
	if (set->counted) {
		c->phase = CONNECTION_HANDSHAKE;
		set->handshakes++;
		c->due = c->began + set->service->request_milliseconds;
		if (!begins_tls(c, mhd)) {
			credentials_release(c->credentials);
			free(c);
			return NULL;
		}
	}
	c->next = set->first;
	if (set->first != NULL)
		set->first->previous = c;
	set->first = c;
	return c;
}

static void connection_free(struct connection *c)
{
	if (c == NULL)
		return;
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		c->set->first = c->next;
	if (c->next != NULL)
		c->next->previous = c->previous;
	body_free(&c->body);
	credentials_release(c->credentials);
	free(c);
}

void connection_notify(void *cls, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	struct connection_set *set = cls;
	set->active = true;
	if (set->counted)
		metrics_connection(set->service->metrics, what == MHD_CONNECTION_NOTIFY_CLOSED ? -1 : 1);
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		/* The TLS session is gone already, and the credentials may follow. */
		connection_free(*context);
		*context = NULL;
		atomic_fetch_sub(set->count, 1);
		return;
	}
	atomic_fetch_add(set->count, 1);
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info == NULL)
		return;
	*context = connection_new(set, mhd, info->connect_fd);
	if (*context == NULL)
		shutdown(info->connect_fd, SHUT_RDWR);
}

/* The first byte of a request has come. */
static void receive(struct connection *c, int64_t now)
{
	c->phase = CONNECTION_RECEIVING;
	c->changed = now;
	c->due = now + c->set->service->request_milliseconds;
}

struct connection *connection_called(void *set, void *request)
{
	struct connection_set *called = set;
	called->active = true;
	return request;
}

void *connection_request(void *set, const char *uri, struct MHD_Connection *mhd)
{
	(void)uri;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *c = connection_called(set, info != NULL ? info->socket_context : NULL);
	if (c != NULL && (c->phase == CONNECTION_HANDSHAKE || c->phase == CONNECTION_IDLE))
		receive(c, service_now());
	return c;
}

/* From here on, new bytes are a new request. */
static void rest(struct connection *c, uint64_t records)
{
	c->phase = CONNECTION_IDLE;
	c->changed = service_now();
	c->bytes = bytes_received(c->fd);
	c->records = records;
}

void connection_completed(void *set, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode how)
{
	(void)mhd, (void)how;
	struct connection *c = connection_called(set, *request);
	if (c == NULL)
		return;
	body_free(&c->body);
	c->head_read = c->close = false;
	c->refusal = 0;
	c->allow = NULL;
	c->received = 0;
	c->used = true;
	if (c->phase < CONNECTION_ENDING)
		rest(c, c->tls != NULL ? tls_records_read(c->tls) : 0);
}

void connection_answering(struct connection *c, unsigned status)
{
	c->phase = CONNECTION_ANSWERING;
	c->changed = service_now();
	c->due = c->changed + c->set->service->request_milliseconds;
	if (c->set->counted)
		metrics_response(c->set->service->metrics, status);
}

/* Ends it now, whatever is under way. libmicrohttpd sees the end of the stream and cleans up. */
static void cut(struct connection *c)
{
	if (c->tls != NULL && c->handshake.done && c->phase == CONNECTION_IDLE)
		(void)tls_send_last(c->tls, (struct str){0});
	c->handshake.cut = true;
	shutdown(c->fd, SHUT_RDWR);
	c->phase = CONNECTION_CUT;
}

/* Sends a whole response and the end of the stream. */
static bool send_last(struct connection *c, struct str text)
{
	bool sent = c->tls != NULL ? tls_send_last(c->tls, text)
				   : send(c->fd, text.p, text.n, MSG_NOSIGNAL) == (ssize_t)text.n;
	return sent && shutdown(c->fd, SHUT_WR) == 0;
}

void connection_refuse(struct connection *c, unsigned status, const char *message)
{
	int64_t lingers = service_now() + LINGER_SECONDS * 1000;
	struct buf text;
	buf_init(&text, RAW_MAX);
	answer_write_raw(&text, status, message);
	bool sent = text.error == 0 && send_last(c, buf_str(&text));
	buf_free(&text);
	body_free(&c->body);
	if (!sent) {
		cut(c);
		return;
	}
	if (c->set->counted)
		metrics_response(c->set->service->metrics, status);
	/* Whoever is sending a large body gets the rest of the request's time to come to its end. */
	c->phase = CONNECTION_ENDING;
	c->due = c->due > lingers ? c->due : lingers;
}

void connection_refuse_body(struct connection *c)
{
	metrics_limit(c->set->service->metrics, METRIC_LIMIT_BODIES);
	connection_refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, CONNECTION_NO_ROOM);
}

enum MHD_Result connection_discard(struct connection *c, size_t *upload_size)
{
	if (*upload_size == 0 && c->head_read)
		cut(c);
	c->head_read = true;
	*upload_size = 0;
	return MHD_YES;
}

/* Has a byte come since it became idle? */
static bool has_begun(const struct connection *c)
{
	return bytes_received(c->fd) != c->bytes || (c->tls != NULL && tls_records_read(c->tls) != c->records);
}

/*
 * Has libmicrohttpd 0.9.75 left something to be read, be it the end of the stream? It waits for epoll to tell it of
 * more, which tells once, and takes for the end of what has come: a record of TLS that is incomplete when the stream
 * ends, or that holds no data.
 */
static bool is_left(const struct connection *c)
{
	char byte;
	return recv(c->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Has epoll tell it again. Linux looks at what there is to read when this option is set (since 4.18). */
static void tell_again(const struct connection *c)
{
	static const int least = 1;
	/* Should it fail, the deadline is left. */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
}

/* Moves on a connection whose state changed without a callback. */
static void notice(struct connection *c, int64_t now)
{
	if (c->phase == CONNECTION_HANDSHAKE && c->handshake.done)
		rest(c, tls_records_at_start(c->tls));
	if (c->phase != CONNECTION_IDLE && c->phase != CONNECTION_RECEIVING)
		return;
	bool left = is_left(c);
	if (c->phase == CONNECTION_IDLE && (left || has_begun(c)))
		receive(c, now);
	if (left)
		tell_again(c);
}

static bool is_timed(const struct connection *c)
{
	return c->phase != CONNECTION_IDLE && c->phase != CONNECTION_CUT;
}

/* Its memory was needed for others. */
static void give_way(struct connection *c)
{
	if (c->phase == CONNECTION_RECEIVING && body_lost(&c->body))
		connection_refuse_body(c);
	else if (c->phase == CONNECTION_ANSWERING && body_lost(&c->body))
		cut(c);
}

static void expire(struct connection *c)
{
	if (c->phase == CONNECTION_RECEIVING)
		connection_refuse(c, MHD_HTTP_REQUEST_TIMEOUT,
				  "the request did not arrive in time; send it whole, without pauses");
	else
		cut(c);
}

int64_t connections_sweep(struct connection_set *set, int64_t now)
{
	int64_t next = INT64_MAX;
	set->handshakes = 0;
	for (struct connection *c = set->first; c != NULL; c = c->next) {
		notice(c, now);
		set->handshakes += c->tls != NULL && !c->handshake.done;
		if (is_timed(c) && now >= c->due)
			expire(c);
		else
			give_way(c);
		if (is_timed(c) && c->due < next)
			next = c->due;
	}
	return next;
}

/* NULL when all are about to end. */
static struct connection *quietest(const struct connection_set *set)
{
	struct connection *quietest = NULL;
	for (struct connection *c = set->first; c != NULL; c = c->next)
		if (c->phase != CONNECTION_CUT && (quietest == NULL || c->changed <= quietest->changed))
			quietest = c;
	return quietest;
}

bool connections_make_room(struct connection_set *set, int64_t now)
{
	for (struct connection *c = quietest(set); c != NULL; c = quietest(set)) {
		int64_t before = c->changed;
		notice(c, now); /* a request may just have come */
		if (c->changed == before) {
			cut(c);
			return true;
		}
	}
	return false;
}

const char *connections_alert(const struct connection_set *set)
{
	const char *alert = NULL;
	for (const struct connection *c = set->first; c != NULL && alert == NULL; c = c->next)
		if (c->tls != NULL && !c->handshake.done)
			alert = tls_alert(c->tls);
	return alert;
}

bool connections_gone(struct connection_set *set)
{
	for (struct connection *c = set->first; c != NULL; c = c->next)
		if (c->handshake.gone) {
			c->handshake.gone = false;
			c->phase = CONNECTION_CUT;
			return true;
		}
	return false;
}

void connections_drain(struct connection_set *set, int64_t now)
{
	for (struct connection *c = set->first; c != NULL; c = c->next) {
		notice(c, now);
		if (c->phase == CONNECTION_IDLE && (c->used || now - c->began >= FRESH_MILLISECONDS))
			cut(c);
	}
}

void connections_end(struct connection_set *set, int64_t now)
{
	for (struct connection *c = set->first; c != NULL; c = c->next) {
		notice(c, now);
		if (c->phase == CONNECTION_RECEIVING)
			connection_refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
					  "connhook is shutting down; send the request again, to another instance");
		else if (c->phase != CONNECTION_ENDING && c->phase != CONNECTION_CUT)
			cut(c);
	}
}
