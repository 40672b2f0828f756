/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The BPF program that declares OOMs. Optional: a kernel without the kfunc does without. For
 * daemon/kernel/ alone. */
#ifndef OP_KERNEL_PROGRAM_DECLARE_H
#define OP_KERNEL_PROGRAM_DECLARE_H

#include <stdint.h>

#include "bpf/oompolicy.h"
#include "types.h"

struct base;
struct program_declare;

/* Loads the program; it uses the maps of @b. Returns 0 and a program that the caller owns; errors
 * as loader_load_declare(). */
int program_declare_new(const struct base *b, char why[static LOADER_WHY_SIZE],
			struct program_declare **ret);

/* Takes NULL; returns NULL. */
struct program_declare *program_declare_free(struct program_declare *d);

/* As loader_declare(). */
int program_declare_run(const struct program_declare *d, uint64_t cgroup_id,
			const char text[static OP_DECLARED_LEN]);

static inline void program_declare_freep(struct program_declare **d)
{
	program_declare_free(*d);
}

#endif
