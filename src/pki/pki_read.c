/* Reading: files, PEM, and whether a certificate and a key belong together. */
#include "pki/pki_internal.h"

#include "base/file.h"
#include "base/limits.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_TEXT_MAX 200 /* how much of a certificate's subject a sentence repeats */
#define SIGNATURE_MAX 2048 /* of an RSA key of 16384 bits */

/* ---- memory and errors ---- */

bool pki_text_copy(const char *p, size_t n, struct pki_text *out)
{
	char *copy = malloc(n + 1);
	if (copy == NULL)
		return false;
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	*out = (struct pki_text){copy, n};
	return true;
}

void pki_text_dispose(struct pki_text *text)
{
	if (text == NULL)
		return;
	if (text->p != NULL)
		OPENSSL_cleanse(text->p, text->n);
	free(text->p);
	*text = (struct pki_text){0};
}

void pki_pair_dispose(struct pki_pair *pair)
{
	if (pair == NULL)
		return;
	pki_text_dispose(&pair->certificate);
	pki_text_dispose(&pair->key);
	*pair = (struct pki_pair){0};
}

void pki_authorities_dispose(struct pki_authorities *authorities)
{
	if (authorities == NULL)
		return;
	pki_text_dispose(&authorities->certificates);
	*authorities = (struct pki_authorities){0};
}

void pki_pem_dispose(struct pki_pem *pem)
{
	sk_X509_pop_free(pem->certificates, X509_free);
	EVP_PKEY_free(pem->key);
	*pem = (struct pki_pem){0};
}

int pki_crypto_clear(struct error *err)
{
	bool nomem = false;
	for (unsigned long e = ERR_get_error(); e != 0; e = ERR_get_error())
		nomem = nomem || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
	return nomem ? error_nomem(err) : 0;
}

int pki_crypto_verdict(struct error *err, const char *format, ...)
{
	int code = pki_crypto_clear(err);
	if (code != 0)
		return code;
	va_list args;
	va_start(args, format);
	code = error_setv(err, ERR_INVALID, format, args);
	va_end(args);
	return code;
}

int pki_crypto_fail(struct error *err, const char *format, ...)
{
	unsigned long first = ERR_peek_error(); /* the cause; those behind it are the layers it came through */
	int code = pki_crypto_clear(err);
	if (code != 0)
		return code;
	struct error what;
	va_list args;
	va_start(args, format);
	error_setv(&what, ERR_INVALID, format, args);
	va_end(args);
	const char *reason = ERR_reason_error_string(first);
	return error_set(err, ERR_INVALID, "%s: %s", what.text, reason ? reason : "OpenSSL does not say why");
}

/* ---- files ---- */

/* Reads what `fd` has, and closes it. */
static int read_open(int fd, const char *shown, struct pki_text *out, struct error *err)
{
	/* One buffer of the largest size: growing one would leave pieces of a key behind in memory. */
	const size_t space = LIMIT_PEM + 1;
	char *p = malloc(space);
	ssize_t n = p ? file_fill(fd, p, space) : 0;
	int code = 0;
	if (p == NULL)
		code = error_nomem(err);
	else if (n < 0)
		code = error_set(err, ERR_IO, "cannot read %s: %s", shown, strerror(errno));
	else if ((size_t)n == space)
		code = error_set(err, ERR_LIMIT, "%s is larger than %lu bytes: that is no certificate or key", shown,
			LIMIT_PEM);
	else if (!pki_text_copy(p, (size_t)n, out))
		code = error_nomem(err);
	if (p != NULL)
		OPENSSL_cleanse(p, n > 0 ? (size_t)n : 0);
	free(p);
	(void)close(fd); /* nothing was written */
	return code;
}

int pki_file_read_at(int dir, const struct pki_path *file, struct pki_text *out, struct error *err)
{
	int fd;
	int code = file_open(dir, file->path, file->shown, &fd, err);
	return code == 0 ? read_open(fd, file->shown, out, err) : code;
}

int pki_file_read(const char *path, struct pki_text *out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	return read_open(fd, path, out, err);
}

/* ---- PEM ---- */

/* A block between BEGIN and END: "CERTIFICATE", its RFC 1421 header (mostly empty), and the bytes. */
struct block {
	char *kind, *header;
	unsigned char *data;
	long size;
};

static void block_free(struct block *b)
{
	OPENSSL_secure_free(b->kind);
	OPENSSL_secure_free(b->header);
	OPENSSL_secure_clear_free(b->data, b->size > 0 ? (size_t)b->size : 0);
	*b = (struct block){0};
}

static int add_certificate(const struct pki_source *source, const struct block *b, struct pki_pem *pem,
	struct error *err)
{
	int number = sk_X509_num(pem->certificates) + 1;
	if (number > LIMIT_CERTIFICATES)
		return error_set(err, ERR_LIMIT, "%s holds more than %d certificates", source->name, LIMIT_CERTIFICATES);
	const unsigned char *p = b->data;
	X509 *x = d2i_X509(NULL, &p, b->size);
	if (x == NULL)
		return pki_crypto_fail(err, "%s: certificate %d is damaged", source->name, number);
	if (p != b->data + b->size) {
		X509_free(x);
		return error_set(err, ERR_INVALID, "%s: certificate %d is damaged: there are bytes behind its end",
			source->name, number);
	}
	/* OpenSSL reads key and extensions on demand, and forgets that it could not: better now. */
	if (X509_get0_pubkey(x) != NULL && X509_check_purpose(x, -1, 0) == 1 && sk_X509_push(pem->certificates, x) > 0)
		return 0;
	X509_free(x);
	return pki_crypto_fail(err, "%s: cannot read the key or the extensions of certificate %d", source->name, number);
}

static int add_key(const struct pki_source *source, const struct block *b, struct pki_pem *pem, struct error *err)
{
	if (strcmp(b->kind, PEM_STRING_PKCS8) == 0 || strstr(b->header, "ENCRYPTED") != NULL)
		return error_set(err, ERR_INVALID, "%s: the private key is encrypted and nobody is there to type its password: "
			"take it off with 'openssl pkey -in %s -out NEWFILE'", source->name, source->name);
	if (pem->key != NULL)
		return error_set(err, ERR_INVALID, "%s holds more than one private key: expected one", source->name);
	const unsigned char *p = b->data;
	pem->key = d2i_AutoPrivateKey(NULL, &p, b->size);
	if (pem->key == NULL)
		return pki_crypto_fail(err, "%s: cannot read the %s: expected an RSA, EC or PKCS #8 key", source->name,
			b->kind);
	return 0;
}

static int add_block(const struct pki_source *source, const struct block *b, struct pki_pem *pem, struct error *err)
{
	if (strcmp(b->kind, PEM_STRING_X509) == 0 || strcmp(b->kind, PEM_STRING_X509_OLD) == 0)
		return add_certificate(source, b, pem, err);
	if (str_ends(str_of(b->kind), STR("PRIVATE KEY")))
		return add_key(source, b, pem, err);
	return 0;
}

/* Why a text without a single block is not PEM. */
static int no_block(const struct pki_source *source, struct error *err)
{
	if (source->pem.n == 0)
		return error_set(err, ERR_INVALID, "%s is empty: expected a certificate or a key in PEM form", source->name);
	if (source->pem.p[0] == '\x30')
		return error_set(err, ERR_INVALID, "%s looks like DER: expected PEM; convert it with 'openssl x509 -inform DER "
			"-in %s' (a key: openssl pkey)", source->name, source->name);
	return error_set(err, ERR_INVALID, "%s: no PEM block found: expected a line such as -----BEGIN CERTIFICATE-----",
		source->name);
}

static int read_blocks(const struct pki_source *source, BIO *bio, struct pki_pem *pem, struct error *err)
{
	for (size_t count = 0;; count++) {
		struct block b = {0};
		if (PEM_read_bio_ex(bio, &b.kind, &b.header, &b.data, &b.size, PEM_FLAG_SECURE) != 1) {
			unsigned long e = ERR_peek_last_error();
			bool end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
			if (!end)
				return pki_crypto_fail(err, "%s: PEM block %zu is cut off or damaged", source->name, count + 1);
			if (count == 0)
				return no_block(source, err);
			if (sk_X509_num(pem->certificates) == 0 && pem->key == NULL)
				return error_set(err, ERR_INVALID, "%s holds neither a certificate nor a private key", source->name);
			return 0;
		}
		int code = add_block(source, &b, pem, err);
		block_free(&b);
		if (code != 0)
			return code;
	}
}

int pki_pem_read(const struct pki_source *source, struct pki_pem *out, struct error *err)
{
	ERR_clear_error();
	if (source->pem.n > LIMIT_PEM)
		return error_set(err, ERR_LIMIT, "%s is larger than %lu bytes: that is no certificate or key", source->name,
			LIMIT_PEM);
	struct pki_pem pem = {.certificates = sk_X509_new_null()};
	BIO *bio = BIO_new_mem_buf(source->pem.p ? source->pem.p : "", (int)source->pem.n);
	int code = pem.certificates != NULL && bio != NULL ? read_blocks(source, bio, &pem, err) : error_nomem(err);
	BIO_free(bio);
	ERR_clear_error();
	if (code == 0)
		*out = pem;
	else
		pki_pem_dispose(&pem);
	return code;
}

/* ---- certificates against keys and each other ---- */

bool pki_times(const X509 *certificate, time_t *not_before, time_t *not_after)
{
	struct tm from, to;
	if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &from) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &to) != 1) {
		ERR_clear_error();
		return false;
	}
	*not_before = timegm(&from);
	*not_after = timegm(&to);
	return true;
}

void pki_utc(time_t t, char out[PKI_UTC_MAX])
{
	struct tm tm;
	if (gmtime_r(&t, &tm) == NULL || strftime(out, PKI_UTC_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		memcpy(out, "?", 2);
}

int pki_time_check(const char *name, time_t not_before, time_t not_after, time_t now, struct error *err)
{
	char text[PKI_UTC_MAX];
	if (now < not_before) {
		pki_utc(not_before, text);
		return error_set(err, ERR_INVALID, "%s is not valid before %s: is the clock right?", name, text);
	}
	if (now > not_after) {
		pki_utc(not_after, text);
		return error_set(err, ERR_INVALID, "%s expired at %s: make a new one", name, text);
	}
	return 0;
}

int pki_issuer_check(X509 *certificate, X509 *issuer, const char **wrong, struct error *err)
{
	const char *found = NULL;
	if (X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) != 0)
		found = "has another name than the issuer";
	else if (X509_check_ca(issuer) != 1 || (X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) == 0)
		found = "is no CA";
	else if (X509_verify(certificate, X509_get0_pubkey(issuer)) != 1)
		found = "has the issuer's name, but another key than the one that signed";
	int code = pki_crypto_clear(err);
	if (code == 0)
		*wrong = found;
	return code;
}

/* The subject as RFC 4514 writes it, plain ASCII. */
static void subject_text(const X509 *x, char out[NAME_TEXT_MAX])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = -1;
	if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, out, NAME_TEXT_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	ERR_clear_error();
}

int pki_chain_check(const struct pki_pem *chain, const char *name, struct error *err)
{
	for (int i = 1; i < sk_X509_num(chain->certificates); i++) {
		X509 *certificate = sk_X509_value(chain->certificates, i - 1);
		X509 *issuer = sk_X509_value(chain->certificates, i);
		const char *wrong;
		int code = pki_issuer_check(certificate, issuer, &wrong, err);
		if (code != 0)
			return code;
		if (wrong == NULL)
			continue;
		char lower[NAME_TEXT_MAX], upper[NAME_TEXT_MAX];
		subject_text(certificate, lower);
		subject_text(issuer, upper);
		return error_set(err, ERR_INVALID, "%s: certificate %d (%s) did not sign certificate %d (%s): it %s; expected "
			"the leaf first, and behind each certificate the one that signed it", name, i + 1, upper, i, lower, wrong);
	}
	X509 *last = sk_X509_value(chain->certificates, sk_X509_num(chain->certificates) - 1);
	if (X509_self_signed(last, 0) == 1 && X509_self_signed(last, 1) != 1)
		return pki_crypto_verdict(err, "%s: certificate %d is damaged: its own signature does not verify", name,
			sk_X509_num(chain->certificates));
	return pki_crypto_clear(err);
}

int pki_key_check(EVP_PKEY *private, EVP_PKEY *public, const char *name, struct error *err)
{
	static const unsigned char message[] = "connhook proves that a key belongs to a certificate";
	unsigned char signature[SIGNATURE_MAX];
	size_t n = sizeof signature;
	EVP_MD_CTX *signer = EVP_MD_CTX_new();
	EVP_MD_CTX *verifier = EVP_MD_CTX_new();
	int code = 0;
	if (signer == NULL || verifier == NULL)
		code = error_nomem(err);
	else if (EVP_DigestSignInit_ex(signer, NULL, NULL, NULL, NULL, private, NULL) != 1 ||
		 EVP_DigestSign(signer, signature, &n, message, sizeof message) != 1)
		code = pki_crypto_fail(err, "%s cannot sign: expected an ECDSA, RSA or Ed25519 key", name);
	else if (EVP_DigestVerifyInit_ex(verifier, NULL, NULL, NULL, NULL, public, NULL) != 1 ||
		 EVP_DigestVerify(verifier, signature, n, message, sizeof message) != 1)
		code = pki_crypto_verdict(err, "%s is damaged: what it signs does not verify with its own certificate", name);
	EVP_MD_CTX_free(signer);
	EVP_MD_CTX_free(verifier);
	ERR_clear_error();
	return code;
}

/* Both files are there, and each holds what it should. */
static int pair_present(const struct pki_pem *chain, const char *chain_name, const struct pki_pem *key,
	const char *key_name, struct error *err)
{
	bool has_certificate = sk_X509_num(chain->certificates) > 0;
	if (!has_certificate && chain->key != NULL && key->key == NULL && sk_X509_num(key->certificates) > 0)
		return error_set(err, ERR_INVALID, "%s holds a private key and %s a certificate: the two are swapped",
			chain_name, key_name);
	if (!has_certificate)
		return error_set(err, ERR_INVALID, "%s holds no certificate%s: expected -----BEGIN CERTIFICATE-----",
			chain_name, chain->key ? ", only a private key" : "");
	if (key->key == NULL)
		return error_set(err, ERR_INVALID, "%s holds no private key%s: expected -----BEGIN PRIVATE KEY-----", key_name,
			sk_X509_num(key->certificates) > 0 ? ", only a certificate" : "");
	return 0;
}

int pki_pem_pair_check(const struct pki_pem *chain, const char *chain_name, const struct pki_pem *key,
	const char *key_name, struct error *err)
{
	int code = pair_present(chain, chain_name, key, key_name, err);
	if (code != 0)
		return code;
	X509 *leaf = sk_X509_value(chain->certificates, 0);
	EVP_PKEY *public = X509_get0_pubkey(leaf);
	char subject[NAME_TEXT_MAX];
	subject_text(leaf, subject);
	for (int i = 1; EVP_PKEY_eq(public, key->key) != 1 && i < sk_X509_num(chain->certificates); i++) {
		EVP_PKEY *other = X509_get0_pubkey(sk_X509_value(chain->certificates, i));
		if (EVP_PKEY_eq(other, key->key) == 1)
			code = error_set(err, ERR_INVALID, "%s is the key of certificate %d of %s, but the first one is that of "
				"%s: put the leaf first", key_name, i + 1, chain_name, subject);
	}
	if (code == 0 && EVP_PKEY_eq(public, key->key) != 1)
		code = pki_crypto_verdict(err, "%s is not the key of %s (%s): take both from where they were made together",
			key_name, chain_name, subject);
	if (code == 0)
		code = pki_key_check(key->key, public, key_name, err);
	return code == 0 ? pki_chain_check(chain, chain_name, err) : code;
}

/* Reads both, checks them, and leaves the parts to the caller; both are disposed of on failure. */
static int read_pair(const struct pki_source *chain, const struct pki_source *key, struct pki_pem *chain_parts,
	struct pki_pem *key_parts, struct error *err)
{
	int code = pki_pem_read(chain, chain_parts, err);
	if (code == 0)
		code = pki_pem_read(key, key_parts, err);
	if (code == 0)
		code = pki_pem_pair_check(chain_parts, chain->name, key_parts, key->name, err);
	if (code != 0) {
		pki_pem_dispose(chain_parts);
		pki_pem_dispose(key_parts);
	}
	return code;
}

int pki_pair_check(const struct pki_source *chain, const struct pki_source *key, time_t now, struct error *err)
{
	struct pki_pem chain_parts = {0}, key_parts = {0};
	int code = read_pair(chain, key, &chain_parts, &key_parts, err);
	for (int i = 0; code == 0 && i < sk_X509_num(chain_parts.certificates); i++) {
		time_t from, to;
		if (pki_times(sk_X509_value(chain_parts.certificates, i), &from, &to))
			code = pki_time_check(chain->name, from, to, now, err);
		else
			code = error_set(err, ERR_INVALID, "%s: certificate %d has dates that cannot be read", chain->name, i + 1);
	}
	pki_pem_dispose(&chain_parts);
	pki_pem_dispose(&key_parts);
	return code;
}

int pki_load_pair_at(int dir, const struct pki_path *cert_file, const struct pki_path *key_file, struct pki_pair *out,
	struct error *err)
{
	struct pki_pair pair = {0};
	struct pki_pem chain_parts = {0}, key_parts = {0};
	int code = pki_file_read_at(dir, cert_file, &pair.certificate, err);
	if (code == 0)
		code = pki_file_read_at(dir, key_file, &pair.key, err);
	if (code == 0) {
		struct pki_source chain = {cert_file->shown, {pair.certificate.p, pair.certificate.n}};
		struct pki_source key = {key_file->shown, {pair.key.p, pair.key.n}};
		code = read_pair(&chain, &key, &chain_parts, &key_parts, err);
	}
	if (code == 0 && !pki_times(sk_X509_value(chain_parts.certificates, 0), &pair.not_before, &pair.not_after))
		code = error_set(err, ERR_INVALID, "%s has dates that cannot be read", cert_file->shown);
	pki_pem_dispose(&chain_parts);
	pki_pem_dispose(&key_parts);
	if (code == 0)
		*out = pair;
	else
		pki_pair_dispose(&pair);
	return code;
}

int pki_load_pair(const char *cert_file, const char *key_file, struct pki_pair *out, struct error *err)
{
	struct pki_path certificate = {cert_file, cert_file}, key = {key_file, key_file};
	return pki_load_pair_at(AT_FDCWD, &certificate, &key, out, err);
}

/* ---- authorities ---- */

/* All are CAs' certificates; sets the dates of the one that ends first. `name` is the file's. */
static int read_authorities(const struct pki_pem *parts, const char *name, struct pki_authorities *out,
	struct error *err)
{
	int count = sk_X509_num(parts->certificates);
	if (parts->key != NULL)
		return error_set(err, ERR_INVALID, "%s holds a private key: expected the certificates of CAs alone", name);
	for (int i = 0; i < count; i++) {
		X509 *x = sk_X509_value(parts->certificates, i);
		char subject[NAME_TEXT_MAX];
		time_t from, to;
		subject_text(x, subject);
		if (X509_check_ca(x) != 1 || (X509_get_key_usage(x) & KU_KEY_CERT_SIGN) == 0)
			return pki_crypto_verdict(err, "%s: certificate %d (%s) is not that of a CA: it must not sign others",
				name, i + 1, subject);
		if (!pki_times(x, &from, &to))
			return error_set(err, ERR_INVALID, "%s: certificate %d (%s) has dates that cannot be read", name, i + 1,
				subject);
		if (i == 0 || to < out->not_after) {
			out->not_before = from;
			out->not_after = to;
		}
	}
	return pki_crypto_clear(err);
}

int pki_load_authorities(const char *file, struct pki_authorities *out, struct error *err)
{
	struct pki_authorities authorities = {0};
	struct pki_pem parts = {0};
	int code = pki_file_read_at(AT_FDCWD, &(struct pki_path){file, file}, &authorities.certificates, err);
	if (code == 0) {
		struct pki_source source = {file, {authorities.certificates.p, authorities.certificates.n}};
		code = pki_pem_read(&source, &parts, err);
	}
	if (code == 0)
		code = read_authorities(&parts, file, &authorities, err);
	pki_pem_dispose(&parts);
	if (code == 0)
		*out = authorities;
	else
		pki_authorities_dispose(&authorities);
	return code;
}
