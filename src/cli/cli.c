#include "cli/cli.h"

#include "base/limits.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define READ_CHUNK (64 * KIB)

int cli_fail(const char *format, ...)
{
	struct error err;
	va_list args;
	va_start(args, format);
	error_setv(&err, ERR_INVALID, format, args);
	va_end(args);
	(void)fprintf(stderr, "connhook: %s\n", err.text); /* there is nowhere left to say that this failed */
	return EXIT_USAGE;
}

int cli_nomem(void)
{
	return cli_fail("out of memory");
}

int cli_bad_option(const char *command, char **argv, int result)
{
	const char *word = optind > 0 ? argv[optind - 1] : "";
	if (result == ':')
		return cli_fail("%s: option %s needs a value; see connhook %s --help", command, word, command);
	return cli_fail("%s: unknown option %s; see connhook %s --help", command, word, command);
}

int cli_print(struct str text)
{
	if (fwrite(text.p ? text.p : "", 1, text.n, stdout) != text.n || fflush(stdout) != 0)
		return cli_fail("cannot write to standard output: %s", strerror(errno));
	return EXIT_OK;
}

static int read_stream(FILE *f, const char *name, size_t limit, struct buf *out, struct error *err)
{
	char chunk[READ_CHUNK];
	size_t n;
	buf_addz(out, "");
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
		if (n > limit - out->n)
			return error_set(err, ERR_LIMIT, "%s is larger than %zu bytes; split it", name, limit);
		buf_add(out, (struct str){chunk, n});
		if (out->error != 0)
			return error_nomem(err);
	}
	if (ferror(f))
		return error_set(err, ERR_IO, "cannot read %s: %s", name, strerror(errno));
	return out->error != 0 ? error_nomem(err) : 0;
}

int cli_read(const char *path, size_t limit, struct buf *out, struct error *err)
{
	if (strcmp(path, "-") == 0)
		return read_stream(stdin, "standard input", limit, out, err);
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return error_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	int rc = read_stream(f, path, limit, out, err);
	(void)fclose(f); /* it was only read */
	return rc;
}

int cli_config(const char *path, struct config **out, struct error *err)
{
	if (path == NULL)
		return config_load(config_profile(STR("managed")), "managed", out, err);
	struct buf text;
	buf_init(&text, LIMIT_CONFIG);
	int rc = cli_read(path, LIMIT_CONFIG, &text, err);
	if (rc == 0)
		rc = config_load(buf_str(&text), path, out, err);
	buf_free(&text);
	return rc;
}
