/* What Prometheus wants to know of a process: the standard process_* metrics, from /proc. */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "base/buf.h"

#include <time.h>

/* Appends them; what the kernel does not tell is left out. */
void process_write(struct buf *out, time_t started);

#endif
