/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the one decision what may be printed as it is. Knows nothing of where a text goes; its
 * output never holds a byte that could end a line, move a cursor or reverse the reading order.
 */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code_point_range {
	uint32_t first;
	uint32_t last;
};

/* Valid Unicode that must not reach a terminal or a log line, sorted. */
static const struct code_point_range unprintable[] = {
	{0x0000, 0x001f},   /* C0 controls */
	{0x007f, 0x009f},   /* DEL and the C1 controls */
	{0x061c, 0x061c},   /* Arabic letter mark: changes the reading order */
	{0x200e, 0x200f},   /* left-to-right and right-to-left mark, likewise */
	{0x2028, 0x202e},   /* line and paragraph separator, bidirectional embeddings, overrides */
	{0x2066, 0x2069},   /* bidirectional isolates */
	{0xd800, 0xdfff},   /* surrogates: not valid in UTF-8 at all */
	{0xfdd0, 0xfdef},   /* noncharacters */
	{0xfeff, 0xfeff},   /* byte order mark: invisible */
	{0xfffe, 0xffff},   /* noncharacters */
	{0xe0000, 0xe007f}, /* tags: invisible */
};

/* Decodes the code point at @text into @ret. Returns its length in bytes, 0 where there is none. */
static size_t decode_utf8(const unsigned char *text, size_t size, uint32_t *ret)
{
	/* The smallest code point of each length: a longer form of it is invalid. */
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length;
	uint32_t c;

	if (text[0] < 0x80) {
		*ret = text[0];
		return 1;
	}
	if ((text[0] & 0xe0) == 0xc0) {
		length = 2;
		c = text[0] & 0x1f;
	} else if ((text[0] & 0xf0) == 0xe0) {
		length = 3;
		c = text[0] & 0x0f;
	} else if ((text[0] & 0xf8) == 0xf0) {
		length = 4;
		c = text[0] & 0x07;
	} else {
		return 0;
	}
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	if (c < smallest[length] || c > 0x10ffff)
		return 0;
	*ret = c;
	return length;
}

size_t escape_printable_length(const char *text, size_t size)
{
	size_t length;
	uint32_t c;

	if (size == 0)
		return 0;
	length = decode_utf8((const unsigned char *)text, size, &c);
	if (length == 0)
		return 0;
	for (size_t i = 0; i < sizeof(unprintable) / sizeof(unprintable[0]); i++)
		if (c >= unprintable[i].first && c <= unprintable[i].last)
			return 0;
	return length;
}

char *escape_text(const char *text, size_t size, char *buf, size_t buf_size)
{
	size_t n_written = 0;

	if (buf_size == 0)
		return buf;

	size = strnlen(text, size);
	for (size_t i = 0; i < size;) {
		char escaped[5];
		const char *out;
		size_t n_in = 1, n_out = 2;

		switch (text[i]) {
		case '\n':
			out = "\\n";
			break;
		case '\t':
			out = "\\t";
			break;
		case '\\':
			out = "\\\\";
			break;
		case '"':
			out = "\\\"";
			break;
		default:
			n_in = n_out = escape_printable_length(text + i, size - i);
			out = text + i;
			if (n_in == 0) {
				snprintf(escaped, sizeof(escaped), "\\x%02x",
					 (unsigned char)text[i]);
				n_in = 1;
				n_out = 4;
				out = escaped;
			}
		}
		if (n_out >= buf_size - n_written)
			break;
		memcpy(buf + n_written, out, n_out);
		n_written += n_out;
		i += n_in;
	}
	buf[n_written] = '\0';
	return buf;
}

char *escape_printable(const char *text, size_t size)
{
	char *buf = malloc(ESCAPE_SIZE(size));
	size_t n_written = 0;

	if (!buf)
		return NULL;
	for (size_t i = 0; i < size;) {
		size_t n = escape_printable_length(text + i, size - i);

		if (n > 0) {
			memcpy(buf + n_written, text + i, n);
			n_written += n;
			i += n;
		} else {
			n_written +=
				(size_t)sprintf(buf + n_written, "\\x%02x", (unsigned char)text[i]);
			i++;
		}
	}
	buf[n_written] = '\0';
	return buf;
}
