/* What certificates say, and what can be said of several files together. */
#include "pki/pki_internal.h"

#include "base/limits.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

#define GROUP_NAME_MAX 64 /* an elliptic curve's name */

/* ---- one certificate, one key ---- */

static struct str name_text(struct arena *arena, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct str text = STR("?");
	if (bio == NULL)
		arena->failed = true;
	else if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		char *p = NULL;
		long n = BIO_get_mem_data(bio, &p);
		text = (struct str){n > 0 ? p : "", n > 0 ? (size_t)n : 0};
	} else if (pki_crypto_fail(NULL, "%s", "a name") == ERR_NOMEM) {
		arena->failed = true;
	}
	text = arena_str(arena, text);
	BIO_free(bio);
	return text;
}

static struct str dns_text(struct arena *arena, const ASN1_STRING *name)
{
	size_t n = (size_t)ASN1_STRING_length(name);
	const unsigned char *p = ASN1_STRING_get0_data(name);
	char *text = arena_alloc(arena, n + 1);
	for (size_t i = 0; text != NULL && i < n; i++)
		text[i] = p[i] > ' ' && p[i] < 0x7f ? (char)p[i] : '?';
	return (struct str){text, text ? n : 0};
}

static struct str ip_text(struct arena *arena, const ASN1_OCTET_STRING *address)
{
	char z[INET6_ADDRSTRLEN];
	int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
	if (family == AF_INET6 && ASN1_STRING_length(address) != 16)
		return arena_str(arena, STR("?"));
	return arena_str(arena, str_of(inet_ntop(family, ASN1_STRING_get0_data(address), z, sizeof z)));
}

int pki_names_of(const X509 *certificate, struct arena *arena, struct pki_names *out, size_t *others,
	struct error *err)
{
	int found; /* -1: there is no such extension */
	GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, NULL);
	if (list == NULL && found != -1)
		return pki_crypto_fail(err, "cannot read the subject alternative names");
	size_t count = list ? (size_t)sk_GENERAL_NAME_num(list) : 0;
	struct str *dns = arena_array(arena, count, sizeof *dns);
	struct str *ips = arena_array(arena, count, sizeof *ips);
	struct pki_names names = {.dns = dns, .ips = ips};
	size_t rest = 0;
	for (size_t i = 0; i < count && dns != NULL && ips != NULL; i++) {
		int type;
		const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(list, (int)i), &type);
		if (type == GEN_DNS)
			dns[names.dns_count++] = dns_text(arena, value);
		else if (type == GEN_IPADD)
			ips[names.ip_count++] = ip_text(arena, value);
		else
			rest++;
	}
	GENERAL_NAMES_free(list);
	ERR_clear_error();
	if (arena->failed)
		return error_nomem(err);
	*out = names;
	*others = rest;
	return 0;
}

static struct str ec_type(struct arena *arena, EVP_PKEY *key)
{
	char group[GROUP_NAME_MAX];
	size_t n;
	if (EVP_PKEY_get_group_name(key, group, sizeof group, &n) != 1)
		return arena_str(arena, STR("ECDSA"));
	const char *nist = EC_curve_nid2nist(OBJ_txt2nid(group));
	return arena_fmt(arena, "ECDSA %s", nist ? nist : group);
}

/* `key` NULL: there is none. */
static struct pki_key describe_key(struct arena *arena, EVP_PKEY *key)
{
	if (key == NULL)
		return (struct pki_key){0};
	const char *name = EVP_PKEY_get0_type_name(key);
	struct str type = str_of(name ? name : "unknown");
	type = EVP_PKEY_is_a(key, "EC") ? ec_type(arena, key) : arena_str(arena, type);
	return (struct pki_key){type, EVP_PKEY_get_bits(key)};
}

static struct str serial_text(struct arena *arena, const X509 *x)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	struct str text = arena_str(arena, str_of(hex));
	if (hex == NULL)
		arena->failed = true;
	OPENSSL_free(hex);
	BN_free(number);
	return text;
}

static struct str fingerprint(struct arena *arena, const X509 *x)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	if (X509_digest(x, EVP_sha256(), digest, &n) != 1) {
		arena->failed = true; /* nothing else can go wrong with it */
		return (struct str){0};
	}
	char text[3 * EVP_MAX_MD_SIZE];
	for (unsigned i = 0; i < n; i++) {
		text[3 * i] = digits[digest[i] >> 4];
		text[3 * i + 1] = digits[digest[i] & 15];
		text[3 * i + 2] = ':';
	}
	return arena_str(arena, (struct str){text, 3 * (size_t)n - 1});
}

static int describe(X509 *x, const struct pki_source *source, struct arena *arena, struct pki_certificate *out,
	struct error *err)
{
	if (!pki_times(x, &out->not_before, &out->not_after))
		return error_set(err, ERR_INVALID, "%s: a certificate has dates that cannot be read", source->name);
	char utc[PKI_UTC_MAX];
	pki_utc(out->not_before, utc);
	out->not_before_text = arena_str(arena, str_of(utc));
	pki_utc(out->not_after, utc);
	out->not_after_text = arena_str(arena, str_of(utc));
	out->subject = name_text(arena, X509_get_subject_name(x));
	out->issuer = name_text(arena, X509_get_issuer_name(x));
	out->serial = serial_text(arena, x);
	out->key = describe_key(arena, X509_get0_pubkey(x));
	out->is_ca = X509_check_ca(x) == 1;
	out->fingerprint = fingerprint(arena, x);
	int code = pki_crypto_clear(err);
	return code != 0 ? code : pki_names_of(x, arena, &out->names, &out->other_names, err);
}

/* ---- files together ---- */

/* What is being put together: the sources, their parts, and the report. */
struct inspection {
	const struct pki_source *sources;
	size_t count;
	struct pki_pem *parts; /* one for each source */
	time_t now;
	struct arena *arena;
	struct pki_finding *findings;
	size_t finding_count, finding_capacity;
	bool good;
};

static void add_finding(struct inspection *in, bool good, struct str text)
{
	struct pki_finding *list = arena_grow(in->arena, in->findings, in->finding_count, &in->finding_capacity,
		sizeof *list);
	if (list == NULL)
		return;
	in->findings = list;
	list[in->finding_count++] = (struct pki_finding){good, text};
	in->good = in->good && good;
}

static int count_of(const struct inspection *in, size_t file)
{
	return sk_X509_num(in->parts[file].certificates);
}

static X509 *certificate_at(const struct inspection *in, size_t file, int i)
{
	return sk_X509_value(in->parts[file].certificates, i);
}

/* "tls.crt", or "tls.crt, certificate 2" where there are several. */
static const char *place(const struct inspection *in, size_t file, int i)
{
	const char *name = in->sources[file].name;
	if (count_of(in, file) == 1)
		return name;
	struct str text = arena_fmt(in->arena, "%s, certificate %d", name, i + 1);
	return text.p ? text.p : name;
}

/* A check's result as a finding: `good` when it holds, its sentence when it is ERR_INVALID. Other codes come back. */
static int add_verdict(struct inspection *in, int code, struct str good, const struct error *verdict, struct error *err)
{
	if (code != 0 && code != ERR_INVALID)
		return error_set(err, code, "%s", verdict->text);
	if (code != 0 || good.p != NULL)
		add_finding(in, code == 0, code == 0 ? good : arena_str(in->arena, error_str(verdict)));
	return 0;
}

static int check_time(struct inspection *in, size_t file, int i, struct error *err)
{
	time_t from, to;
	struct error verdict;
	if (!pki_times(certificate_at(in, file, i), &from, &to))
		return error_set(err, ERR_INVALID, "%s has dates that cannot be read", place(in, file, i));
	int code = pki_time_check(place(in, file, i), from, to, in->now, &verdict);
	return add_verdict(in, code, (struct str){0}, &verdict, err);
}

static int check_key(struct inspection *in, size_t file, struct error *err)
{
	const char *name = in->sources[file].name;
	struct error verdict;
	bool any = false;
	for (size_t f = 0; f < in->count; f++)
		for (int i = 0; i < count_of(in, f); i++) {
			any = true;
			EVP_PKEY *public = X509_get0_pubkey(certificate_at(in, f, i));
			if (EVP_PKEY_eq(public, in->parts[file].key) != 1)
				continue;
			int code = pki_key_check(in->parts[file].key, public, name, &verdict);
			struct str good = arena_fmt(in->arena, "%s is the key of %s", name, place(in, f, i));
			return add_verdict(in, code, good, &verdict, err);
		}
	int code = any ? pki_crypto_verdict(&verdict, "%s is not the key of any of these certificates: take key and "
		"certificate from where they were made together", name) : 0;
	return add_verdict(in, code, (struct str){0}, &verdict, err);
}

/* Where a certificate stands, and what is wrong with it as the issuer of another. */
struct candidate {
	size_t file;
	int at;
	const char *wrong; /* NULL: it is the issuer */
};

/*
 * Looks for who signed `x`; *found is false when nobody is worth a word. An issuer that was not given is no fault, but
 * a leaf beside CAs that did not sign it is, and so is a CA of the right name with another key.
 */
static int find_issuer(const struct inspection *in, X509 *x, bool *found, struct candidate *out, struct error *err)
{
	bool is_leaf = X509_check_ca(x) != 1;
	*found = false;
	for (size_t f = 0; f < in->count; f++)
		for (int i = 0; i < count_of(in, f); i++) {
			X509 *issuer = certificate_at(in, f, i);
			if (issuer == x)
				continue;
			struct candidate one = {.file = f, .at = i};
			int code = pki_issuer_check(x, issuer, &one.wrong, err);
			if (code != 0)
				return code;
			bool same_name = X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(issuer)) == 0;
			if (same_name || (is_leaf && !*found && X509_check_ca(issuer) == 1)) {
				*found = true;
				*out = one;
			}
			if (one.wrong == NULL)
				return 0;
		}
	return 0;
}

static int check_issuer(struct inspection *in, size_t file, int at, struct error *err)
{
	X509 *x = certificate_at(in, file, at);
	struct error verdict;
	if (X509_self_signed(x, 0) == 1) {
		int code = X509_self_signed(x, 1) == 1 ? 0 :
			pki_crypto_verdict(&verdict, "%s is damaged: its own signature does not verify", place(in, file, at));
		return add_verdict(in, code, (struct str){0}, &verdict, err);
	}
	bool found;
	struct candidate issuer = {0};
	int code = find_issuer(in, x, &found, &issuer, err);
	if (code != 0 || !found)
		return code;
	const char *below = place(in, file, at), *above = place(in, issuer.file, issuer.at);
	add_finding(in, issuer.wrong == NULL, issuer.wrong == NULL ?
		arena_fmt(in->arena, "%s is signed by %s", below, above) :
		arena_fmt(in->arena, "%s is not signed by %s: it %s", below, above, issuer.wrong));
	return 0;
}

/* A file that begins with a leaf is a chain, and TLS wants its order. */
static int check_order(struct inspection *in, size_t file, struct error *err)
{
	struct error verdict;
	if (count_of(in, file) < 2 || X509_check_ca(certificate_at(in, file, 0)) == 1)
		return 0;
	int code = pki_chain_check(&in->parts[file], in->sources[file].name, &verdict);
	return add_verdict(in, code, (struct str){0}, &verdict, err);
}

static int check_all(struct inspection *in, struct error *err)
{
	int code = 0;
	for (size_t f = 0; f < in->count && code == 0; f++) {
		for (int i = 0; i < count_of(in, f) && code == 0; i++) {
			code = check_time(in, f, i, err);
			if (code == 0)
				code = check_issuer(in, f, i, err);
		}
		if (code == 0)
			code = check_order(in, f, err);
		if (code == 0 && in->parts[f].key != NULL)
			code = check_key(in, f, err);
	}
	return code != 0 ? code : pki_crypto_clear(err);
}

static int inspect_file(const struct pki_source *source, const struct pki_pem *parts, struct arena *arena,
	struct pki_file *out, struct error *err)
{
	size_t count = (size_t)sk_X509_num(parts->certificates);
	struct pki_certificate *list = arena_array(arena, count, sizeof *list);
	if (arena->failed)
		return error_nomem(err);
	for (size_t i = 0; i < count; i++) {
		int code = describe(sk_X509_value(parts->certificates, (int)i), source, arena, &list[i], err);
		if (code != 0)
			return code;
	}
	*out = (struct pki_file){source->name, list, count, describe_key(arena, parts->key)};
	return 0;
}

int pki_inspect(const struct pki_source *sources, size_t count, time_t now, struct pki_report *out, struct error *err)
{
	struct pki_report report = {.file_count = count};
	struct inspection in = {.sources = sources, .count = count, .now = now, .arena = &report.arena, .good = true};
	in.parts = arena_array(in.arena, count, sizeof *in.parts);
	struct pki_file *files = arena_array(in.arena, count, sizeof *files);
	int code = in.parts != NULL && files != NULL ? 0 : error_nomem(err);
	for (size_t f = 0; f < count && code == 0; f++) {
		code = pki_pem_read(&sources[f], &in.parts[f], err);
		if (code == 0)
			code = inspect_file(&sources[f], &in.parts[f], in.arena, &files[f], err);
	}
	if (code == 0)
		code = check_all(&in, err);
	if (code == 0 && report.arena.failed)
		code = error_nomem(err);
	for (size_t f = 0; in.parts != NULL && f < count; f++)
		pki_pem_dispose(&in.parts[f]);
	report.files = files;
	report.findings = in.findings;
	report.finding_count = in.finding_count;
	report.good = in.good;
	if (code == 0)
		*out = report;
	else
		arena_free(&report.arena);
	return code;
}

void pki_report_dispose(struct pki_report *report)
{
	if (report == NULL)
		return;
	arena_free(&report->arena);
	*report = (struct pki_report){0};
}
