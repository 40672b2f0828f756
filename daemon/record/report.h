/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OOM records on their way from the ring to the journal. */
#ifndef OP_REPORT_H
#define OP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct report;

/*
 * How far the journal is, for a daemon that comes after one that was killed. What follows the first
 * two is behind by one record at the most.
 */
struct report_position {
	/* Of the record that was given to the journal last, or is being given: its number, and
	 * OP_RECORD_*, as that of a victim's memory has the number of its OOM's. */
	uint64_t sending_seq, sending_type;
	uint64_t last_seq;    /* of the record of an OOM that was dealt with last */
	uint64_t n_lost_said; /* see report_update_lost() */
};

struct report_callbacks {
	/* A rule of the configuration behind a record, by its index; what is in it is valid
	 * until the next call from here. */
	struct record_rule (*find_rule)(const struct op_oom_record *e, uint32_t rule_index,
					void *userdata);
	/* Called for each OOM after its entry was sent, with a checked record (see
	 * record_decode_oom()) and its text, both valid during the call. May be NULL. */
	void (*oom)(const struct op_oom_record *e, const struct record_text *text, void *userdata);
	/* Whether the journal has an entry with these numbers, and of this kind where it is not
	 * NULL, already: asked for the record that a daemon was killed over. */
	bool (*is_sent)(uint64_t seq, uint64_t ktime_nsec, const char *message_id, void *userdata);
	void *userdata;
};

/* Makes all that is needed while memory is short. Returns 0 and a report that the caller owns, or
 * -ENOMEM. */
int report_new(const struct report_callbacks *callbacks, struct report **ret);

/* Gives the flags of allocations their names; @bits must stay. Until then there are numbers alone.
 */
void report_set_gfp_bits(struct report *r, const struct gfp_bits *bits);

/* Goes on where another daemon was, and keeps @position up to date from here on; it stays the
 * caller's, and must outlive the report or be taken back by NULL. */
void report_set_position(struct report *r, struct report_position *position);

/* Takes NULL; returns NULL. */
struct report *report_free(struct report *r);

/*
 * Takes one record of the ring of OOMs, untrusted as it is, and sends the entry when the record is
 * the last of its OOM. Returns 0, or -EAGAIN where the journal does not take the entry now: it is
 * kept, there must be no other record before report_flush() has returned 0.
 */
int report_apply(struct report *r, const void *data, size_t size);

/* Sends the entry that was kept, if there is one. Returns 0, or -EAGAIN as before. */
int report_flush(struct report *r);

/* Says how many records found the ring full, by @n_lost in all, where that has grown. Returns 0, or
 * -EAGAIN where the journal does not take that now. */
int report_update_lost(struct report *r, uint64_t n_lost);

#endif
