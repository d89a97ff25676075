#include "cli/cli.h"

#include "base/error.h"

#include <stdio.h>

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
