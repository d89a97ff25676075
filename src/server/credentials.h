/* Who the server is, and whom it lets in: certificate and key, the CAs of clients and their names, for GnuTLS. */
#ifndef SERVER_CREDENTIALS_H
#define SERVER_CREDENTIALS_H

#include "server/validity.h"

#include "base/error.h"
#include "pki/pki.h"

#include <gnutls/gnutls.h>

/* Where the server reads what it is. */
struct tls_files {
	const char *certificate, *key;
	const char *ca;           /* who signed the certificate; NULL: not known */
	const char *client_ca;    /* who signs those of clients; NULL: anybody is let in, without one */
	const struct str *client_names; /* names of clients that are let in; none: all that the CAs signed */
	size_t client_name_count;
	const char *priorities;   /* a GnuTLS priority string, which the key has to fit */
};

/* What was in the files. Start with {0}. */
struct tls_material {
	struct pki_pair pair;
	struct pki_authorities ca;        /* empty when not known */
	struct pki_authorities client_ca; /* empty: anybody is let in */
};

/*
 * Reads certificate and key, which clients have to take for a server's. With `old`, in whose place they come,
 * they are valid now, and good for its names as long as it is valid. ERR_IO, ERR_INVALID, ERR_LIMIT, ERR_NOMEM.
 */
int tls_pair_load(const struct tls_files *files, const struct pki_pair *old, struct pki_pair *out, struct error *err);

/* Reads all files. ERR_IO, ERR_INVALID, ERR_LIMIT, ERR_NOMEM. */
int tls_material_load(const struct tls_files *files, struct tls_material *out, struct error *err);
void tls_material_dispose(struct tls_material *material);

/* When they are valid; all zero: there is none, or it is not known. */
struct credentials_dates {
	struct validity certificate, ca, client_ca;
};

/*
 * Made of a material, for sessions. Immutable and counted: a connection keeps the ones it began with, so that others
 * may take their place for new connections at any time. Their session tickets are good with them alone.
 */
struct credentials;

/*
 * Made with one user, the caller. `material` is borrowed for the call, the names of `files` as long as the credentials
 * live. ERR_INVALID when GnuTLS refuses the material, or no handshake is possible with it; ERR_NOMEM.
 */
int credentials_new(const struct tls_files *files, const struct tls_material *material, struct credentials **out,
	struct error *err);

/* One user more; returns `c`. One user less: the last one frees it. NULL is fine. */
struct credentials *credentials_hold(struct credentials *c);
void credentials_release(struct credentials *c);

const struct credentials_dates *credentials_dates(const struct credentials *c);

/* Lets a server session, before its handshake, use `c`, which the caller holds until the session is gone. */
bool credentials_use(const struct credentials *c, gnutls_session_t session);

/*
 * May the client of `session`, who has proved to have the key of the certificate it showed, come in? 0, or ERR_INVALID
 * with the reason, and the alert that tells the client (RFC 8446, 6.2).
 */
int credentials_admit(const struct credentials *c, gnutls_session_t session, gnutls_alert_description_t *alert,
	struct error *err);

#endif
