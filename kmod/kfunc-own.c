// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kfuncs that no posted series has: what our policies ask of the kernel beyond it. And who may
 * call which of all kfuncs of the module, as the kernel takes one set for each type of programs.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/cgroup.h>
#include <linux/kernfs.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "bpf_oom.h"
#include "compat.h"

__bpf_kfunc_start_defs();

/**
 * bpf_oom_kill_single_process - the same for one process, whatever memory.oom.group says
 * @oc: the argument of the handler that calls this
 * @task: any thread of the process
 * @message__str: begins the kernel's line "<message>: Killed process ..."
 *
 * A policy that asks for one process must be able to get it.
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
	err = bpf_oom_kill_victim(oc, task, message__str);
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
 * has that one line. By bpf_oom_kill_process() each of a group has a report of its own.
 *
 * Return: as bpf_oom_kill_process(); -EINVAL also if the handler has killed nobody for @oc so far,
 * and for a process that is a victim already.
 */
__bpf_kfunc int bpf_oom_kill_member(struct oom_control *oc, struct task_struct *task,
				    const char *message__str)
{
	int err = bpf_oom_check_victim(oc, task);

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
 * bpf_oom_number - the number of an OOM
 * @oc__ign: the argument of the handler that calls this; compared alone, never followed
 *
 * Handlers of one OOM that share what they have found know by it that it is the same one: a thread
 * that runs out of memory again has its oom_control at the same place.
 *
 * Return: a number that no other OOM has as long as the module is loaded; 0 if @oc__ign is not the
 * OOM that the calling task handles.
 */
__bpf_kfunc u64 bpf_oom_number(struct oom_control *oc__ign)
{
	return bpf_oom_current_number(oc__ign);
}

/**
 * bpf_oom_awaits - is memory on its way already, so that nobody has to die?
 * @oc__ign: the argument of the program that calls this; compared alone, never followed
 *
 * The kernel's own check for a dying victim, and what it misses: see dying.c. A program that asks
 * has no need of a search of its own; every program that asks about one OOM is told the same.
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
 * oom_badness() without oom_score_adj: resident memory, swap and page tables.
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
 * The kernel's check for OOMs that a cpuset or a memory policy limits to some nodes.
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
 * example.
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

__bpf_kfunc_end_defs();

/*
 * These take a lock of a task. Struct_ops of others and tracing programs anywhere may run under the
 * same one, so what may call them is our handlers and the programs of the task-evaluation
 * interface. By name: where the kernel's BTF is a base that was distilled, ids in a list of the
 * module's are not those that the verifier has.
 */
static const char *const locking_kfuncs[] = {
	"bpf_oom_asked_pages",
	"bpf_oom_awaits",
	"bpf_oom_task_is_eligible",
	"bpf_oom_task_pages",
};

static const struct btf *own_btf;

void bpf_oom_set_own_btf(const struct btf *btf)
{
	own_btf = btf;
}

static bool takes_lock(u32 kfunc_id)
{
	const char *name = bpf_oom_btf_name(own_btf, kfunc_id);
	int i;

	for (i = 0; i < ARRAY_SIZE(locking_kfuncs); i++) {
		if (!strcmp(name, locking_kfuncs[i]))
			return true;
	}
	return false;
}

/* The module has one struct_ops. */
static int filter_handler(const struct bpf_prog *prog, u32 kfunc_id)
{
	return prog->aux->attach_btf == own_btf || !takes_lock(kfunc_id) ? 0 : -EACCES;
}

static int filter_tracing(const struct bpf_prog *prog, u32 kfunc_id)
{
	const char *target;

	if (!takes_lock(kfunc_id))
		return 0;
	if (prog->aux->attach_btf != own_btf)
		return -EACCES;
	target = bpf_oom_btf_name(own_btf, prog->aux->attach_btf_id);
	return strcmp(target, "bpf_oom_evaluate_task") && strcmp(target, "bpf_set_policy_name")
		       ? -EACCES
		       : 0;
}

/* The kernel takes one set of a module for each type of programs. */

BTF_KFUNCS_START(bpf_oom_handler_kfuncs)
BTF_ID_FLAGS(func, bpf_oom_kill_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_kill_single_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_kill_member, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_oom_number)
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
	.filter = filter_handler,
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
	.filter = filter_tracing,
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
