/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The run of one victim table: make the cgroups, fill them, set off one OOM, and see who dies
 * first and that nobody else does. Knows no particular table, and takes its expectation from the
 * table alone: what the model thinks is the caller's business.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "table.h"

#define SCENARIO_REASON_MAX 512

struct scenario_outcome {
	bool passed;
	char reason[SCENARIO_REASON_MAX];
	uint64_t limit_pages; /* of the domain */
	/* Of each row, in its order. */
	pid_t pids[SCENARIO_ROWS_MAX];
	bool died[SCENARIO_ROWS_MAX];
	unsigned kib[SCENARIO_ROWS_MAX]; /* before the trigger grew */
};

/* Asked after the limit is known and before the OOM; may change the table's expectation. @o has the
 * limit and the processes. Where it leaves a @reason the table has failed, and there is no OOM. */
typedef void (*scenario_expect_fn)(struct scenario *s, const struct scenario_outcome *o,
				   char reason[static SCENARIO_REASON_MAX]);

struct scenario_options {
	unsigned settle_msec; /* how long the others are watched after the first death */
	unsigned crowd;	      /* so many empty cgroups stand in the domain */
	bool newest_first;    /* the kernel asks the handler that came last before the others */
	/* Gets "PID PRIORITY POLICY" for each victim of the daemon's policies, "member VICTIM PID"
	 * for each process that Kill=cgroup killed with it, and "none" for each OOM that they
	 * should have no opinion of. May be NULL. */
	FILE *kills;
};

/* Makes the cgroups alone. */
int scenario_create_cgroups(const struct scenario *s);

/* Runs it and cleans up. The verdict is in @ret; there is no other error. */
void scenario_run(struct scenario *s, const struct scenario_options *options,
		  scenario_expect_fn expect, struct scenario_outcome *ret);

/* The table and what became of each row, as comment lines. */
void scenario_print(const struct scenario *s, const struct scenario_outcome *o, FILE *f);

/* The configuration that the tables are written for: the policies of model.h, and one rule per
 * suffix. */
void scenario_print_config(FILE *f);

#endif
