#include "server/tls.h"

#include "base/limits.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#define SEQUENCE_SIZE 8

/* What is dropped at a time of what a refused client sends, and how often in one turn: all that the kernel holds. */
#define DISCARD_BYTES (16 * KIB)
#define DISCARD_TIMES 512

/* Reads nothing for GnuTLS: what comes is dropped. For gnutls_transport_set_pull_function. */
static ssize_t discard(gnutls_transport_ptr_t handshake, void *data, size_t size)
{
	(void)data, (void)size;
	struct tls_handshake *h = handshake;
	char dropped[DISCARD_BYTES];
	if (h->cut) {
		h->gone = true;
		return 0;
	}
	for (unsigned i = 0; i < DISCARD_TIMES; i++) {
		ssize_t n = recv(h->fd, dropped, sizeof dropped, MSG_DONTWAIT);
		if (n > 0)
			continue;
		h->gone = n == 0 || (errno != EAGAIN && errno != EINTR);
		return n;
	}
	errno = EAGAIN;
	return -1;
}

/* The session goes no further, and GnuTLS takes it for one whose client is slow. */
static int refuse(gnutls_session_t session, struct tls_handshake *h, gnutls_alert_description_t alert,
	const struct error *why)
{
	h->refuse(h->cls, why);
	/* When it is not taken at once, there is nobody to tell. */
	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
	(void)shutdown(h->fd, SHUT_WR);
	gnutls_transport_set_ptr2(session, h, (gnutls_transport_ptr_t)(intptr_t)h->fd);
	gnutls_transport_set_pull_function(session, discard);
	return GNUTLS_E_AGAIN;
}

/*
 * The client's Finished is its last word of the handshake: in TLS 1.2 and 1.3, full and resumed; session tickets are
 * the server's. All that it has to prove has come before, or in the session that it resumes.
 */
static int handshake_hook(gnutls_session_t session, unsigned int type, unsigned int when, unsigned int incoming,
	const gnutls_datum_t *message)
{
	(void)type, (void)when, (void)message;
	struct tls_handshake *h = gnutls_session_get_ptr(session);
	gnutls_alert_description_t alert;
	struct error why;
	if (!incoming)
		return 0;
	if (credentials_admit(h->credentials, session, &alert, &why) != 0)
		return refuse(session, h, alert, &why);
	h->done = true;
	return 0;
}

bool tls_session_begin(gnutls_session_t session, struct tls_handshake *h)
{
	h->done = h->gone = h->cut = false;
	/* libmicrohttpd looks at this pointer with pre-shared keys only. */
	gnutls_session_set_ptr(session, h);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, handshake_hook);
	return credentials_use(h->credentials, session);
}

uint64_t tls_records_read(gnutls_session_t session)
{
	unsigned char sequence[SEQUENCE_SIZE];
	if (gnutls_record_get_state(session, 1, NULL, NULL, NULL, sequence) < 0)
		return 0;
	uint64_t n = 0;
	for (size_t i = 0; i < sizeof sequence; i++)
		n = n << 8 | sequence[i];
	return n;
}

uint64_t tls_records_at_start(gnutls_session_t session)
{
	/* TLS 1.2 counts the client's Finished (RFC 5246, 6.1); 1.3 begins anew with the new keys (RFC 8446, 5.3). */
	return gnutls_protocol_get_version(session) == GNUTLS_TLS1_2 ? 1 : 0;
}

const char *tls_alert(gnutls_session_t session)
{
	gnutls_alert_description_t alert = gnutls_alert_get(session);
	return alert == GNUTLS_A_CLOSE_NOTIFY ? NULL : gnutls_alert_get_name(alert);
}

bool tls_send_last(gnutls_session_t session, struct str text)
{
	while (text.n > 0) {
		ssize_t sent = gnutls_record_send(session, text.p, text.n);
		if (sent <= 0)
			return false;
		text = str_from(text, (size_t)sent);
	}
	return gnutls_bye(session, GNUTLS_SHUT_WR) >= 0;
}

int tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
	unsigned int *chain_length, gnutls_privkey_t *key)
{
	(void)session, (void)authorities, (void)authority_count, (void)algorithms, (void)algorithm_count;
	(void)chain, (void)chain_length, (void)key;
	return -1;
}
