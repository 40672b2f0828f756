/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What journald was sent it may not have written yet, and it gives no answer. But it takes entries
 * in the order in which they came: once it has one of ours that was sent just now, it has all
 * before it.
 */
#include "journal-find.h"

#include <inttypes.h>
#include <string.h>

#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>

#include "api/fields.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/journal.h"
#include "util/log.h"

#define WAIT_USEC 2000000

static void journal_closep(sd_journal **j)
{
	sd_journal_close(*j);
}

/* Whether there is an entry that matches all of @matches. */
static bool has_entry(sd_journal *j, const char *const *matches, size_t n_matches)
{
	sd_journal_flush_matches(j);
	for (size_t i = 0; i < n_matches; i++)
		if (sd_journal_add_match(j, matches[i], 0) < 0)
			return false;
	return sd_journal_seek_tail(j) >= 0 && sd_journal_previous(j) > 0;
}

bool journal_find_record(uint64_t seq, uint64_t ktime_usec, const char *message_id)
{
	char mark[64], seq_field[64], ktime_field[64], boot[64] = "_BOOT_ID=", id_field[64];
	const char *const marks[] = {mark};
	const char *const record[] = {seq_field, ktime_field, boot, id_field};
	_cleanup_(journal_closep) sd_journal *j = NULL;
	uint64_t end = clock_now_usec() + WAIT_USEC, now;
	sd_id128_t id;

	if (sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) < 0 || sd_id128_get_boot(&id) < 0)
		return false;
	sd_id128_to_string(id, boot + strlen(boot));
	snprintf(mark, sizeof(mark), "%s=%" PRIu64 "-%d", field_name(FIELD_MARK), clock_now_usec(),
		 getpid());
	snprintf(seq_field, sizeof(seq_field), "%s=%" PRIu64, field_name(FIELD_SEQ), seq);
	snprintf(ktime_field, sizeof(ktime_field), "%s=%" PRIu64, field_name(FIELD_KTIME_USEC),
		 ktime_usec);
	snprintf(id_field, sizeof(id_field), "MESSAGE_ID=%s", message_id ?: "");

	/* Begins to watch, so that no change is missed from here on. */
	(void)sd_journal_get_fd(j);
	if (journal_send_line(LOG_INFO, NULL,
			      "Looking whether the last record of the daemon before was written.",
			      marks, ARRAY_SIZE(marks)) < 0)
		return false;
	while (!has_entry(j, marks, ARRAY_SIZE(marks))) {
		now = clock_now_usec();
		if (now >= end || sd_journal_wait(j, end - now) < 0)
			break;
	}
	return has_entry(j, record, ARRAY_SIZE(record) - !message_id);
}
