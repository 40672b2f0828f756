/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the daemon's own lines go: to the journal with their MESSAGE_ID when standard error is the
 * journal, otherwise to standard error as plain text. Allocates nothing, and never fails its
 * caller: a line that cannot be written is dropped, and so is one that the journal would have to be
 * waited for.
 */
#include "log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "journal.h"

#define LINE_SIZE 2048

static int max_level = LOG_INFO;
static bool to_journal;

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream that is the journal. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) >= 0 && st.st_dev == device && st.st_ino == inode;
}

void log_init(void)
{
	static const char *const names[] = {
		[LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",	  [LOG_CRIT] = "crit",
		[LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
		[LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
	};
	static_assert(ARRAY_SIZE(names) == LOG_DEBUG + 1, "a name for each level");
	const char *level = getenv("OOMPOLICYD_LOG_LEVEL");

	to_journal = stderr_is_journal();
	if (!level)
		return;
	for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
		if (strcmp(level, names[i]) == 0 || (level[0] == '0' + i && !level[1])) {
			max_level = i;
			return;
		}
	log_warning("OOMPOLICYD_LOG_LEVEL is not a level of syslog(3), ignoring.");
}

bool log_is_journal(void)
{
	return to_journal;
}

bool log_enabled(int level)
{
	return level <= max_level;
}

static int log_va(int level, const char *message_id, const char *const *fields, size_t n_fields,
		  const char *format, va_list ap) _printf_(5, 0);

static int log_va(int level, const char *message_id, const char *const *fields, size_t n_fields,
		  const char *format, va_list ap)
{
	char line[LINE_SIZE];
	int saved = errno, r = 0;

	if (!log_enabled(level))
		return 0;

	vsnprintf(line, sizeof(line), format, ap);
	if (to_journal)
		r = journal_send_line(level, message_id, line, fields, n_fields);
	if (!to_journal)
		fprintf(stderr, "%s\n", line);
	else if (r < 0 && r != -EAGAIN)
		/* The stream may still work where the socket does not; "<N>" is its priority. */
		fprintf(stderr, "<%d>%s\n", level & 7, line);
	errno = saved;
	return r == -EAGAIN ? r : 0;
}

int log_message(int level, const char *message_id, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = log_va(level, message_id, NULL, 0, format, ap);
	va_end(ap);
	return r;
}

void log_fields(int level, const char *message_id, const char *const *fields, size_t n_fields,
		const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_va(level, message_id, fields, n_fields, format, ap);
	va_end(ap);
}
