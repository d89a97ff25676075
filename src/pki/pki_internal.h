/* What the files of this folder share. */
#ifndef PKI_INTERNAL_H
#define PKI_INTERNAL_H

#include "pki/pki.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A PEM file taken apart. Start with {0}. */
struct pki_pem {
	STACK_OF(X509) *certificates; /* in the file's order */
	EVP_PKEY *key;                /* private; NULL: none */
};

/*
 * Reads all certificates and the private key of a PEM text; other blocks and text between them are passed over.
 * ERR_INVALID: neither certificate nor key, a block that is cut off or damaged, an encrypted key, two keys.
 * ERR_LIMIT, ERR_NOMEM.
 */
int pki_pem_read(const struct pki_source *source, struct pki_pem *out, struct error *err);

void pki_pem_dispose(struct pki_pem *pem);

/*
 * All three take every error off OpenSSL's queue, and return ERR_NOMEM when one of them says that memory was out: a
 * check that failed for that reason is no verdict. Otherwise:
 * pki_crypto_fail sets the sentence "<format>: <OpenSSL's reason>" and returns ERR_INVALID;
 * pki_crypto_verdict sets the sentence alone and returns ERR_INVALID;
 * pki_crypto_clear returns 0.
 */
int pki_crypto_fail(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int pki_crypto_verdict(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int pki_crypto_clear(struct error *err);

/* The checks of pki_pair_check without time. The names are for the sentences. */
int pki_pem_pair_check(const struct pki_pem *chain, const char *chain_name, const struct pki_pem *key,
	const char *key_name, struct error *err);

/*
 * Does what the private key signs verify with the public one? Public halves can agree while the private one is
 * damaged. `name` is the key's file. ERR_INVALID, ERR_NOMEM.
 */
int pki_key_check(EVP_PKEY *private, EVP_PKEY *public, const char *name, struct error *err);

/* ERR_INVALID unless each certificate is signed by the next one. `name` is the file's. */
int pki_chain_check(const struct pki_pem *chain, const char *name, struct error *err);

/*
 * *wrong is NULL when `issuer` may sign certificates and signed this one; else what is wrong with it: "is no CA".
 * ERR_NOMEM.
 */
int pki_issuer_check(X509 *certificate, X509 *issuer, const char **wrong, struct error *err);

/* "2026-03-01 09:30:00 UTC" */
#define PKI_UTC_MAX 40
void pki_utc(time_t t, char out[PKI_UTC_MAX]);

/* When a certificate is valid. False when its dates cannot be read. */
bool pki_times(const X509 *certificate, time_t *not_before, time_t *not_after);

/* The DNS and IP names of a certificate, in the arena; `others` counts the rest. */
int pki_names_of(const X509 *certificate, struct arena *arena, struct pki_names *out, size_t *others,
	struct error *err);

/* A file: where to open it, and what to call it in a sentence. */
struct pki_path {
	const char *path, *shown;
};

/* Reading a regular file (base/file.h), and pki_load_pair, for paths relative to the directory `dir`. */
int pki_file_read_at(int dir, const struct pki_path *file, struct pki_text *out, struct error *err);
int pki_load_pair_at(int dir, const struct pki_path *cert_file, const struct pki_path *key_file, struct pki_pair *out,
	struct error *err);

/* A copy of `n` bytes; false when memory is out. */
bool pki_text_copy(const char *p, size_t n, struct pki_text *out);

/* The address in network order: 4 or 16 bytes into `out`; 0 when `text` is no address. */
size_t pki_ip_bytes(struct str text, unsigned char out[16]);

/* Valid names, at least one, no more than LIMIT_CERTIFICATE_NAMES; days in range. */
int pki_wish_check(const struct pki_names *names, long days, struct error *err);

#endif
