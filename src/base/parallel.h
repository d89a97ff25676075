/* Work that can be divided, on all processors. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stddef.h>

/*
 * Calls work(context, index) for each index below `count`, each once, and returns when all are done. Calls run at the
 * same time, in no order: they share nothing that they change. One alone runs in the caller's thread.
 */
void parallel_each(size_t count, void (*work)(void *context, size_t index), void *context);

#endif
