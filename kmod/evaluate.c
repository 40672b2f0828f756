// SPDX-License-Identifier: GPL-2.0-only
/*
 * The task-evaluation interface: the kernel's own selection, task by task, with a say for BPF.
 *
 * Takes the place of oom_evaluate_task() of mm/oom_kill.c, whose rules it follows, and where no
 * program answers in its order too. BPF is asked where the posted series asks it: before the check
 * for a victim that is dying already, so a program that never says NO_BPF_POLICY has to say
 * BPF_EVAL_ABORT for one itself; and not about a task that runs swapoff or the like, which the
 * kernel takes first. Knows nothing of how the OOM came here, and touches nothing of it but the
 * choice.
 *
 * Invariant: oc->chosen is NULL, BPF_OOM_ABORTED, or a task with a reference taken here that
 * oom_kill_process() can kill; it drops the reference.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "bpf_oom.h"
#include "compat.h"

/*
 * What a program may answer for a task. No enumerators: they would be among the module's types, and
 * an object that is built from these could not have its own, as those of the series do.
 */
#define NO_BPF_POLICY 0
#define BPF_EVAL_ABORT 1
#define BPF_EVAL_NEXT 2
#define BPF_EVAL_SELECT 3

__bpf_hook_start();

/**
 * bpf_oom_evaluate_task - fmod_ret: what shall become of this task?
 * @task: killable as far as the kernel's first checks go; a thread group's leader
 * @oc: the current OOM; @oc->chosen is the task that was taken so far, or NULL
 *
 * Runs under rcu_read_lock() for a system OOM; must not sleep.
 *
 * Return: NO_BPF_POLICY: the kernel compares badness; BPF_EVAL_ABORT: end the selection and kill
 * nobody; BPF_EVAL_NEXT: not this one; BPF_EVAL_SELECT: this one so far; but of a
 * victim that is dying already and has no address space to count, the selection ends as the
 * kernel's own would.
 */
__weak noinline int bpf_oom_evaluate_task(struct task_struct *task, struct oom_control *oc)
{
	return NO_BPF_POLICY;
}

/**
 * bpf_set_policy_name - fentry: the kernel is about to look at the first task
 * @oc: the current OOM
 *
 * Called once for an OOM. The place to call set_oom_policy_name().
 */
__weak noinline void bpf_set_policy_name(struct oom_control *oc)
{
}

__bpf_hook_end();

__bpf_kfunc_start_defs();

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

__bpf_kfunc_end_defs();

bool bpf_oom_is_eligible(struct task_struct *task, const struct oom_control *oc)
{
	struct task_struct *thread;
	bool eligible = !IS_ENABLED(CONFIG_NUMA);

	if (eligible)
		return true;
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

static int abort_selection(struct oom_control *oc)
{
	if (oc->chosen)
		put_task_struct(oc->chosen);
	oc->chosen = BPF_OOM_ABORTED;
	return 1;
}

static int select_task(struct oom_control *oc, struct task_struct *task, long points)
{
	if (oc->chosen)
		put_task_struct(oc->chosen);
	oc->chosen = get_task_struct(task);
	oc->chosen_points = points;
	return 0;
}

/* A victim already, and nobody has asked for another one of its kind by SysRq? */
static bool is_victim(struct task_struct *task, const struct oom_control *oc)
{
	return oc->order != -1 && tsk_is_oom_victim(task);
}

/* Is its memory still to come, as far as the kernel sees? Of a victim. */
static bool is_dying(struct task_struct *task)
{
	return !mm_oom_skip(task->signal->oom_mm);
}

/* The task that a program is being asked about; under oom_lock. */
static struct task_struct *asked;

s64 bpf_oom_evaluated_pages(const struct oom_control *oc)
{
	return bpf_oom_is_selecting(oc) && asked ? static_call(bpf_oom_badness)(asked, 0)
						 : LONG_MIN;
}

static int ask(struct task_struct *task, struct oom_control *oc)
{
	int answer;

	asked = task;
	answer = bpf_oom_evaluate_task(task, oc);
	asked = NULL;
	if (answer < BPF_EVAL_ABORT || answer > BPF_EVAL_SELECT)
		return NO_BPF_POLICY;
	bpf_oom_set_policed();
	return answer;
}

int bpf_oom_evaluate(struct task_struct *task, void *arg)
{
	struct oom_control *oc = arg;
	int answer = NO_BPF_POLICY;
	long points;

	if (is_global_init(task) || (task->flags & PF_KTHREAD))
		return 0;
	if (!oc->memcg && !bpf_oom_is_eligible(task, oc))
		return 0;
	if (!oom_task_origin(task))
		answer = ask(task, oc);
	if (answer == BPF_EVAL_ABORT)
		return abort_selection(oc);
	if (answer == BPF_EVAL_NEXT)
		return 0;

	if (answer != BPF_EVAL_SELECT && is_victim(task, oc))
		return is_dying(task) ? abort_selection(oc) : 0;
	if (oom_task_origin(task))
		return select_task(oc, task, LONG_MAX);

	/*
	 * The points of a task that BPF selects are recorded too: they are what the next one is
	 * compared with, should the program have no opinion of that. LONG_MIN are those of a task
	 * that gives no memory back or must not die: oom_score_adj is -1000, it has no address
	 * space or shares its parent's in vfork(), the reaper has been there. oom_kill_process()
	 * does not ask again, so such a task is not taken even when BPF wants it. But if that is a
	 * victim whose memory is still to come, nobody else is to be taken: BPF wants this one.
	 */
	points = static_call(bpf_oom_badness)(task, oc->totalpages);
	if (points == LONG_MIN)
		return is_victim(task, oc) && is_dying(task) ? abort_selection(oc) : 0;
	if (answer != BPF_EVAL_SELECT && points < oc->chosen_points)
		return 0;
	return select_task(oc, task, points);
}

void bpf_oom_begin_selection(struct oom_control *oc)
{
	bpf_set_policy_name(oc);
}

/* Not of kfuncs, whose prototypes are among the types: a program may be named like its hook. */
BTF_SET8_START(bpf_oom_fmodret_ids)
BTF_ID_FLAGS(func, bpf_oom_evaluate_task)
BTF_SET8_END(bpf_oom_fmodret_ids)

static const struct btf_kfunc_id_set bpf_oom_fmodret_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_fmodret_ids,
};

int bpf_oom_evaluate_init(void)
{
	return register_btf_fmodret_id_set(&bpf_oom_fmodret_set);
}
