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

/*
 * Address spaces of which the processes are looked for in one OOM: it takes a look at all processes
 * of the system. With more of them than this, which nobody needs but who wants it to take long,
 * each stands for itself.
 */
#define OP_SHARED_MAX 16

/* What is known of the last address space whose processes were looked for. */
struct sharers {
	__u64 mm; /* its address, to be compared alone; 0: none */
	__u32 bar;
	__u32 priority; /* the highest */
	__u32 n_looked; /* address spaces so far */
	__u32 n_barred; /* processes that could be chosen but for others */
};

__hidden struct sharers sharers = {};
__hidden struct effective sharer_rule = {};

static __always_inline void sharers_reset(void)
{
	__builtin_memset(&sharers, 0, sizeof(sharers));
}

/* Has the process the memory sharers.mm? @task is not one that the iterator of threads takes. */
static __always_inline bool is_sharer(struct task_struct *task)
{
	struct mm_struct *mm = READ_ONLY(task)->mm;
	struct task_struct *leader;

	if (mm)
		return (__u64)mm == sharers.mm;
	leader = bpf_task_from_pid(task->tgid);
	if (!leader)
		return false;
	mm = process_mm(leader);
	bpf_task_release(leader);
	return (__u64)mm == sharers.mm;
}

/* Looks for the processes that have the memory sharers.mm: the best standing of all. */
__noinline int op_find_sharers(void)
{
	void *rules = find_rules();
	struct task_struct *task;

	sharers.bar = 0;
	sharers.priority = 0;
	if (!rules)
		return 0;
	bpf_rcu_read_lock();
	bpf_for_each(task, task, NULL, OP_TASK_ITER_ALL_PROCS) {
		/* The kernel spares these, whatever they share. */
		if (task->tgid == OP_PID_INIT || task->flags & OP_PF_KTHREAD || !is_sharer(task))
			continue;
		if (is_spared(task)) {
			sharers.bar = spared_reason(task);
			break;
		}
		find_effective(rules, process_cgroup(task), criteria.default_priority,
			       &sharer_rule);
		if (sharer_rule.flags & OP_RULE_PROTECT) {
			sharers.bar = OP_RUNNER_PROTECTED;
			break;
		}
		if (sharer_rule.priority > sharers.priority)
			sharers.priority = sharer_rule.priority;
	}
	bpf_rcu_read_unlock();
	return 0;
}

/*
 * The kernel kills all processes that share the victim's memory (__oom_kill_process() of
 * mm/oom_kill.c), so one of them stands as the best of them does: where one may not be chosen none
 * is, and otherwise the highest priority counts. Returns whether others may share @mm, and what is
 * known of them is in sharers.
 */
static __always_inline bool find_sharers(struct mm_struct *mm)
{
	if (!mm || !mm_is_shared(mm))
		return false;
	if (sharers.mm == (__u64)mm)
		return true;
	if (sharers.n_looked >= OP_SHARED_MAX)
		return false;
	sharers.n_looked++;
	sharers.mm = (__u64)mm;
	op_find_sharers();
	return true;
}

/* Has the process that is weighed stand with those that share its memory. */
static __always_inline void stand_with_sharers(struct mm_struct *mm)
{
	if (!find_sharers(mm))
		return;
	if (sharers.priority > weighed.rule.priority)
		weighed.rule.priority = sharers.priority;
	if (!sharers.bar)
		return;
	weighed.bar = sharers.bar;
	weighed.points = weighed.size_pages;
	sharers.n_barred++;
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
	if (!weighed.bar && candidate_beats(&weighed, &selection.best)) {
		stand_with_sharers(mm);
		if (!weighed.bar && candidate_beats(&weighed, &selection.best))
			return true;
	}
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
