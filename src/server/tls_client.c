#include "server/tls_client.h"

#include "base/limits.h"
#include "base/text.h"
#include "server/validity.h"

#include <gnutls/x509.h>

/* What is being looked at, and where a refusal goes. */
struct inspection {
	gnutls_session_t session;
	gnutls_x509_crt_t leaf;
	const struct str *names;
	size_t name_count;
	gnutls_alert_description_t *alert;
	struct error *err;
};

static int refuse(const struct inspection *in, gnutls_alert_description_t alert, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(const struct inspection *in, gnutls_alert_description_t alert, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	error_setv(in->err, ERR_INVALID, format, args);
	va_end(args);
	*in->alert = alert;
	return ERR_INVALID;
}

/* RFC 5246, 7.4.6, has no alert of its own for it. */
static int refuse_nothing(const struct inspection *in)
{
	bool new = gnutls_protocol_get_version(in->session) == GNUTLS_TLS1_3;
	return refuse(in, new ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE, "it shows no certificate; an "
		"API server shows the one of its AdmissionConfiguration's kubeConfigFile");
}

/* ---- what GnuTLS found ---- */

static int refuse_time(const struct inspection *in, const char *subject)
{
	struct validity leaf = {gnutls_x509_crt_get_activation_time(in->leaf),
				gnutls_x509_crt_get_expiration_time(in->leaf)};
	time_t now = time(NULL);
	enum validity_state state = validity_at(&leaf, now);
	char text[VALIDITY_TEXT_MAX];
	validity_text(&leaf, now, text);
	if (state == VALIDITY_ENDED || state == VALIDITY_EARLY)
		return refuse(in, GNUTLS_A_CERTIFICATE_EXPIRED, "the certificate of %s %s", subject, text);
	return refuse(in, GNUTLS_A_CERTIFICATE_EXPIRED, "a CA of the certificate of %s has expired or is not valid yet",
		subject);
}

static int refuse_other(const struct inspection *in, unsigned status, const char *subject)
{
	gnutls_datum_t text = {NULL, 0};
	struct str reason = STR("GnuTLS does not say why");
	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) >= 0)
		reason = str_trim(str_of((const char *)text.data));
	int code = refuse(in, GNUTLS_A_BAD_CERTIFICATE, "the certificate of %s does not verify: %.*s", subject,
		STR_ARG(reason));
	gnutls_free(text.data);
	return code;
}

/* The first thing that is wrong, from the CA downwards. */
static int refuse_status(const struct inspection *in, unsigned status)
{
	static const unsigned unknown = GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
		GNUTLS_CERT_SIGNATURE_FAILURE;
	gnutls_datum_t name = {NULL, 0};
	if (gnutls_x509_crt_get_dn3(in->leaf, &name, 0) < 0)
		name = (gnutls_datum_t){NULL, 0};
	struct quote quote = text_quote((struct str){(const char *)name.data, name.size});
	const char *subject = quote.text;
	int code;
	if ((status & unknown) != 0)
		code = refuse(in, GNUTLS_A_UNKNOWN_CA, "unknown CA: no CA of --client-ca signed the certificate of %s",
			subject);
	else if ((status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) != 0)
		code = refuse_time(in, subject);
	else if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0)
		code = refuse(in, GNUTLS_A_UNSUPPORTED_CERTIFICATE, "wrong purpose: the certificate of %s is not for client "
			"authentication", subject);
	else
		code = refuse_other(in, status, subject);
	gnutls_free(name.data);
	return code;
}

/* ---- names ---- */

static bool is_allowed(const struct inspection *in, struct str name)
{
	for (size_t i = 0; i < in->name_count; i++)
		if (str_eq(name, in->names[i]))
			return true;
	return false;
}

/* A name of the certificate: GNUTLS_SAN_DNSNAME for one that counts, another kind or a negative code. */
typedef int name_reader(gnutls_x509_crt_t leaf, unsigned index, char *out, size_t *size);

static int read_common_name(gnutls_x509_crt_t leaf, unsigned index, char *out, size_t *size)
{
	int code = gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, index, 0, out, size);
	return code < 0 ? code : GNUTLS_SAN_DNSNAME;
}

static int read_alternative_name(gnutls_x509_crt_t leaf, unsigned index, char *out, size_t *size)
{
	return gnutls_x509_crt_get_subject_alt_name(leaf, index, out, size, NULL);
}

/* Is one of the names allowed that `read` gives? One that is too long for that is passed over. */
static bool has_allowed(const struct inspection *in, name_reader *read)
{
	int code = 0;
	for (unsigned i = 0; code >= 0 || code == GNUTLS_E_SHORT_MEMORY_BUFFER; i++) {
		char name[LIMIT_CLIENT_NAME + 1];
		size_t size = sizeof name;
		code = read(in->leaf, i, name, &size);
		if (code == GNUTLS_SAN_DNSNAME && is_allowed(in, (struct str){name, size}))
			return true;
	}
	return false;
}

static int check_names(const struct inspection *in)
{
	if (in->name_count == 0 || has_allowed(in, read_common_name) || has_allowed(in, read_alternative_name))
		return 0;
	char name[LIMIT_CLIENT_NAME + 1];
	size_t size = sizeof name;
	if (read_common_name(in->leaf, 0, name, &size) < 0 && read_alternative_name(in->leaf, 0, name, &size) < 0)
		size = 0;
	return refuse(in, GNUTLS_A_ACCESS_DENIED, "the name %s is not allowed; --client-name allows %s%s",
		text_quote((struct str){name, size}).text, text_quote(in->names[0]).text,
		in->name_count > 1 ? " and others" : "");
}

/* ---- all of it ---- */

static int check_leaf(struct inspection *in, unsigned status)
{
	unsigned count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(in->session, &count);
	if (chain == NULL || count == 0)
		return refuse_nothing(in);
	int code = gnutls_x509_crt_init(&in->leaf);
	if (code >= 0)
		code = gnutls_x509_crt_import(in->leaf, &chain[0], GNUTLS_X509_FMT_DER);
	if (code < 0)
		code = refuse(in, GNUTLS_A_BAD_CERTIFICATE, "its certificate cannot be read: %s", gnutls_strerror(code));
	else
		code = status != 0 ? refuse_status(in, status) : check_names(in);
	gnutls_x509_crt_deinit(in->leaf);
	return code;
}

int tls_client_check(gnutls_session_t session, const struct str *names, size_t name_count,
	gnutls_alert_description_t *alert, struct error *err)
{
	struct inspection in = {session, NULL, names, name_count, alert, err};
	unsigned char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st data = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = purpose};
	unsigned status = 0;
	int code = gnutls_certificate_verify_peers(session, &data, 1, &status);
	if (code == GNUTLS_E_NO_CERTIFICATE_FOUND)
		return refuse_nothing(&in);
	if (code < 0)
		return refuse(&in, GNUTLS_A_BAD_CERTIFICATE, "its certificate cannot be looked at: %s", gnutls_strerror(code));
	return check_leaf(&in, status);
}
