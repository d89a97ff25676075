/* The certificate that a client shows: by whom, for when, for what, and for which name it has to be. */
#ifndef SERVER_TLS_CLIENT_H
#define SERVER_TLS_CLIENT_H

#include "base/error.h"
#include "base/str.h"

#include <gnutls/gnutls.h>

/*
 * Looks at the certificate of the client of `session`, at the end of a handshake, resumed or not. It chains to a CA of
 * the session's credentials, all of the chain is valid now, it is for client authentication (RFC 5280, 4.2.1.12: its
 * extended key usage says so, or it has none), and one of `names` is its subject's common name or a DNS name of it;
 * with no names, any will do. ERR_INVALID with the reason, and *alert is what tells the client (RFC 8446, 6.2).
 */
int tls_client_check(gnutls_session_t session, const struct str *names, size_t name_count,
	gnutls_alert_description_t *alert, struct error *err);

#endif
