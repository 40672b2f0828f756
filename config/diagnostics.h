/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Collects what is wrong with a configuration, so that all errors are reported and not the first.
 * The collector formats and keeps messages; it prints nothing, and the untrusted bytes in them are
 * escaped when they come in.
 */
#ifndef OP_DIAGNOSTICS_H
#define OP_DIAGNOSTICS_H

#include "util/basic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Of each level; later messages are counted, not kept: a binary file given by mistake must not
 * fill the log, nor warnings push out an error. */
#define DIAGNOSTICS_MAX 100

enum diagnostic_level {
	DIAGNOSTIC_WARNING, /* the configuration works, but hardly as meant */
	DIAGNOSTIC_ERROR,   /* the configuration is refused */
};

struct diagnostic {
	enum diagnostic_level level;
	char *message; /* "file:line: ..." , one line, printable */
};

struct diagnostics {
	struct diagnostic *items;
	size_t n_items;
	size_t n_errors;    /* all of them, those not kept too */
	size_t n_warnings;  /* likewise */
	bool out_of_memory; /* a message was lost: treat it as an error */
};

void diagnostics_done(struct diagnostics *d);

/* Adds "file:line: message", or "file: message" when @line is 0. Escapes every byte that is not
 * printable UTF-8. */
void diagnostics_add(struct diagnostics *d, enum diagnostic_level level, const char *file,
		     unsigned line, const char *format, ...) _printf_(5, 6);

/* Writes a line for each message, and says which are warnings. */
void diagnostics_print(const struct diagnostics *d, FILE *out);

#endif
