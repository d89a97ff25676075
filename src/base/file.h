/* Files that are read while others wait, which nothing in their place may keep; and files that a command was given. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

/*
 * Opens a regular file for reading, relative to the directory `dir` (AT_FDCWD: the current one); symbolic links are
 * followed. Never waits: a FIFO, a device, a socket or a directory is refused. `shown` is its name in a sentence.
 * *fd is the caller's. ERR_IO.
 */
int file_open(int dir, const char *path, const char *shown, int *fd, struct error *err);

/* Reads until the end into `space` bytes at `p`: how many there were, `space` when there may be more, -1 with errno. */
ssize_t file_fill(int fd, char *p, size_t space);

/* Appends a regular file of at most `limit` bytes to an empty buffer of that limit. ERR_IO, ERR_LIMIT, ERR_NOMEM. */
int file_read(const char *path, size_t limit, struct buf *out, struct error *err);

/* The same of what a person names: "-" is standard input, and a FIFO or device is waited for. */
int file_read_input(const char *path, size_t limit, struct buf *out, struct error *err);

#endif
