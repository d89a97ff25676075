#include "cli/cli.h"

#include "base/file.h"
#include "policy/load/load.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

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

int cli_config(const char *path, struct config **out, struct error *err)
{
	if (path == NULL)
		return config_load(config_profile(STR("managed")), "managed", out, err);
	struct buf text;
	buf_init(&text, LIMIT_CONFIG);
	int rc = file_read_input(path, LIMIT_CONFIG, &text, err);
	if (rc == 0)
		rc = config_load(buf_str(&text), path, out, err);
	buf_free(&text);
	return rc;
}
