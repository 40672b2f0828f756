/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sees the memory of victims come back. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_FOLLOW_H
#define OP_KERNEL_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;
struct loader;

/* As many tracepoints are followed. */
#define LOADER_FREED_MAX 2

/* Nothing is followed, and nothing known of the kernel. */
void loader_freed_init(struct loader *l);
void loader_freed_done(struct loader *l);

/* Finds out which tracepoints the kernel has. */
void loader_freed_check(struct loader *l, const struct btf *btf);

/* Follows, by programs of this build in place of those that do so already. Optional: what fails is
 * logged. The shared maps must be there. */
void loader_freed_follow(struct loader *l);

/* Takes over the pinned links. Returns whether the one is there that sees most. */
bool loader_freed_adopt(struct loader *l);

/* The hash of the programs behind @hash. */
uint64_t loader_freed_hash(uint64_t hash);

#endif
