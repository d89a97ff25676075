/* Addresses to listen on: from text, to a socket, and back to text. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "base/error.h"
#include "base/str.h"

#include <sys/socket.h>

struct listen_address {
	struct sockaddr_storage storage;
	socklen_t length;
};

/* Room for "[IPv6%zone]:port". */
#define LISTEN_NAME_MAX 96

/*
 * Reads "192.0.2.1:8443", "[::1]:8443" or ":8443" (any IPv4 address). Port 0 is any free one. ERR_INVALID: the
 * sentence says what the text must look like.
 */
int listen_parse(struct str text, struct listen_address *out, struct error *err);

/*
 * Opens a socket that listens there, non-blocking, closed on exec. [::] takes IPv4 as well. ERR_IO: the sentence has
 * the address, why, and what to do.
 */
int listen_open(const struct listen_address *address, int *fd, struct error *err);

/* Ends the listening, for all copies of the descriptor, and wakes who waits there. -1 is fine; *fd becomes -1. */
void listen_close(int *fd);

/*
 * Writes where the socket `fd` is bound, with the real port, or who is at the other end of a connection; "unknown" when
 * the kernel does not say.
 */
void listen_name(int fd, char out[LISTEN_NAME_MAX]);
void listen_peer_name(int fd, char out[LISTEN_NAME_MAX]);

#endif
