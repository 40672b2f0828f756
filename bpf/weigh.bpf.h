/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The weighing of processes, one after another: the best so far is in selection, and the others are
 * offered as runners-up. Part of the objects that choose, which differ in how they come to the
 * processes and in what they do with the best.
 */
#ifndef OP_WEIGH_BPF_H
#define OP_WEIGH_BPF_H

#include "candidate.bpf.h"
#include "runners.bpf.h"
#include "tasks.bpf.h"

/* How the policy that answers wants its victim chosen. */
struct criteria {
	__u64 total_pages; /* oom_control.totalpages */
	__u32 default_priority;
	__u32 victim; /* OP_VICTIM_* */
};

struct selection {
	struct candidate best; /* so far */
	/* the current cgroup: the one whose processes are weighed */
	__u64 cgroup_id;       /* 0: none yet */
	struct effective rule; /* what applies to it */
};

__hidden struct criteria criteria = {};
__hidden struct selection selection = {};

/* The process that is weighed, or was weighed last. */
__hidden struct candidate weighed = {};

/* Takes the criteria from the entry of the policy that answers, but the pages: these are the OOM's.
 */
static __always_inline void set_criteria(const struct op_entry *entry)
{
	criteria.default_priority = entry->policy.default_priority;
	criteria.victim = entry->policy.victim;
}

/* Puts the process in offered into the list. A step of its own, that the verifier looks at once. */
__noinline int op_offer(struct runners *list)
{
	if (list)
		runners_insert(list);
	return 0;
}

/* Lets the process be a runner-up. */
static __always_inline void offer(const struct candidate *candidate, struct runners *list)
{
	offered.points = candidate->points;
	offered.size_pages = candidate->size_pages;
	offered.cgroup_id = candidate->cgroup_id;
	offered.pid = candidate->pid;
	offered.priority = candidate->rule.priority;
	offered.rule_index = candidate->rule.rule_index;
	offered.bar = candidate->bar;
	offered.order = candidate_order(candidate);
	op_offer(list);
}

/* Could a process of a cgroup that @rule applies to be a runner-up? */
static __always_inline bool is_wanted(const struct effective *rule, const struct runners *list)
{
	return runners_want(list, rule_order(rule), ~0ULL);
}

/* Is the process of the current cgroup to be weighed? Not if it can neither be the best nor a
 * runner-up. Sets its bar. */
static __always_inline bool is_to_be_weighed(struct task_struct *task, const struct runners *list)
{
	const struct effective *rule = &selection.rule;

	if (is_hopeless(rule, &selection.best) && !is_wanted(rule, list))
		return false;
	weighed.bar = rule->flags & OP_RULE_PROTECT ? OP_RUNNER_PROTECTED
		      : is_spared(task)		    ? spared_reason(task)
						    : 0;
	return !weighed.bar || list->max;
}

/*
 * Weighs the process, whose memory is @mm, or NULL if it has none, and of that as many @pages, or
 * less than 0 if its death gives none back. Returns whether it is better than the best; otherwise
 * it is offered as a runner-up.
 */
static __always_inline bool weigh(struct task_struct *task, struct mm_struct *mm, __s64 pages,
				  struct runners *list)
{
	if (!is_worth_killing(task, mm) || pages < 0)
		return false;
	weighed.size_pages = pages;
	weighed.points = weighed.bar ? weighed.size_pages
				     : victim_points(task, weighed.size_pages, criteria.victim,
						     criteria.total_pages);
	weighed.task = (__u64)task;
	weighed.start_boottime_nsec = task->start_boottime;
	weighed.cgroup_id = selection.cgroup_id;
	weighed.rule = selection.rule;
	weighed.pid = task->tgid;
	if (!weighed.bar && candidate_beats(&weighed, &selection.best))
		return true;
	if (runners_want(list, candidate_order(&weighed), weighed.points))
		offer(&weighed, list);
	return false;
}

/* Makes the process that was weighed last the best. The one that was becomes a runner-up. */
static __always_inline void take_weighed(struct runners *list)
{
	if (selection.best.pid)
		offer(&selection.best, list);
	selection.best = weighed;
}

#endif
