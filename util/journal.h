/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sends entries to the journal: owns the socket to journald. */
#ifndef OP_JOURNAL_H
#define OP_JOURNAL_H

#include <stddef.h>

struct iovec;

/*
 * Sends an entry of @n_fields fields, each "NAME=value", not NUL-terminated, and kept by the
 * caller. Values are length-delimited on the way, so no byte in them can forge a field. Returns 0,
 * or a negative errno: -EAGAIN when journald has not read what is there already, -ECONNREFUSED or
 * -ENOENT when there is none, -EINVAL for a field without "=", -E2BIG for more than one sendmsg(2)
 * takes.
 */
int journal_send(const struct iovec *fields, size_t n_fields);

/* How many fields a line may have besides. */
#define JOURNAL_LINE_FIELDS_MAX 8

/*
 * Sends one line of the daemon's own log with @n_fields more fields, each "NAME=value";
 * @message_id may be NULL. Returns 0, -E2BIG when there are too many, another negative errno.
 */
int journal_send_line(int priority, const char *message_id, const char *line,
		      const char *const *fields, size_t n_fields);

#endif
