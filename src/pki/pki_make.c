/* Certificates as RFC 5280 wants them, with what Kubernetes' API server (Go's crypto/x509) insists on: SANs. */
#include "pki/pki_internal.h"

#include "base/limits.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define CURVE "P-256"
#define SECONDS_PER_DAY 86400
#define CA_YEARS 10
#define SECONDS_PER_YEAR (36525L * SECONDS_PER_DAY / 100)
#define CLOCK_SKEW_SECONDS 300 /* a client whose clock is this much behind accepts a certificate made just now */
#define SERIAL_BITS 128

struct extension {
	int nid;
	const char *value; /* as in OpenSSL's configuration; never a user's text */
};

/* The key identifier of the subject stands before that of the issuer, which of a CA is the same. */
static const struct extension ca_extensions[] = {
	{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
	{NID_key_usage, "critical,keyCertSign,cRLSign"},
	{NID_subject_key_identifier, "hash"},
};
static const struct extension serving_extensions[] = {
	{NID_basic_constraints, "critical,CA:FALSE"},
	{NID_key_usage, "critical,digitalSignature"},
	{NID_ext_key_usage, "serverAuth"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid:always"},
};

static bool add_extensions(X509 *x, X509 *issuer, const struct extension *list, size_t count)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
	for (size_t i = 0; i < count; i++) {
		X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, list[i].nid, list[i].value);
		bool added = extension != NULL && X509_add_ext(x, extension, -1) == 1;
		X509_EXTENSION_free(extension);
		if (!added)
			return false;
	}
	return true;
}

/* Takes `value`, whatever comes of it. */
static bool add_name(GENERAL_NAMES *names, int type, ASN1_STRING *value, const void *bytes, size_t n)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	if (name == NULL || value == NULL || ASN1_STRING_set(value, bytes, (int)n) != 1) {
		GENERAL_NAME_free(name);
		ASN1_STRING_free(value);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return true;
	GENERAL_NAME_free(name);
	return false;
}

static bool add_names(X509 *x, const struct pki_names *names)
{
	GENERAL_NAMES *list = GENERAL_NAMES_new();
	bool good = list != NULL;
	for (size_t i = 0; good && i < names->dns_count; i++)
		good = add_name(list, GEN_DNS, ASN1_IA5STRING_new(), names->dns[i].p, names->dns[i].n);
	for (size_t i = 0; good && i < names->ip_count; i++) {
		unsigned char address[16];
		size_t n = pki_ip_bytes(names->ips[i], address);
		good = n > 0 && add_name(list, GEN_IPADD, ASN1_OCTET_STRING_new(), address, n);
	}
	good = good && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(list);
	return good;
}

/* RFC 5280, 4.1.2.2: positive, at most 20 octets. With the top bit set it is never 0. */
static bool set_serial(X509 *x)
{
	BIGNUM *number = BN_new();
	bool good = number != NULL && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
	BN_free(number);
	return good;
}

/* All but extensions and signature. NULL on failure. */
static X509 *new_certificate(EVP_PKEY *key, const char *name, const X509 *issuer, time_t from, time_t to)
{
	X509 *x = X509_new();
	if (x == NULL)
		return NULL;
	const unsigned char *text = (const unsigned char *)name;
	if (X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)) == 1 &&
	    ASN1_TIME_set(X509_getm_notBefore(x), from) != NULL && ASN1_TIME_set(X509_getm_notAfter(x), to) != NULL &&
	    X509_set_pubkey(x, key) == 1)
		return x;
	X509_free(x);
	return NULL;
}

static bool text_of(BIO *bio, struct pki_text *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);
	if (n > 0 && pki_text_copy(p, (size_t)n, out))
		return true;
	ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE); /* for pki_crypto_fail */
	return false;
}

static bool pair_of(X509 *x, EVP_PKEY *key, struct pki_pair *out)
{
	struct pki_pair pair = {0};
	BIO *public = BIO_new(BIO_s_mem());
	BIO *private = BIO_new(BIO_s_secmem());
	bool good = public != NULL && private != NULL && PEM_write_bio_X509(public, x) == 1 &&
		PEM_write_bio_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) == 1 &&
		text_of(public, &pair.certificate) && text_of(private, &pair.key) &&
		pki_times(x, &pair.not_before, &pair.not_after);
	BIO_free(public);
	BIO_free(private);
	if (good)
		*out = pair;
	else
		pki_pair_dispose(&pair);
	return good;
}

int pki_make_ca(time_t now, struct pki_pair *out, struct error *err)
{
	ERR_clear_error();
	EVP_PKEY *key = EVP_EC_gen(CURVE);
	X509 *x = key ? new_certificate(key, "connhook CA", NULL, now - CLOCK_SKEW_SECONDS,
		now + CA_YEARS * SECONDS_PER_YEAR) : NULL;
	bool good = x != NULL && add_extensions(x, x, ca_extensions, sizeof ca_extensions / sizeof ca_extensions[0]) &&
		X509_sign(x, key, EVP_sha256()) > 0 && pair_of(x, key, out);
	X509_free(x);
	EVP_PKEY_free(key);
	if (!good)
		return pki_crypto_fail(err, "cannot make a CA");
	ERR_clear_error();
	return 0;
}

/* Signs with a CA that has been checked. */
static int make_leaf(X509 *ca, EVP_PKEY *ca_key, const struct pki_names *names, time_t from, time_t to,
	struct pki_pair *out, struct error *err)
{
	EVP_PKEY *key = EVP_EC_gen(CURVE);
	X509 *x = key ? new_certificate(key, "connhook", ca, from, to) : NULL;
	bool good = x != NULL && add_names(x, names) &&
		add_extensions(x, ca, serving_extensions, sizeof serving_extensions / sizeof serving_extensions[0]) &&
		X509_sign(x, ca_key, EVP_sha256()) > 0 && pair_of(x, key, out);
	X509_free(x);
	EVP_PKEY_free(key);
	return good ? 0 : pki_crypto_fail(err, "cannot make a serving certificate");
}

static int check_ca(const struct pki_pem *ca, const struct pki_pem *ca_key, time_t now, time_t *not_after,
	struct error *err)
{
	int code = pki_pem_pair_check(ca, "the CA's certificate", ca_key, "the CA's key", err);
	if (code != 0)
		return code;
	X509 *x = sk_X509_value(ca->certificates, 0);
	if (X509_check_ca(x) != 1 || (X509_get_key_usage(x) & KU_KEY_CERT_SIGN) == 0)
		return pki_crypto_verdict(err, "the CA's certificate is not that of a CA: it must not sign others");
	time_t not_before;
	if (!pki_times(x, &not_before, not_after))
		return error_set(err, ERR_INVALID, "the CA's certificate has dates that cannot be read");
	return pki_time_check("the CA's certificate", not_before, *not_after, now, err);
}

int pki_make_serving(const struct pki_pair *ca, const struct pki_names *names, long days, time_t now,
	struct pki_pair *out, struct error *err)
{
	int code = pki_wish_check(names, days, err);
	if (code != 0)
		return code;
	struct pki_source certificate = {"the CA's certificate", {ca->certificate.p, ca->certificate.n}};
	struct pki_source key = {"the CA's key", {ca->key.p, ca->key.n}};
	struct pki_pem parts = {0}, key_parts = {0};
	time_t ca_end = 0;
	code = pki_pem_read(&certificate, &parts, err);
	if (code == 0)
		code = pki_pem_read(&key, &key_parts, err);
	if (code == 0)
		code = check_ca(&parts, &key_parts, now, &ca_end, err);
	if (code == 0) {
		time_t end = now + (time_t)days * SECONDS_PER_DAY;
		code = make_leaf(sk_X509_value(parts.certificates, 0), key_parts.key, names, now - CLOCK_SKEW_SECONDS,
			end < ca_end ? end : ca_end, out, err);
	}
	pki_pem_dispose(&parts);
	pki_pem_dispose(&key_parts);
	ERR_clear_error();
	return code;
}
