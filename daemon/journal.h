/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sends entries to the journal: the only module that knows sd-journal. */
#ifndef OP_JOURNAL_H
#define OP_JOURNAL_H

struct record_text;

/*
 * Sends all fields of a formatted OOM record. Values are length-delimited on the way, so bytes
 * from processes and cgroups cannot forge a field. Returns 0 or a negative errno.
 */
int journal_send_record(const struct record_text *text);

/* Sends one line of the daemon's own log; @message_id may be NULL. Returns 0 or a negative errno.
 */
int journal_send_line(int priority, const char *message_id, const char *line);

#endif
