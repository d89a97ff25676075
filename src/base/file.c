#include "base/file.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK (16 * KIB)

static const char *kind_of(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a directory";
	if (S_ISFIFO(mode))
		return "a FIFO";
	if (S_ISSOCK(mode))
		return "a socket";
	return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "something else";
}

/* ENXIO is what opening a socket, or a device that is not there, gives. */
static int refuse_open(const char *shown, int error, struct error *err)
{
	return error_set(err, ERR_IO, "cannot open %s: %s", shown,
		error == ENXIO ? "it is not a regular file; put a file there, or a link to one" : strerror(error));
}

int file_open(int dir, const char *path, const char *shown, int *fd, struct error *err)
{
	struct stat st;
	int opened = openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (opened < 0)
		return refuse_open(shown, errno, err);
	int code = 0;
	if (fstat(opened, &st) != 0)
		code = error_set(err, ERR_IO, "cannot look at %s: %s", shown, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		code = error_set(err, ERR_IO, "cannot read %s: it is %s, not a regular file; put a file there, or a link to "
			"one", shown, kind_of(st.st_mode));
	if (code == 0)
		*fd = opened;
	else
		(void)close(opened); /* it was only looked at */
	return code;
}

ssize_t file_fill(int fd, char *p, size_t space)
{
	size_t n = 0;
	while (n < space) {
		ssize_t got = read(fd, p + n, space - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* `advice` is what to do about too large a file. */
static int read_parts(int fd, const char *path, const char *advice, size_t limit, struct buf *out, struct error *err)
{
	char chunk[READ_CHUNK];
	ssize_t n = sizeof chunk;
	buf_addz(out, "");
	/* What did not fill the chunk was the last: a terminal that is asked again wants a second Ctrl-D. */
	while ((size_t)n == sizeof chunk && (n = file_fill(fd, chunk, sizeof chunk)) > 0) {
		if ((size_t)n > limit - out->n)
			return error_set(err, ERR_LIMIT, "%s is larger than %zu bytes; %s", path, limit, advice);
		buf_add(out, (struct str){chunk, (size_t)n});
		if (out->error != 0)
			break;
	}
	if (n < 0)
		return error_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	return out->error != 0 ? error_nomem(err) : 0;
}

int file_read(const char *path, size_t limit, struct buf *out, struct error *err)
{
	int fd;
	int code = file_open(AT_FDCWD, path, path, &fd, err);
	if (code != 0)
		return code;
	code = read_parts(fd, path, "make it smaller", limit, out, err);
	(void)close(fd); /* it was only read */
	return code;
}

int file_read_input(const char *path, size_t limit, struct buf *out, struct error *err)
{
	if (str_eqz(str_of(path), "-"))
		return read_parts(STDIN_FILENO, "standard input", "split it", limit, out, err);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	int code = read_parts(fd, path, "split it", limit, out, err);
	(void)close(fd); /* it was only read */
	return code;
}
