// SPDX-License-Identifier: GPL-2.0-only
/* What a policy may call. Names, signatures and flags are those of the posted series, except for
 * what is said to be our own. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "bpf_oom.h"
#include "compat.h"

/*
 * Does any thread of @task still have an address space? Without one there is nothing to free,
 * and oom_kill_process() would return as if it had killed.
 */
static bool has_mm(struct task_struct *task)
{
	struct task_struct *t;
	bool found = false;

	rcu_read_lock();
	for_each_thread(task, t) {
		if (READ_ONCE(t->mm)) {
			found = true;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

static int kill_process(struct oom_control *oc, struct task_struct *task, const char *message)
{
	if (!bpf_oom_is_current(oc))
		return -EINVAL;
	if (is_global_init(task) || (task->flags & PF_KTHREAD))
		return -EPERM;
	if (task->signal->oom_score_adj == OOM_SCORE_ADJ_MIN || !has_mm(task))
		return -EINVAL;

	/* oom_kill_process() drops this reference. */
	oc->chosen = tryget_task_struct(task);
	if (!oc->chosen)
		return -EINVAL;
	static_call(bpf_oom_kill)(oc, message);
	oc->chosen = NULL;
	bpf_oom_set_memory_freed();
	return 0;
}

__bpf_kfunc_start_defs();

/**
 * bpf_oom_kill_process - kill a process as the kernel's OOM killer does
 * @oc: the argument of the handler that calls this
 * @task: any thread of the process
 * @message__str: begins the kernel's line "<message>: Killed process ..."
 *
 * Prints the OOM report, counts the memcg events, wakes the reaper and honours
 * memory.oom.group. Whether @task belongs to the OOM's domain is the policy's business.
 *
 * Return: 0 when the process is dying now; -EPERM for init and kernel threads; -EINVAL for a
 * process that is gone or has oom_score_adj -1000, or if @oc is not the OOM that the calling
 * program handles.
 */
__bpf_kfunc int bpf_oom_kill_process(struct oom_control *oc, struct task_struct *task,
				     const char *message__str)
{
	return kill_process(oc, task, message__str);
}

/**
 * bpf_oom_kill_single_process - the same for one process, whatever memory.oom.group says
 * @oc: the argument of the handler that calls this
 * @task: any thread of the process
 * @message__str: begins the kernel's line "<message>: Killed process ..."
 *
 * Not of the posted series: a policy that asks for one process must be able to get it.
 *
 * Return: as bpf_oom_kill_process().
 */
__bpf_kfunc int bpf_oom_kill_single_process(struct oom_control *oc, struct task_struct *task,
					    const char *message__str)
{
	int err;

	if (!bpf_oom_is_current(oc))
		return -EINVAL;
	bpf_oom_set_single(true);
	err = kill_process(oc, task, message__str);
	bpf_oom_set_single(false);
	return err;
}

/**
 * bpf_task_is_oom_victim - has the OOM killer chosen this task already?
 * @task: any thread of the process
 *
 * Return: whether it was marked as a victim, by a policy or by the kernel.
 */
__bpf_kfunc bool bpf_task_is_oom_victim(struct task_struct *task)
{
	return tsk_is_oom_victim(task);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(bpf_oom_kfuncs)
BTF_ID_FLAGS(func, bpf_oom_kill_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_kill_single_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_task_is_oom_victim, KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpf_oom_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_kfuncs,
};

int bpf_oom_kfunc_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &bpf_oom_kfunc_set);
}
