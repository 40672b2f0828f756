// SPDX-License-Identifier: GPL-2.0-only
/* What a policy may call, and what declares an OOM. Names, signatures and flags are those of the
 * posted series, except for what is said to be our own. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/cgroup.h>
#include <linux/ctype.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

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
	if (bpf_oom_is_remote() && same_thread_group(task, current))
		return -EPERM;
	if (task->signal->oom_score_adj == OOM_SCORE_ADJ_MIN || !has_mm(task))
		return -EINVAL;
	if (bpf_oom_victim_left())
		return -EBUSY;

	/* oom_kill_process() drops this reference. */
	oc->chosen = tryget_task_struct(task);
	if (!oc->chosen)
		return -EINVAL;
	static_call(bpf_oom_kill)(oc, message);
	oc->chosen = NULL;
	bpf_oom_set_memory_freed();
	return 0;
}

/*
 * Copies a text of a BPF program, of which the verifier knows only that its first byte can be
 * read, for the kernel log.
 */
static void copy_text(char *dst, size_t size, const char *src)
{
	size_t i;

	for (i = 0; i < size - 1; i++) {
		if (copy_from_kernel_nofault(&dst[i], &src[i], 1) || !dst[i])
			break;
		if (!isascii(dst[i]) || !isprint(dst[i]))
			dst[i] = '?';
	}
	dst[i] = '\0';
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
 * Return: 0 when the process is dying now; -EPERM for init, kernel threads, and the allocating
 * process if it is not in the OOM's memcg; -EINVAL for a process that is gone or has oom_score_adj
 * -1000, or if @oc is not the OOM that the calling program handles; -EBUSY if a victim of an
 * earlier OOM was still dying when this one came, and has left its memory since: the allocator
 * tries again.
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

/**
 * bpf_out_of_memory - declare an OOM and run the OOM machinery
 * @memcg__nullable: the memory cgroup that is out of memory; NULL or the root for the system
 * @order: of the allocation that the report shows
 * @wait_on_oom_lock: wait for another OOM that is being handled
 * @constraint_text__nullable: the report's name of the constraint, or NULL. 63 bytes are kept, and
 * '?' stands for one that is not printable ASCII
 *
 * All that decides over an OOM decides over this one: policies and the sysctls panic_on_oom and
 * oom_kill_allocating_task, which mean the caller. A process is killed whatever the usage is. If
 * there is none to kill, nothing is reported, and the system does not panic. A task that waits
 * gives up when it is killed itself.
 *
 * Return: 1 if there is progress: somebody is killed or is dying already, or memory was freed; 0
 * if not; -EINVAL for an order that no allocation has; -EBUSY if another OOM is being handled and
 * @wait_on_oom_lock is not set; -EINTR if the caller was killed while it waited; -EDEADLK when
 * called for an OOM from inside one; -ENODEV for a memcg whose cgroup was removed; -EOPNOTSUPP for
 * the system, on a kernel where the task-evaluation interface is missing.
 */
__bpf_kfunc int bpf_out_of_memory(struct mem_cgroup *memcg__nullable, int order,
				  bool wait_on_oom_lock, const char *constraint_text__nullable)
{
	char text[BPF_OOM_CONSTRAINT_MAX_LEN];
	struct oom_control oc = {
		.memcg = memcg__nullable,
		.gfp_mask = GFP_KERNEL,
		.order = order,
	};
	int ret;

	if (order < 0 || order > MAX_PAGE_ORDER)
		return -EINVAL;
	if (bpf_oom_is_inside())
		return -EDEADLK;
	/* The root has no limit to be out of, and mem_cgroup_scan_tasks() forbids it. */
	if (oc.memcg && !oc.memcg->css.parent)
		oc.memcg = NULL;
	/* Where evaluate.c is not active nobody prevents the panic without a process to kill. */
	if (!oc.memcg && !bpf_oom_can_evaluate)
		return -EOPNOTSUPP;
	if (constraint_text__nullable)
		copy_text(text, sizeof(text), constraint_text__nullable);

	if (wait_on_oom_lock) {
		ret = mutex_lock_killable(bpf_oom_lock);
		if (ret)
			return ret;
	} else if (!mutex_trylock(bpf_oom_lock)) {
		return -EBUSY;
	}
	if (oc.memcg && css_is_dying(&oc.memcg->css))
		ret = -ENODEV;
	else
		ret = bpf_oom_declare(&oc, constraint_text__nullable ? text : NULL);
	mutex_unlock(bpf_oom_lock);
	return ret;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(bpf_oom_kfuncs)
BTF_ID_FLAGS(func, bpf_oom_kill_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_kill_single_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_task_is_oom_victim, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_out_of_memory, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpf_oom_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_kfuncs,
};

/* What user space may run at any time. */
BTF_KFUNCS_START(bpf_oom_syscall_kfuncs)
BTF_ID_FLAGS(func, bpf_out_of_memory, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpf_oom_syscall_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_syscall_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_syscall_kfuncs,
};

int bpf_oom_kfunc_init(void)
{
	int err;

	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &bpf_oom_kfunc_set);
	if (err)
		return err;
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &bpf_oom_syscall_set);
}
