/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that fill memory in a cgroup of the tests when they are told to, and the kernel's log
 * of what happens then. Knows nothing of BPF.
 */
#ifndef EATER_H
#define EATER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A child process. Owned by the caller of eater_start() until eater_wait() or eater_stop(). */
struct eater {
	pid_t pid;
	int orders; /* how much to fill next */
	int done;   /* a byte for each order that was carried out; ends when the process does */
};

/* Starts one in @cgroup, which exists, or where the caller is if that is NULL, and returns once it
 * has filled @bytes. Its oom_score_adj is @oom_score_adj, and its name "eater". */
int eater_start(struct eater *ret, const char *cgroup, size_t bytes, int oom_score_adj);

/* Tells it to fill @bytes more and does not wait for that. */
int eater_order(struct eater *e, size_t bytes);

/* Waits until it has carried out an order (1) or is dead (0). */
int eater_settle(struct eater *e);

/* eater_order() and eater_settle(). */
int eater_grow(struct eater *e, size_t bytes);

/* Is it there and not dying? */
bool eater_lives(const struct eater *e);

/* Waits for its end; one that has carried out its orders ends by itself. Returns its wait status.
 */
int eater_wait(struct eater *e);

/* Kills it. Whatever became of it before, and also if it was never started, it is gone after. */
void eater_stop(struct eater *e);

bool eater_was_killed(int status);

/* --- the kernel's log */

/* Forgets everything that was logged so far. */
int kernel_log_mark(void);

/* Adds what was logged since to the text that kernel_logged() looks into. */
int kernel_log_read(void);

/* Does @text occur since the mark? As of the last kernel_log_read(). */
bool kernel_logged(const char *text);

/* How many times. */
size_t kernel_log_count(const char *text);

#endif
