/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a victim table is: a row a cgroup with one process in it, what the OOM is, and who has to
 * die. Data and what follows from it; runs nothing.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model_task;

#define SCENARIO_ROWS_MAX 12
#define SCENARIO_HANDLERS_MAX 2

/* Badness counts in pages, tables in MiB. */
#define PAGES_PER_MIB 256U

#define ROW_TRIGGER (1U << 0)	  /* grows until something dies */
#define ROW_VICTIM (1U << 1)	  /* must die, and first */
#define ROW_SHMEM (1U << 2)	  /* see HOG_SHMEM */
#define ROW_PGTABLES (1U << 3)	  /* see HOG_PGTABLES */
#define ROW_LEADER_GONE (1U << 4) /* see HOG_LEADER_GONE */
#define ROW_POPULATE (1U << 5)	  /* see HOG_POPULATE */
/* Starts in a cgroup "door" beside its own, makes its own when it is told to grow, enters it. */
#define ROW_MOVES_IN (1U << 6)
/* A ROW_VICTIM that is held at its exit, with its memory, until the others were looked at. */
#define ROW_LINGERS (1U << 7)
/* Must die next, once the kernel gives up waiting for a lingering victim. */
#define ROW_SECOND_VICTIM (1U << 8)
/* Must die with the ROW_VICTIM, of the same OOM. */
#define ROW_MEMBER (1U << 9)

struct row {
	/* Below the scenario's own cgroup; the name holds the rule, see model.h. */
	const char *path;
	unsigned fill_mib;
	int oom_score_adj;
	unsigned flags; /* ROW_* */
};

enum killer {
	KILLER_POLICY,	/* the daemon's policy */
	KILLER_KERNEL,	/* the kernel's own choice */
	KILLER_HANDLER, /* a handler of the table, see below */
	KILLER_NOBODY,	/* nothing can be killed */
};

/* A handler of our own that is attached before the OOM, in the table's order. */
struct handler_spec {
	bool used;
	const char *kills; /* path of the row that it kills, NULL: it kills nobody */
	int result;	   /* what it returns */
	bool runs;	   /* must it have been called? */
};

/* What has to be true of the machine. */
#define NEEDS_DAEMON (1U << 0)	  /* oompolicyd runs with scenario_print_config()'s rules */
#define NEEDS_NO_DAEMON (1U << 1) /* nobody but the kernel decides */
#define NEEDS_MODULE (1U << 2)	  /* the hook is there */
#define NEEDS_SMALL (1U << 3)	  /* little memory, no swap: the whole system runs out */
#define NEEDS_EXISTING (1U << 4)  /* the cgroups were made before the daemon started */
/* Nothing else: names a group of tables, those of several policies, Victim= and Kill=. */
#define NEEDS_LANGUAGE (1U << 5)

struct scenario {
	const char *name;
	/* The scenario's own cgroup, which says which policy of model.h answers; NULL: as @name. */
	const char *top;
	unsigned needs;	    /* NEEDS_* */
	const char *domain; /* that gets the limit, below the scenario's cgroup; NULL: the system */
	unsigned room_mib;  /* the domain's limit is what it uses when all are filled, plus this */
	enum killer killer;
	struct handler_spec handlers[SCENARIO_HANDLERS_MAX];
	struct row rows[SCENARIO_ROWS_MAX]; /* up to the first without a path */
};

const char *scenario_top(const struct scenario *s);

/* The path of the domain below the top, "" where it is the top or the system. */
const char *scenario_domain(const struct scenario *s);

size_t scenario_count_rows(const struct scenario *s);

/* The table as the model sees it, in the order in which the processes are started, each row at the
 * size it has when the OOM comes. */
void scenario_to_tasks(const struct scenario *s, struct model_task *tasks);

#endif
