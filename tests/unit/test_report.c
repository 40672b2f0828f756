/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the ring to the journal: what becomes of records while the journal takes none. The journal
 * and the daemon's own log are the test's. */
#include "daemon/record/report.h"

#include <errno.h>

#include "api/messages.h"
#include "daemon/record/record.h"
#include "test.h"
#include "util/basic.h"
#include "util/journal.h"
#include "util/log.h"

static int journal_error; /* what the next entry gets */
static bool on_journal;	  /* whether the log is the journal */
static bool in_journal;	  /* whether it has the record that is asked about */
static unsigned n_asked;
static uint64_t asked_seq, asked_ktime_nsec;
static const char *asked_id;
static unsigned n_tried, n_sent, n_lines, n_told;
static char sent[RECORD_BUFFER_SIZE]; /* the fields of the last entry, a line each */

int journal_send(const struct iovec *fields, size_t n_fields)
{
	size_t used = 0;

	n_tried++;
	if (journal_error < 0)
		return journal_error;
	n_sent++;
	for (size_t i = 0; i < n_fields; i++)
		used += (size_t)snprintf(sent + used, sizeof(sent) - used, "%.*s\n",
					 (int)fields[i].iov_len, (const char *)fields[i].iov_base);
	return 0;
}

bool log_is_journal(void)
{
	return on_journal;
}

int log_message(int level, const char *message_id, const char *format, ...)
{
	(void)level;
	(void)message_id;
	(void)format;
	if (journal_error == -EAGAIN)
		return -EAGAIN;
	n_lines++;
	return 0;
}

static struct record_rule find_rule(const struct op_oom_record *e, uint32_t rule_index,
				    void *userdata)
{
	(void)e;
	(void)rule_index;
	(void)userdata;
	return (struct record_rule){};
}

static void on_oom(const struct op_oom_record *e, const struct record_text *text, void *userdata)
{
	(void)e;
	(void)text;
	(void)userdata;
	n_told++;
}

static bool is_sent(uint64_t seq, uint64_t ktime_nsec, const char *message_id, void *userdata)
{
	(void)userdata;
	n_asked++;
	asked_seq = seq;
	asked_ktime_nsec = ktime_nsec;
	asked_id = message_id;
	return in_journal;
}

static struct report *begin(bool journal)
{
	const struct report_callbacks callbacks = {
		.find_rule = find_rule, .oom = on_oom, .is_sent = is_sent};
	struct report *r = NULL;

	journal_error = 0;
	on_journal = journal;
	n_asked = n_tried = n_sent = n_lines = n_told = 0;
	CHECK_INT(report_new(&callbacks, &r), 0);
	return r;
}

static int apply(struct report *r, uint64_t seq)
{
	static struct op_oom_record e;

	e = (struct op_oom_record){
		.header = {.version = OP_ABI_VERSION,
			   .type = OP_RECORD_OOM,
			   .size = OP_OOM_RECORD_SIZE(0),
			   .seq = seq},
		.decision = OP_DECISION_KILLED,
		.rule_index = OP_RULE_NONE,
		.victim = {.pid = (unsigned)(1000 + seq)},
	};
	return report_apply(r, &e, OP_OOM_RECORD_SIZE(0));
}

static void test_sent_at_once(void)
{
	struct report *r = begin(true);

	CHECK_INT(apply(r, 1), 0);
	CHECK_INT(n_sent, 1);
	CHECK_INT(n_told, 1);
	CHECK_INT(report_flush(r), 0);
	CHECK_INT(n_tried, 1);
	report_free(r);
}

/* The entry is sent later, once, as it would have been, and nobody is told of it before. */
static void test_kept_while_the_journal_is_full(void)
{
	struct report *r = begin(true);

	journal_error = -EAGAIN;
	CHECK_INT(apply(r, 4), -EAGAIN);
	CHECK_INT(report_flush(r), -EAGAIN);
	CHECK_INT(n_tried, 2);
	CHECK_INT(n_told, 0);
	CHECK_INT(n_lines, 0);

	journal_error = 0;
	CHECK_INT(report_flush(r), 0);
	CHECK_INT(n_sent, 1);
	CHECK_INT(n_told, 1);
	CHECK(strstr(sent, "OOMPOLICY_VICTIM_PID=1004\n"));
	CHECK(strstr(sent, "OOMPOLICY_LOST=3\n"));
	CHECK_INT(report_flush(r), 0);
	CHECK_INT(n_sent, 1);

	/* What was lost is said once. */
	CHECK_INT(apply(r, 6), 0);
	CHECK(strstr(sent, "OOMPOLICY_VICTIM_PID=1006\n"));
	CHECK(strstr(sent, "OOMPOLICY_LOST=1\n"));
	report_free(r);
}

static void test_kept_while_the_journal_is_gone(void)
{
	/* The last two where there is no memory for the entry. */
	static const int errors[] = {-ECONNREFUSED, -ENOENT, -ENOMEM, -ENOBUFS};
	struct report *r = begin(true);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		journal_error = errors[i];
		CHECK_INT(apply(r, i + 1), -EAGAIN);
		journal_error = 0;
		CHECK_INT(report_flush(r), 0);
		CHECK_INT(n_sent, i + 1);
	}
	CHECK_INT(n_lines, 0);
	report_free(r);
}

/* Where there never was a journal, as in a container, the message is all there will be. */
static void test_said_where_there_is_no_journal(void)
{
	struct report *r = begin(false);

	journal_error = -ENOENT;
	CHECK_INT(apply(r, 1), 0);
	CHECK_INT(n_lines, 2);
	CHECK_INT(n_told, 1);
	CHECK_INT(report_flush(r), 0);
	CHECK_INT(n_tried, 1);
	report_free(r);
}

/* Nothing better comes of another try. */
static void test_said_where_the_journal_refuses(void)
{
	struct report *r = begin(true);

	journal_error = -EPERM;
	CHECK_INT(apply(r, 1), 0);
	CHECK_INT(n_lines, 2);
	CHECK_INT(report_flush(r), 0);
	CHECK_INT(n_tried, 1);
	report_free(r);
}

/* Bytes that are no record are said and left out, and show as lost with the next one. */
static void test_invalid(void)
{
	static struct op_oom_record e;
	static const size_t sizes[] = {
		0, 1, sizeof(e.header) - 1, sizeof(e.header), sizeof(e) - 1, sizeof(e),
	};
	struct report *r = begin(true);

	CHECK_INT(apply(r, 1), 0);
	/* Cut off, and at the end whole but of another version. */
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		e = (struct op_oom_record){
			.header = {.version = OP_ABI_VERSION + 1,
				   .type = OP_RECORD_OOM,
				   .size = sizeof(e),
				   .seq = 2 + i},
			.decision = OP_DECISION_KILLED,
			.victim = {.pid = 1},
		};
		e.header.version -= sizes[i] < sizeof(e);
		CHECK_INT(report_apply(r, &e, sizes[i]), 0);
		CHECK_INT(n_sent, 1);
		CHECK_INT(n_lines, i + 1);
	}
	CHECK_INT(apply(r, 2 + ARRAY_SIZE(sizes)), 0);
	CHECK_INT(n_sent, 2);
	CHECK(strstr(sent, "OOMPOLICY_LOST=6\n"));
	report_free(r);
}

static void test_loss_is_said_once_and_surely(void)
{
	struct report *r = begin(true);

	CHECK_INT(report_update_lost(r, 0), 0);
	CHECK_INT(n_lines, 0);
	journal_error = -EAGAIN;
	CHECK_INT(report_update_lost(r, 3), -EAGAIN);
	journal_error = 0;
	CHECK_INT(report_update_lost(r, 3), 0);
	CHECK_INT(n_lines, 1);
	CHECK_INT(report_update_lost(r, 3), 0);
	CHECK_INT(n_lines, 1);
	report_free(r);
}

static void test_numbers(void)
{
	CHECK_INT(record_count_lost(0, 1), 0);
	CHECK_INT(record_count_lost(0, 4), 3);
	CHECK_INT(record_count_lost(7, 8), 0);
	CHECK_INT(record_count_lost(7, 10), 2);
	/* Not a number that can come: nothing is made up. */
	CHECK_INT(record_count_lost(7, 7), 0);
	CHECK_INT(record_count_lost(7, 1), 0);
	CHECK_INT(record_count_lost(UINT64_MAX - 1, UINT64_MAX), 0);
}

/* A daemon is killed over record 7, before or after it was sent; the next one asks the journal. */
static void test_goes_on_after_a_kill(void)
{
	for (int had = 0; had <= 1; had++) {
		struct report_position position = {};
		struct report *r = begin(true);

		report_set_position(r, &position);
		CHECK_INT(apply(r, 6), 0);
		CHECK_INT(position.sending_seq, 6);
		CHECK_INT(position.last_seq, 6);
		journal_error = -EAGAIN;
		CHECK_INT(apply(r, 7), -EAGAIN);
		CHECK_INT(position.sending_seq, 7);
		CHECK_INT(position.last_seq, 6);
		CHECK_INT(n_asked, 0);
		report_free(r);

		r = begin(true);
		in_journal = had;
		report_set_position(r, &position);
		CHECK_INT(apply(r, 7), 0);
		CHECK_INT(n_asked, 1);
		CHECK_INT(n_sent, !had);
		CHECK_INT(n_told, !had);
		CHECK_INT(position.last_seq, 7);
		/* One is lost since, which the next entry says. */
		CHECK_INT(apply(r, 9), 0);
		CHECK_INT(n_asked, 1);
		CHECK(strstr(sent, "OOMPOLICY_LOST=1\n"));
		report_free(r);
	}
}

/* The last one was dealt with: nobody has to be asked. */
static void test_goes_on_after_an_end(void)
{
	struct report_position position = {};
	struct report *r = begin(true);

	report_set_position(r, &position);
	CHECK_INT(apply(r, 6), 0);
	CHECK_INT(report_update_lost(r, 2), 0);
	report_free(r);

	r = begin(true);
	report_set_position(r, &position);
	CHECK_INT(apply(r, 7), 0);
	CHECK_INT(n_asked, 0);
	CHECK_INT(n_sent, 1);
	CHECK(strstr(sent, "OOMPOLICY_LOST=0\n"));
	CHECK_INT(report_update_lost(r, 2), 0);
	CHECK_INT(n_lines, 0);
	report_free(r);
}

static int apply_freed(struct report *r, uint64_t seq)
{
	struct op_freed_record e = {
		.header = {.version = OP_ABI_VERSION,
			   .type = OP_RECORD_FREED,
			   .size = sizeof(e),
			   .seq = seq,
			   .ktime_nsec = 9000},
		.oom_ktime_nsec = 5000,
		.killed_nsec = 6000,
		.pid = (unsigned)(1000 + seq),
		.by = OP_FREED_EXIT,
	};

	return report_apply(r, &e, sizeof(e));
}

/* It is no OOM, and has no place in their numbers. */
static void test_memory_that_is_back(void)
{
	struct report_position position = {};
	struct report *r = begin(true);

	report_set_position(r, &position);
	CHECK_INT(apply(r, 6), 0);
	CHECK_INT(apply(r, 7), 0);
	CHECK_INT(apply_freed(r, 7), 0);
	CHECK_INT(apply_freed(r, 6), 0);
	CHECK_INT(n_sent, 4);
	CHECK_INT(n_told, 2);
	CHECK(strstr(sent, "OOMPOLICY_SEQ=6\nOOMPOLICY_KTIME_USEC=5\n"));
	CHECK(strstr(sent, "OOMPOLICY_FREED_USEC=3\n"));
	CHECK_INT(position.last_seq, 7);
	CHECK_INT(apply(r, 8), 0);
	CHECK(strstr(sent, "OOMPOLICY_LOST=0\n"));

	/* Kept, as all others are. */
	journal_error = -EAGAIN;
	CHECK_INT(apply_freed(r, 8), -EAGAIN);
	journal_error = 0;
	CHECK_INT(report_flush(r), 0);
	CHECK(strstr(sent, "OOMPOLICY_VICTIM_PID=1008\n"));
	CHECK_INT(n_sent, 6);
	CHECK_INT(n_told, 3);
	report_free(r);
}

/* A daemon is killed over it: the next one asks for this entry, and not for the record's. */
static void test_memory_goes_on_after_a_kill(void)
{
	for (int had = 0; had <= 1; had++) {
		struct report_position position = {};
		struct report *r = begin(true);

		report_set_position(r, &position);
		CHECK_INT(apply(r, 6), 0);
		journal_error = -EAGAIN;
		CHECK_INT(apply_freed(r, 6), -EAGAIN);
		report_free(r);

		r = begin(true);
		in_journal = had;
		report_set_position(r, &position);
		CHECK_INT(apply_freed(r, 6), 0);
		CHECK_INT(n_asked, 1);
		CHECK_INT(asked_seq, 6);
		CHECK_INT(asked_ktime_nsec, 5000);
		CHECK_STR(asked_id, MESSAGE_ID_FREED);
		CHECK_INT(n_sent, !had);
		CHECK_INT(apply(r, 7), 0);
		CHECK_INT(n_asked, 1);
		CHECK(strstr(sent, "OOMPOLICY_LOST=0\n"));
		report_free(r);
	}
}

static const struct test_case cases[] = {
	TEST_CASE(loss_is_said_once_and_surely),
	TEST_CASE(numbers),
	TEST_CASE(sent_at_once),
	TEST_CASE(kept_while_the_journal_is_full),
	TEST_CASE(kept_while_the_journal_is_gone),
	TEST_CASE(said_where_there_is_no_journal),
	TEST_CASE(said_where_the_journal_refuses),
	TEST_CASE(invalid),
	TEST_CASE(goes_on_after_a_kill),
	TEST_CASE(goes_on_after_an_end),
	TEST_CASE(memory_that_is_back),
	TEST_CASE(memory_goes_on_after_a_kill),
};

TEST_MAIN(cases)
