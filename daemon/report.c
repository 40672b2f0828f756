/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what it takes to log an OOM: the checked record, its group's members, the text, and the
 * count of what is missing. Refuses to know where records come from and what a rule is.
 *
 * Invariant: every record is logged, or counted as lost in the next entry. Nothing is allocated
 * after report_new().
 */
#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "config/basic.h"
#include "journal.h"
#include "log.h"
#include "messages.h"
#include "record.h"

struct report {
	struct report_callbacks callbacks;
	uint64_t page_size_bytes;
	uint64_t last_seq;
	uint64_t n_lost;	 /* since the last record that was logged */
	uint64_t n_lost_in_ring; /* as said last */

	struct op_oom_event oom;
	struct op_member_event member;
	struct record_members members;
	struct record_text text;
};

int report_new(const struct report_callbacks *callbacks, struct report **ret)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->callbacks = *callbacks;
	r->page_size_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	*ret = r;
	return 0;
}

struct report *report_free(struct report *r)
{
	free(r);
	return NULL;
}

static void log_oom(struct report *r)
{
	struct record_context context = {
		.rule_name = r->callbacks.rule_name(&r->oom, r->callbacks.userdata),
		.n_lost = r->n_lost,
		.page_size_bytes = r->page_size_bytes,
		.members = &r->members,
	};
	int error;

	r->n_lost = 0;

	record_format(&r->oom, &context, &r->text);
	error = journal_send_record(&r->text);
	if (error < 0)
		log_warning("Cannot send a record to the journal: %s. Its message follows.",
			    strerror(-error));
	if (error < 0 || !log_is_journal())
		log_message(r->text.priority, r->text.message_id, "%s", r->text.message);
	if (r->callbacks.oom)
		r->callbacks.oom(&r->oom, r->callbacks.userdata);
}

static void count_lost(struct report *r, uint64_t seq)
{
	r->n_lost += record_count_lost(r->last_seq, seq);
	r->last_seq = seq;
}

void report_apply(struct report *r, const void *data, size_t size)
{
	if (record_type(data, size) == OP_EVENT_MEMBER &&
	    record_decode_member(data, size, &r->member) == 0) {
		count_lost(r, r->member.header.seq);
		record_members_add(&r->members, &r->member, r->page_size_bytes);
	} else if (record_decode_oom(data, size, &r->oom) == 0) {
		count_lost(r, r->oom.header.seq);
		log_oom(r);
	} else
		log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
			    "A record of an OOM is not valid (%zu bytes), ignoring it.", size);
}

void report_update_lost(struct report *r, uint64_t n_lost)
{
	/* Said now: the gap in the numbers shows only with the next OOM. */
	if (n_lost > r->n_lost_in_ring)
		log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
			    "%" PRIu64 " records of OOMs were lost, as they came faster than they "
			    "could be logged.",
			    n_lost - r->n_lost_in_ring);
	r->n_lost_in_ring = n_lost;
}
