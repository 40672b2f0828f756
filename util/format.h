/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings of their own size. */
#ifndef OP_FORMAT_H
#define OP_FORMAT_H

#include <stdarg.h>

#include "basic.h"

/*
 * The text by its printf(3) format, for the caller to free; NULL when memory is out. Unlike
 * asprintf(3) it leaves nothing undefined then.
 */
char *format_string(const char *format, ...) _printf_(1, 2);
char *format_string_va(const char *format, va_list ap) _printf_(1, 0);

#endif
