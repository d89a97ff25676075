#include "codec/base64.h"

#define GROUP_BYTES 3
#define GROUP_CHARS 4

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A group of at most three bytes. */
static void encode(char to[GROUP_CHARS], const unsigned char *bytes, size_t have)
{
	unsigned long bits = (unsigned long)bytes[0] << 16;
	bits |= have > 1 ? (unsigned long)bytes[1] << 8 : 0;
	bits |= have > 2 ? bytes[2] : 0;
	to[0] = alphabet[bits >> 18];
	to[1] = alphabet[bits >> 12 & 63];
	to[2] = have > 1 ? alphabet[bits >> 6 & 63] : '=';
	to[3] = have > 2 ? alphabet[bits & 63] : '=';
}

void base64_encode(struct buf *out, struct str bytes)
{
	char *to = buf_extend(out, (bytes.n + GROUP_BYTES - 1) / GROUP_BYTES * GROUP_CHARS);
	const unsigned char *from = (const unsigned char *)bytes.p;
	for (size_t left = bytes.n; to != NULL && left > 0; to += GROUP_CHARS, from += GROUP_BYTES) {
		size_t have = left < GROUP_BYTES ? left : GROUP_BYTES;
		encode(to, from, have);
		left -= have;
	}
}

/* The six bits of a character; -1 when it is not of the alphabet. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct buf *out, struct str text, struct error *err)
{
	size_t before = out->n;
	if (text.n % GROUP_CHARS != 0)
		return error_set(err, ERR_INVALID, "base64 comes in groups of four characters; here are %zu", text.n);
	size_t padding = 0;
	while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
		padding++;
	unsigned long bits = 0;
	for (size_t i = 0; i < text.n; i++) {
		bool pad = i >= text.n - padding;
		int value = pad ? 0 : value_of(text.p[i]);
		if (value < 0) {
			buf_cut(out, before);
			return error_set(err, ERR_INVALID, "byte 0x%02x at place %zu is not base64",
					 (unsigned char)text.p[i], i + 1);
		}
		bits = bits << 6 | (unsigned)value;
		if (i % GROUP_CHARS != GROUP_CHARS - 1)
			continue;
		size_t have = i == text.n - 1 ? GROUP_BYTES - padding : GROUP_BYTES;
		if ((bits & ((1UL << (8 * (GROUP_BYTES - have))) - 1)) != 0) {
			buf_cut(out, before);
			return error_set(err, ERR_INVALID, "base64 with bits behind its end; it was cut or changed");
		}
		for (size_t k = 0; k < have; k++)
			buf_addc(out, (char)(bits >> (16 - 8 * k) & 255));
		bits = 0;
	}
	return 0;
}
