/* Whether clients will take a certificate for that of a server, and of the same server as before. */
#include "pki/pki_internal.h"

#include "base/text.h"

#include <openssl/x509v3.h>

#include <strings.h>

/* The first certificate of a PEM text, in `parts`, which the caller disposes of in every case. */
static int read_leaf(const struct pki_source *chain, struct pki_pem *parts, X509 **leaf, struct error *err)
{
	int code = pki_pem_read(chain, parts, err);
	if (code == 0 && sk_X509_num(parts->certificates) == 0)
		code = error_set(err, ERR_INVALID, "%s holds no certificate", chain->name);
	if (code == 0)
		*leaf = sk_X509_value(parts->certificates, 0);
	return code;
}

/* X509_get_key_usage and X509_get_extended_key_usage have all bits set where there is no such extension. */
static const char *why_no_server(X509 *leaf)
{
	if (X509_check_ca(leaf) == 1)
		return "is that of a CA: serve with one that it has signed";
	if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
		return "may not be used for signatures, which a TLS handshake needs: make one with the key usage "
			"digitalSignature";
	if ((X509_get_extended_key_usage(leaf) & (XKU_SSL_SERVER | XKU_ANYEKU)) == 0)
		return "is not for servers: make one with the extended key usage serverAuth, or with none";
	return NULL;
}

int pki_serving_check(const struct pki_source *chain, struct error *err)
{
	struct pki_pem parts = {0};
	X509 *leaf;
	int code = read_leaf(chain, &parts, &leaf, err);
	const char *wrong = code == 0 ? why_no_server(leaf) : NULL;
	if (code == 0)
		code = pki_crypto_clear(err);
	if (code == 0 && wrong != NULL)
		code = error_set(err, ERR_INVALID, "%s: the first certificate %s", chain->name, wrong);
	pki_pem_dispose(&parts);
	return code;
}

/* Is the name one of `names`, as it is written? That holds for one with a * too. */
static bool is_listed(struct str name, const struct str *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].n == name.n && (name.n == 0 || strncasecmp(names[i].p, name.p, name.n) == 0))
			return true;
	return false;
}

/* The first name of `old` that `leaf`, whose names are `new`, is not good for; absent when there is none. */
static struct str lost_name(X509 *leaf, const struct pki_names *new, const struct pki_names *old)
{
	for (size_t i = 0; i < old->dns_count; i++)
		if (!is_listed(old->dns[i], new->dns, new->dns_count) &&
		    X509_check_host(leaf, old->dns[i].p, old->dns[i].n, 0, NULL) != 1)
			return old->dns[i];
	for (size_t i = 0; i < old->ip_count; i++)
		if (!is_listed(old->ips[i], new->ips, new->ip_count))
			return old->ips[i];
	return (struct str){NULL, 0};
}

static int compare_names(X509 *leaf, X509 *old_leaf, const char *name, struct error *err)
{
	struct arena arena = {0};
	struct pki_names names, old;
	size_t others;
	struct str lost = {NULL, 0};
	int code = pki_names_of(leaf, &arena, &names, &others, err);
	if (code == 0)
		code = pki_names_of(old_leaf, &arena, &old, &others, err);
	if (code == 0) {
		lost = lost_name(leaf, &names, &old);
		code = pki_crypto_clear(err);
	}
	if (code == 0 && lost.p != NULL)
		code = error_set(err, ERR_INVALID, "%s is not good for %s, which the one in use is for: make it for that name "
			"too, or restart to use it all the same", name, text_quote_name(lost).text);
	arena_free(&arena);
	return code;
}

int pki_names_check(const struct pki_source *chain, const struct pki_source *old, struct error *err)
{
	struct pki_pem parts = {0}, old_parts = {0};
	X509 *leaf, *old_leaf;
	int code = read_leaf(chain, &parts, &leaf, err);
	if (code == 0)
		code = read_leaf(old, &old_parts, &old_leaf, err);
	if (code == 0)
		code = compare_names(leaf, old_leaf, chain->name, err);
	pki_pem_dispose(&parts);
	pki_pem_dispose(&old_parts);
	return code;
}
