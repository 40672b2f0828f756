/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The runners-up: the best of those that a search looked at and did not choose, the next first, and
 * behind them those that could not be chosen at all. Knows no process but by what it is told.
 */
#ifndef OP_RUNNERS_BPF_H
#define OP_RUNNERS_BPF_H

#include "kernel.h"

struct runner {
	__u64 points; /* as the victim's; pages where there is a bar */
	__u64 size_pages;
	__u64 cgroup_id;
	__u32 pid;
	__u32 priority;
	__u32 rule_index;
	__u32 bar; /* OP_RUNNER_PROTECTED or those after it; 0: it could have been chosen */
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

static __always_inline bool comes_before(const struct runner *a, const struct runner *b)
{
	if (!a->bar != !b->bar)
		return !a->bar;
	if (!a->bar && a->priority != b->priority)
		return a->priority < b->priority;
	return a->points > b->points;
}

/* Would one of this kind, with at most so many points, be in @list? */
static __always_inline bool runners_want(const struct runners *list, bool barred, __u32 priority,
					 __u64 points)
{
	struct runner one = {.points = points, .priority = priority, .bar = barred};
	__u32 max = list->max, i;

	if (list->n < max)
		return true;
	i = max - 1;
	barrier_var(i); /* or clang compares max instead, and the verifier does not know i */
	return i < OP_RUNNERS_MAX && comes_before(&one, &list->items[i]);
}

/*
 * Puts the process in offered where it belongs, and drops the last where there is no room. One that
 * is there already stays as it is. Unrolled, as most of the time went into counting.
 */
static __always_inline void runners_insert(struct runners *list)
{
	__u32 n = list->n, i;

	if (!runners_want(list, offered.bar, offered.priority, offered.points))
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
		if (!comes_before(&offered, &list->items[i - 1]))
			break;
		list->items[i] = list->items[i - 1];
	}
	list->items[i] = offered;
}

#endif
