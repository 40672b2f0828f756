// SPDX-License-Identifier: GPL-2.0-only
/*
 * Enters the kernel's OOM path just before it selects a victim, without a patched kernel.
 *
 * Policies must run after panic_on_oom, oom_kill_allocating_task, "current is dying already" and
 * constrained_alloc() have had their say, and they may sleep. In mm/oom_kill.c that is the call
 * of select_bad_process(), which the compiler inlines; what follows it can be traced:
 *
 *   memcg OOM	mem_cgroup_scan_tasks(memcg, oom_evaluate_task, oc), called with only oom_lock
 *		held. The policies run in its place; if one handles the OOM, oc->chosen = -1, the
 *		kernel's own mark of an aborted scan, makes out_of_memory() return true without
 *		a kill.
 *
 *   system OOM	for_each_process() { oom_evaluate_task() } under rcu_read_lock(), where nothing
 *		may sleep. The first call aborts the scan by the same mark and notes that
 *		selection was reached. Back in our wrapper of out_of_memory() the policies run,
 *		and if none handles the OOM, out_of_memory() is called once more and selects. Its
 *		checks are repeated by that, the OOM notifiers included: they free memory or do
 *		not, and to ask them again before a kill does no harm.
 *
 * The state of the OOM in hand is guarded by oom_lock. The ftrace callbacks run for every caller
 * of the hooked functions, with or without that lock, so they first compare run.task with
 * current: only the task that holds the lock ever finds itself there. The same comparison, not
 * the caller's address, is what lets our own calls through to the original functions, so it
 * does not matter how the compiler makes those calls.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>

#include "bpf_oom.h"
#include "compat.h"

#define BPF_OOM_ABORTED ((struct task_struct *)-1UL)

enum bpf_oom_phase {
	BPF_OOM_IDLE,	   /* no OOM in hand: the originals run */
	BPF_OOM_UNDECIDED, /* in out_of_memory(), policies have not run yet */
	BPF_OOM_POLICIES,  /* policies run */
	BPF_OOM_KERNEL,	   /* no policy handled it: the kernel selects */
};

static struct bpf_oom_run {
	struct task_struct *task; /* in out_of_memory(); read without oom_lock by the callbacks */
	struct oom_control *oc;
	enum bpf_oom_phase phase;
	bool selection_reached; /* a system OOM came as far as selection */
	bool memory_freed;
	bool in_report;
	bool single; /* memory.oom.group does not count */
	const char *policy_name;
} run;

struct bpf_oom_hook {
	struct ftrace_ops ops;
	unsigned long *address;
	bool (*wanted)(struct ftrace_regs *fregs);
	void *replacement;
};

bool bpf_oom_is_current(const struct oom_control *oc)
{
	return READ_ONCE(run.task) == current && run.phase == BPF_OOM_POLICIES && run.oc == oc;
}

void bpf_oom_set_memory_freed(void)
{
	run.memory_freed = true;
}

void bpf_oom_set_single(bool single)
{
	run.single = single;
}

static int note_dying(struct task_struct *task, void *arg)
{
	bool *dying = arg;

	if (!tsk_is_oom_victim(task) || mm_oom_skip(task->signal->oom_mm))
		return 0;
	*dying = true;
	return 1;
}

/* Does a victim of an earlier OOM in this domain still hold memory? */
static bool victim_is_dying(struct oom_control *oc)
{
	struct task_struct *task;
	bool dying = false;

	/*
	 * Spares the walk where no victim is in flight anywhere. One whose marked thread has gone
	 * before its others is missed, and left to the kernel's own check.
	 */
	if (bpf_oom_victims && !atomic_read(bpf_oom_victims))
		return false;

	if (oc->memcg) {
		static_call(bpf_oom_scan_tasks)(oc->memcg, note_dying, &dying);
		return dying;
	}
	rcu_read_lock();
	for_each_process(task) {
		if (note_dying(task, &dying))
			break;
	}
	rcu_read_unlock();
	return dying;
}

/*
 * Returns whether the kernel has nobody left to kill: a policy handled the OOM, or a victim was
 * dying when it came here. The kernel makes the latter check itself when it selects, but a policy
 * takes its time, and a victim that is gone by then would have another one killed after it.
 */
static bool run_policies(struct oom_control *oc)
{
	bool nobody_left = false;

	/* No hook replaces anything any more: what is called from here is the kernel's. */
	run.phase = BPF_OOM_POLICIES;
	if (bpf_oom_have_policies()) {
		bool dying = oc->order != -1 && victim_is_dying(oc);

		nobody_left =
			bpf_oom_run_policies(oc, &run.memory_freed, &run.policy_name) || dying;
	}
	run.phase = BPF_OOM_KERNEL;
	return nobody_left;
}

/* out_of_memory() itself. */

static bool out_of_memory_wanted(struct ftrace_regs *fregs)
{
	return READ_ONCE(run.task) != current;
}

static bool hooked_out_of_memory(struct oom_control *oc)
{
	bool ret;

	lockdep_assert_held(bpf_oom_lock);

	run = (struct bpf_oom_run){.oc = oc, .phase = BPF_OOM_UNDECIDED};
	WRITE_ONCE(run.task, current);

	ret = static_call(bpf_oom_out_of_memory)(oc);
	if (run.selection_reached) {
		oc->chosen = NULL;
		ret = run_policies(oc) || static_call(bpf_oom_out_of_memory)(oc);
	}

	WRITE_ONCE(run.task, NULL);
	run.phase = BPF_OOM_IDLE;
	return ret;
}

/* Selection for a system OOM. */

static bool evaluate_task_wanted(struct ftrace_regs *fregs)
{
	return READ_ONCE(run.task) == current && run.phase == BPF_OOM_UNDECIDED && !run.oc->memcg;
}

static int hooked_evaluate_task(struct task_struct *task, void *arg)
{
	struct oom_control *oc = arg;

	run.selection_reached = true;
	oc->chosen = BPF_OOM_ABORTED;
	return 1;
}

/* Selection for a memcg OOM. */

static bool scan_tasks_wanted(struct ftrace_regs *fregs)
{
	return READ_ONCE(run.task) == current && run.phase == BPF_OOM_UNDECIDED &&
	       ftrace_regs_get_argument(fregs, 1) == bpf_oom_kernel.oom_evaluate_task;
}

static void hooked_scan_tasks(struct mem_cgroup *memcg, bpf_oom_task_fn *fn, void *arg)
{
	if (run_policies(run.oc))
		run.oc->chosen = BPF_OOM_ABORTED;
	else
		static_call(bpf_oom_scan_tasks)(memcg, fn, arg);
}

/* The report: one line more, at its end, where no parser of the kernel's own lines trips. */

static bool dump_header_wanted(struct ftrace_regs *fregs)
{
	return READ_ONCE(run.task) == current && !run.in_report;
}

static void hooked_dump_header(struct oom_control *oc)
{
	run.in_report = true;
	static_call(bpf_oom_dump_header)(oc);
	run.in_report = false;
	printk(KERN_WARNING "oom_policy=%s\n", run.policy_name ?: "default");
}

/* The group that a kill takes along. */

static bool oom_group_wanted(struct ftrace_regs *fregs)
{
	return READ_ONCE(run.task) == current && run.single;
}

static struct mem_cgroup *hooked_oom_group(struct task_struct *victim, struct mem_cgroup *domain)
{
	return NULL;
}

static void notrace hook_callback(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				  struct ftrace_regs *fregs)
{
	const struct bpf_oom_hook *hook = container_of(ops, struct bpf_oom_hook, ops);

	if (hook->wanted(fregs))
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook->replacement);
}

#define BPF_OOM_HOOK(function, name)                                                \
	{                                                                           \
		.ops = {.func = hook_callback,                                      \
			.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT}, \
		.address = &bpf_oom_kernel.function, .wanted = name##_wanted,       \
		.replacement = hooked_##name,                                       \
	}

/* out_of_memory() comes last: without it none of the others ever replaces anything. */
static struct bpf_oom_hook hooks[] = {
	BPF_OOM_HOOK(dump_header, dump_header),
	BPF_OOM_HOOK(mem_cgroup_get_oom_group, oom_group),
	BPF_OOM_HOOK(mem_cgroup_scan_tasks, scan_tasks),
	BPF_OOM_HOOK(oom_evaluate_task, evaluate_task),
	BPF_OOM_HOOK(out_of_memory, out_of_memory),
};

static void unhook(int n)
{
	while (n-- > 0) {
		unregister_ftrace_function(&hooks[n].ops);
		ftrace_free_filter(&hooks[n].ops);
	}
	/*
	 * A task that was sent here still holds the oom_lock it came with, and gives it back only
	 * after out_of_memory() has returned to its caller.
	 */
	mutex_lock(bpf_oom_lock);
	mutex_unlock(bpf_oom_lock);
}

int bpf_oom_hook_init(void)
{
	int err;
	int i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		err = ftrace_set_filter_ip(&hooks[i].ops, *hooks[i].address, 0, 0);
		if (!err)
			err = register_ftrace_function(&hooks[i].ops);
		if (err) {
			pr_err("cannot hook %ps (%d): ftrace is off, or somebody replaced it\n",
			       (void *)*hooks[i].address, err);
			ftrace_free_filter(&hooks[i].ops);
			unhook(i);
			return err;
		}
	}
	return 0;
}

void bpf_oom_hook_exit(void)
{
	unhook(ARRAY_SIZE(hooks));
}
