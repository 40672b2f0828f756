// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kfuncs of the 2025 series: what a policy may call, and what declares an OOM, by the names and
 * signatures that were posted. Who may call them is in kfunc-own.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/ctype.h>
#include <linux/memcontrol.h>
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

/* Is the process charged to the memcg that ran out, or one below it? */
static bool is_in_domain(struct task_struct *task, const struct oom_control *oc)
{
	struct mem_cgroup *memcg;
	bool inside;

	if (!oc->memcg)
		return true;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(task);
	inside = memcg && mem_cgroup_is_descendant(memcg, oc->memcg);
	rcu_read_unlock();
	return inside;
}

int bpf_oom_check_victim(struct oom_control *oc, struct task_struct *task)
{
	if (!bpf_oom_is_current(oc))
		return -EINVAL;
	if (is_global_init(task) || (task->flags & PF_KTHREAD))
		return -EPERM;
	if (bpf_oom_is_remote() && same_thread_group(task, current))
		return -EPERM;
	if (task->signal->oom_score_adj == OOM_SCORE_ADJ_MIN || !has_mm(task))
		return -EINVAL;
	return is_in_domain(task, oc) ? 0 : -EPERM;
}

int bpf_oom_kill_victim(struct oom_control *oc, struct task_struct *task, const char *message)
{
	int err = bpf_oom_check_victim(oc, task);

	if (err)
		return err;
	if (!bpf_oom_has_killed() && bpf_oom_is_overdue())
		return -ETIME;
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
 * memory.oom.group.
 *
 * Return: 0 when the process is dying now; -EPERM for init, kernel threads, and a process that is
 * not in the OOM's memcg; -EINVAL for a process that is gone or has oom_score_adj -1000, or if @oc
 * is not the OOM that the calling program handles; -EBUSY if a victim of an earlier OOM was still
 * dying when this one came, and has left its memory since: the allocator tries again; -ETIME if the
 * handler has taken too long to have a say.
 */
__bpf_kfunc int bpf_oom_kill_process(struct oom_control *oc, struct task_struct *task,
				     const char *message__str)
{
	return bpf_oom_kill_victim(oc, task, message__str);
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
 * @constraint_text__nullable: what the report says in a line oom_declared=, or NULL. 63 bytes are
 * kept, and '?' stands for one that is not printable ASCII
 *
 * All that decides over an OOM decides over this one: policies and the sysctls panic_on_oom and
 * oom_kill_allocating_task, which mean the caller. A process is killed whatever the usage is. If
 * there is none to kill, nothing is reported, and the system does not panic. A task that waits
 * gives up when it is killed itself.
 *
 * Return: 1 if there is progress: somebody is killed or is dying already, or memory was freed; 0
 * if not; -EINVAL for an order that no allocation has; -EBUSY if another OOM is being handled and
 * @wait_on_oom_lock is not set; -EINTR if the caller was killed while it waited; -EDEADLK when
 * called for an OOM from inside one; -ENODEV for a memcg whose cgroup was removed; -EPERM where the
 * caller is a user's task without CAP_SYS_ADMIN.
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
	if (current->mm && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* The root has no limit to be out of, and mem_cgroup_scan_tasks() forbids it. */
	if (oc.memcg && !oc.memcg->css.parent)
		oc.memcg = NULL;
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
