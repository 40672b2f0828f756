/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's own log lines. Levels are those of syslog(3). */
#ifndef OP_LOG_H
#define OP_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

#include "basic.h"

/*
 * Reads JOURNAL_STREAM (is standard error the journal already?) and OOMPOLICYD_LOG_LEVEL (a level
 * by name or number; default info). Without it everything up to LOG_INFO goes to standard error.
 */
void log_init(void);

/* Whether standard error is the journal, so that entries can go there with their fields. */
bool log_is_journal(void);

/* Whether a line of this level would be written: for texts that cost something to make. */
bool log_enabled(int level);

/* Writes one line. @message_id may be NULL. Keeps errno. Returns 0, or -EAGAIN where the journal
 * does not take it now, and it is dropped. */
int log_message(int level, const char *message_id, const char *format, ...) _printf_(3, 4);

/* Likewise, with @n_fields more journal fields, each "NAME=value", at most JOURNAL_LINE_FIELDS_MAX.
 */
void log_fields(int level, const char *message_id, const char *const *fields, size_t n_fields,
		const char *format, ...) _printf_(5, 6);

#define log_error(...) log_message(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...) log_message(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, NULL, __VA_ARGS__)

#endif
