/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The BPF program that tells who would die, and kills nobody. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_PROGRAM_RANK_H
#define OP_KERNEL_PROGRAM_RANK_H

struct base;
struct op_rank_run;
struct op_ranked;
struct program_rank;

/* Loads the program, which reads the configurations of @b. Returns 0 and a program that the caller
 * owns, or a negative errno. */
int program_rank_new(const struct base *b, struct program_rank **ret);

/* Takes NULL; returns NULL. */
struct program_rank *program_rank_free(struct program_rank *k);

/* As loader_rank(). */
int program_rank_run(const struct program_rank *k, struct op_rank_run *run, struct op_ranked *ret);

static inline void program_rank_freep(struct program_rank **k)
{
	program_rank_free(*k);
}

#endif
