/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns copies of all cells until they are printed, as the widest decides. Knows no meaning. */
#include "table.h"

#include <stdint.h>
#include <string.h>

#include "util/basic.h"
#include "util/grow.h"

/* A flexible column is never made narrower. */
#define NARROWEST 8

struct row {
	enum term_colour colour;
	char *cells[TABLE_COLUMNS_MAX];
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	struct row *rows;
	size_t n_rows;
};

int table_new(const struct table_column *columns, size_t n_columns, struct table **ret)
{
	struct table *t;

	if (n_columns == 0 || n_columns > TABLE_COLUMNS_MAX)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->columns = columns;
	t->n_columns = n_columns;
	*ret = t;
	return 0;
}

struct table *table_free(struct table *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_rows; i++)
		for (size_t j = 0; j < t->n_columns; j++)
			free(t->rows[i].cells[j]);
	free(t->rows);
	free(t);
	return NULL;
}

int table_add(struct table *t, const char *const *cells, enum term_colour colour)
{
	struct row *row;

	if (GROW(t->rows, t->n_rows) < 0)
		return -ENOMEM;
	row = &t->rows[t->n_rows++];
	*row = (struct row){.colour = colour};
	for (size_t i = 0; i < t->n_columns; i++) {
		row->cells[i] = strdup(cells[i]);
		if (!row->cells[i])
			return -ENOMEM;
	}
	return 0;
}

/* As wide as the widest cell; then the widest flexible column gives way until all fits. */
static void find_widths(const struct table *t, const struct term *term, size_t indent,
			size_t widths[static TABLE_COLUMNS_MAX])
{
	size_t total = indent + t->n_columns - 1;

	for (size_t i = 0; i < t->n_columns; i++) {
		widths[i] = term->legend ? term_width(t->columns[i].title) : 0;
		for (size_t j = 0; j < t->n_rows; j++) {
			size_t width = term_width(t->rows[j].cells[i]);

			if (width > widths[i])
				widths[i] = width;
		}
		total += widths[i];
	}
	for (; term->width > 0 && total > term->width; total--) {
		size_t widest = SIZE_MAX;

		for (size_t i = 0; i < t->n_columns; i++)
			if (t->columns[i].flexible && widths[i] > NARROWEST &&
			    (widest == SIZE_MAX || widths[i] > widths[widest]))
				widest = i;
		if (widest == SIZE_MAX)
			return;
		widths[widest]--;
	}
}

static void print_row(const struct table *t, const struct term *term, size_t indent,
		      const size_t *widths, const char *const *cells, enum term_colour colour)
{
	const char *begin = colour == COLOUR_NONE ? "" : term_colour(term, colour);
	const char *end = colour == COLOUR_NONE ? "" : term_colour(term, COLOUR_NONE);

	fprintf(term->out, "%*s%s", (int)indent, "", begin);
	for (size_t i = 0; i < t->n_columns; i++) {
		if (i > 0)
			fputc(' ', term->out);
		term_print_cell(term, cells[i], widths[i],
				(t->columns[i].align_right ? CELL_RIGHT : 0) |
					(t->columns[i].cut_start ? CELL_CUT_START : 0) |
					(i + 1 == t->n_columns ? CELL_LAST : 0));
	}
	fprintf(term->out, "%s\n", end);
}

void table_print(const struct table *t, const struct term *term, size_t indent)
{
	size_t widths[TABLE_COLUMNS_MAX];

	find_widths(t, term, indent, widths);
	if (term->legend) {
		const char *titles[TABLE_COLUMNS_MAX];

		for (size_t i = 0; i < t->n_columns; i++)
			titles[i] = t->columns[i].title;
		print_row(t, term, indent, widths, titles, COLOUR_BOLD);
	}
	for (size_t i = 0; i < t->n_rows; i++)
		print_row(t, term, indent, widths, (const char *const *)t->rows[i].cells,
			  t->rows[i].colour);
}
