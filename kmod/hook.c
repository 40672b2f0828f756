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
 * While the kernel selects, evaluate.c stands in for oom_evaluate_task().
 *
 * An OOM that a program declares comes in by the same door; what differs is below, at "Nobody to
 * kill" and "The constraint's name".
 *
 * The state of the current OOM is guarded by oom_lock. The ftrace callbacks run for every caller
 * of the hooked functions, with or without that lock, so they first compare run.task with
 * current: only the task that holds the lock ever finds itself there. The same comparison, not
 * the caller's address, is what lets our own calls through to the original functions, so it
 * does not matter how the compiler makes those calls.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/ftrace.h>
#include <linux/memcontrol.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "bpf_oom.h"
#include "compat.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

enum bpf_oom_phase {
	BPF_OOM_IDLE,	   /* no current OOM: the originals run */
	BPF_OOM_UNDECIDED, /* in out_of_memory(), policies have not run yet */
	BPF_OOM_POLICIES,  /* policies run */
	BPF_OOM_KERNEL,	   /* no policy handled it: the kernel selects */
};

static struct bpf_oom_run {
	struct task_struct *task; /* in out_of_memory(); read without oom_lock by the callbacks */
	struct oom_control *oc;
	enum bpf_oom_phase phase;
	bool selection_reached; /* a system OOM came as far as selection */
	bool selecting;		/* the kernel has begun to look at tasks */
	bool declared;
	bool remote; /* current is not in the OOM's memcg */
	bool nobody; /* there is nobody to kill, and the kernel was kept from saying so */
	bool notified;
	bool constraint_borrowed;
	enum oom_constraint constraint; /* the true one, while it is borrowed */
	enum bpf_oom_dying dying;	/* when this OOM came to its victim */
	bool memory_freed;
	bool in_report;
	bool single;			       /* memory.oom.group does not count */
	const char *policy_name;	       /* of the struct_ops policy that runs */
	char evaluation_name[POLICY_NAME_LEN]; /* what set_oom_policy_name() was given */
} run;

/* What bpf_oom_declare() hands to the hook; under oom_lock, while out_of_memory() runs. */
static bool declaring;
static const char *declared_constraint;

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

bool bpf_oom_is_inside(void)
{
	return READ_ONCE(run.task) == current;
}

bool bpf_oom_is_remote(void)
{
	return run.remote;
}

void bpf_oom_set_memory_freed(void)
{
	run.memory_freed = true;
}

void bpf_oom_set_single(bool single)
{
	run.single = single;
}

const char *bpf_oom_policy_name(const struct oom_control *oc)
{
	if (READ_ONCE(run.task) != current || run.oc != oc)
		return "default";
	if (run.policy_name)
		return run.policy_name;
	return run.evaluation_name[0] ? run.evaluation_name : "default";
}

void bpf_oom_set_policy_name(const struct oom_control *oc, const char *name, size_t size)
{
	size_t i;

	if (READ_ONCE(run.task) != current || run.oc != oc || !run.selecting)
		return;
	size = strnlen(name, min(size, sizeof(run.evaluation_name) - 1));
	for (i = 0; i < size; i++)
		run.evaluation_name[i] = isascii(name[i]) && isgraph(name[i]) ? name[i] : '?';
	run.evaluation_name[size] = '\0';
}

/*
 * Returns whether the kernel has nobody left to kill: a policy handled the OOM, or a victim was
 * dying when it came here. The kernel makes the latter check itself when it selects, but a policy
 * takes its time, and a victim that is gone by then would have another one killed after it. One
 * that the kernel does not count any more is waited for without a word to the policies, which do
 * not see it either.
 */
static bool run_policies(struct oom_control *oc)
{
	bool nobody_left;

	/* Scans and evaluations that are called from here are the kernel's. */
	run.phase = BPF_OOM_POLICIES;
	run.dying = bpf_oom_find_dying(oc, run.declared);
	nobody_left = run.dying == BPF_OOM_LEAVING;
	if (!nobody_left && bpf_oom_have_policies())
		nobody_left = bpf_oom_run_policies(oc, &run.memory_freed, &run.policy_name) ||
			      run.dying == BPF_OOM_DYING;
	run.phase = BPF_OOM_KERNEL;
	return nobody_left;
}

bool bpf_oom_victim_left(void)
{
	return run.dying == BPF_OOM_DYING && !run.memory_freed &&
	       bpf_oom_find_dying(run.oc, run.declared) != BPF_OOM_DYING;
}

/*
 * Is the memcg's OOM caused by a task outside, by writing to another's memory or on its behalf?
 *
 * Such a task is never the victim. The kernel takes the allocating task in two places: for
 * oom_kill_allocating_task, which is for system OOMs alone, and if it is dying already, when
 * nothing more is lost. All other victims come out of the memcg and those below it: selection and
 * evaluate.c walk nothing else, and so does a group kill, whose cgroup is never above the OOM's. A
 * policy can name any task, so bpf_oom_kill_process() refuses this one. What is left is a task that
 * shares the victim's address space from outside of the memcg; whoever kills one of them has to
 * kill both.
 */
static bool is_remote(const struct oom_control *oc)
{
	struct mem_cgroup *own;
	bool member;

	if (!oc->memcg)
		return false;
	rcu_read_lock();
	own = mem_cgroup_from_task(current);
	member = own && mem_cgroup_is_descendant(own, oc->memcg);
	rcu_read_unlock();
	return !member;
}

/* A system OOM has come so far that somebody is killed for it, SysRq apart. */
static void notify_root(const struct oom_control *oc)
{
	if (oc->memcg || oc->order == -1 || run.notified)
		return;
	run.notified = true;
	bpf_oom_notify_root();
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

	run = (struct bpf_oom_run){
		.oc = oc,
		.phase = BPF_OOM_UNDECIDED,
		.declared = declaring,
		.remote = is_remote(oc),
	};
	WRITE_ONCE(run.task, current);
	bpf_oom_dying_begin();

	ret = static_call(bpf_oom_out_of_memory)(oc);
	/* Chosen without a selection: the allocating task, as its sysctl wants. */
	if (run.selection_reached || oc->chosen)
		notify_root(oc);
	if (run.selection_reached) {
		oc->chosen = NULL;
		ret = run_policies(oc) || static_call(bpf_oom_out_of_memory)(oc);
	}

	if (run.nobody)
		ret = false;

	WRITE_ONCE(run.task, NULL);
	run.phase = BPF_OOM_IDLE;
	return ret;
}

bool bpf_oom_declare(struct oom_control *oc, const char *text)
{
	bool ret;

	declaring = true;
	declared_constraint = text;
	/* By the kernel's function, which is hooked, and so by the one door. */
	ret = static_call(bpf_oom_out_of_memory)(oc);
	declaring = false;
	declared_constraint = NULL;
	return ret;
}

/*
 * Nobody to kill. The kernel prints a report and a warning, and panics if it was a system OOM. That
 * is out of place where the allocation can fail instead: for a task outside the memcg, which gets
 * an error, and for an OOM that was declared, where none failed at all. There the selection is
 * marked as aborted, and the result is set right on the way out.
 */
static void nobody_chosen(struct oom_control *oc)
{
	trace_select_bad_process_end(oc);
	if (run.declared || run.remote) {
		oc->chosen = BPF_OOM_ABORTED;
		run.nobody = true;
	}
}

/* Selection for a system OOM. */

static void begin_selection(void)
{
	run.selecting = true;
	bpf_oom_begin_selection(run.oc);
}

static void end_selection(struct oom_control *oc)
{
	if (!oc->chosen)
		nobody_chosen(oc);
	else if (oc->chosen != BPF_OOM_ABORTED && bpf_oom_victim_left()) {
		put_task_struct(oc->chosen);
		oc->chosen = BPF_OOM_ABORTED;
	}
}

/*
 * The whole loop, at the kernel's first step of it: at the last step nobody would know that it is
 * the last, and nobody_chosen() be too late. Under the rcu_read_lock() of select_bad_process().
 */
static void select_from_system(struct oom_control *oc)
{
	struct task_struct *task;

	begin_selection();
	for_each_process(task) {
		if (bpf_oom_evaluate(task, oc))
			break;
	}
	end_selection(oc);
}

static bool evaluate_task_wanted(struct ftrace_regs *fregs)
{
	if (READ_ONCE(run.task) != current || run.oc->memcg)
		return false;
	return run.phase == BPF_OOM_UNDECIDED ||
	       (run.phase == BPF_OOM_KERNEL && bpf_oom_can_evaluate);
}

static int hooked_evaluate_task(struct task_struct *task, void *arg)
{
	struct oom_control *oc = arg;

	if (run.phase == BPF_OOM_KERNEL) {
		select_from_system(oc);
		return 1;
	}
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
	if (run_policies(run.oc)) {
		run.oc->chosen = BPF_OOM_ABORTED;
		return;
	}
	if (bpf_oom_can_evaluate) {
		begin_selection();
		fn = bpf_oom_evaluate;
	}
	static_call(bpf_oom_scan_tasks)(memcg, fn, arg);
	end_selection(run.oc);
}

/*
 * The constraint's name. The kernel prints oom_constraint_text[oc->constraint] right after
 * dump_header(), from code that is inlined in oom_kill_process(). To have it print the text of a
 * declared OOM without writing to kernel memory, oc->constraint is for that moment the index at
 * which the array, read beyond its end, would reach declared_constraint: module data lies above
 * the kernel's on x86, both are aligned to a pointer, and the distance fits into the enum. The next
 * thing oom_kill_process() does after the report is mem_cgroup_get_oom_group(), where the true
 * value comes back; nothing in between hands oc to anybody. A kill whose report is left out by
 * the rate limit never comes here. Where the distance does not fit, or the kernel checks array
 * bounds, the text has a line of its own.
 */
static bool constraint_index(enum oom_constraint *ret_index)
{
	unsigned long base = bpf_oom_kernel.oom_constraint_text;
	unsigned long pointer = (unsigned long)&declared_constraint;
	unsigned long index = (pointer - base) / sizeof(declared_constraint);

	if (IS_ENABLED(CONFIG_UBSAN_BOUNDS) || !base || pointer < base ||
	    (pointer - base) % sizeof(declared_constraint) || index > INT_MAX)
		return false;
	*ret_index = index;
	return true;
}

static void borrow_constraint(struct oom_control *oc)
{
	enum oom_constraint index;

	if (!declared_constraint || !oc->chosen)
		return;
	if (!constraint_index(&index)) {
		printk(KERN_WARNING "oom_declared=%s\n", declared_constraint);
		return;
	}
	run.constraint = oc->constraint;
	run.constraint_borrowed = true;
	oc->constraint = index;
}

/* The report: one line more, at its end, where no parser of the kernel's own lines trips. */

static bool dump_header_wanted(struct ftrace_regs *fregs)
{
	return READ_ONCE(run.task) == current && !run.in_report;
}

static void hooked_dump_header(struct oom_control *oc)
{
	notify_root(oc); /* it may be the one before a panic */

	run.in_report = true;
	static_call(bpf_oom_dump_header)(oc);
	run.in_report = false;
	printk(KERN_WARNING "oom_policy=%s\n", bpf_oom_policy_name(oc));
	borrow_constraint(oc);
}

/* The group that a kill takes along; and the end of the report, if there was one. */

static bool oom_group_wanted(struct ftrace_regs *fregs)
{
	return READ_ONCE(run.task) == current && (run.single || run.constraint_borrowed);
}

static struct mem_cgroup *hooked_oom_group(struct task_struct *victim, struct mem_cgroup *domain)
{
	if (run.constraint_borrowed) {
		run.oc->constraint = run.constraint;
		run.constraint_borrowed = false;
	}
	return run.single ? NULL : static_call(bpf_oom_get_group)(victim, domain);
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
		.address = &bpf_oom_kernel.function,                                \
		.wanted = name##_wanted,                                            \
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
