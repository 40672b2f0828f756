/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what the dry run of the selection found to the order in which processes would die: sorted,
 * with the paths of their cgroups, and who dies together. Knows neither libbpf nor the bus.
 */
#ifndef OP_RANK_H
#define OP_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/words.h"
#include "bpf/oompolicy.h"

struct rank_process {
	struct op_ranked ranked;
	const char *cgroup; /* "": gone meanwhile; likewise the next */
	const char *source; /* "" too where no rule applies */
	uint32_t with_pid;  /* the process whose death takes this one along; 0: it dies by itself */
	enum api_group group;
};

struct rank {
	struct rank_process *processes; /* those that die first first; owned */
	size_t n;
	struct rank_path *paths; /* owned, with what is in them */
	size_t n_paths;
};

/*
 * Orders @items as found in the cgroup @domain, "/" being the system, of the tree at @cgroup_root.
 * Who dies with another comes right after that one. @honoured: as loader_honoured_kills().
 * Returns 0 and what is for rank_done(); -ENOENT where the domain is gone; a negative errno.
 */
int rank_init(struct rank *r, const struct op_ranked *items, size_t n, const char *cgroup_root,
	      const char *domain, uint32_t honoured);
void rank_done(struct rank *r);

/*
 * What the kernel takes for oom_control.totalpages at an OOM of @domain (constrained_alloc() of
 * mm/oom_kill.c): oom_score_adj counts in thousandths of it. Returns 0 and pages; -ENOENT where
 * there is no such cgroup; -ENODATA where it has no memory controller, and so no OOM of its own; a
 * negative errno.
 */
int rank_acquire_total_pages(const char *cgroup_root, const char *domain, uint64_t *ret);

#endif
