#include "pki/pki_internal.h"

#include "base/limits.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <string.h>

/* RFC 1035 section 2.3.4. */
#define DNS_NAME_MAX 253
#define DNS_LABEL_MAX 63

static const struct str default_dns[] = {
	{"localhost", 9},
	{"connhook", 8},
	{"connhook.connhook.svc", 21},
	{"connhook.connhook.svc.cluster.local", 35},
};
static const struct str default_ips[] = {
	{"127.0.0.1", 9},
	{"::1", 3},
};

const struct pki_names pki_default_names = {
	.dns = default_dns,
	.dns_count = sizeof default_dns / sizeof default_dns[0],
	.ips = default_ips,
	.ip_count = sizeof default_ips / sizeof default_ips[0],
};

size_t pki_ip_bytes(struct str text, unsigned char out[16])
{
	char z[INET6_ADDRSTRLEN];
	if (text.n >= sizeof z || str_find(text, '\0') < text.n)
		return 0;
	if (text.n > 0)
		memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	if (inet_pton(AF_INET, z, out) == 1)
		return 4;
	return inet_pton(AF_INET6, z, out) == 1 ? 16 : 0;
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_label(struct str label)
{
	if (label.n == 0 || label.n > DNS_LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!is_alphanumeric(label.p[i]) && label.p[i] != '-')
			return false;
	return label.p[0] != '-' && label.p[label.n - 1] != '-';
}

/* A name whose last label is a number would be taken for an IPv4 address. */
static bool ends_in_number(struct str name)
{
	size_t dot = str_rfind(name, '.');
	struct str last = dot < name.n ? str_from(name, dot + 1) : name;
	for (size_t i = 0; i < last.n; i++)
		if (last.p[i] < '0' || last.p[i] > '9')
			return false;
	return true;
}

int pki_dns_check(struct str name, struct error *err)
{
	unsigned char address[16];
	if (pki_ip_bytes(name, address) != 0)
		return error_set(err, ERR_INVALID, "%s is an address, not a DNS name: give it as --ip",
			text_quote(name).text);
	if (name.n > DNS_NAME_MAX)
		return error_set(err, ERR_INVALID, "the DNS name %s has %zu characters: at most %d are allowed",
			text_quote(name).text, name.n, DNS_NAME_MAX);
	struct str rest = str_starts(name, STR("*.")) ? str_from(name, 2) : name;
	bool good = rest.n > 0 && !ends_in_number(rest);
	struct str label;
	while (good && str_split(&rest, '.', &label))
		good = is_label(label);
	if (!good)
		return error_set(err, ERR_INVALID, "%s is not a DNS name: expected labels of letters, digits and inner "
			"hyphens with dots between them, such as connhook.connhook.svc or *.example.com",
			text_quote(name).text);
	return 0;
}

int pki_ip_check(struct str text, struct error *err)
{
	unsigned char address[16];
	if (pki_ip_bytes(text, address) == 0)
		return error_set(err, ERR_INVALID, "%s is not an IP address: expected one such as 10.96.0.7 or fd00::7",
			text_quote(text).text);
	return 0;
}

int pki_wish_check(const struct pki_names *names, long days, struct error *err)
{
	if (names->dns_count + names->ip_count == 0)
		return error_set(err, ERR_INVALID, "a serving certificate needs a name: give --dns or --ip");
	if (names->dns_count + names->ip_count > LIMIT_CERTIFICATE_NAMES)
		return error_set(err, ERR_LIMIT, "%zu names are too many for one certificate: at most %d are allowed",
			names->dns_count + names->ip_count, LIMIT_CERTIFICATE_NAMES);
	if (days < 1 || days > LIMIT_CERTIFICATE_DAYS)
		return error_set(err, ERR_INVALID, "a certificate cannot be valid for %ld days: expected 1 to %d", days,
			LIMIT_CERTIFICATE_DAYS);
	int code = 0;
	for (size_t i = 0; i < names->dns_count && code == 0; i++)
		code = pki_dns_check(names->dns[i], err);
	for (size_t i = 0; i < names->ip_count && code == 0; i++)
		code = pki_ip_check(names->ips[i], err);
	return code;
}
