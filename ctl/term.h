/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the output goes: a terminal, with a pager and colours, or a pipe, with neither. */
#ifndef OP_TERM_H
#define OP_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum term_colour {
	COLOUR_NONE,
	COLOUR_BOLD,
	COLOUR_DIM,
	COLOUR_RED,
	COLOUR_GREEN,
	COLOUR_YELLOW,
	_COLOUR_MAX,
};

/* Facts about standard output. Plain data, which tests make up. */
struct term {
	FILE *out;
	size_t width; /* columns; 0: as wide as it takes */
	bool colours;
	bool utf8;
	bool legend; /* headings and closing lines are wanted */
	pid_t pager; /* 0: none */
};

/*
 * Looks at standard output and the environment (NO_COLOR, TERM, COLUMNS, LANG), and starts $PAGER
 * or less(1) on a terminal if @use_pager. A pager that cannot be started is no error.
 */
void term_init(struct term *t, bool use_pager, bool legend);

/* Flushes, and waits for the pager. Returns 0, or -EIO when something could not be written. */
int term_done(struct term *t);

/* The sequence that begins a colour, or ends them all for COLOUR_NONE; "" without colours. */
const char *term_colour(const struct term *t, enum term_colour colour);

/* Columns that the UTF-8 @text takes. */
size_t term_width(const char *text);

/* Bytes of @text that fit into @columns. */
size_t term_fit(const char *text, size_t columns);

/* Of the end of @text: the first byte of the longest tail that fits. */
size_t term_fit_tail(const char *text, size_t columns);

enum term_cell {
	CELL_RIGHT = 1 << 0,	 /* aligned there */
	CELL_CUT_START = 1 << 1, /* the beginning gives way instead of the end */
	CELL_LAST = 1 << 2,	 /* of its line: no blanks after it */
};

/* Writes @text in exactly @columns, cut with an ellipsis or padded; 0 columns: as it is. @flags are
 * of enum term_cell. */
void term_print_cell(const struct term *t, const char *text, size_t columns, unsigned flags);

/*
 * Writes "name: text" with the name aligned to the right of @name_width columns. The text goes on
 * in lines that begin under it; it breaks where a blank is, or anywhere if there is none.
 */
void term_print_wrapped(const struct term *t, size_t name_width, const char *name,
			const char *text);

#endif
