/* Errors: a code for the program, a sentence for the person. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/str.h"

#include <stdarg.h>

/* What functions that can fail return; 0 is success. */
enum {
	ERR_NOMEM = -1,   /* an allocation failed */
	ERR_INVALID = -2, /* the input is wrong; the sentence says where and how */
	ERR_LIMIT = -3,   /* the input or the result is larger than a named limit */
	ERR_IO = -4,      /* the operating system said no */
	ERR_EXISTS = -5,  /* it is there already and must not be overwritten */
};

#define ERROR_TEXT_MAX 1024

/*
 * One sentence without a full stop. Set once, where the fault is detected. The sentence may quote what is wrong; what
 * is shown to strangers is made of the rest.
 */
struct error {
	char text[ERROR_TEXT_MAX];
	size_t line, column; /* where in a text, from 1; 0: nowhere in particular */
};

/*
 * Writes the sentence (printf form; cut on a character boundary; text_show makes it one line that is all seen) and
 * returns `code`. `err` may be NULL.
 */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int error_setv(struct error *err, int code, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

/* Adds where in a text the fault of `err` is, which its sentence says as well. `err` may be NULL. Returns its code. */
int error_place(struct error *err, int code, size_t line, size_t column);

/* error_set for the one failure that needs no words of its own. */
int error_nomem(struct error *err);

struct str error_str(const struct error *err);

#endif
