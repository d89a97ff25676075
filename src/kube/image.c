#include "kube/image.h"

/* Limits of the reference grammar. */
#define REPOSITORY_MAX 255
#define TAG_MAX 128
#define IDENTIFIER_HEX 64 /* that many hexadecimal digits are an image's ID, and no name */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
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

/* An IPv6 address in brackets, and an optional port. */
static bool is_address(struct str s)
{
	size_t close = str_find(s, ']');
	struct str behind = str_from(s, close + 1);
	if (close <= 1 || close == s.n)
		return false;
	for (size_t i = 1; i < close; i++)
		if (s.p[i] != ':' && !is_hex(s.p[i]) && !(s.p[i] >= 'A' && s.p[i] <= 'F'))
			return false;
	return behind.n == 0 || (behind.p[0] == ':' && is_port(str_from(behind, 1)));
}

/* Host with an optional port. */
static bool is_registry(struct str s)
{
	struct str host = s;
	if (s.n > 0 && s.p[0] == '[')
		return is_address(s);
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

/* The digests that runtimes know (github.com/opencontainers/go-digest): their length in hexadecimal digits. */
static const struct {
	struct str prefix;
	size_t digits;
} digests[] = {{STR_INIT("sha256:"), 64}, {STR_INIT("sha384:"), 96}, {STR_INIT("sha512:"), 128}};

static bool all_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_hex(s.p[i]))
			return false;
	return true;
}

static bool is_digest(struct str s)
{
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
		if (str_starts(s, digests[i].prefix))
			return s.n == digests[i].prefix.n + digests[i].digits && all_hex(str_from(s, digests[i].prefix.n));
	return false;
}

/*
 * Is the part before the first slash a registry? It has a dot, a port or an upper-case letter, which no path may have,
 * or it is localhost.
 */
static bool looks_like_registry(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '.' || s.p[i] == ':' || (s.p[i] >= 'A' && s.p[i] <= 'Z'))
			return true;
	return str_eqz(s, "localhost");
}

bool image_parse(struct str reference, struct image *out)
{
	struct image image = {0};
	struct str rest = reference, path;
	size_t at = str_find(rest, '@');
	if (rest.n == IDENTIFIER_HEX && all_hex(rest))
		return false;
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
		if (str_eqz(image.registry, "index.docker.io")) /* its former name */
			image.registry = STR("docker.io");
	} else {
		image.registry = STR("docker.io");
	}
	size_t colon = str_rfind(rest, ':');
	path = rest;
	if (colon < rest.n) {
		image.tag = str_from(rest, colon + 1);
		rest.n = colon;
		if (!is_tag(image.tag))
			return false;
	}
	if (rest.n == 0 || rest.n > REPOSITORY_MAX || !is_path(rest))
		return false;
	bool hub = str_eqz(image.registry, "docker.io");
	if (hub && str_starts(rest, STR("library/")))
		rest = str_from(rest, sizeof "library/" - 1);
	image.repository = rest;
	image.tagged = str_from(path, (size_t)(rest.p - path.p));
	image.library = hub && str_find(rest, '/') == rest.n;
	size_t last = str_rfind(rest, '/');
	image.name = last < rest.n ? str_from(rest, last + 1) : rest;
	*out = image;
	return true;
}
