/* The admission listener: POST /mutate and POST /validate. */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include "server/connection.h"

/* Of type MHD_AccessHandlerCallback; `set` is the connection set. */
enum MHD_Result admission_handle(void *set, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *data_size, void **request);

#endif
