#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Ranges of characters that are not seen as what they are, in order. */
static const struct {
	unsigned long first, last;
} unseen[] = {
	{0x0000, 0x001F}, {0x007F, 0x00A0}, {0x00AD, 0x00AD}, {0x061C, 0x061C}, {0x1680, 0x1680}, {0x180E, 0x180E},
	{0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F}, {0x3000, 0x3000}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
	{0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF},
};

size_t text_character(struct str s, unsigned long *point)
{
	static const unsigned long smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	if (s.n == 0)
		return 0;
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC0 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF8 ? 4 : 0;
	if (n == 0 || n > s.n)
		return 0;
	unsigned long c = n == 1 ? p[0] : p[0] & (0x7FU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3F);
	}
	if (c < smallest[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	if (point != NULL)
		*point = c;
	return n;
}

#define EACH_BYTE(b) (UINT64_MAX / 255 * (b))
#define HIGH_BITS EACH_BYTE(0x80)

/* The high bit of each byte that is zero; above the lowest one there may be false ones. */
static uint64_t zeros(uint64_t eight)
{
	return (eight - EACH_BYTE(1)) & ~eight;
}

size_t text_plain(struct str s)
{
	size_t n = 0;
	while (s.n - n >= sizeof(uint64_t)) {
		uint64_t eight;
		memcpy(&eight, s.p + n, sizeof eight);
		uint64_t controls = (eight - EACH_BYTE(' ')) & ~eight;
		uint64_t quotes = zeros(eight ^ EACH_BYTE('"')) | zeros(eight ^ EACH_BYTE('\\'));
		if (((controls | quotes | zeros(eight ^ EACH_BYTE(0x7F)) | eight) & HIGH_BITS) != 0)
			break;
		n += sizeof eight;
	}
	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 0x7F && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

bool text_is_seen(unsigned long point)
{
	for (size_t i = 0; i < sizeof unseen / sizeof unseen[0] && point >= unseen[i].first; i++)
		if (point <= unseen[i].last)
			return false;
	return true;
}

/* Where text goes that may have less room than it needs. */
struct target {
	char *p;
	size_t room, n, needed;
};

/* Adds a piece, unless it or one before it has found no room. */
static void put(struct target *t, const char *piece, size_t n)
{
	if (t->n == t->needed && n < t->room - t->n) {
		memcpy(t->p + t->n, piece, n);
		t->n += n;
	}
	t->needed += n;
}

/* Adds as much as there is room for of what stands for itself. */
static void put_plain(struct target *t, const char *text, size_t n)
{
	size_t room = t->n == t->needed && t->n < t->room ? t->room - t->n - 1 : 0;
	size_t fit = n < room ? n : room;
	if (fit > 0)
		memcpy(t->p + t->n, text, fit);
	t->n += fit;
	t->needed += n;
}

/* Adds the first character of `s`, escaped if need be; in quotes these and the backslash too. Returns its length. */
static size_t put_character(struct target *t, struct str s, bool quoted)
{
	static const char letters[] = "n\nr\rt\t";
	char escape[sizeof "\\U00000000"];
	unsigned long c = (unsigned char)s.p[0];
	size_t n = text_character(s, &c);
	const char *letter = n == 1 && c != '\0' ? strchr(letters, (int)c) : NULL;
	int length;
	if (n == 0)
		length = snprintf(escape, sizeof escape, "\\x%02lx", c);
	else if (c < ' ' && letter != NULL)
		length = snprintf(escape, sizeof escape, "\\%c", letter[-1]);
	else if (!text_is_seen(c))
		length = snprintf(escape, sizeof escape, c <= 0xFFFF ? "\\u%04lx" : "\\U%08lx", c);
	else if (quoted && (c == '"' || c == '\\'))
		length = snprintf(escape, sizeof escape, "\\%c", (char)c);
	else
		length = 0;
	put(t, length > 0 ? escape : s.p, length > 0 ? (size_t)length : n);
	return n > 0 ? n : 1;
}

static void put_text(struct target *t, struct str s, bool quoted)
{
	for (size_t n; s.n > 0; s = str_from(s, n)) {
		n = text_plain(s);
		if (n > 0)
			put_plain(t, s.p, n);
		else
			n = put_character(t, s, quoted);
	}
}

size_t text_show(char *out, size_t size, struct str s)
{
	struct target t = {.p = out, .room = size};
	put_text(&t, s, false);
	if (size > 0)
		out[t.n] = '\0';
	return t.needed;
}

struct str text_shown(struct arena *arena, struct str s)
{
	size_t n = text_show(NULL, 0, s);
	if (n == s.n)
		return s;
	char *text = arena_alloc(arena, n + 1);
	if (text == NULL)
		return (struct str){NULL, 0};
	return (struct str){text, text_show(text, n + 1, s)};
}

void text_add(struct buf *out, struct str s)
{
	char piece[sizeof "\\U00000000"];
	while (s.n > 0) {
		struct target t = {.p = piece, .room = sizeof piece};
		s = str_from(s, put_character(&t, s, false));
		buf_add(out, (struct str){piece, t.n});
	}
}

static struct quote quote(struct str s, size_t max)
{
	struct quote q;
	struct target t = {.p = q.text, .room = sizeof q.text};
	struct str shown = str_utf8_cut(s, max);
	put(&t, "\"", 1);
	put_text(&t, shown, true);
	put(&t, "\"...", shown.n < s.n ? 4 : 1);
	q.text[t.n] = '\0';
	return q;
}

struct quote text_quote(struct str s)
{
	return quote(s, LIMIT_QUOTE);
}

struct quote text_quote_name(struct str s)
{
	return quote(s, LIMIT_QUOTE_NAME);
}
