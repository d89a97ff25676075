/* The head of a request: what libmicrohttpd lets pass and must not (RFC 9112: message framing), and what is asked. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "base/error.h"

#include <microhttpd.h>

#include <stdbool.h>
#include <stdint.h>

struct request_head {
	bool has_length, chunked; /* a Content-Length; Transfer-Encoding: chunked */
	uint64_t length;          /* UINT64_MAX for one that does not fit */
	bool is_json;             /* Content-Type is application/json, whatever its parameters */
	bool expects_continue;    /* the client waits for "100 Continue" before it sends the body */
};

/*
 * Reads the headers of a request of HTTP `version` ("HTTP/1.1"). ERR_INVALID: two systems could disagree about where
 * the request ends: it must be answered with 400 and the connection closed.
 */
int request_read_head(struct MHD_Connection *mhd, const char *version, struct request_head *out, struct error *err);

#endif
