/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The BPF program that declares OOMs. Optional: a kernel without the kfunc does without. */
#ifndef OP_KERNEL_PROGRAM_DECLARE_H
#define OP_KERNEL_PROGRAM_DECLARE_H

#include <stdint.h>

#include "bpf/oompolicy.h"
#include "loader.h"

struct loader_declare;

/*
 * Loads the program; it uses the maps of @l. Returns 0 and a program that the caller owns;
 * LOADER_E_KERNEL and a sentence when this kernel cannot declare OOMs; a negative errno.
 */
int loader_declare_new(const struct loader *l, char why[static LOADER_WHY_SIZE],
		       struct loader_declare **ret);

/* Takes NULL; returns NULL. */
struct loader_declare *loader_declare_free(struct loader_declare *d);

/*
 * Declares an OOM of the cgroup with this id, or with 0 of the system, and returns when the kernel
 * is done with it. @text is what its report says as the constraint.
 *
 * Returns 1 when there was progress: somebody was killed, or is dying already; 0 when there was
 * none; -EBUSY when another OOM is in hand; -ENOENT when there is no such cgroup2 cgroup; -ENODATA
 * when it has no memory controller of its own; -ENODEV when it is being removed; errno of bpf(2).
 */
int loader_declare_run(const struct loader_declare *d, uint64_t cgroup_id,
		       const char text[static OP_DECLARED_LEN]);

static inline void loader_declare_freep(struct loader_declare **d)
{
	loader_declare_free(*d);
}

#endif
