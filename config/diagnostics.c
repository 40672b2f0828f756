/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the messages until diagnostics_done(). Does not know where they go. Invariant: every kept
 * message is one printable line, whatever bytes were in the file that it quotes.
 */
#include "config/diagnostics.h"

#include "util/escape.h"
#include "util/format.h"
#include "util/grow.h"

#include <stdarg.h>
#include <string.h>

void diagnostics_done(struct diagnostics *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_items; i++)
		free(d->items[i].message);
	free(d->items);
	*d = (struct diagnostics){};
}

static int add(struct diagnostics *d, enum diagnostic_level level, const char *file, unsigned line,
	       const char *format, va_list args)
{
	_cleanup_free_ char *text = format_string_va(format, args), *full = NULL;
	char *message;

	if (!text)
		return -ENOMEM;
	full = line > 0 ? format_string("%s:%u: %s", file, line, text)
			: format_string("%s: %s", file, text);
	if (!full)
		return -ENOMEM;
	message = escape_printable(full, strlen(full));
	if (!message)
		return -ENOMEM;
	if (GROW(d->items, d->n_items) < 0) {
		free(message);
		return -ENOMEM;
	}
	d->items[d->n_items++] = (struct diagnostic){.level = level, .message = message};
	return 0;
}

void diagnostics_add(struct diagnostics *d, enum diagnostic_level level, const char *file,
		     unsigned line, const char *format, ...)
{
	size_t *n = level == DIAGNOSTIC_ERROR ? &d->n_errors : &d->n_warnings;
	va_list args;

	if ((*n)++ >= DIAGNOSTICS_MAX)
		return;

	va_start(args, format);
	if (add(d, level, file, line, format, args) < 0)
		d->out_of_memory = true;
	va_end(args);
}

void diagnostics_print(const struct diagnostics *d, FILE *out)
{
	for (size_t i = 0; i < d->n_items; i++)
		fprintf(out, "%s%s\n", d->items[i].message,
			d->items[i].level == DIAGNOSTIC_WARNING ? " (warning)" : "");
}
