/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format.h"

#include <stdio.h>

char *format_string_va(const char *format, va_list ap)
{
	char *text;

	return vasprintf(&text, format, ap) < 0 ? NULL : text;
}

char *format_string(const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	text = format_string_va(format, ap);
	va_end(ap);
	return text;
}
