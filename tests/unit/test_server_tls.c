/* Sessions between two ends of a socket pair: what a client cannot do that the usual programs refuse to try. */
#include "server/tls.h"

#include "unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 100 /* of both sides in a handshake, which needs a few */
#define TLS_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS_1_3 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

static const char *const versions[] = {TLS_1_2, TLS_1_3};

/* A CA, a pair that it signed, and another pair. */
static struct pki_pair ca, own, other;

static void set_up(void)
{
	struct error err;
	time_t now = time(NULL);
	ck_assert_int_eq(pki_make_ca(now, &ca, &err), 0);
	ck_assert_int_eq(pki_make_serving(&ca, &pki_default_names, 30, now, &own, &err), 0);
	ck_assert_int_eq(pki_make_serving(&ca, &pki_default_names, 30, now, &other, &err), 0);
}

static void tear_down(void)
{
	pki_pair_dispose(&ca);
	pki_pair_dispose(&own);
	pki_pair_dispose(&other);
}

static gnutls_datum_t datum(const struct pki_text *text)
{
	gnutls_datum_t d = {.size = (unsigned)text->n};
	memcpy(&d.data, &text->p, sizeof d.data);
	return d;
}

/* How a handshake ended. */
struct outcome {
	int server, client; /* GnuTLS codes */
	bool done;
	char reason[ERROR_TEXT_MAX]; /* empty: it was not refused for the certificate */
};

static void note_refusal(void *cls, const struct error *why)
{
	struct outcome *outcome = cls;
	memcpy(outcome->reason, why->text, sizeof outcome->reason);
}

/* A server that demands a certificate of the CA. */
static struct credentials *make_credentials(void)
{
	struct tls_files files = {.priorities = TLS_PRIORITIES};
	struct tls_material material = {.pair = own};
	struct credentials *c = NULL;
	struct error err;
	material.client_ca.certificates = ca.certificate;
	ck_assert_int_eq(credentials_new(&files, &material, &c, &err), 0);
	return c;
}

static bool goes_on(int code)
{
	return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

/* A client that shows the certificate, and signs with the key. */
static struct outcome shake_hands(const char *version, const struct pki_text *certificate, const struct pki_text *key)
{
	struct outcome outcome = {.server = GNUTLS_E_AGAIN, .client = GNUTLS_E_AGAIN};
	int ends[2];
	gnutls_session_t server, client;
	gnutls_certificate_credentials_t shown;
	gnutls_datum_t shown_certificate = datum(certificate), shown_key = datum(key);
	struct credentials *credentials = make_credentials();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	struct tls_handshake h = {.credentials = credentials, .fd = ends[0], .refuse = note_refusal, .cls = &outcome};

	ck_assert_int_eq(gnutls_init(&server, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL), 0);
	ck_assert_int_eq(gnutls_priority_set_direct(server, TLS_PRIORITIES, NULL), 0);
	gnutls_transport_set_int(server, ends[0]);
	ck_assert(tls_session_begin(server, &h));

	ck_assert_int_eq(gnutls_certificate_allocate_credentials(&shown), 0);
	/* What no honest client does. */
	gnutls_certificate_set_flags(shown, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	int code = gnutls_certificate_set_x509_key_mem(shown, &shown_certificate, &shown_key, GNUTLS_X509_FMT_PEM);
	ck_assert_int_ge(code, 0);
	ck_assert_int_eq(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL), 0);
	ck_assert_int_eq(gnutls_priority_set_direct(client, version, NULL), 0);
	ck_assert_int_eq(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, shown), 0);
	gnutls_transport_set_int(client, ends[1]);

	for (unsigned i = 0; i < TURNS && (goes_on(outcome.server) || goes_on(outcome.client)); i++) {
		if (goes_on(outcome.client))
			outcome.client = gnutls_handshake(client);
		if (goes_on(outcome.server))
			outcome.server = gnutls_handshake(server);
	}
	outcome.done = h.done;
	gnutls_deinit(client);
	gnutls_deinit(server);
	gnutls_certificate_free_credentials(shown);
	credentials_release(credentials);
	close(ends[0]);
	close(ends[1]);
	return outcome;
}

/* That the certificate is for servers is the first thing that is wrong with a client which has its key. */
START_TEST(who_has_the_key_is_looked_at)
{
	struct outcome outcome = shake_hands(versions[_i], &own.certificate, &own.key);
	ck_assert(!outcome.done);
	ck_assert_msg(strncmp(outcome.reason, "wrong purpose: ", 15) == 0, "%s", outcome.reason);
	ck_assert_int_eq(outcome.server, GNUTLS_E_AGAIN);
}
END_TEST

/* Certificates are public: one that is shown proves nothing. */
START_TEST(a_certificate_without_its_key_is_nothing)
{
	struct outcome outcome = shake_hands(versions[_i], &own.certificate, &other.key);
	ck_assert(!outcome.done);
	ck_assert_str_eq(outcome.reason, "");
	ck_assert_int_eq(outcome.server, GNUTLS_E_PK_SIG_VERIFY_FAILED);
}
END_TEST

START_TEST(destructors_accept_nothing)
{
	struct tls_material material = {0};
	credentials_release(NULL);
	ck_assert_ptr_null(credentials_hold(NULL));
	tls_material_dispose(&material);
}
END_TEST

START_TEST(what_gnutls_refuses_is_an_error)
{
	static const struct tls_files files = {.priorities = TLS_PRIORITIES};
	struct tls_material material = {.pair = own};
	struct credentials *c = NULL;
	struct error err;
	material.pair.key = other.key;
	ck_assert_int_eq(credentials_new(&files, &material, &c, &err), ERR_INVALID);
	ck_assert_ptr_null(c);
	ck_assert_ptr_nonnull(strstr(err.text, "GnuTLS refuses"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *cases = tcase_create("tls");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, who_has_the_key_is_looked_at, 0, sizeof versions / sizeof *versions);
	tcase_add_loop_test(cases, a_certificate_without_its_key_is_nothing, 0, sizeof versions / sizeof *versions);
	tcase_add_test(cases, destructors_accept_nothing);
	tcase_add_test(cases, what_gnutls_refuses_is_an_error);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
