#include "server/tls_trial.h"

#include "base/buf.h"
#include "base/limits.h"

#include <errno.h>
#include <string.h>

/* What one side says in a handshake: the chain, which a file of LIMIT_PEM holds, and little else. */
#define TALK_MAX (2 * LIMIT_PEM)

/* More turns than any handshake has; a new one begins when both wait. */
#define TURNS 32

/* One side: what it has said, and how much of that the other one has heard. */
struct side {
	gnutls_session_t session;
	struct buf said;
	size_t heard;
	struct side *other;
	int code; /* of its last turn */
};

static ssize_t push(gnutls_transport_ptr_t side, const void *data, size_t size)
{
	struct side *s = side;
	buf_add(&s->said, (struct str){data, size});
	if (s->said.error == 0)
		return (ssize_t)size;
	gnutls_transport_set_errno(s->session, ENOMEM);
	return -1;
}

static ssize_t pull(gnutls_transport_ptr_t side, void *data, size_t size)
{
	struct side *s = side, *other = s->other;
	struct str rest = str_from(buf_str(&other->said), other->heard);
	if (rest.n == 0) {
		gnutls_transport_set_errno(s->session, EAGAIN);
		return -1;
	}
	size_t n = rest.n < size ? rest.n : size;
	memcpy(data, rest.p, n);
	other->heard += n;
	return (ssize_t)n;
}

static int begin(struct side *s, struct side *other, unsigned flags, const char *priorities)
{
	buf_init(&s->said, TALK_MAX);
	s->other = other;
	int code = gnutls_init(&s->session, flags | GNUTLS_NONBLOCK);
	if (code >= 0)
		code = gnutls_priority_set_direct(s->session, priorities, NULL);
	if (code < 0)
		return code;
	gnutls_transport_set_ptr(s->session, s);
	gnutls_transport_set_push_function(s->session, push);
	gnutls_transport_set_pull_function(s->session, pull);
	s->code = GNUTLS_E_AGAIN;
	return 0;
}

static void take_turn(struct side *s)
{
	if (s->code != 0)
		s->code = gnutls_handshake(s->session);
}

static bool has_failed(const struct side *s)
{
	return s->code < 0 && gnutls_error_is_fatal(s->code) != 0;
}

/* 0, or the code of the side that failed first: the other one only hears of it. */
static int shake_hands(struct side *client, struct side *server)
{
	for (unsigned i = 0; i < TURNS && (client->code != 0 || server->code != 0); i++) {
		take_turn(client);
		if (has_failed(client))
			return client->code;
		take_turn(server);
		if (has_failed(server))
			return server->code;
	}
	return client->code != 0 ? client->code : server->code;
}

static void end(struct side *s)
{
	if (s->session != NULL)
		gnutls_deinit(s->session);
	buf_free(&s->said);
}

int tls_trial(const struct credentials *c, const char *priorities, struct error *err)
{
	struct side client = {0}, server = {0};
	gnutls_certificate_credentials_t nobody = NULL;
	int code = gnutls_certificate_allocate_credentials(&nobody);
	if (code >= 0)
		code = begin(&client, &server, GNUTLS_CLIENT, priorities);
	if (code >= 0)
		code = gnutls_credentials_set(client.session, GNUTLS_CRD_CERTIFICATE, nobody);
	if (code >= 0)
		code = begin(&server, &client, GNUTLS_SERVER, priorities);
	if (code >= 0 && !credentials_use(c, server.session))
		code = GNUTLS_E_MEMORY_ERROR;
	if (code >= 0)
		code = shake_hands(&client, &server);
	bool nomem = client.said.error == ERR_NOMEM || server.said.error == ERR_NOMEM || code == GNUTLS_E_MEMORY_ERROR;
	end(&client);
	end(&server);
	if (nobody != NULL)
		gnutls_certificate_free_credentials(nobody);
	if (nomem)
		return error_nomem(err);
	if (code >= 0)
		return 0;
	return error_set(err, ERR_INVALID, "no TLS handshake is possible with this certificate and key: %s; make a pair "
		"that fits --tls-priorities", gnutls_strerror(code));
}
