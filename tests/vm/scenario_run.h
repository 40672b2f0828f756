/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The run of a table while it lasts. For the files scenario*.c alone. */
#ifndef SCENARIO_RUN_H
#define SCENARIO_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgtree.h"
#include "handlers.h"
#include "hog.h"
#include "scenario.h"
#include "util/basic.h"

struct run {
	struct scenario *s;
	const struct scenario_options *options;
	struct scenario_outcome *o;
	size_t n_rows;
	struct hog hogs[SCENARIO_ROWS_MAX];
	struct handler handlers[SCENARIO_HANDLERS_MAX];
	int kmsg;
	uint64_t kills_before; /* of the scenario's cgroup, and of the system */
	uint64_t system_kills_before;
	bool failed;
};

/* Keeps the first reason: what follows is mostly its consequence. */
void run_fail(struct run *run, const char *format, ...) _printf_(2, 3);

void run_sleep_msec(unsigned msec);

/* The path of @path, which is below the scenario's own cgroup, for cgtree.h. */
void scenario_path(const struct scenario *s, const char *path, char buf[static CGTREE_PATH_MAX]);

/* From the order to grow on: sees who dies, and that those and no others are who should. */
void run_watch(struct run *run);

#endif
