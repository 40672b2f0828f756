/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of an INI text: sections and assignments, with their line numbers. Knows no section and
 * no key by name. The only module that knows inih.
 */
#ifndef OP_READER_H
#define OP_READER_H

#include <stdbool.h>
#include <stddef.h>

struct diagnostics;

/* A text of a file in a message is cut here, bytes. */
#define QUOTE_MAX 64

struct quote {
	char text[QUOTE_MAX + sizeof("...")];
};

/*
 * A text of the file, short enough for a message. diagnostics_add() makes it printable: a
 * character that is cut in the middle becomes \xHH there.
 */
struct quote quote(const char *text);

/* Each returns 0, or a negative errno that ends the reading. The texts live until it returns. */
struct reader_handlers {
	/* [KIND NAME] or [KIND], with an empty @name. */
	int (*section)(void *userdata, unsigned line, const char *kind, const char *name);
	int (*assignment)(void *userdata, unsigned line, const char *key, const char *value);
	/* A line was refused and reported. @header: it would have begun a section. */
	int (*damage)(void *userdata, unsigned line, bool header);
};

/*
 * Reads @size bytes of @text and calls the handlers in the order of its lines. What is no line of
 * such a file is reported to @diag as an error in @file. Returns 0, also after such errors;
 * -ENOMEM; or what a handler returned.
 */
int reader_read(const char *file, const char *text, size_t size, struct diagnostics *diag,
		const struct reader_handlers *handlers, void *userdata);

#endif
