#include "server/tls.h"

#include "base/text.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCE_SIZE 8

struct credentials {
	atomic_uint users;
	time_t not_after;
	gnutls_certificate_credentials_t gnutls;
};

/* The part of a priority string that GnuTLS stumbled over; `at` is where it says that this was. */
static int refuse_priorities(const char *text, const char *at, struct error *err)
{
	struct str all = str_of(text), rest = str_from(all, at > text && at <= text + all.n ? (size_t)(at - text) : 0);
	struct str part = {rest.p, str_find(rest, ':')};
	return error_set(err, ERR_INVALID, "GnuTLS does not know %s, at character %zu of its priority string; expected "
		"parts such as NORMAL, -VERS-ALL, +VERS-TLS1.3 or %%SERVER_PRECEDENCE, with ':' between them",
		text_quote(part).text, all.n - rest.n + 1);
}

static int refuse_nothing(struct error *err)
{
	return error_set(err, ERR_INVALID, "the priority string leaves nothing to agree on: no version, or no cipher, key "
		"exchange or group for it");
}

/* The versions for streams, that is without those of DTLS, are new enough, and there is one. */
static int check_versions(gnutls_priority_t priorities, struct error *err)
{
	const unsigned int *list = NULL;
	int count = gnutls_priority_protocol_list(priorities, &list), good = 0;
	for (int i = 0; i < count; i++) {
		if (list[i] >= GNUTLS_DTLS_VERSION_MIN)
			continue;
		if (list[i] < GNUTLS_TLS1_2)
			return error_set(err, ERR_INVALID, "the priority string enables %s, and TLS 1.2 is the oldest version "
				"that is safe; put '-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2' at its end",
				gnutls_protocol_get_name((gnutls_protocol_t)list[i]));
		good++;
	}
	return good > 0 ? 0 : refuse_nothing(err);
}

/* There is a cipher suite, and all of them encrypt. */
static int check_suites(gnutls_priority_t priorities, struct error *err)
{
	unsigned int suite, good = 0;
	int code = 0;
	for (unsigned int i = 0; code != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
		code = gnutls_priority_get_cipher_suite_index(priorities, i, &suite);
		gnutls_cipher_algorithm_t cipher;
		if (code < 0 || gnutls_cipher_suite_info(suite, NULL, NULL, &cipher, NULL, NULL) == NULL)
			continue;
		if (cipher == GNUTLS_CIPHER_NULL)
			return error_set(err, ERR_INVALID, "the priority string enables NULL, which does not encrypt; remove it");
		good++;
	}
	return good > 0 ? 0 : refuse_nothing(err);
}

int tls_priorities_check(const char *text, struct error *err)
{
	gnutls_priority_t priorities;
	const char *at = text;
	int code = gnutls_priority_init2(&priorities, text, &at, 0);
	if (code == GNUTLS_E_MEMORY_ERROR)
		return error_nomem(err);
	if (code == GNUTLS_E_NO_PRIORITIES_WERE_SET)
		return refuse_nothing(err);
	if (code < 0)
		return refuse_priorities(text, at, err);
	code = check_versions(priorities, err);
	if (code == 0)
		code = check_suites(priorities, err);
	gnutls_priority_deinit(priorities);
	return code;
}

/* The bytes as GnuTLS passes them; it does not write to them. */
static bool datum(const struct pki_text *text, gnutls_datum_t *out)
{
	if (text->n > UINT_MAX)
		return false;
	out->size = (unsigned int)text->n;
	memcpy(&out->data, &text->p, sizeof out->data);
	return true;
}

int credentials_new(const struct pki_pair *pair, struct credentials **out, struct error *err)
{
	gnutls_datum_t certificate, key;
	if (!datum(&pair->certificate, &certificate) || !datum(&pair->key, &key))
		return error_set(err, ERR_LIMIT, "the certificate or its key is too large");
	struct credentials *c = calloc(1, sizeof *c);
	if (c == NULL)
		return error_nomem(err);
	atomic_init(&c->users, 1);
	c->not_after = pair->not_after;
	int code = gnutls_certificate_allocate_credentials(&c->gnutls);
	if (code >= 0)
		code = gnutls_certificate_set_x509_key_mem2(c->gnutls, &certificate, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code < 0) {
		credentials_release(c);
		if (code == GNUTLS_E_MEMORY_ERROR)
			return error_nomem(err);
		return error_set(err, ERR_INVALID, "GnuTLS refuses the certificate and its key: %s", gnutls_strerror(code));
	}
	*out = c;
	return 0;
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
	free(c);
}

time_t credentials_not_after(const struct credentials *c)
{
	return c->not_after;
}

/* Without session tickets the client's Finished is its last word of the handshake in TLS 1.2 and 1.3. */
static int handshake_hook(gnutls_session_t session, unsigned int type, unsigned int when, unsigned int incoming,
	const gnutls_datum_t *message)
{
	(void)type, (void)when, (void)message;
	bool *done = gnutls_session_get_ptr(session);
	if (incoming)
		*done = true;
	return 0;
}

bool tls_session_begin(gnutls_session_t session, const struct credentials *c, bool *done)
{
	*done = false;
	/* libmicrohttpd looks at this pointer with pre-shared keys only. */
	gnutls_session_set_ptr(session, done);
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, handshake_hook);
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->gnutls) >= 0;
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
