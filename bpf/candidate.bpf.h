/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who dies first: the one comparison that decides it, for both backends, for the runners-up and for
 * the ranking. Knows order and points, and reads no process.
 */
#ifndef OP_CANDIDATE_BPF_H
#define OP_CANDIDATE_BPF_H

#include "rules.bpf.h"

/* The order of processes is their priority; of those that cannot be chosen it is behind all. */
#define OP_ORDER_LAST (OP_PRIORITY_MAX + 1)

/* Which of two dies first: less than 0, the one; more than 0, the other; 0, the one found first. */
static __always_inline int compare_order(__u32 order, __u64 points, __u32 other_order,
					 __u64 other_points)
{
	if (order != other_order)
		return order < other_order ? -1 : 1;
	if (points != other_points)
		return points > other_points ? -1 : 1;
	return 0;
}

/* The order of the first among the processes that @rule applies to. */
static __always_inline __u32 rule_order(const struct effective *rule)
{
	return rule->flags & OP_RULE_PROTECT ? OP_ORDER_LAST : rule->priority;
}

#endif
