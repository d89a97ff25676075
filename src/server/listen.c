#include "server/listen.h"

#include "base/limits.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PORT_DIGITS 5

/* A port: digits only, at most 65535. */
static bool port_parse(struct str text, in_port_t *out)
{
	unsigned long port = 0;
	if (text.n == 0 || text.n > PORT_DIGITS)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		port = port * 10 + (unsigned long)(text.p[i] - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*out = htons((in_port_t)port);
	return true;
}

/* The address without its brackets, NUL-terminated; false when it cannot be one. */
static bool host_copy(struct str host, char out[INET6_ADDRSTRLEN])
{
	if (host.n >= INET6_ADDRSTRLEN || (host.n > 0 && memchr(host.p, '\0', host.n) != NULL))
		return false;
	if (host.n > 0)
		memcpy(out, host.p, host.n);
	out[host.n] = '\0';
	return true;
}

static bool parse_v6(struct str host, in_port_t port, struct listen_address *out)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
	char text[INET6_ADDRSTRLEN];
	if (host.n < 2 || host.p[host.n - 1] != ']')
		return false;
	if (!host_copy((struct str){host.p + 1, host.n - 2}, text) || inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
		return false;
	*out = (struct listen_address){.length = sizeof v6};
	memcpy(&out->storage, &v6, sizeof v6);
	return true;
}

static bool parse_v4(struct str host, in_port_t port, struct listen_address *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
	char text[INET6_ADDRSTRLEN];
	if (!host_copy(host, text) || (host.n > 0 && inet_pton(AF_INET, text, &v4.sin_addr) != 1))
		return false;
	*out = (struct listen_address){.length = sizeof v4};
	memcpy(&out->storage, &v4, sizeof v4);
	return true;
}

int listen_parse(struct str text, struct listen_address *out, struct error *err)
{
	size_t colon = str_rfind(text, ':');
	struct str host = {text.p, colon < text.n ? colon : text.n};
	in_port_t port;
	if (colon == text.n || !port_parse(str_from(text, colon + 1), &port))
		return error_set(err, ERR_INVALID, "%s does not end in a port; write ADDR:PORT, such as 0.0.0.0:8443, "
				 "with a port from 0 to 65535", text_quote(text).text);
	bool good = host.n > 0 && host.p[0] == '[' ? parse_v6(host, port, out) : parse_v4(host, port, out);
	if (!good)
		return error_set(err, ERR_INVALID, "%s does not begin with an IP address; write it as 127.0.0.1:8443 "
				 "or [::1]:8443", text_quote(text).text);
	return 0;
}

/* The text of an address. */
static void name_address(const struct sockaddr_storage *storage, char out[LISTEN_NAME_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	memcpy(&v4, storage, sizeof v4);
	memcpy(&v6, storage, sizeof v6);
	bool is_v6 = storage->ss_family == AF_INET6;
	const void *address = is_v6 ? (const void *)&v6.sin6_addr : (const void *)&v4.sin_addr;
	unsigned port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
	const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";
	if (inet_ntop(storage->ss_family, address, host, sizeof host) == NULL ||
	    snprintf(out, LISTEN_NAME_MAX, "%s%s%s:%u", open, host, close, port) < 0)
		memcpy(out, "unknown", sizeof "unknown");
}

/* Why listening failed, and what helps. */
static int refuse(const struct listen_address *address, int error, struct error *err)
{
	char name[LISTEN_NAME_MAX];
	name_address(&address->storage, name);
	const char *advice = "choose another address";
	if (error == EADDRINUSE)
		advice = "choose another port, or end the process that has it";
	else if (error == EACCES)
		advice = "choose a port above 1023";
	else if (error == EADDRNOTAVAIL)
		advice = "choose an address of this machine, or 0.0.0.0 for all";
	return error_set(err, ERR_IO, "cannot listen on %s: %s; %s", name, strerror(error), advice);
}

int listen_open(const struct listen_address *address, int *fd, struct error *err)
{
	static const int on = 1, off = 0;
	int family = address->storage.ss_family;
	int s = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0)
		return refuse(address, errno, err);
	/*
	 * Connections inherit TCP_NODELAY. GnuTLS writes its part of a handshake in pieces: each second one would wait for
	 * the client's acknowledgement, which comes after 40 ms.
	 */
	bool ready = setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
		     setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
		     (family != AF_INET6 || setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
		     bind(s, (const struct sockaddr *)&address->storage, address->length) == 0 &&
		     listen(s, LIMIT_BACKLOG) == 0;
	if (!ready) {
		int error = errno;
		close(s);
		return refuse(address, error, err);
	}
	*fd = s;
	return 0;
}

void listen_close(int *fd)
{
	if (*fd < 0)
		return;
	shutdown(*fd, SHUT_RDWR);
	close(*fd);
	*fd = -1;
}

void listen_name(int fd, char out[LISTEN_NAME_MAX])
{
	struct sockaddr_storage storage = {0};
	socklen_t length = sizeof storage;
	if (getsockname(fd, (struct sockaddr *)&storage, &length) == 0)
		name_address(&storage, out);
	else
		memcpy(out, "unknown", sizeof "unknown");
}

void listen_peer_name(int fd, char out[LISTEN_NAME_MAX])
{
	struct sockaddr_storage storage = {0};
	socklen_t length = sizeof storage;
	if (getpeername(fd, (struct sockaddr *)&storage, &length) == 0)
		name_address(&storage, out);
	else
		memcpy(out, "unknown", sizeof "unknown");
}
