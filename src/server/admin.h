/* The admin listener: GET /healthz, /readyz, /metrics, /version. Plain HTTP, for the kubelet and Prometheus. */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include "server/connection.h"

/* Of type MHD_AccessHandlerCallback; `set` is the connection set. */
enum MHD_Result admin_handle(void *set, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *data_size, void **request);

#endif
