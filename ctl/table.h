/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows and columns for people. */
#ifndef OP_TABLE_H
#define OP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "term.h"

#define TABLE_COLUMNS_MAX 12

struct table_column {
	const char *title;
	bool align_right;
	bool flexible;	/* gives way where the terminal is too narrow */
	bool cut_start; /* the end of a cell tells more than its beginning */
};

struct table;

/* Makes an empty table. @columns must outlive it. */
int table_new(const struct table_column *columns, size_t n_columns, struct table **ret);
struct table *table_free(struct table *t);

/* Adds a row: a copy of each of the @n_columns cells, which are printable UTF-8, in a colour.
 * Returns 0 or -ENOMEM. */
int table_add(struct table *t, const char *const *cells, enum term_colour colour);

/* Writes it, each line after @indent spaces. The last column is not padded. */
void table_print(const struct table *t, const struct term *term, size_t indent);

static inline void table_freep(struct table **t)
{
	table_free(*t);
}

#endif
