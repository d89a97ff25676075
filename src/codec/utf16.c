#include "codec/utf16.h"

#include <stdint.h>

#define REPLACEMENT 0xFFFDU

bool utf16_is_marked(struct str text)
{
	return str_starts(text, STR("\xFF\xFE")) || str_starts(text, STR("\xFE\xFF"));
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(out, (char)c);
	} else if (c < 0x800) {
		buf_addc(out, (char)(0xC0 | c >> 6));
		buf_addc(out, (char)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		buf_addc(out, (char)(0xE0 | c >> 12));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
		buf_addc(out, (char)(0x80 | (c & 0x3F)));
	} else {
		buf_addc(out, (char)(0xF0 | c >> 18));
		buf_addc(out, (char)(0x80 | (c >> 12 & 0x3F)));
		buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
		buf_addc(out, (char)(0x80 | (c & 0x3F)));
	}
}

/* The unit at byte `i`, of which there are two. */
static uint32_t unit_at(struct str text, size_t i, bool big)
{
	uint32_t first = (unsigned char)text.p[i], second = (unsigned char)text.p[i + 1];
	return big ? first << 8 | second : second << 8 | first;
}

void utf16_decode(struct buf *out, struct str text)
{
	bool big = str_starts(text, STR("\xFE\xFF"));
	size_t i = 2;
	for (; i + 1 < text.n; i += 2) {
		uint32_t c = unit_at(text, i, big);
		uint32_t low = i + 3 < text.n ? unit_at(text, i + 2, big) : 0;
		if (c >= 0xD800 && c <= 0xDBFF && low >= 0xDC00 && low <= 0xDFFF) {
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
			i += 2;
		} else if (c >= 0xD800 && c <= 0xDFFF) {
			c = REPLACEMENT;
		}
		add_utf8(out, c);
	}
	if (i < text.n)
		add_utf8(out, REPLACEMENT);
}
