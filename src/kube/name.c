#include "kube/name.h"

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Characters of a DNS label of any length. */
static bool is_dns(struct str s)
{
	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

bool name_is_label(struct str s)
{
	return s.n <= NAME_LABEL_MAX && is_dns(s);
}

bool name_is_dns1035(struct str s)
{
	return name_is_label(s) && is_lower(s.p[0]);
}

bool name_is_subdomain(struct str s)
{
	struct str part;
	if (s.n == 0 || s.n > NAME_SUBDOMAIN_MAX)
		return false;
	while (str_split(&s, '.', &part))
		if (!is_dns(part))
			return false;
	return true;
}

bool name_is_env(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7E || s.p[i] == '=')
			return false;
	return s.n > 0;
}

bool name_is_secret_key(struct str s)
{
	if (s.n == 0 || s.n > NAME_SUBDOMAIN_MAX || str_eqz(s, ".") || str_eqz(s, ".."))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!is_lower(c) && !is_digit(c) && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

bool name_is_label_value(struct str s)
{
	return s.n == 0 || (s.n <= NAME_LABEL_MAX && name_is_secret_key(s) && is_alnum(s.p[0]) && is_alnum(s.p[s.n - 1]));
}

bool name_is_label_key(struct str s)
{
	size_t slash = str_find(s, '/');
	struct str name = slash < s.n ? str_from(s, slash + 1) : s;
	return name.n > 0 && name_is_label_value(name) && (slash == s.n || name_is_subdomain((struct str){s.p, slash}));
}

bool name_is_glob_of(struct str s, const char *others)
{
	struct str more = str_of(others);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!is_lower(c) && !is_digit(c) && c != '*' && c != '?' && str_find(more, c) == more.n)
			return false;
	}
	return s.n > 0;
}

static bool is_label_glob(struct str s)
{
	return name_is_glob_of(s, "-");
}

static bool is_subdomain_glob(struct str s)
{
	return name_is_glob_of(s, "-.");
}

const struct name_form name_label_globs = {is_label_glob, "lower-case letters, digits, - and the wildcards * and ?"};
const struct name_form name_subdomain_globs = {is_subdomain_glob,
					       "lower-case letters, digits, -, dots and the wildcards * and ?"};

struct str name_key_prefix(struct str key)
{
	size_t slash = str_find(key, '/');
	return slash < key.n ? (struct str){key.p, slash} : (struct str){NULL, 0};
}
