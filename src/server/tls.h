/* TLS on the listener for admission: versions, ciphers, handshakes. GnuTLS, inside libmicrohttpd's sessions. */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "server/credentials.h"

#include <gnutls/gnutls.h>
#include <gnutls/abstract.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * TLS 1.3 and 1.2; with 1.2 only key exchanges with forward secrecy and authenticated ciphers (RFC 9325). The API
 * server, which is Go, has all of them. The client's order decides: in its own, GnuTLS prefers the group P-256, and
 * would ask a client that begins with X25519, as Go does, to begin anew.
 */
#define TLS_PRIORITIES \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:" \
	"-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD"

/*
 * ERR_INVALID unless `text` is a priority string of GnuTLS that sessions can be agreed on with, all of TLS 1.2 or newer
 * and encrypted; the sentence shows the place. ERR_NOMEM.
 */
int tls_priorities_check(const char *text, struct error *err);

/* What comes of a session's handshake. The caller sets all up to `cls`. */
struct tls_handshake {
	const struct credentials *credentials; /* held by the caller until the session is gone */
	int fd;                                /* the session's */
	/* Called when the client may not come in, before it is told. What it sends is dropped from then on. */
	void (*refuse)(void *cls, const struct error *why);
	void *cls;
	bool done;                             /* the client has completed it, and may come in */
	bool gone;                             /* it may not, and the connection has ended */
	bool cut;                              /* set by the caller: a refused client's time is over */
};

/*
 * Prepares a server session before its handshake, which `h` must outlive. A handshake that is refused does not fail
 * until the client ends the connection: closed with bytes unread, it would be reset, and the client, which with TLS 1.3
 * sends its request at once, would hear of that instead of the alert. False when GnuTLS refuses.
 */
bool tls_session_begin(gnutls_session_t session, struct tls_handshake *h);

/* How many records have come since the keys were agreed on; 0 before. Any change means that the client sent one. */
uint64_t tls_records_read(gnutls_session_t session);

/* That count right after a handshake. */
uint64_t tls_records_at_start(gnutls_session_t session);

/* What the client said was wrong (RFC 8446, 6.2), such as "CA is unknown"; NULL when it said nothing. */
const char *tls_alert(gnutls_session_t session);

/* Sends all of `text` and the notice that nothing follows. False when the connection did not take it. */
bool tls_send_last(gnutls_session_t session, struct str text);

/*
 * libmicrohttpd demands a source of certificates. Each session has its own before this is asked, so it has none: a
 * handshake without them fails. Of type gnutls_certificate_retrieve_function2.
 */
int tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
	unsigned int *chain_length, gnutls_privkey_t *key);

#endif
