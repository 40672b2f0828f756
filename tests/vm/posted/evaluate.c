// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's own selection, as oom_evaluate_task() of mm/oom_kill.c has it: no program is asked.
 */
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "bpf_oom.h"
#include "compat.h"

int bpf_oom_evaluate_init(void)
{
	return 0;
}

/* Each report of the posted series names a policy. */
void bpf_oom_begin_selection(struct oom_control *oc)
{
	bpf_oom_set_policed();
}

static bool is_eligible(struct task_struct *task, const struct oom_control *oc)
{
	struct task_struct *thread;
	bool eligible = false;

	rcu_read_lock();
	for_each_thread(task, thread) {
		eligible = oc->nodemask ? static_call(bpf_oom_in_mempolicy)(thread, oc->nodemask)
					: mems_allowed_intersect(current, thread);
		if (eligible)
			break;
	}
	rcu_read_unlock();
	return eligible;
}

int bpf_oom_evaluate(struct task_struct *task, void *arg)
{
	struct oom_control *oc = arg;
	long points = LONG_MAX;

	if (is_global_init(task) || (task->flags & PF_KTHREAD))
		return 0;
	if (!oc->memcg && !is_eligible(task, oc))
		return 0;
	if (oc->order != -1 && tsk_is_oom_victim(task)) {
		if (mm_oom_skip(task->signal->oom_mm))
			return 0;
		if (oc->chosen)
			put_task_struct(oc->chosen);
		oc->chosen = BPF_OOM_ABORTED;
		return 1;
	}
	if (!oom_task_origin(task)) {
		points = static_call(bpf_oom_badness)(task, oc->totalpages);
		if (points == LONG_MIN || points < oc->chosen_points)
			return 0;
	}
	if (oc->chosen)
		put_task_struct(oc->chosen);
	oc->chosen = get_task_struct(task);
	oc->chosen_points = points;
	return 0;
}
