/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's side of the log. Owns nothing; decides no text and no field, which are record.c's
 * and log.c's. Each send is one datagram without an allocation of ours, as it must work while the
 * machine is out of memory.
 */
#include "journal.h"

/* Where in our source a record was sent from says nothing about the OOM. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "config/basic.h"
#include "record.h"

int journal_send_record(const struct record_text *text)
{
	return sd_journal_sendv(text->fields, (int)text->n_fields);
}

int journal_send_line(int priority, const char *message_id, const char *line,
		      const char *const *fields, size_t n_fields)
{
	char priority_field[] = "PRIORITY=0", id_field[64];
	char message_field[8 + 2048] = "MESSAGE=";
	struct iovec sent[3 + JOURNAL_LINE_FIELDS_MAX];
	size_t n_sent = 0, length;

	if (n_fields > JOURNAL_LINE_FIELDS_MAX)
		return -E2BIG;

	length = strnlen(line, sizeof(message_field) - 8);
	memcpy(message_field + 8, line, length);
	sent[n_sent++] = (struct iovec){message_field, 8 + length};

	priority_field[sizeof(priority_field) - 2] = (char)('0' + (priority & 7));
	sent[n_sent++] = (struct iovec){priority_field, sizeof(priority_field) - 1};

	if (message_id) {
		int n = snprintf(id_field, sizeof(id_field), "MESSAGE_ID=%s", message_id);

		if (n < 0 || (size_t)n >= sizeof(id_field))
			return -EINVAL;
		sent[n_sent++] = (struct iovec){id_field, (size_t)n};
	}

	for (size_t i = 0; i < n_fields; i++)
		sent[n_sent++] = (struct iovec){(char *)fields[i], strlen(fields[i])};

	return sd_journal_sendv(sent, (int)n_sent);
}
