#include "kube/image.h"

/* Limits of the reference grammar. */
#define REPOSITORY_MAX 255
#define TAG_MAX 128
#define DIGEST_HEX_MIN 32

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A part of a path: lower-case letters and digits, parted by one dot, one or two underscores, or dashes. */
static bool is_path_part(struct str s)
{
	if (s.n == 0 || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n;) {
		if (is_lower_alnum(s.p[i])) {
			i++;
			continue;
		}
		char c = s.p[i];
		size_t run = 0;
		while (s.p[i + run] == c) /* ends before the last byte, which is a letter or digit */
			run++;
		bool good = (c == '.' && run == 1) || (c == '_' && run <= 2) || c == '-';
		if (!good || !is_lower_alnum(s.p[i + run]))
			return false;
		i += run;
	}
	return true;
}

static bool is_path(struct str s)
{
	struct str part;
	while (str_split(&s, '/', &part))
		if (!is_path_part(part))
			return false;
	return true;
}

static bool is_port(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* Host with an optional port; IPv6 in brackets. */
static bool is_registry(struct str s)
{
	struct str host = s;
	if (s.n > 0 && s.p[0] == '[') {
		size_t close = str_find(s, ']');
		struct str behind = str_from(s, close + 1);
		return close > 1 && close < s.n && (behind.n == 0 || (behind.p[0] == ':' && is_port(str_from(behind, 1))));
	}
	size_t colon = str_find(s, ':');
	if (colon < s.n) {
		host.n = colon;
		if (!is_port(str_from(s, colon + 1)))
			return false;
	}
	struct str part;
	while (str_split(&host, '.', &part)) {
		if (part.n == 0 || !is_alnum(part.p[0]) || !is_alnum(part.p[part.n - 1]))
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!is_alnum(part.p[i]) && part.p[i] != '-')
				return false;
	}
	return true;
}

static bool is_tag(struct str s)
{
	if (s.n == 0 || s.n > TAG_MAX || (!is_alnum(s.p[0]) && s.p[0] != '_'))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return true;
}

static bool is_digest(struct str s)
{
	size_t colon = str_find(s, ':');
	struct str hex = str_from(s, colon + 1);
	if (colon == 0 || colon == s.n || hex.n < DIGEST_HEX_MIN)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_')
			return false;
	for (size_t i = 0; i < hex.n; i++)
		if (!((hex.p[i] >= '0' && hex.p[i] <= '9') || (hex.p[i] >= 'a' && hex.p[i] <= 'f') ||
		      (hex.p[i] >= 'A' && hex.p[i] <= 'F')))
			return false;
	return true;
}

/* Is the part before the first slash a registry? Docker's rule: it has a dot or a port, or it is localhost. */
static bool looks_like_registry(struct str s)
{
	return str_find(s, '.') < s.n || str_find(s, ':') < s.n || str_eqz(s, "localhost");
}

bool image_parse(struct str reference, struct image *out)
{
	struct image image = {0};
	struct str rest = reference;
	size_t at = str_find(rest, '@');
	if (at < rest.n) {
		image.digest = str_from(rest, at + 1);
		rest.n = at;
		if (!is_digest(image.digest))
			return false;
	}
	size_t slash = str_find(rest, '/');
	if (slash < rest.n && looks_like_registry((struct str){rest.p, slash})) {
		image.registry = (struct str){rest.p, slash};
		rest = str_from(rest, slash + 1);
		if (!is_registry(image.registry))
			return false;
	} else {
		image.registry = STR("docker.io");
	}
	size_t colon = str_rfind(rest, ':');
	if (colon < rest.n) {
		image.tag = str_from(rest, colon + 1);
		rest.n = colon;
		if (!is_tag(image.tag))
			return false;
	}
	if (rest.n == 0 || rest.n > REPOSITORY_MAX || !is_path(rest))
		return false;
	bool hub = str_eqz(image.registry, "docker.io") || str_eqz(image.registry, "index.docker.io");
	if (hub && str_starts(rest, STR("library/")))
		rest = str_from(rest, sizeof "library/" - 1);
	image.repository = rest;
	image.library = hub && str_find(rest, '/') == rest.n;
	size_t last = str_rfind(rest, '/');
	image.name = last < rest.n ? str_from(rest, last + 1) : rest;
	*out = image;
	return true;
}
