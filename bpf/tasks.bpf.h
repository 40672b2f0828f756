/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process is worth to an OOM: could it be killed, and how much is it. Part of the objects
 * that choose; reads the process alone.
 */
#ifndef OP_TASKS_BPF_H
#define OP_TASKS_BPF_H

#include "kernel.h"

/* The daemon never dies of what it decides. As op_switch has it, once for each OOM. */
__u32 daemon_tgid = 0;
__u32 daemon_start_ticks = 0;

static __always_inline void set_daemon(const struct op_switch *active)
{
	daemon_tgid = active ? active->daemon_tgid : 0;
	daemon_start_ticks = active ? active->daemon_start_ticks : 0;
}

static __always_inline bool is_daemon(struct task_struct *task)
{
	__u64 start;

	if (task->tgid != daemon_tgid)
		return false;
	start = READ_ONLY(task)->group_leader->start_boottime;
	return (__u32)(start / OP_TICK_NSEC) == daemon_start_ticks;
}

/* A child of vfork() runs in its parent's memory: killing it frees nothing. */
static __always_inline bool in_vfork(struct task_struct *task, struct mm_struct *mm)
{
	task = READ_ONLY(task);
	return task->vfork_done && task->real_parent->mm == mm;
}

static __always_inline __u64 mm_points(struct mm_struct *mm)
{
	return mm_counter_pages(mm, OP_MM_FILEPAGES) + mm_counter_pages(mm, OP_MM_ANONPAGES) +
	       mm_counter_pages(mm, OP_MM_SHMEMPAGES) + mm_counter_pages(mm, OP_MM_SWAPENTS) +
	       mm_pgtables_pages(mm);
}

static __always_inline bool is_dying(struct task_struct *task)
{
	struct mm_struct *oom_mm = READ_ONLY(task)->signal->oom_mm;

	return oom_mm && !mm_oom_skip(oom_mm);
}

/* Is it one that nobody could kill? Nothing here depends on what it could set itself. */
static __always_inline bool is_spared(struct task_struct *task)
{
	return task->flags & OP_PF_KTHREAD || task->tgid == OP_PID_INIT || is_daemon(task) ||
	       READ_ONLY(task)->signal->oom_score_adj == OP_OOM_SCORE_ADJ_MIN;
}

/*
 * What the process counts, whose memory is @mm: by the kernel's own function where that can be
 * asked. It says nothing of one that must not die, which is only named. Less than 0: its death
 * gives nothing back. @task is one that kfuncs take.
 */
static __always_inline __s64 task_pages(struct task_struct *task, struct mm_struct *mm)
{
	if (!mm)
		return -1;
	if (bpf_ksym_exists(bpf_oom_task_pages) && !is_spared(task))
		return bpf_oom_task_pages(task);
	return mm_points(mm);
}

/* Why none that is spared was chosen, as OP_RUNNER_*. */
static __always_inline __u32 spared_reason(struct task_struct *task)
{
	return task->tgid == OP_PID_INIT || is_daemon(task) ? OP_RUNNER_SPARED : OP_RUNNER_ADJ;
}

/* Would the death of one that is not spared free its memory? */
static __always_inline bool is_worth_killing(struct task_struct *task, struct mm_struct *mm)
{
	return mm && !mm_oom_skip(mm) && !in_vfork(task, mm);
}

/* The more, the sooner it dies, among those of the same priority. @victim is OP_VICTIM_*, the size
 * that of mm_points(). */
static __always_inline __u64 victim_points(struct task_struct *task, __u64 size_pages, __u32 victim,
					   __u64 total_pages)
{
	__s64 points;

	switch (victim) {
	case OP_VICTIM_NEWEST:
		return task->start_boottime;
	case OP_VICTIM_OLDEST:
		return ~task->start_boottime;
	case OP_VICTIM_BADNESS:
		/* As oom_badness(), moved up so that none is below zero. */
		points = READ_ONLY(task)->signal->oom_score_adj;
		points = (points + 1000) * (__s64)(total_pages / 1000);
		return points + size_pages;
	default:
		return size_pages;
	}
}

#endif
