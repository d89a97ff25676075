/* A handshake of the server with itself, in memory: credentials that cannot do it are not used. */
#ifndef SERVER_TLS_TRIAL_H
#define SERVER_TLS_TRIAL_H

#include "server/credentials.h"

/*
 * Agrees on TLS as server with `c` and as client without a certificate, both with the priority string. What the client
 * would have to trust is not looked at. ERR_INVALID when it fails, with GnuTLS's reason; ERR_NOMEM.
 */
int tls_trial(const struct credentials *c, const char *priorities, struct error *err);

#endif
