/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the journal that is read. Believes only entries that root wrote, by fields that journald
 * adds itself: anybody can send an entry with our fields in it.
 */
#include "journal-reader.h"

#include <string.h>

#include <systemd/sd-journal.h>

#include "api/fields.h"
#include "api/messages.h"
#include "entry.h"
#include "util/basic.h"
#include "util/format.h"

static void journalp(sd_journal **j)
{
	sd_journal_close(*j);
}

static int open_journal(const char *directory, sd_journal **ret)
{
	_cleanup_(journalp) sd_journal *j = NULL;
	int r;

	r = directory ? sd_journal_open_directory(&j, directory, 0)
		      : sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
	if (r >= 0)
		r = sd_journal_add_match(j, "_UID=0", 0);
	if (r >= 0)
		r = sd_journal_add_match(j, "SYSLOG_IDENTIFIER=oompolicyd", 0);
	/* Whole values: a list of members is long. */
	if (r >= 0)
		r = sd_journal_set_data_threshold(j, 0);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(j);
	return 0;
}

/* Reads the entry that the journal is at. */
static int read_entry(sd_journal *j, struct entry *ret)
{
	struct entry e = {};
	const void *data;
	size_t size;
	int r;

	r = sd_journal_get_realtime_usec(j, &e.real_usec);
	sd_journal_restart_data(j);
	while (r >= 0 && (r = sd_journal_enumerate_available_data(j, &data, &size)) > 0)
		r = entry_add(&e, data, size);
	if (r < 0) {
		entry_done(&e);
		return r;
	}
	*ret = e;
	return 0;
}

/* Passes the entry that the journal is at, if it is wanted. Returns 1 if it was, or an error. */
static int pass_entry(sd_journal *j, const struct entry_filter *filter,
		      journal_reader_visit_t visit, void *userdata)
{
	struct entry e;
	int r;

	r = read_entry(j, &e);
	/* A damaged file costs its entries, not the others. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = 0;
	if (entry_matches(&e, filter)) {
		r = visit(&e, userdata);
		r = r < 0 ? r : 1;
	}
	entry_done(&e);
	return r;
}

static int visit_nothing(struct entry *e _unused_, void *userdata _unused_)
{
	return 0;
}

/*
 * Goes to before the entry where the reading begins. Returns 1 when there is an entry there
 * already, which sd_journal_next() would leave out; 0 when not.
 */
static int seek_start(sd_journal *j, const struct entry_filter *filter, size_t n_last)
{
	size_t n = 0;
	int r;

	if (n_last == SIZE_MAX)
		return filter->since_usec ? sd_journal_seek_realtime_usec(j, filter->since_usec)
					  : sd_journal_seek_head(j);
	r = filter->until_usec ? sd_journal_seek_realtime_usec(j, filter->until_usec + 1)
			       : sd_journal_seek_tail(j);
	if (r < 0 || n_last == 0)
		return r;
	while ((r = sd_journal_previous(j)) > 0) {
		uint64_t usec;

		r = sd_journal_get_realtime_usec(j, &usec);
		if (r >= 0 && usec < filter->since_usec)
			return 0;
		r = pass_entry(j, filter, visit_nothing, NULL);
		if (r < 0)
			return r;
		n += (size_t)r;
		if (n == n_last)
			return 1;
	}
	return r < 0 ? r : sd_journal_seek_head(j);
}

int journal_reader_read(const char *directory, const struct entry_filter *filter, size_t n_last,
			bool follow, journal_reader_visit_t visit, void *userdata)
{
	_cleanup_(journalp) sd_journal *j = NULL;
	int r, n = 0;

	r = open_journal(directory, &j);
	if (r < 0)
		return r;
	r = seek_start(j, filter, n_last);
	if (r < 0)
		return r;
	/* At the end, where nothing is to be shown, the last entry must not be either. */
	if (n_last == 0)
		(void)sd_journal_previous(j);
	for (bool there = r > 0;; there = false) {
		uint64_t usec;

		r = there ? 1 : sd_journal_next(j);
		if (r < 0)
			return r;
		if (r == 0 && !follow)
			return n;
		if (r == 0) {
			r = sd_journal_wait(j, UINT64_MAX);
			if (r < 0)
				return r;
			continue;
		}
		if (!follow && filter->until_usec && sd_journal_get_realtime_usec(j, &usec) >= 0 &&
		    usec > filter->until_usec)
			return n;
		r = pass_entry(j, filter, visit, userdata);
		if (r < 0)
			return r;
		n += r;
	}
}

int journal_reader_find(const char *directory, uint64_t real_usec, struct entry *ret)
{
	static const struct entry_filter any = {};
	_cleanup_(journalp) sd_journal *j = NULL;
	int r;

	r = open_journal(directory, &j);
	if (r >= 0)
		r = sd_journal_seek_realtime_usec(j, real_usec);
	while (r >= 0 && (r = sd_journal_next(j)) > 0) {
		struct entry e;

		r = read_entry(j, &e);
		if (r < 0)
			return r;
		if (e.real_usec > real_usec) {
			entry_done(&e);
			break;
		}
		if (e.real_usec == real_usec && entry_matches(&e, &any)) {
			*ret = e;
			return 0;
		}
		entry_done(&e);
	}
	return r < 0 ? r : -ENOENT;
}

int journal_reader_add_freed(const char *directory, struct entry *e)
{
	const char *const keys[] = {field_name(FIELD_SEQ), field_name(FIELD_KTIME_USEC),
				    "_BOOT_ID"};
	static const enum field added[] = {FIELD_FREED_USEC, FIELD_FREED_BY, FIELD_LEFT_BYTES};
	_cleanup_(journalp) sd_journal *j = NULL;
	int r;

	r = open_journal(directory, &j);
	if (r >= 0)
		r = sd_journal_add_match(j, "MESSAGE_ID=" MESSAGE_ID_FREED, 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys) && r >= 0; i++) {
		const char *value = entry_get(e, keys[i]);
		_cleanup_free_ char *match = NULL;

		if (!value)
			return 0;
		match = format_string("%s=%s", keys[i], value);
		if (!match)
			return -ENOMEM;
		r = sd_journal_add_match(j, match, 0);
	}
	if (r >= 0)
		r = sd_journal_seek_tail(j);
	if (r >= 0)
		r = sd_journal_previous(j);
	for (size_t i = 0; i < ARRAY_SIZE(added) && r > 0; i++) {
		const void *data;
		size_t size;

		if (sd_journal_get_data(j, field_name(added[i]), &data, &size) < 0)
			continue;
		if (entry_add(e, data, size) < 0)
			return -ENOMEM;
	}
	return r < 0 ? r : 0;
}
