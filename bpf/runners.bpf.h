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

/* What one of this kind would be to @list. */
enum want {
	WANT_NONE,
	WANT_EQUAL,  /* it may be larger than the last */
	WANT_NEARER, /* there is room, or it comes before the last whatever its size */
};

/* Those with a bar are of no use where others fill the list. */
static __always_inline enum want runners_want(const struct runners *list, bool barred,
					      __u32 priority)
{
	const struct runner *last;
	__u32 max = list->max, i;

	if (list->n < max)
		return WANT_NEARER;
	i = max - 1;
	barrier_var(i); /* or clang compares max instead, and the verifier does not know i */
	if (i >= OP_RUNNERS_MAX)
		return WANT_NONE;
	last = &list->items[i];
	if (barred || (!last->bar && priority > last->priority))
		return barred && last->bar ? WANT_EQUAL : WANT_NONE;
	return last->bar || priority < last->priority ? WANT_NEARER : WANT_EQUAL;
}

/* Puts the process in offered where it belongs, and drops the last where there is no room. One that
 * is there already takes its new place. */
static __always_inline void runners_insert(struct runners *list)
{
	__u32 pid = offered.pid;
	int i;

	bpf_for(i, 0, OP_RUNNERS_MAX) {
		struct runner *item = &list->items[i & (OP_RUNNERS_MAX - 1)], passed;

		if (i >= list->max)
			break;
		if (i >= list->n) {
			*item = offered;
			list->n = i + 1;
			break;
		}
		if (item->pid == pid) {
			*item = offered;
			break;
		}
		if (comes_before(&offered, item)) {
			passed = *item;
			*item = offered;
			offered = passed;
		}
	}
}

#endif
