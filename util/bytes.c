/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the encoding of paths that are not UTF-8. Does no I/O; every text that comes out of it is
 * a valid string of D-Bus.
 */
#include "bytes.h"

#include <stdint.h>
#include <string.h>

#include "basic.h"
#include "escape.h"

/* Length of the character at @b, 0 where none is valid. D-Bus allows what Unicode calls a scalar
 * value; sd-bus refuses noncharacters besides (unichar_is_valid() in systemd's utf8.c). */
static size_t character_length(const unsigned char *b, size_t size)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = b[0] < 0x80   ? 1
			: b[0] < 0xc0 ? 0
			: b[0] < 0xe0 ? 2
			: b[0] < 0xf0 ? 3
			: b[0] < 0xf8 ? 4
				      : 0;
	uint32_t c;

	if (b[0] == '\0' || length == 0 || length > size)
		return 0;
	if (length == 1)
		return 1;
	c = b[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ||
	    (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe)
		return 0;
	return length;
}

bool bytes_are_text(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size;) {
		size_t n = character_length((const unsigned char *)bytes + i, size - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

char *bytes_path_to_text(const char *path)
{
	size_t size = strlen(path);
	char *text;

	if (bytes_are_text(path, size))
		return strdup(path);
	text = malloc(1 + ESCAPE_SIZE(size));
	if (!text)
		return NULL;
	text[0] = '\\';
	escape_text(path, size, text + 1, ESCAPE_SIZE(size));
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -EINVAL;
}

/* The byte behind the escape at @text, which begins with a backslash, and how long that is. */
static int unescape_byte(const char *text, size_t *ret_length)
{
	int high, low;

	*ret_length = 2;
	switch (text[1]) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '\\':
	case '"':
		return text[1];
	case 'x':
		high = hex_digit(text[2]);
		low = high < 0 ? high : hex_digit(text[3]);
		*ret_length = 4;
		return low < 0 || high + low == 0 ? -EINVAL : high << 4 | low;
	default:
		return -EINVAL;
	}
}

int bytes_path_from_text(const char *text, char **ret)
{
	_cleanup_free_ char *path = NULL;
	size_t n = 0;

	if (text[0] != '\\') {
		*ret = strdup(text);
		return *ret ? 0 : -ENOMEM;
	}
	path = malloc(strlen(text) + 1);
	if (!path)
		return -ENOMEM;
	for (const char *c = text + 1; *c;) {
		size_t length = 1;
		int byte = *c == '\\' ? unescape_byte(c, &length) : (unsigned char)*c;

		if (byte < 0)
			return byte;
		path[n++] = (char)byte;
		c += length;
	}
	path[n] = '\0';
	*ret = TAKE_PTR(path);
	return 0;
}
