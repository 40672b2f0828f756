// SPDX-License-Identifier: LGPL-2.1-or-later
#include "table.h"

#include "model.h"

const char *scenario_top(const struct scenario *s)
{
	return s->top ? s->top : s->name;
}

const char *scenario_domain(const struct scenario *s)
{
	return s->domain ? s->domain : "";
}

size_t scenario_count_rows(const struct scenario *s)
{
	size_t n = 0;

	while (n < SCENARIO_ROWS_MAX && s->rows[n].path)
		n++;
	return n;
}

void scenario_to_tasks(const struct scenario *s, struct model_task *tasks)
{
	size_t n = scenario_count_rows(s);

	for (size_t i = 0; i < n; i++) {
		const struct row *row = &s->rows[i];
		unsigned mib = row->fill_mib + (row->flags & ROW_TRIGGER ? s->room_mib : 0);

		tasks[i] = (struct model_task){.path = row->path,
					       .pages = (uint64_t)mib * PAGES_PER_MIB,
					       .oom_score_adj = row->oom_score_adj};
	}
}
