/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes bytes from processes, cgroups and files fit to be printed on one line. */
#ifndef OP_ESCAPE_H
#define OP_ESCAPE_H

#include <stddef.h>

/*
 * Writes @text (at most @size bytes, or up to its NUL) to @buf as one printable line: control
 * bytes, backslashes, double quotes and bytes that are not valid UTF-8 become \n, \t, \\, \" or
 * \xHH; C1 controls, bidirectional overrides and line or paragraph separators are escaped too.
 * Always NUL-terminates if @buf_size > 0; a text that does not fit is cut before the first
 * sequence that does not, never inside one. Returns @buf.
 */
char *escape_text(const char *text, size_t size, char *buf, size_t buf_size);

/*
 * The bytes of the character that @text (of @size bytes) begins with if that is valid UTF-8 which
 * may stand on a line as it is, else 0. Quotes and backslashes are printable.
 */
size_t escape_printable_length(const char *text, size_t size);

/*
 * A copy of @size bytes at @text, for the caller to free, in which what is not printable is \xHH
 * and all else stays as it is: for prose that quotes by itself, and for texts whose bytes were
 * escaped before. NULL when memory is out.
 */
char *escape_printable(const char *text, size_t size);

/* Enough for any text of @n bytes: each byte may become four characters. */
#define ESCAPE_SIZE(n) (4 * (n) + 1)

#endif
