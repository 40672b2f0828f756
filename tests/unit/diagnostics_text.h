/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages about a configuration, to be compared as one text. */
#ifndef OP_DIAGNOSTICS_TEXT_H
#define OP_DIAGNOSTICS_TEXT_H

#include "config/diagnostics.h"
#include "test.h"

/* All messages, a line each. The caller frees it. */
static inline char *diagnostics_text(const struct diagnostics *diag)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f);
	for (size_t i = 0; i < diag->n_items; i++)
		fprintf(f, "%s\n", diag->items[i].message);
	fclose(f);
	return text;
}

#endif
