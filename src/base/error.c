#include "base/error.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

int error_setv(struct error *err, int code, const char *format, va_list args)
{
	if (err == NULL)
		return code;
	char text[ERROR_TEXT_MAX];
	int n = vsnprintf(text, sizeof text, format, args);
	if (n < 0)
		text[0] = '\0';
	else if ((size_t)n >= sizeof text)
		text[str_utf8_cut((struct str){text, sizeof text - 1}, sizeof text - 4).n] = '\0';
	(void)text_show(err->text, sizeof err->text, str_of(text)); /* what is cut, is cut */
	err->line = err->column = 0;
	return code;
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	error_setv(err, code, format, args);
	va_end(args);
	return code;
}

int error_place(struct error *err, int code, size_t line, size_t column)
{
	if (err != NULL) {
		err->line = line;
		err->column = column;
	}
	return code;
}

int error_nomem(struct error *err)
{
	return error_set(err, ERR_NOMEM, "out of memory");
}

struct str error_str(const struct error *err)
{
	return str_of(err->text);
}
