/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a record's fields are written, and the one for people: what record.c is made of. */
#ifndef OP_RECORD_TEXT_H
#define OP_RECORD_TEXT_H

#include "api/fields.h"
#include "record.h"
#include "util/basic.h"

/* Adds a field with this value. What does not fit is left out and sets t->truncated. */
void record_field(struct record_text *t, enum field field, const char *format, ...) _printf_(3, 4);

/* Likewise one of journald's own: the format is that of "NAME=value". */
void record_plain_field(struct record_text *t, const char *format, ...) _printf_(2, 3);

/*
 * A field in parts: appended to t->buffer, from the t->used of before the first to
 * record_field_end(), which gets that place as @start. Its NUL stays in the buffer, so that it can
 * be read as text.
 */
void record_append(struct record_text *t, const char *format, ...) _printf_(2, 3);
/* Up to @size bytes, or to a NUL, as util/escape.h has them. */
void record_append_escaped(struct record_text *t, const char *text, size_t size);
/* The path of e->levels[@level], as far as it is known. */
void record_append_level_path(struct record_text *t, const struct op_oom_record *e, uint32_t level);
void record_field_end(struct record_text *t, size_t start);

/* Adds MESSAGE= and sets t->message. */
void record_append_message(struct record_text *t, const struct op_oom_record *e,
			   const struct record_context *context);

/* Likewise for the memory of a victim that is back. */
void record_append_freed_message(struct record_text *t, const struct op_freed_record *e,
				 uint64_t page_size_bytes);

/* False of an OOM that no policy was asked about: only the victim was seen. */
bool record_knows_domain(const struct op_oom_record *e);

/* Saturates, as no count in a record is trusted. */
uint64_t record_pages_to_bytes(uint64_t pages, uint64_t page_size_bytes);

#endif
