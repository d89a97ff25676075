#include "server/credentials.h"

#include "base/limits.h"
#include "server/tls_client.h"
#include "server/tls_trial.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct credentials {
	atomic_uint users;
	struct credentials_dates dates;
	bool client_ca;
	const struct str *client_names;
	size_t client_name_count;
	gnutls_certificate_credentials_t gnutls;
	gnutls_datum_t ticket_key;
};

/* ---- material ---- */

static struct pki_source source_of(const char *name, const struct pki_text *text)
{
	return (struct pki_source){name, {text->p, text->n}};
}

/* May it come in the place of the old one? */
static int check_successor(const struct tls_files *files, const struct pki_pair *new, const struct pki_pair *old,
	struct error *err)
{
	time_t now = time(NULL);
	if (new->certificate.n == old->certificate.n &&
	    memcmp(new->certificate.p, old->certificate.p, new->certificate.n) == 0)
		return 0;
	struct pki_source chain = source_of(files->certificate, &new->certificate);
	struct pki_source key = source_of(files->key, &new->key);
	struct pki_source used = source_of("the certificate in use", &old->certificate);
	int code = pki_pair_check(&chain, &key, now, err);
	if (code != 0 || now < old->not_before || now > old->not_after)
		return code;
	return pki_names_check(&chain, &used, err);
}

int tls_pair_load(const struct tls_files *files, const struct pki_pair *old, struct pki_pair *out, struct error *err)
{
	struct pki_pair pair = {0};
	int code = pki_load_pair(files->certificate, files->key, &pair, err);
	if (code == 0) {
		struct pki_source chain = source_of(files->certificate, &pair.certificate);
		code = pki_serving_check(&chain, err);
	}
	if (code == 0 && old != NULL)
		code = check_successor(files, &pair, old, err);
	if (code == 0)
		*out = pair;
	else
		pki_pair_dispose(&pair);
	return code;
}

int tls_material_load(const struct tls_files *files, struct tls_material *out, struct error *err)
{
	struct tls_material material = {0};
	int code = tls_pair_load(files, NULL, &material.pair, err);
	if (code == 0 && files->ca != NULL)
		code = pki_load_authorities(files->ca, &material.ca, err);
	if (code == 0 && files->client_ca != NULL)
		code = pki_load_authorities(files->client_ca, &material.client_ca, err);
	if (code == 0)
		*out = material;
	else
		tls_material_dispose(&material);
	return code;
}

void tls_material_dispose(struct tls_material *material)
{
	pki_pair_dispose(&material->pair);
	pki_authorities_dispose(&material->ca);
	pki_authorities_dispose(&material->client_ca);
}

/* ---- making ---- */

/* The bytes as GnuTLS passes them; it does not write to them. */
static bool datum(const struct pki_text *text, gnutls_datum_t *out)
{
	if (text->n > UINT_MAX)
		return false;
	out->size = (unsigned int)text->n;
	memcpy(&out->data, &text->p, sizeof out->data);
	return true;
}

/* A GnuTLS code, negative when it failed. */
static int load(struct credentials *c, const struct tls_material *material)
{
	gnutls_datum_t certificate, key, client_ca;
	if (!datum(&material->pair.certificate, &certificate) || !datum(&material->pair.key, &key) ||
	    !datum(&material->client_ca.certificates, &client_ca))
		return GNUTLS_E_INVALID_REQUEST;
	int code = gnutls_certificate_allocate_credentials(&c->gnutls);
	if (code >= 0)
		code = gnutls_certificate_set_x509_key_mem2(c->gnutls, &certificate, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code >= 0 && c->client_ca)
		code = gnutls_certificate_set_x509_trust_mem(c->gnutls, &client_ca, GNUTLS_X509_FMT_PEM);
	if (code >= 0)
		code = gnutls_session_ticket_key_generate(&c->ticket_key);
	return code;
}

int credentials_new(const struct tls_files *files, const struct tls_material *material, struct credentials **out,
	struct error *err)
{
	struct credentials *c = calloc(1, sizeof *c);
	if (c == NULL)
		return error_nomem(err);
	atomic_init(&c->users, 1);
	c->dates.certificate = (struct validity){material->pair.not_before, material->pair.not_after};
	c->dates.ca = (struct validity){material->ca.not_before, material->ca.not_after};
	c->dates.client_ca = (struct validity){material->client_ca.not_before, material->client_ca.not_after};
	c->client_ca = material->client_ca.certificates.n > 0;
	c->client_names = files->client_names;
	c->client_name_count = files->client_name_count;
	int code = load(c, material);
	if (code < 0) {
		credentials_release(c);
		if (code == GNUTLS_E_MEMORY_ERROR)
			return error_nomem(err);
		return error_set(err, ERR_INVALID, "GnuTLS refuses the certificates or the key: %s", gnutls_strerror(code));
	}
	code = tls_trial(c, files->priorities, err);
	if (code == 0)
		*out = c;
	else
		credentials_release(c);
	return code;
}

struct credentials *credentials_hold(struct credentials *c)
{
	if (c != NULL)
		atomic_fetch_add(&c->users, 1);
	return c;
}

void credentials_release(struct credentials *c)
{
	if (c == NULL || atomic_fetch_sub(&c->users, 1) > 1)
		return;
	if (c->gnutls != NULL)
		gnutls_certificate_free_credentials(c->gnutls);
	if (c->ticket_key.data != NULL)
		gnutls_memset(c->ticket_key.data, 0, c->ticket_key.size);
	gnutls_free(c->ticket_key.data);
	free(c);
}

/* ---- use ---- */

const struct credentials_dates *credentials_dates(const struct credentials *c)
{
	return &c->dates;
}

/*
 * Clients may resume sessions, with tickets that nobody else can read and that the server keeps no memory of. A session
 * lives on in its tickets, so that the certificate it began with must not have ended; what the client proved is looked
 * at again, by credentials_admit.
 */
static bool use_tickets(const struct credentials *c, gnutls_session_t session)
{
	enum validity_state state = validity_at(&c->dates.certificate, time(NULL));
	if (state == VALIDITY_EARLY || state == VALIDITY_ENDED)
		return true;
	gnutls_db_set_cache_expiration(session, TICKET_SECONDS);
	return gnutls_session_ticket_enable_server(session, &c->ticket_key) >= 0;
}

bool credentials_use(const struct credentials *c, gnutls_session_t session)
{
	/* Not GNUTLS_CERT_REQUIRE: a client without one is to hear why, from credentials_admit. */
	if (c->client_ca)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	return use_tickets(c, session) && gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->gnutls) >= 0;
}

int credentials_admit(const struct credentials *c, gnutls_session_t session, gnutls_alert_description_t *alert,
	struct error *err)
{
	return c->client_ca ? tls_client_check(session, c->client_names, c->client_name_count, alert, err) : 0;
}
