/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One process that holds memory in a cgroup and grows when it is told to. Owns the process and
 * the socket to it; decides nothing and expects nothing.
 *
 * Protocol: the process enters its cgroup, fills, and sends a report; then it waits for an order
 * to grow and sends a second report when it has. It dies with its parent.
 */
#ifndef HOG_H
#define HOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/basic.h"

#define HOG_SHMEM (1U << 0)	  /* the fill is shared memory, which the reaper cannot free */
#define HOG_PGTABLES (1U << 1)	  /* half of the fill is page tables */
#define HOG_LEADER_GONE (1U << 2) /* the main thread has exited, another one lives */
#define HOG_POPULATE (1U << 3) /* grows by a system call, which fails when nobody can be killed */

/*
 * How it shares a processor with the others once it is filled. The kernel marks a dying process as
 * one not to wait for shortly before the last of its pages are free (exit_mmap(), mm/mmap.c); a
 * trigger that asks again in between, on another processor, has a second one killed, whoever
 * decides. So the trigger gets to run only when everybody else on its processor has nothing to
 * do: a victim then dies to the end first.
 */
enum hog_turn {
	HOG_ANYWHERE, /* on any processor */
	HOG_FIRST,    /* on the common one, before every HOG_LAST */
	HOG_LAST,
};

struct hog_config {
	const char *cgroup;   /* where it starts, see cgtree.h */
	const char *moves_to; /* made and entered by the process before it grows, or NULL */
	unsigned fill_mib;    /* as badness counts it: pages and page tables */
	unsigned grow_kib;    /* at most; it stops earlier when hog_stop_all() is called */
	int oom_score_adj;
	unsigned flags; /* HOG_* above */
	enum hog_turn turn;
};

struct hog_report {
	int error;    /* negative errno of what the process was doing, or 0 */
	unsigned kib; /* resident set, swap and page tables, as the process sees them */
};

struct hog {
	pid_t pid; /* 0: none, or reaped */
	int pidfd;
	int socket;
	int status; /* of waitpid(), once reaped */
	struct hog_report filled;
};

#define HOG_INIT                  \
	{                         \
		.pidfd = -EBADF,  \
		.socket = -EBADF, \
	}

/* Starts the process; its first report is still to come. */
int hog_start(const struct hog_config *config, struct hog *ret);

/* Waits for the next report. -ETIMEDOUT; -EPIPE when the process died instead. */
int hog_wait_report(struct hog *h, unsigned timeout_msec, struct hog_report *ret);

/* Is there a report to be read? */
bool hog_has_report(const struct hog *h);

int hog_order_growth(struct hog *h);

/* Makes every growing process stop where it is, from now on, or lets later ones grow again. */
void hog_stop_all(bool stop);

/* True once the whole process is gone; reaps it then and keeps its status. */
bool hog_is_dead(struct hog *h);

/* Kills and reaps. */
void hog_done(struct hog *h);

#endif
