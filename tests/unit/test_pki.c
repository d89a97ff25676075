/* Certificates in memory: made, looked at, and matched. Time is an argument, so nothing here waits. */
#include "pki/pki.h"

#include "base/buf.h"
#include "base/limits.h"

#include "unit.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define NOW ((time_t)1767225600) /* 2026-01-01 00:00:00 UTC */
#define DAY 86400
#define SKEW 300

/* Keys that only tests know; the password of both is "secret". */
static const char encrypted_pkcs8[] =
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	"MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgceZmZGhtU6AICCAAw\n"
	"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDFr0QfUO0VZKDg8VwF0t2oEgZB5\n"
	"hho/nQtjcnHKH+ECOgZWpyEdf2VvgUQvz9qA4PiCEnvYWaMMvxmmb2bcyibvvOX5\n"
	"3jHpZo2SWApMWMoKPq/m/vVOyglYYyp+cIccb9zL4gVExWy2Pnd4bfeMmC9yEcab\n"
	"PjCz7RJp4LqJrbf1fE/o0n+M07Bqo/zT8gJjBwfw82RsmpWO3NNDJrutcGKaLYM=\n"
	"-----END ENCRYPTED PRIVATE KEY-----\n";
static const char encrypted_ec[] =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"Proc-Type: 4,ENCRYPTED\n"
	"DEK-Info: AES-128-CBC,7C676717C39EAB2BF6416011B0F05B8B\n"
	"\n"
	"9HJd9s/a0CzasIILJEe0UX3J2tIBe31GsYqW3PdeVs4pYqHE4p6tDLLwBdm25cYI\n"
	"oFeLtWMAHED4h6dSJxjbFsZpWQ27XFx1UQTXqvFpvFBaU8nTLtvWj977Jpqc4mOz\n"
	"Fa8gle0eTL0ku/kOS7XLvogj9GN5ChBqV9XNrXrt1LY=\n"
	"-----END EC PRIVATE KEY-----\n";
static const char request[] =
	"-----BEGIN CERTIFICATE REQUEST-----\n"
	"MIHGMG4CAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA\n"
	"BI9u2/PpubMZW4fciF3VdWiC/P0+10+PDnkIIiCgelphb+XRw96kNIrT/Sat1s0L\n"
	"NioxzrhCYmt6PZ6iaUnT6SWgADAKBggqhkjOPQQDAgNIADBFAiB+L2JP7vDJvaod\n"
	"MkhURsEJ56Zu+3v4hgv8KCpLCqI3EwIhALMK9+WmlhKWJIaoU1w+l0tbNvQGcKfo\n"
	"EdiYzTDMVdN4\n"
	"-----END CERTIFICATE REQUEST-----\n";
/* Self-signed, valid from 2026-11-22 for a hundred years. */
static const char ed25519_key[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEID0qGOGaPYrvbIKJIn1P2/H9ontw/tYv4GA/izzGVGZj\n"
	"-----END PRIVATE KEY-----\n";
static const char ed25519_certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBOjCB7aADAgECAhQdnQunGCyI8ogtiHr8Y/6MXG0ByTAFBgMrZXAwEjEQMA4G\n"
	"A1UEAwwHZWQyNTUxOTAgFw0yNjExMjIwMTM5NDdaGA8yMTI2MTAyOTAxMzk0N1ow\n"
	"EjEQMA4GA1UEAwwHZWQyNTUxOTAqMAUGAytlcAMhAFO1JWL9UrMd+y/JVI2hCmIv\n"
	"HQVYloMwFnySFxsB0ZEto1MwUTAdBgNVHQ4EFgQUvdvoLoR5uL9cDIDDTt5sZRSa\n"
	"9m8wHwYDVR0jBBgwFoAUvdvoLoR5uL9cDIDDTt5sZRSa9m8wDwYDVR0TAQH/BAUw\n"
	"AwEB/zAFBgMrZXADQQBNf6tlY5oELDv6Uc1coRU7YpXJVNVQSgwY6VQNu3laClW+\n"
	"0mgGPI5ec6HPVYx0slLuatJqJbuD06sPc+dL3kkJ\n"
	"-----END CERTIFICATE-----\n";

/* Two CAs of the same name, and a serving pair of the first. Made once; each test has its own copy of the process. */
static struct pki_pair ca, other_ca, tls;

static void set_up(void)
{
	struct error err;
	ck_assert_int_eq(pki_make_ca(NOW, &ca, &err), 0);
	ck_assert_int_eq(pki_make_ca(NOW, &other_ca, &err), 0);
	ck_assert_int_eq(pki_make_serving(&ca, &pki_default_names, 30, NOW, &tls, &err), 0);
}

static void tear_down(void)
{
	pki_pair_dispose(&ca);
	pki_pair_dispose(&other_ca);
	pki_pair_dispose(&tls);
}

static struct str text_str(const struct pki_text *text)
{
	return (struct str){text->p, text->n};
}

static bool has(const struct error *err, const char *part)
{
	return strstr(err->text, part) != NULL;
}

/* Checks `chain` against `key` at `now`; with `part`, expects ERR_INVALID and a sentence that has it. */
static void check_pair(struct str chain, struct str key, time_t now, const char *part)
{
	struct pki_source chain_source = {"tls.crt", chain}, key_source = {"tls.key", key};
	struct error err = {.text = "untouched"};
	int code = pki_pair_check(&chain_source, &key_source, now, &err);
	if (part == NULL)
		ck_assert_msg(code == 0, "%s", err.text);
	else
		ck_assert_msg(code == ERR_INVALID && has(&err, part), "expected \"%s\", got %d: %s", part, code, err.text);
	ck_assert_msg(ERR_peek_error() == 0, "OpenSSL's queue is not empty");
}

static struct buf joined(struct str a, struct str b)
{
	struct buf both;
	buf_init(&both, LIMIT_PEM);
	buf_add(&both, a);
	buf_add(&both, b);
	ck_assert_int_eq(both.error, 0);
	return both;
}

/* ---- names ---- */

START_TEST(dns_names_follow_rfc_1123)
{
	static const char label63[] = "a23456789012345678901234567890123456789012345678901234567890123";
	static const char *const good[] = {"localhost", "a", "connhook.connhook.svc", "A-1.example.COM", "*.example.com",
		"3com.example", "xn--bcher-kva.example", label63};
	static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b", "a b", "*", "*.", "a.*.b",
		"**.a", "*a.b", "gr\xc3\xbcn", "a/b", "a\n", "DNS:a,DNS:b", "1.2.3", "a.123", "*.1"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct error err = {.text = "?"};
		ck_assert_msg(pki_dns_check(str_of(good[i]), &err) == 0, "%s: %s", good[i], err.text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct error err;
		ck_assert_msg(pki_dns_check(str_of(bad[i]), &err) == ERR_INVALID, "'%s' passes", bad[i]);
		ck_assert_msg(has(&err, "not a DNS name"), "%s", err.text);
	}
	struct error err;
	ck_assert_int_eq(pki_dns_check((struct str){"a\0b", 3}, &err), ERR_INVALID);
	ck_assert_int_eq(pki_dns_check(STR("127.0.0.1"), &err), ERR_INVALID);
	ck_assert_msg(has(&err, "--ip"), "%s", err.text);
}
END_TEST

START_TEST(dns_names_have_a_length)
{
	char name[256];
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 4 == 3 ? '.' : 'a';
	struct error err;
	ck_assert_int_eq(pki_dns_check((struct str){name, 253}, &err), 0);
	ck_assert_int_eq(pki_dns_check((struct str){name, 254}, &err), ERR_INVALID);
	ck_assert_msg(has(&err, "254 characters"), "%s", err.text);
	memset(name, 'a', sizeof name);
	ck_assert_int_eq(pki_dns_check((struct str){name, 63}, &err), 0);
	ck_assert_int_eq(pki_dns_check((struct str){name, 64}, &err), ERR_INVALID);
}
END_TEST

START_TEST(addresses_are_numeric)
{
	static const char *const good[] = {"127.0.0.1", "::1", "fd00::7", "::ffff:10.0.0.1", "255.255.255.255"};
	static const char *const bad[] = {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
		"fe80::1%eth0", "[::1]", "10.0.0.0/8", "1:2:3:4:5:6:7:8:9",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"};
	struct error err;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_msg(pki_ip_check(str_of(good[i]), &err) == 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_msg(pki_ip_check(str_of(bad[i]), &err) == ERR_INVALID, "'%s' passes", bad[i]);
		ck_assert_msg(has(&err, "not an IP address"), "%s", err.text);
	}
	ck_assert_int_eq(pki_ip_check((struct str){"1.2.3.4\0", 8}, &err), ERR_INVALID);
}
END_TEST

/* ---- making ---- */

static const struct pki_certificate *only_certificate(const struct pki_report *report, size_t file)
{
	ck_assert_uint_lt(file, report->file_count);
	ck_assert_uint_eq(report->files[file].certificate_count, 1);
	return &report->files[file].certificates[0];
}

static void check_str(struct str got, const char *expected)
{
	ck_assert_msg(str_eqz(got, expected), "got \"%.*s\", expected \"%s\"", STR_ARG(got), expected);
}

static void check_names(const struct pki_names *got, const struct pki_names *expected)
{
	ck_assert_uint_eq(got->dns_count, expected->dns_count);
	ck_assert_uint_eq(got->ip_count, expected->ip_count);
	for (size_t i = 0; i < got->dns_count; i++)
		ck_assert_msg(str_eq(got->dns[i], expected->dns[i]), "%.*s", STR_ARG(got->dns[i]));
	for (size_t i = 0; i < got->ip_count; i++)
		ck_assert_msg(str_eq(got->ips[i], expected->ips[i]), "%.*s", STR_ARG(got->ips[i]));
}

START_TEST(what_is_made_reads_back)
{
	struct pki_source sources[] = {
		{"ca.crt", text_str(&ca.certificate)},
		{"tls.crt", text_str(&tls.certificate)},
		{"tls.key", text_str(&tls.key)},
	};
	struct pki_report report;
	struct error err;
	ck_assert_int_eq(pki_inspect(sources, 3, NOW, &report, &err), 0);
	ck_assert_uint_eq(report.file_count, 3);

	const struct pki_certificate *c = only_certificate(&report, 0);
	check_str(c->subject, "CN=connhook CA");
	check_str(c->issuer, "CN=connhook CA");
	ck_assert(c->is_ca);
	ck_assert_uint_eq(c->names.dns_count + c->names.ip_count + c->other_names, 0);
	ck_assert_int_eq(c->not_after - NOW, 3652 * (time_t)DAY + DAY / 2);
	ck_assert(report.files[0].key.type.p == NULL);

	const struct pki_certificate *leaf = only_certificate(&report, 1);
	check_str(leaf->subject, "CN=connhook");
	check_str(leaf->issuer, "CN=connhook CA");
	ck_assert(!leaf->is_ca);
	check_names(&leaf->names, &pki_default_names);
	ck_assert_uint_eq(leaf->other_names, 0);
	ck_assert_int_eq(leaf->not_before, NOW - SKEW);
	ck_assert_int_eq(leaf->not_after, NOW + 30 * DAY);
	check_str(leaf->not_before_text, "2025-12-31 23:55:00 UTC");
	check_str(leaf->not_after_text, "2026-01-31 00:00:00 UTC");
	ck_assert(tls.not_before == leaf->not_before && tls.not_after == leaf->not_after);
	check_str(leaf->key.type, "ECDSA P-256");
	ck_assert_int_eq(leaf->key.bits, 256);
	ck_assert_uint_eq(leaf->serial.n, 32);
	ck_assert(!str_eq(leaf->serial, c->serial));
	ck_assert_uint_eq(leaf->fingerprint.n, 32 * 3 - 1);
	ck_assert(!str_eq(leaf->fingerprint, c->fingerprint));

	ck_assert_uint_eq(report.files[2].certificate_count, 0);
	check_str(report.files[2].key.type, "ECDSA P-256");
	pki_report_dispose(&report);
}
END_TEST

START_TEST(only_the_given_names_are_in_it)
{
	const struct str dns[] = {STR("*.example.com")};
	const struct str ips[] = {STR("10.1.2.3"), STR("fd00::7")};
	const struct pki_names names = {dns, 1, ips, 2};
	struct pki_pair pair = {0};
	struct error err;
	ck_assert_int_eq(pki_make_serving(&ca, &names, 1, NOW, &pair, &err), 0);
	struct pki_source source = {"tls.crt", text_str(&pair.certificate)};
	struct pki_report report;
	ck_assert_int_eq(pki_inspect(&source, 1, NOW, &report, &err), 0);
	check_names(&only_certificate(&report, 0)->names, &names);
	pki_report_dispose(&report);
	pki_pair_dispose(&pair);
}
END_TEST

START_TEST(a_leaf_does_not_outlive_its_ca)
{
	struct pki_pair pair = {0};
	struct error err;
	time_t late = ca.not_after - 10 * DAY;
	ck_assert_int_eq(pki_make_serving(&ca, &pki_default_names, 365, late, &pair, &err), 0);
	ck_assert_int_eq(pair.not_after, ca.not_after);
	pki_pair_dispose(&pair);
}
END_TEST

/* Expects a refusal, the sentence, and an output that stays as it was. */
static void check_refused(const struct pki_pair *with, const struct pki_names *names, long days, time_t now, int code,
	const char *part)
{
	struct pki_pair out = {.not_before = 1, .not_after = 2};
	struct error err;
	int got = pki_make_serving(with, names, days, now, &out, &err);
	ck_assert_msg(got == code && has(&err, part), "expected %d and \"%s\", got %d: %s", code, part, got, err.text);
	ck_assert(out.certificate.p == NULL && out.key.p == NULL && out.not_before == 1 && out.not_after == 2);
}

START_TEST(serving_certificates_are_refused)
{
	const struct pki_names none = {0};
	struct str many[LIMIT_CERTIFICATE_NAMES + 1];
	for (size_t i = 0; i <= LIMIT_CERTIFICATE_NAMES; i++)
		many[i] = STR("a.example");
	const struct pki_names too_many = {.dns = many, .dns_count = LIMIT_CERTIFICATE_NAMES + 1};
	const struct pki_names enough = {.dns = many, .dns_count = LIMIT_CERTIFICATE_NAMES};
	const struct str bad[] = {STR("a_b")};
	const struct pki_names bad_dns = {.dns = bad, .dns_count = 1}, bad_ip = {.ips = bad, .ip_count = 1};
	const struct pki_names *usual = &pki_default_names;
	check_refused(&ca, &none, 1, NOW, ERR_INVALID, "needs a name");
	check_refused(&ca, &too_many, 1, NOW, ERR_LIMIT, "101 names");
	check_refused(&ca, &bad_dns, 1, NOW, ERR_INVALID, "\"a_b\" is not a DNS name");
	check_refused(&ca, &bad_ip, 1, NOW, ERR_INVALID, "\"a_b\" is not an IP address");
	check_refused(&ca, usual, 0, NOW, ERR_INVALID, "1 to 3650");
	check_refused(&ca, usual, 3651, NOW, ERR_INVALID, "1 to 3650");
	check_refused(&ca, usual, 1, ca.not_after + 1, ERR_INVALID, "expired at");
	check_refused(&ca, usual, 1, ca.not_before - 1, ERR_INVALID, "not valid before");
	check_refused(&tls, usual, 1, NOW, ERR_INVALID, "must not sign");
	struct pki_pair mixed = {.certificate = ca.certificate, .key = other_ca.key};
	check_refused(&mixed, usual, 1, NOW, ERR_INVALID, "is not the key of");
	check_refused(&(struct pki_pair){0}, usual, 1, NOW, ERR_INVALID, "is empty");

	struct pki_pair pair = {0};
	struct error err;
	ck_assert_int_eq(pki_make_serving(&ca, &enough, 3650, NOW, &pair, &err), 0);
	pki_pair_dispose(&pair);
}
END_TEST

/* ---- pairs ---- */

START_TEST(pairs_match_or_say_why)
{
	struct str crt = text_str(&tls.certificate), key = text_str(&tls.key);
	struct str ca_crt = text_str(&ca.certificate), other_crt = text_str(&other_ca.certificate);
	check_pair(crt, key, NOW, NULL);
	check_pair(ca_crt, text_str(&ca.key), NOW, NULL);
	check_pair(crt, text_str(&ca.key), NOW, "tls.key is not the key of tls.crt (CN=connhook)");
	check_pair(key, crt, NOW, "swapped");
	check_pair(crt, crt, NOW, "tls.key holds no private key, only a certificate");
	check_pair(key, key, NOW, "tls.crt holds no certificate, only a private key");

	struct buf chain = joined(crt, ca_crt), wrong_order = joined(ca_crt, crt), wrong_ca = joined(crt, other_crt);
	struct buf combined = joined(key, crt), twice = joined(crt, crt), two_keys = joined(key, text_str(&ca.key));
	check_pair(buf_str(&chain), key, NOW, NULL);
	check_pair(buf_str(&wrong_order), key, NOW, "put the leaf first");
	check_pair(buf_str(&wrong_ca), key, NOW, "another key than the one that signed");
	check_pair(buf_str(&twice), key, NOW, "another name than the issuer");
	check_pair(buf_str(&combined), buf_str(&combined), NOW, NULL);
	check_pair(crt, buf_str(&two_keys), NOW, "more than one private key");
	buf_free(&chain);
	buf_free(&wrong_order);
	buf_free(&wrong_ca);
	buf_free(&combined);
	buf_free(&twice);
	buf_free(&two_keys);
}
END_TEST

START_TEST(a_pair_is_valid_from_and_to_the_second)
{
	struct str crt = text_str(&tls.certificate), key = text_str(&tls.key);
	check_pair(crt, key, tls.not_before, NULL);
	check_pair(crt, key, tls.not_after, NULL);
	check_pair(crt, key, tls.not_before - 1, "tls.crt is not valid before 2025-12-31 23:55:00 UTC");
	check_pair(crt, key, tls.not_after + 1, "tls.crt expired at 2026-01-31 00:00:00 UTC");
	struct pki_pair late = {0};
	struct error err;
	ck_assert_int_eq(pki_make_serving(&ca, &pki_default_names, 1, ca.not_after, &late, &err), 0);
	struct buf chain = joined(text_str(&late.certificate), text_str(&ca.certificate));
	check_pair(buf_str(&chain), text_str(&late.key), ca.not_after, NULL);
	check_pair(buf_str(&chain), text_str(&late.key), ca.not_after + 1, "expired");
	buf_free(&chain);
	pki_pair_dispose(&late);
}
END_TEST

START_TEST(other_kinds_of_keys_work)
{
	struct str crt = STR(ed25519_certificate), key = STR(ed25519_key);
	check_pair(crt, key, NOW + 365 * DAY, NULL);
	check_pair(crt, text_str(&tls.key), NOW + 365 * DAY, "is not the key of");
	check_pair(text_str(&tls.certificate), key, NOW, "is not the key of");
}
END_TEST

START_TEST(what_is_no_pem_gets_a_sentence)
{
	struct str crt = text_str(&tls.certificate), key = text_str(&tls.key);
	check_pair(STR(""), key, NOW, "tls.crt is empty");
	check_pair(STR("hello\n"), key, NOW, "no PEM block found");
	check_pair(STR("\x30\x82\x01\x0a\x02\x82"), key, NOW, "looks like DER");
	check_pair(STR("-----BEGIN CERTIFICATE-----\n"), key, NOW, "block 1 is cut off");
	check_pair(STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), key, NOW,
		"certificate 1 is damaged");
	check_pair(STR("-----BEGIN CERTIFICATE-----\n####\n-----END CERTIFICATE-----\n"), key, NOW,
		"block 1 is cut off or");
	check_pair(crt, STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), NOW,
		"cannot read the PRIVATE KEY");
	check_pair(STR(request), key, NOW, "neither a certificate nor a private key");
	check_pair(crt, STR(encrypted_pkcs8), NOW, "tls.key: the private key is encrypted");
	check_pair(crt, STR(encrypted_ec), NOW, "tls.key: the private key is encrypted");
	struct buf with_text = joined(STR("Certificate:\n    Data: anything\n"), crt);
	check_pair(buf_str(&with_text), key, NOW, NULL);
	buf_free(&with_text);
}
END_TEST

/* All prefixes are refused, but for the one that lacks only the last line's end. */
START_TEST(cut_off_pem_is_refused)
{
	struct str crt = text_str(&tls.certificate), key = text_str(&tls.key);
	for (size_t n = 0; n + 1 < crt.n; n++)
		check_pair((struct str){crt.p, n}, key, NOW, "tls.crt");
	for (size_t n = 0; n + 1 < key.n; n++)
		check_pair(crt, (struct str){key.p, n}, NOW, "tls.key");
	check_pair((struct str){crt.p, crt.n - 1}, (struct str){key.p, key.n - 1}, NOW, NULL);
}
END_TEST

/* Is `at` inside the base64 text, its last line (whose final bits may mean nothing) left out? */
static bool is_payload(struct str pem, size_t at)
{
	size_t line = at;
	while (line > 0 && pem.p[line - 1] != '\n')
		line--;
	size_t length = str_find(str_from(pem, line), '\n');
	return pem.p[at] != '\n' && pem.p[line] != '-' && length == 64;
}

/* The CA behind it vouches for every bit of the leaf. */
START_TEST(a_damaged_leaf_is_never_accepted)
{
	struct buf chain = joined(text_str(&tls.certificate), text_str(&ca.certificate));
	struct str key = text_str(&tls.key);
	size_t tried = 0;
	for (size_t at = 0; at < tls.certificate.n; at++) {
		if (!is_payload(buf_str(&chain), at))
			continue;
		char was = chain.p[at];
		chain.p[at] = was == 'A' ? 'B' : 'A';
		check_pair(buf_str(&chain), key, NOW, "");
		chain.p[at] = was;
		tried++;
	}
	ck_assert_uint_gt(tried, 600);
	check_pair(buf_str(&chain), key, NOW, NULL);
	buf_free(&chain);
}
END_TEST

/* The 65th base64 digit of a P-256 key in PKCS #8 lies in the secret number; its public half is further on. */
START_TEST(a_damaged_secret_is_noticed)
{
	struct pki_text key = {0};
	char *copy = strdup(tls.key.p);
	ck_assert_ptr_nonnull(copy);
	key = (struct pki_text){copy, tls.key.n};
	char *second_line = strchr(strchr(copy, '\n') + 1, '\n') + 1;
	*second_line = *second_line == 'A' ? 'B' : 'A';
	check_pair(text_str(&tls.certificate), text_str(&key), NOW, "tls.key is damaged");
	pki_text_dispose(&key);
}
END_TEST

START_TEST(sizes_and_counts_have_limits)
{
	char *p = malloc(LIMIT_PEM + 1);
	ck_assert_ptr_nonnull(p);
	memset(p, '\n', LIMIT_PEM + 1);
	memcpy(p, tls.certificate.p, tls.certificate.n);
	struct pki_source source = {"tls.crt", {p, LIMIT_PEM}};
	struct pki_report report;
	struct error err;
	ck_assert_int_eq(pki_inspect(&source, 1, NOW, &report, &err), 0);
	pki_report_dispose(&report);
	source.pem.n = LIMIT_PEM + 1;
	ck_assert_int_eq(pki_inspect(&source, 1, NOW, &report, &err), ERR_LIMIT);
	ck_assert_msg(has(&err, "larger than 1048576 bytes"), "%s", err.text);
	free(p);

	struct buf many;
	buf_init(&many, LIMIT_PEM);
	for (size_t i = 0; i < LIMIT_CERTIFICATES; i++)
		buf_add(&many, STR(ed25519_certificate));
	ck_assert_int_eq(many.error, 0);
	source = (struct pki_source){"bundle.crt", buf_str(&many)};
	ck_assert_int_eq(pki_inspect(&source, 1, NOW, &report, &err), 0);
	ck_assert_uint_eq(report.files[0].certificate_count, LIMIT_CERTIFICATES);
	pki_report_dispose(&report);
	buf_add(&many, STR(ed25519_certificate));
	source.pem = buf_str(&many);
	ck_assert_int_eq(pki_inspect(&source, 1, NOW, &report, &err), ERR_LIMIT);
	ck_assert_msg(has(&err, "more than 256 certificates"), "%s", err.text);
	buf_free(&many);
}
END_TEST

/* ---- findings ---- */

/* Inspects and expects exactly these findings, each "ok ..." or "bad ...", as beginnings of the sentence. */
static void check_findings(const struct pki_source *sources, size_t count, time_t now, const char *const *expected)
{
	struct pki_report report;
	struct error err;
	int code = pki_inspect(sources, count, now, &report, &err);
	ck_assert_msg(code == 0, "%s", err.text);
	bool good = true;
	size_t n = 0;
	for (; expected[n] != NULL; n++) {
		ck_assert_msg(n < report.finding_count, "missing: %s", expected[n]);
		bool ok = str_starts(str_of(expected[n]), STR("ok "));
		struct str text = str_from(str_of(expected[n]), ok ? 3 : 4);
		ck_assert_msg(report.findings[n].good == ok && str_starts(report.findings[n].text, text),
			"expected \"%s\", got %s \"%.*s\"", expected[n], report.findings[n].good ? "ok" : "bad",
			STR_ARG(report.findings[n].text));
		good = good && ok;
	}
	ck_assert_msg(n == report.finding_count, "one more: %.*s", STR_ARG(report.findings[n].text));
	ck_assert(report.good == good);
	pki_report_dispose(&report);
	ck_assert_msg(ERR_peek_error() == 0, "OpenSSL's queue is not empty");
}

START_TEST(files_are_checked_against_each_other)
{
	struct pki_source crt = {"tls.crt", text_str(&tls.certificate)}, key = {"tls.key", text_str(&tls.key)};
	struct pki_source ca_crt = {"ca.crt", text_str(&ca.certificate)}, ca_key = {"ca.key", text_str(&ca.key)};
	struct pki_source other = {"other.crt", text_str(&other_ca.certificate)};
	check_findings((struct pki_source[]){crt, key, ca_crt, ca_key}, 4, NOW, (const char *[]){
		"ok tls.crt is signed by ca.crt", "ok tls.key is the key of tls.crt", "ok ca.key is the key of ca.crt", NULL});
	check_findings((struct pki_source[]){crt}, 1, NOW, (const char *[]){NULL});
	check_findings((struct pki_source[]){key}, 1, NOW, (const char *[]){NULL});
	check_findings((struct pki_source[]){key, key}, 2, NOW, (const char *[]){NULL});
	check_findings((struct pki_source[]){crt, ca_key}, 2, NOW, (const char *[]){
		"bad ca.key is not the key of any of these certificates", NULL});
	check_findings((struct pki_source[]){crt, other}, 2, NOW, (const char *[]){
		"bad tls.crt is not signed by other.crt: it has the issuer's name, but another key", NULL});
	check_findings((struct pki_source[]){other, crt, ca_crt}, 3, NOW, (const char *[]){
		"ok tls.crt is signed by ca.crt", NULL});
	struct pki_source foreign = {"ed.crt", STR(ed25519_certificate)};
	check_findings((struct pki_source[]){crt, foreign}, 2, NOW + 29 * DAY, (const char *[]){
		"bad tls.crt is not signed by ed.crt: it has another name than the issuer",
		"bad ed.crt is not valid before 2026-11-22 01:39:47 UTC", NULL});
	check_findings((struct pki_source[]){crt, ca_crt}, 2, tls.not_after + 1, (const char *[]){
		"bad tls.crt expired at 2026-01-31 00:00:00 UTC", "ok tls.crt is signed by ca.crt", NULL});
}
END_TEST

START_TEST(chains_are_checked_for_order)
{
	struct buf chain = joined(text_str(&tls.certificate), text_str(&ca.certificate));
	struct buf wrong = joined(text_str(&tls.certificate), text_str(&other_ca.certificate));
	struct buf bundle = joined(text_str(&other_ca.certificate), text_str(&ca.certificate));
	check_findings(&(struct pki_source){"chain.crt", buf_str(&chain)}, 1, NOW, (const char *[]){
		"ok chain.crt, certificate 1 is signed by chain.crt, certificate 2", NULL});
	check_findings(&(struct pki_source){"chain.crt", buf_str(&wrong)}, 1, NOW, (const char *[]){
		"bad chain.crt, certificate 1 is not signed by chain.crt, certificate 2",
		"bad chain.crt: certificate 2 (CN=connhook CA) did not sign certificate 1 (CN=connhook)", NULL});
	check_findings(&(struct pki_source){"bundle.crt", buf_str(&bundle)}, 1, NOW, (const char *[]){NULL});
	buf_free(&chain);
	buf_free(&wrong);
	buf_free(&bundle);
}
END_TEST

START_TEST(a_failure_leaves_the_report_alone)
{
	struct pki_source sources[] = {{"tls.crt", text_str(&tls.certificate)}, {"junk", STR("junk")}};
	struct pki_report report = {.file_count = 42};
	struct error err;
	ck_assert_int_eq(pki_inspect(sources, 2, NOW, &report, &err), ERR_INVALID);
	ck_assert_msg(has(&err, "junk: no PEM block found"), "%s", err.text);
	ck_assert(report.file_count == 42 && report.files == NULL && report.arena.blocks == NULL);
}
END_TEST

START_TEST(destructors_accept_nothing)
{
	pki_text_dispose(NULL);
	pki_pair_dispose(NULL);
	pki_report_dispose(NULL);
	struct pki_pair pair = {0};
	pki_pair_dispose(&pair);
	struct error err;
	ck_assert_int_eq(pki_make_ca(NOW, &pair, &err), 0);
	pki_pair_dispose(&pair);
	ck_assert(pair.key.p == NULL && pair.certificate.p == NULL && pair.not_after == 0);
	pki_pair_dispose(&pair);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pki");
	TCase *tests = tcase_create("pki");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, dns_names_follow_rfc_1123);
	tcase_add_test(tests, dns_names_have_a_length);
	tcase_add_test(tests, addresses_are_numeric);
	tcase_add_test(tests, what_is_made_reads_back);
	tcase_add_test(tests, only_the_given_names_are_in_it);
	tcase_add_test(tests, a_leaf_does_not_outlive_its_ca);
	tcase_add_test(tests, serving_certificates_are_refused);
	tcase_add_test(tests, pairs_match_or_say_why);
	tcase_add_test(tests, a_pair_is_valid_from_and_to_the_second);
	tcase_add_test(tests, other_kinds_of_keys_work);
	tcase_add_test(tests, what_is_no_pem_gets_a_sentence);
	tcase_add_test(tests, cut_off_pem_is_refused);
	tcase_add_test(tests, a_damaged_leaf_is_never_accepted);
	tcase_add_test(tests, a_damaged_secret_is_noticed);
	tcase_add_test(tests, sizes_and_counts_have_limits);
	tcase_add_test(tests, files_are_checked_against_each_other);
	tcase_add_test(tests, chains_are_checked_for_order);
	tcase_add_test(tests, a_failure_leaves_the_report_alone);
	tcase_add_test(tests, destructors_accept_nothing);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
