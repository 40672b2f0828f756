/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The BPF program that tells who would die, and kills nobody. */
#ifndef OP_KERNEL_PROGRAM_RANK_H
#define OP_KERNEL_PROGRAM_RANK_H

#include "bpf/oompolicy.h"
#include "loader.h"

struct loader_rank;

/*
 * Loads the program, which reads the configurations of @l. It takes tens of milliseconds, so the
 * result is worth keeping. Returns 0 and a program that the caller owns, or a negative errno.
 */
int loader_rank_new(const struct loader *l, struct loader_rank **ret);

/* Takes NULL; returns NULL. */
struct loader_rank *loader_rank_free(struct loader_rank *k);

/*
 * Runs the selection once. The first three members of @run are the question, the others the answer;
 * the run->n_ranked processes are in @ret, which has room for OP_RANK_MAX, in no order. Returns 0
 * or a negative errno.
 */
int loader_rank_run(const struct loader_rank *k, struct op_rank_run *run, struct op_ranked *ret);

static inline void loader_rank_freep(struct loader_rank **k)
{
	loader_rank_free(*k);
}

#endif
