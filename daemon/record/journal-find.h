/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks into the journal for a record: after a daemon was killed over it. */
#ifndef OP_JOURNAL_FIND_H
#define OP_JOURNAL_FIND_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the journal has the entry of the record that this boot's kernel counted as @seq and began
 * at @ktime_usec; with @message_id the one of that kind, NULL takes any. Waits until journald has
 * written what was sent to it before, for a second or two at most. Where the journal cannot be read
 * it says no: twice is better than never.
 */
bool journal_find_record(uint64_t seq, uint64_t ktime_usec, const char *message_id);

#endif
