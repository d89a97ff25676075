#include "server/answer.h"

#include "base/limits.h"
#include "kube/review.h"

#include <stdlib.h>
#include <string.h>

/* HTTP's phrase (RFC 9110) and Kubernetes' reason of an error. */
static const struct status {
	unsigned code;
	const char *phrase, *reason;
} statuses[] = {
	{400, "Bad Request", "BadRequest"},
	{404, "Not Found", "NotFound"},
	{405, "Method Not Allowed", "MethodNotAllowed"},
	{408, "Request Timeout", "Timeout"},
	{411, "Length Required", "BadRequest"},
	{413, "Content Too Large", "RequestEntityTooLarge"},
	{415, "Unsupported Media Type", "UnsupportedMediaType"},
	{500, "Internal Server Error", "InternalError"},
	{503, "Service Unavailable", "ServiceUnavailable"},
};

static const char no_memory[] =
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
	"\"message\":\"connhook is out of memory; give its container more\",\"reason\":\"InternalError\",\"code\":500}";

static const struct status *status_of(unsigned code)
{
	static const struct status unknown = {0, "Error", "Unknown"};
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		if (statuses[i].code == code)
			return &statuses[i];
	return &unknown;
}

void answer_write_error(struct buf *out, unsigned status, const char *message)
{
	review_write_status(out, (int)status, status_of(status)->reason, str_of(message));
}

void answer_write_raw(struct buf *out, unsigned status, const char *message)
{
	struct buf body;
	buf_init(&body, LIMIT_RESPONSE);
	answer_write_error(&body, status, message);
	buf_fmt(out, "HTTP/1.1 %u %s\r\n", status, status_of(status)->phrase);
	buf_fmt(out, "Content-Type: " ANSWER_JSON "\r\nContent-Length: %zu\r\nConnection: close\r\n", body.n);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		buf_addz(out, "Retry-After: 1\r\n");
	buf_addz(out, "\r\n");
	buf_add(out, buf_str(&body));
	buf_free(&body);
}

/* A buffer that outlives the call, for libmicrohttpd to give back. */
static void release_body(void *body)
{
	buf_free(body);
	free(body);
}

/* A response that owns `body`; NULL when memory is out, and the body is gone as well. */
static struct MHD_Response *response_of(struct buf *body)
{
	struct buf *kept = malloc(sizeof *kept);
	if (kept == NULL) {
		buf_free(body);
		return NULL;
	}
	*kept = *body;
	*body = (struct buf){0};
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(kept->n, kept->p, release_body, kept);
	if (response == NULL)
		release_body(kept);
	return response;
}

static struct MHD_Response *response_no_memory(void)
{
	char text[sizeof no_memory];
	memcpy(text, no_memory, sizeof text);
	return MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_MUST_COPY);
}

static bool add_headers(struct MHD_Response *response, const struct answer *answer)
{
	return MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type) == MHD_YES &&
	       (answer->allow == NULL ||
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow) == MHD_YES) &&
	       (answer->status != MHD_HTTP_SERVICE_UNAVAILABLE ||
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1") == MHD_YES) &&
	       (!answer->close || MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES);
}

unsigned answer_queue(struct MHD_Connection *connection, const struct answer *answer, struct buf *body)
{
	struct answer sent = *answer;
	struct MHD_Response *response = NULL;
	if (body->error == 0 && body->n > 0)
		response = response_of(body);
	else
		buf_free(body);
	if (response == NULL) {
		sent = (struct answer){.status = 500, .type = ANSWER_JSON, .close = answer->close};
		response = response_no_memory();
	}
	if (response == NULL)
		return 0;
	bool queued = add_headers(response, &sent) && MHD_queue_response(connection, sent.status, response) == MHD_YES;
	MHD_destroy_response(response);
	return queued ? sent.status : 0;
}
