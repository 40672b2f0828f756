// SPDX-License-Identifier: GPL-2.0-only
/* What a policy may call, and what declares an OOM. Names, signatures and flags are those of the
 * posted series, except for what is said to be our own. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/ctype.h>
#include <linux/kernfs.h>
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

/* Returns 0, or why the process must not or cannot be killed for @oc. */
static int check_victim(struct oom_control *oc, struct task_struct *task)
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

static int kill_process(struct oom_control *oc, struct task_struct *task, const char *message)
{
	int err = check_victim(oc, task);

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
 * bpf_oom_kill_member - kill one more process for an OOM that has a victim already
 * @oc: the argument of the handler that calls this
 * @task: any thread of the process
 * @message__str: begins the kernel's line "<message>: Killed process ..."
 *
 * As the kernel kills the members of a memory.oom.group: the report is the victim's, and a member
 * has that one line. Not of the posted series, where each of a group has a report of its own.
 *
 * Return: as bpf_oom_kill_process(); -EINVAL also if the handler has killed nobody for @oc so far,
 * and for a process that is a victim already.
 */
__bpf_kfunc int bpf_oom_kill_member(struct oom_control *oc, struct task_struct *task,
				    const char *message__str)
{
	int err = check_victim(oc, task);

	if (err)
		return err;
	if (!bpf_oom_has_killed() || tsk_is_oom_victim(task))
		return -EINVAL;
	/* __oom_kill_process() drops this reference. */
	task = tryget_task_struct(task);
	if (!task)
		return -EINVAL;
	static_call(bpf_oom_kill_more)(task, message__str);
	return 0;
}

/**
 * bpf_oom_awaits - is memory on its way already, so that nobody has to die?
 * @oc__ign: the argument of the program that calls this; compared alone, never followed
 *
 * The kernel's own check for a dying victim, and what it misses: see dying.c. A program that asks
 * has no need of a search of its own; every program that asks about one OOM is told the same. Not
 * of the posted series.
 *
 * Return: the process id of the victim whose memory comes, in the initial pid namespace; -1 if
 * there is memory now and no victim to name; 0 if nothing is awaited, which is so for SysRq, and if
 * @oc__ign is not the OOM that the calling task handles.
 */
__bpf_kfunc s32 bpf_oom_awaits(struct oom_control *oc__ign)
{
	const struct bpf_oom_awaited *awaited = bpf_oom_get_awaited(oc__ign);

	if (!awaited || awaited->what == BPF_OOM_AWAITS_NOTHING)
		return 0;
	return awaited->pid ?: -1;
}

/**
 * bpf_oom_task_pages - what the death of a process gives back, as the kernel counts it
 * @task: any thread of the process
 *
 * oom_badness() without oom_score_adj: resident memory, swap and page tables. It takes a lock of
 * the task, so struct_ops that may be called under such a lock must not call it. Not of the posted
 * series.
 *
 * Return: pages; negative for a process whose death frees nothing: it is unkillable, has no memory
 * any more, runs in its parent's by vfork(), or the reaper has been there.
 */
__bpf_kfunc s64 bpf_oom_task_pages(struct task_struct *task)
{
	return static_call(bpf_oom_badness)(task, 0);
}

/**
 * bpf_oom_asked_pages - the same of the process that bpf_oom_evaluate_task() is asked about
 * @oc__ign: the second argument of the program that calls this; compared alone, never followed
 *
 * Not of the posted series.
 *
 * Return: as bpf_oom_task_pages(); negative also outside of bpf_oom_evaluate_task().
 */
__bpf_kfunc s64 bpf_oom_asked_pages(struct oom_control *oc__ign)
{
	return bpf_oom_evaluated_pages(oc__ign);
}

/**
 * bpf_oom_task_is_eligible - can a process have memory where the allocation failed?
 * @oc: the argument of the handler that calls this
 * @task: any thread of the process
 *
 * The kernel's check for OOMs that a cpuset or a memory policy limits to some nodes. Not of the
 * posted series.
 *
 * Return: whether it can; always for the OOM of a memory cgroup.
 */
__bpf_kfunc bool bpf_oom_task_is_eligible(struct oom_control *oc, struct task_struct *task)
{
	return oc->memcg || bpf_oom_is_eligible(task, oc);
}

/**
 * bpf_oom_cgroup_from_id - the cgroup of an id
 * @id: of the unified hierarchy
 *
 * bpf_cgroup_from_id() of kernels before 6.12.58 and of some later ones finds only what is in the
 * cgroup namespace of the current task, which is whoever ran out of memory, in a container for
 * example. Not of the posted series.
 *
 * Return: a reference for bpf_cgroup_release(); NULL if there is none.
 */
__bpf_kfunc struct cgroup *bpf_oom_cgroup_from_id(u64 id)
{
	struct kernfs_node *node = static_call(bpf_oom_find_node)(cgrp_dfl_root.kf_root, id);
	struct cgroup *cgroup = NULL;

	if (!node)
		return NULL;
	if (kernfs_type(node) == KERNFS_DIR) {
		rcu_read_lock();
		cgroup = rcu_dereference(*(struct cgroup __rcu __force **)&node->priv);
		if (cgroup && !cgroup_tryget(cgroup))
			cgroup = NULL;
		rcu_read_unlock();
	}
	kernfs_put(node);
	return cgroup;
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
 * set_oom_policy_name - name the policy in the report of an OOM
 * @oc__ign: the argument of the program that calls this
 * @buf: the name, terminated or not
 * @sz: its size in bytes
 *
 * At most POLICY_NAME_LEN - 1 bytes are kept, and '?' stands for one that is not a visible ASCII
 * character. Without effect if @oc__ign is not the OOM that the calling task handles. The verifier
 * knows only that the first byte of @buf can be read, as in the series, where a program may say
 * POLICY_NAME_LEN of any name. The suffix of @oc__ign spares it the check whether the pointer is
 * trusted, which that of a fentry program never is, and which 7.0 and later ask of every argument:
 * it is compared alone, never followed.
 */
__bpf_kfunc void set_oom_policy_name(struct oom_control *oc__ign, const char *buf, size_t sz)
{
	char name[POLICY_NAME_LEN];
	size_t n = 0;

	while (n < min(sz, sizeof(name)) && !copy_from_kernel_nofault(&name[n], &buf[n], 1) &&
	       name[n])
		n++;
	bpf_oom_set_policy_name(oc__ign, name, n);
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

/* The kernel takes one set of a module for each type of programs. */

BTF_KFUNCS_START(bpf_oom_handler_kfuncs)
BTF_ID_FLAGS(func, bpf_oom_kill_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_kill_single_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_kill_member, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_awaits)
BTF_ID_FLAGS(func, bpf_oom_task_pages, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_task_is_eligible, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_cgroup_from_id, KF_ACQUIRE | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_task_is_oom_victim, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_out_of_memory, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpf_oom_handler_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_handler_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_handler_kfuncs,
};

/* For programs of the task-evaluation interface. */
BTF_KFUNCS_START(bpf_oom_tracing_kfuncs)
BTF_ID_FLAGS(func, set_oom_policy_name)
BTF_ID_FLAGS(func, bpf_oom_awaits)
BTF_ID_FLAGS(func, bpf_oom_asked_pages)
BTF_ID_FLAGS(func, bpf_oom_cgroup_from_id, KF_ACQUIRE | KF_RET_NULL)
BTF_KFUNCS_END(bpf_oom_tracing_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_tracing_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_tracing_kfuncs,
};

/* What user space may run at any time. */
BTF_KFUNCS_START(bpf_oom_syscall_kfuncs)
BTF_ID_FLAGS(func, bpf_oom_task_pages, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_cgroup_from_id, KF_ACQUIRE | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_out_of_memory, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpf_oom_syscall_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_syscall_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_syscall_kfuncs,
};

int bpf_oom_kfunc_init(void)
{
	int err;

	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &bpf_oom_handler_set);
	if (!err)
		err = register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &bpf_oom_tracing_set);
	if (!err)
		err = register_btf_kfunc_id_set(BPF_PROG_TYPE_SYSCALL, &bpf_oom_syscall_set);
	return err;
}
