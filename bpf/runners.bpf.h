/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The runners-up: the best of those that a search looked at and did not choose, the next first, and
 * behind them those that could not be chosen at all. Knows no process but by what it is told.
 */
#ifndef OP_RUNNERS_BPF_H
#define OP_RUNNERS_BPF_H

#include "candidate.bpf.h"

struct runner {
	__u64 points; /* as the victim's; pages where there is a bar */
	__u64 size_pages;
	__u64 cgroup_id;
	__u32 pid;
	__u32 priority;
	__u32 rule_index;
	__u32 bar;   /* OP_RUNNER_PROTECTED or those after it; 0: it could have been chosen */
	__u32 order; /* the priority, or OP_ORDER_LAST where there is a bar */
	__u32 pad;
};

struct runners {
	__u32 n;
	__u32 max; /* 0: none are wanted */
	struct runner items[OP_RUNNERS_MAX];
};

/* The one that runners_insert() takes. */
__hidden struct runner offered = {};

static __always_inline void runners_reset(struct runners *list, __u32 max)
{
	list->n = 0;
	list->max = max > OP_RUNNERS_MAX ? OP_RUNNERS_MAX : max;
}

/* Would one of this order and with at most so many points be in @list? */
static __always_inline bool runners_want(const struct runners *list, __u32 order, __u64 points)
{
	__u32 max = list->max, i;

	if (list->n < max)
		return true;
	i = max - 1;
	barrier_var(i); /* or clang compares max instead, and the verifier does not know i */
	return i < OP_RUNNERS_MAX &&
	       compare_order(order, points, list->items[i].order, list->items[i].points) < 0;
}

/*
 * Puts the process in offered where it belongs, and drops the last where there is no room. One that
 * is there already stays as it is. Unrolled, as most of the time went into counting.
 */
static __always_inline void runners_insert(struct runners *list)
{
	__u32 n = list->n, i;

	if (!runners_want(list, offered.order, offered.points))
		return;
#pragma unroll
	for (i = 0; i < OP_RUNNERS_MAX; i++)
		if (i < n && list->items[i].pid == offered.pid)
			return;
	if (n < list->max)
		list->n = ++n;
#pragma unroll
	for (i = OP_RUNNERS_MAX - 1; i > 0; i--) {
		if (i >= n)
			continue;
		if (compare_order(offered.order, offered.points, list->items[i - 1].order,
				  list->items[i - 1].points) >= 0)
			break;
		list->items[i] = list->items[i - 1];
	}
	list->items[i] = offered;
}

#endif
