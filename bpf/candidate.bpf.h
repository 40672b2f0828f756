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

/* A process, as it was when it was weighed. */
struct candidate {
	__u64 task; /* its address, to be compared alone, and only during this OOM */
	__u64 start_boottime_nsec;
	__u64 points; /* by the policy's Victim=, more dies sooner; pages where there is a bar */
	__u64 size_pages;
	__u64 cgroup_id;
	struct effective rule; /* its cgroup's */
	__u32 pid;	       /* 0: there is no candidate */
	__u32 bar;	       /* OP_RUNNER_PROTECTED or those after it; 0: it could be chosen */
};

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

/* Does @candidate, which could be chosen, take the place of @best, which may be none? */
static __always_inline bool candidate_beats(const struct candidate *candidate,
					    const struct candidate *best)
{
	return !best->pid || compare_order(candidate->rule.priority, candidate->points,
					   best->rule.priority, best->points) < 0;
}

/* Can no process of this priority take the place of @best? */
static __always_inline bool is_behind(__u32 priority, const struct candidate *best)
{
	return best->pid && priority > best->rule.priority;
}

/* Can no process that @rule applies to take the place of @best? */
static __always_inline bool is_hopeless(const struct effective *rule, const struct candidate *best)
{
	return rule->flags & OP_RULE_PROTECT || is_behind(rule->priority, best);
}

static __always_inline __u32 candidate_order(const struct candidate *candidate)
{
	return candidate->bar ? OP_ORDER_LAST : candidate->rule.priority;
}

/* The order of the first among the processes that @rule applies to. */
static __always_inline __u32 rule_order(const struct effective *rule)
{
	return rule->flags & OP_RULE_PROTECT ? OP_ORDER_LAST : rule->priority;
}

#endif
