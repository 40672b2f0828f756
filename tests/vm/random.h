/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random victim tables. The same seed and number give the same table on every machine. Tables
 * whose outcome would hang on a few pages are not made; none that is made is ever left out.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include "model.h"
#include "table.h"

#define RANDOM_PATH_MAX 128

struct random_table {
	struct scenario scenario;
	char name[32];
	char domain[RANDOM_PATH_MAX];
	char paths[SCENARIO_ROWS_MAX][RANDOM_PATH_MAX];
	struct model_verdict verdict;
};

/* Makes table @number of @seed, with the model's victim marked: the policy's, or with @needs
 * NEEDS_NO_DAEMON the kernel's. Do not copy the result: the scenario points into it. */
void random_make_table(uint64_t seed, unsigned number, unsigned needs, struct random_table *ret);

/* Marks who has to die under a limit of @limit_pages. Returns the model's verdict. */
struct model_verdict random_mark_victim(struct scenario *s, uint64_t limit_pages);

#endif
