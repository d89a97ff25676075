/*
 * Certificates: make, look at, load. The only user of OpenSSL (libcrypto; TLS itself is the server's).
 *
 * Nothing here reads the clock: `now` is seconds since 1970, read by the caller. Private keys are wiped before their
 * memory is given back.
 */
#ifndef PKI_PKI_H
#define PKI_PKI_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/*
 * The files of a directory of certificates, named as in a Secret of type kubernetes.io/tls. tls.crt is the leaf
 * alone: who trusts ca.crt needs no more.
 */
#define PKI_CA_CERT "ca.crt"
#define PKI_CA_KEY "ca.key"
#define PKI_TLS_CERT "tls.crt"
#define PKI_TLS_KEY "tls.key"

#define PKI_DEFAULT_DAYS 365

/* Subject alternative names: DNS names, and IP addresses as text. */
struct pki_names {
	const struct str *dns;
	size_t dns_count;
	const struct str *ips;
	size_t ip_count;
};

/* localhost and the loopback addresses; connhook and its Service's names in a cluster. */
extern const struct pki_names pki_default_names;

/* ERR_INVALID unless `name` is a host name (RFC 1123, without a dot at the end; the first label may be *). */
int pki_dns_check(struct str name, struct error *err);

/* ERR_INVALID unless `text` is an IPv4 or IPv6 address as inet_pton reads it. */
int pki_ip_check(struct str text, struct error *err);

/* Owned bytes, NUL-terminated behind their end. Start with {0}. */
struct pki_text {
	char *p;
	size_t n;
};

/*
 * Reads a file of at most LIMIT_PEM bytes, or what comes through a pipe: for people, who may wait. What is loaded,
 * below, has to be a regular file; symbolic links are followed. ERR_IO, ERR_LIMIT, ERR_NOMEM.
 */
int pki_file_read(const char *path, struct pki_text *out, struct error *err);

/* Wipes and frees. */
void pki_text_dispose(struct pki_text *text);

/* A certificate (or a chain, leaf first) and its key, as PEM. Start with {0}. */
struct pki_pair {
	struct pki_text certificate, key;
	time_t not_before, not_after; /* of the first certificate */
};

/* Wipes the key and frees both. */
void pki_pair_dispose(struct pki_pair *pair);

/*
 * Makes a CA for serving certificates only: ECDSA P-256, ten years, "connhook CA" (RFC 5280). The key is PKCS #8.
 * ERR_INVALID when OpenSSL refuses, ERR_NOMEM.
 */
int pki_make_ca(time_t now, struct pki_pair *out, struct error *err);

/*
 * Makes a serving certificate, ECDSA P-256, signed by `ca`, valid `days` (1 to LIMIT_CERTIFICATE_DAYS) from now, but
 * not longer than `ca` itself. ERR_INVALID: no name or a bad one, bad days, `ca` does not match its key, is no CA or
 * is not valid now. ERR_LIMIT: more than LIMIT_CERTIFICATE_NAMES names. ERR_NOMEM.
 */
int pki_make_serving(const struct pki_pair *ca, const struct pki_names *names, long days, time_t now,
	struct pki_pair *out, struct error *err);

/* PEM text, and what to call it in a sentence. Both borrowed. */
struct pki_source {
	const char *name;
	struct str pem;
};

struct pki_key {
	struct str type; /* "ECDSA P-256", "RSA"; absent: there is no key */
	int bits;
};

/* What a certificate says. Names of other kinds than DNS and IP are counted only. */
struct pki_certificate {
	struct str subject, issuer;     /* RFC 4514, plain ASCII */
	struct pki_names names;         /* bytes that no name may have are shown as ? */
	size_t other_names;
	struct str serial;              /* hexadecimal */
	time_t not_before, not_after;
	struct str not_before_text, not_after_text; /* UTC */
	struct pki_key key;
	bool is_ca;
	struct str fingerprint;         /* SHA-256 over the DER form, hexadecimal with colons */
};

struct pki_file {
	const char *name; /* of the source; borrowed from it */
	const struct pki_certificate *certificates;
	size_t certificate_count;
	struct pki_key key; /* the private key in the file */
};

/* Something that was checked over all files: holds or not, and the sentence. */
struct pki_finding {
	bool good;
	struct str text;
};

/* Lives in `arena`; pki_report_dispose when done. Holds no key's bytes. */
struct pki_report {
	struct arena arena;
	const struct pki_file *files; /* one for each source, in their order */
	size_t file_count;
	const struct pki_finding *findings;
	size_t finding_count;
	bool good; /* no finding is bad */
};

/*
 * Looks at certificates and keys, alone and against each other: whose key is it, who signed it, is a chain in order,
 * is it valid at `now`. What is wrong with them is a finding; ERR_INVALID is for text that cannot be read: no PEM,
 * cut off, an encrypted key. ERR_LIMIT, ERR_NOMEM.
 */
int pki_inspect(const struct pki_source *sources, size_t count, time_t now, struct pki_report *out, struct error *err);

void pki_report_dispose(struct pki_report *report);

/*
 * Can a server use them? The key is the leaf's (proved with a signature), each certificate is signed by the next one,
 * and all are valid at `now`. ERR_INVALID with the first thing that is wrong, ERR_LIMIT, ERR_NOMEM.
 */
int pki_pair_check(const struct pki_source *chain, const struct pki_source *key, time_t now, struct error *err);

/* ERR_INVALID, and whether it is too early or too late, when `now` is outside. `name` is for the sentence. */
int pki_time_check(const char *name, time_t not_before, time_t not_after, time_t now, struct error *err);

/*
 * Reads a certificate (or chain, leaf first) and its key, and checks them as pki_pair_check does, time left out: that
 * is the caller's decision, with pki_time_check. ERR_IO, ERR_INVALID, ERR_LIMIT, ERR_NOMEM.
 */
int pki_load_pair(const char *cert_file, const char *key_file, struct pki_pair *out, struct error *err);

/*
 * Will clients take the first certificate for a server's? It is not a CA's, and may be used for signatures and, where
 * it says what for, for servers. ERR_INVALID, ERR_LIMIT, ERR_NOMEM.
 */
int pki_serving_check(const struct pki_source *chain, struct error *err);

/* ERR_INVALID when the first certificate of `chain` is not good for a name of the one of `old`. ERR_NOMEM. */
int pki_names_check(const struct pki_source *chain, const struct pki_source *old, struct error *err);

/* Certificates of CAs, as PEM. Start with {0}. */
struct pki_authorities {
	struct pki_text certificates;
	time_t not_before, not_after; /* of the one that ends first */
};

/*
 * Reads the certificates of one or more CAs. ERR_INVALID: there is none, one of them is not a CA's, or there is a
 * private key, which has no business there. Time is the caller's decision. ERR_IO, ERR_LIMIT, ERR_NOMEM.
 */
int pki_load_authorities(const char *file, struct pki_authorities *out, struct error *err);

void pki_authorities_dispose(struct pki_authorities *authorities);

/*
 * Makes the four files in the directory `dir`, which is created (one level) when it is missing. `names` NULL means
 * pki_default_names. Keys have mode 0600, certificates 0644. All or nothing: the files are complete and on disk
 * before they get their names, and never replace another one: ERR_EXISTS names the file in the way. ERR_INVALID and
 * ERR_LIMIT as pki_make_serving, ERR_IO, ERR_NOMEM.
 */
int pki_init(const char *dir, const struct pki_names *names, long days, time_t now, struct error *err);

/*
 * Replaces tls.crt and tls.key with new ones signed by the directory's CA, which stays. `names` NULL keeps those of
 * the old tls.crt. Both are complete and on disk before the first is renamed, the key first: a reader between the two
 * renames finds a pair that does not match, keeps what it has, and reads again. Errors as pki_init, but not
 * ERR_EXISTS; the old pair then stands (or, when only the last fsync failed, the new one).
 */
int pki_renew(const char *dir, const struct pki_names *names, long days, time_t now, struct error *err);

enum pki_ensured { PKI_KEPT, PKI_MADE, PKI_RENEWED };

/*
 * Sees to it that `dir` holds four good files: keeps them when they are good (whatever their names), makes them when
 * there is none, and renews tls.crt and tls.key when only they are missing or only they have expired. Anything else,
 * such as a key that does not match, is for a person: ERR_INVALID, and nothing is changed. Errors as pki_init.
 */
int pki_ensure(const char *dir, const struct pki_names *names, long days, time_t now, enum pki_ensured *out,
	struct error *err);

#endif
