/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers, times and untrusted bytes as people read them, and times as they write them. */
#ifndef OP_TEXT_H
#define OP_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "util/basic.h"

#define TEXT_BYTES_SIZE 48
#define TEXT_TIME_SIZE 32
#define TEXT_SPAN_SIZE 40

/* "0B", "812B", "1.5M"; "-" for UINT64_MAX. Returns @buf. */
char *text_format_bytes(uint64_t bytes, char buf[static TEXT_BYTES_SIZE]);

/* "2026-11-21 08:01:02" in the local time zone, of microseconds of CLOCK_REALTIME. */
char *text_format_time(uint64_t real_usec, char buf[static TEXT_TIME_SIZE]);

/* "3.1 us", "12 ms", "5 s", "3 min", "2 h", "4 days". */
char *text_format_span(uint64_t nsec, char buf[static TEXT_SPAN_SIZE]);

/*
 * Understands "YYYY-MM-DD [HH:MM[:SS]]", "HH:MM[:SS]" of today, "now", "today", "yesterday",
 * "@SECONDS", "-SPAN" and "SPAN ago", in the local time zone. Returns 0 and microseconds of
 * CLOCK_REALTIME, or -EINVAL.
 */
int text_parse_time(const char *s, uint64_t now_usec, uint64_t *ret);

/* A copy of bytes that somebody else chose, by escape_text(), for the caller to free; NULL when
 * memory is out. */
char *text_escape(const char *bytes, size_t size);

/* The text by its printf(3) format, by escape_printable(), likewise. */
char *text_format_printable(const char *format, va_list ap) _printf_(1, 0);

#endif
