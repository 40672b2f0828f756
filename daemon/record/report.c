/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what it takes to log an OOM: the checked record, its group's members, the text, and the
 * count of what is missing. Refuses to know where records come from and what a rule is.
 *
 * Invariant: every record is logged, or counted as lost in the next entry. A journal that does not
 * take an entry is not waited for: the entry is kept, and with it all that are behind it in the
 * ring. Nothing is allocated after report_new().
 */
#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "api/messages.h"
#include "record.h"
#include "util/basic.h"
#include "util/journal.h"
#include "util/log.h"

struct report {
	struct report_callbacks callbacks;
	const struct gfp_bits *gfp_bits;
	uint64_t page_size_bytes;
	struct report_position *position;
	struct report_position own; /* where nobody comes after us */
	uint64_t last_seq;
	/* a daemon before us may have sent that record, or not; 0: none */
	uint64_t doubtful_seq, doubtful_type;
	uint64_t n_lost; /* since the last record that was logged */
	bool waiting;	 /* the entry in text is not sent yet */
	bool is_oom;	 /* that entry is an OOM's */

	struct op_oom_record oom;
	struct op_freed_record freed;
	struct op_member_record member;
	struct record_members members;
	struct record_text text;
};

int report_new(const struct report_callbacks *callbacks, struct report **ret)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->callbacks = *callbacks;
	r->position = &r->own;
	r->page_size_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	*ret = r;
	return 0;
}

void report_set_gfp_bits(struct report *r, const struct gfp_bits *bits)
{
	r->gfp_bits = bits;
}

void report_set_position(struct report *r, struct report_position *position)
{
	r->position = position ?: &r->own;
	r->doubtful_seq = r->position->sending_seq;
	r->doubtful_type = r->position->sending_type;
	r->last_seq = r->position->last_seq;
}

struct report *report_free(struct report *r)
{
	free(r);
	return NULL;
}

/* Whether the journal will take the entry later: its queue is full, it is just not there, or there
 * is no memory for the entry, as the kernel charges it to the daemon's own cgroup. */
static bool is_temporary(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -ENOBUFS ||
	       ((error == -ECONNREFUSED || error == -ENOENT) && log_is_journal());
}

int report_flush(struct report *r)
{
	int error;

	if (!r->waiting)
		return 0;
	error = journal_send(r->text.fields, r->text.n_fields);
	if (is_temporary(error))
		return -EAGAIN;
	r->waiting = false;
	if (r->is_oom)
		r->position->last_seq = r->last_seq;
	if (error < 0)
		log_warning("Cannot send a record to the journal: %s. Its message follows.",
			    strerror(-error));
	if (error < 0 || !log_is_journal())
		log_message(r->text.priority, r->text.message_id, "%s", r->text.message);
	if (r->is_oom && r->callbacks.oom)
		r->callbacks.oom(&r->oom, &r->text, r->callbacks.userdata);
	return 0;
}

/*
 * Whether it was sent by a daemon before us; if not, it is ours to send. A kill cannot come between
 * the journal's taking the entry and our saying so: it is said before, and the next daemon looks.
 */
static bool was_sent(struct report *r, const struct op_record_header *header, uint64_t ktime_nsec,
		     const char *message_id)
{
	if (r->doubtful_seq == header->seq && r->doubtful_type == header->type &&
	    r->callbacks.is_sent(header->seq, ktime_nsec, message_id, r->callbacks.userdata))
		return true;
	r->doubtful_seq = 0;
	r->position->sending_type = header->type;
	r->position->sending_seq = header->seq;
	return false;
}

static int log_oom(struct report *r)
{
	struct record_context context = {
		.rule = r->callbacks.find_rule(&r->oom, r->oom.rule_index, r->callbacks.userdata),
		.gfp_bits = r->gfp_bits,
		.n_lost = r->n_lost,
		.page_size_bytes = r->page_size_bytes,
		.members = &r->members,
	};

	if (was_sent(r, &r->oom.header, r->oom.header.ktime_nsec, NULL)) {
		r->position->last_seq = r->last_seq;
		return 0;
	}
	for (uint32_t i = 0; i < r->oom.n_runners; i++)
		context.runner_rules[i] = r->callbacks
						  .find_rule(&r->oom, r->oom.runners[i].rule_index,
							     r->callbacks.userdata)
						  .name;
	r->n_lost = 0;
	record_format(&r->oom, &context, &r->text);
	r->is_oom = r->waiting = true;
	return report_flush(r);
}

static int log_freed(struct report *r)
{
	if (was_sent(r, &r->freed.header, r->freed.oom_ktime_nsec, MESSAGE_ID_FREED))
		return 0;
	record_format_freed(&r->freed, r->page_size_bytes, &r->text);
	r->is_oom = false;
	r->waiting = true;
	return report_flush(r);
}

static void count_lost(struct report *r, uint64_t seq)
{
	r->n_lost += record_count_lost(r->last_seq, seq);
	r->last_seq = seq;
}

int report_apply(struct report *r, const void *data, size_t size)
{
	if (record_type(data, size) == OP_RECORD_MEMBER &&
	    record_decode_member(data, size, &r->member) == 0) {
		count_lost(r, r->member.header.seq);
		record_members_add(&r->members, &r->member, r->page_size_bytes);
	} else if (record_decode_oom(data, size, &r->oom) == 0) {
		count_lost(r, r->oom.header.seq);
		return log_oom(r);
	} else if (record_decode_freed(data, size, &r->freed) == 0) {
		return log_freed(r);
	} else
		log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
			    "A record of an OOM is not valid (%zu bytes), ignoring it.", size);
	return 0;
}

int report_update_lost(struct report *r, uint64_t n_lost)
{
	int error = 0;

	/* Said now: the gap in the numbers shows only with the next OOM. */
	if (n_lost > r->position->n_lost_said)
		error = log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
				    "%" PRIu64 " records of OOMs were lost, as they came faster "
				    "than they could be logged.",
				    n_lost - r->position->n_lost_said);
	if (error < 0)
		return error;
	r->position->n_lost_said = n_lost;
	return 0;
}
