/* Text that somebody else wrote, made fit for a sentence: it ends no line, commands no terminal, and is all seen. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

/* The longest form of one byte: \u001b. */
#define TEXT_ESCAPE_MAX 6

/*
 * The UTF-8 character (RFC 3629: no overlong forms, no surrogates) that `s` begins with: its length, and its number in
 * *point (which may be NULL). 0 when there is none; *point is then untouched.
 */
size_t text_character(struct str s, unsigned long *point);

/*
 * How many bytes at the beginning of `s` stand for themselves in a sentence as well as in JSON: ASCII that is printed,
 * but no quote and no backslash.
 */
size_t text_plain(struct str s);

/*
 * Is the character seen as what it is? Not so: control characters, the ends of lines, spaces but the common one, and
 * what has no width or turns the order of its neighbours (unicode.org/reports/tr36, 2.10 and 3.6).
 */
bool text_is_seen(unsigned long point);

/*
 * Writes `s` with escapes for what is not seen: \n \r \t, \u001b, and \xff for a byte that is no UTF-8. Like snprintf:
 * at most `size` bytes with the NUL behind them, whole characters and escapes only; returns the length it needs.
 */
size_t text_show(char *out, size_t size, struct str s);

/* The same in the arena; `s` itself when all of it is seen. Absent when memory is out. */
struct str text_shown(struct arena *arena, struct str s);

/* Appends what text_show writes. */
void text_add(struct buf *out, struct str s);

/* A value in quotes for "%s": text_show with \" and \\ as well; "..." behind it when it is cut. */
struct quote {
	char text[LIMIT_QUOTE_NAME * TEXT_ESCAPE_MAX + sizeof "\"\"..."];
};

/* As much of a bad value as a sentence repeats, and of a name or path, of which the end counts too. */
struct quote text_quote(struct str s);
struct quote text_quote_name(struct str s);

#endif
