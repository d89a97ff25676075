#include "server/request.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* What the iterator over the headers gathers. */
struct gathered {
	struct request_head head;
	unsigned lengths, encodings, types; /* how many of each header */
	const char *fault;                  /* the first thing that is wrong */
};

static bool equals(struct str s, const char *z)
{
	return s.n == strlen(z) && strncasecmp(s.p, z, s.n) == 0;
}

/* tchar of RFC 9110, 5.6.2. libmicrohttpd takes "Content-Length " for another header. */
static bool is_token(struct str s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return s.n > 0;
}

/* A carriage return, a NUL or another control character in a value. */
static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7F)
			return true;
	return false;
}

/*
 * Does the name only begin like one of those that frame a body? libmicrohttpd glues a folded line onto the name of its
 * header: "Transfer-Encoding:" and, on the next line, " chunked".
 */
static bool resembles_framing(struct str name)
{
	static const char *const framing[] = {MHD_HTTP_HEADER_CONTENT_LENGTH, MHD_HTTP_HEADER_TRANSFER_ENCODING};
	for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
		if (name.n > strlen(framing[i]) && strncasecmp(name.p, framing[i], strlen(framing[i])) == 0)
			return true;
	return false;
}

static bool read_length(struct str text, uint64_t *out)
{
	uint64_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text.p[i] - '0');
		n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
	}
	*out = n;
	return text.n > 0;
}

static bool is_json_type(struct str value)
{
	return equals(str_trim((struct str){value.p, str_find(value, ';')}), "application/json");
}

static void gather(struct gathered *g, struct str name, struct str value)
{
	if (!is_token(name))
		g->fault = "a header's name is not a plain word";
	else if (resembles_framing(name))
		g->fault = "a header that frames the body is folded or misspelt";
	else if (has_control(value))
		g->fault = "a header's value holds a control character";
	else if (equals(name, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
		g->lengths++;
		g->head.has_length = true;
		if (!read_length(value, &g->head.length))
			g->fault = "Content-Length is not a number";
	} else if (equals(name, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		g->encodings++;
		g->head.chunked = equals(value, "chunked");
		if (!g->head.chunked)
			g->fault = "Transfer-Encoding is not \"chunked\"";
	} else if (equals(name, MHD_HTTP_HEADER_CONTENT_TYPE)) {
		g->types++;
		g->head.is_json = g->types == 1 && is_json_type(value);
	} else if (equals(name, MHD_HTTP_HEADER_EXPECT))
		g->head.expects_continue = equals(value, "100-continue");
}

static enum MHD_Result each_header(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size,
	const char *value, size_t value_size)
{
	(void)kind;
	struct gathered *g = cls;
	gather(g, (struct str){key, key_size}, (struct str){value ? value : "", value ? value_size : 0});
	return g->fault == NULL ? MHD_YES : MHD_NO;
}

int request_read_head(struct MHD_Connection *mhd, const char *version, struct request_head *out, struct error *err)
{
	struct gathered g = {0};
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, each_header, &g);
	if (g.fault == NULL && g.lengths > 1)
		g.fault = "there are two Content-Length headers";
	if (g.fault == NULL && g.encodings > 1)
		g.fault = "there are two Transfer-Encoding headers";
	if (g.fault == NULL && g.lengths > 0 && g.encodings > 0)
		g.fault = "there are both a Content-Length and a Transfer-Encoding header";
	if (g.fault == NULL && g.encodings > 0 && strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
		g.fault = "HTTP/1.0 has no Transfer-Encoding";
	if (g.fault != NULL)
		return error_set(err, ERR_INVALID, "the end of the request is not clear: %s; send either one Content-Length "
				 "or Transfer-Encoding: chunked", g.fault);
	*out = g.head;
	return 0;
}
