// SPDX-License-Identifier: GPL-2.0-only
/*
 * Enters the kernel's OOM path just before it selects a victim, without a patched kernel.
 *
 * Invariant: where BPF has no say in an OOM, it goes as without this module: the same victim, the
 * same lines in the kernel's log. BPF has one where a policy is registered, where the OOM was
 * declared, and where a program of the task-evaluation interface names itself, answers or asks, or
 * somebody follows the tracepoint of an OOM in which nobody is chosen; all that this module does on
 * top is for these, see run.policed. The notification of the root is not: who listens has asked for
 * it. As long as there is no program that could have a say, no listener and nobody who follows one
 * of the tracepoints, no function is replaced: see is_used().
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
 *		not, and to ask them again before a kill does no harm. Without a policy that first
 *		call selects.
 *
 * While the kernel selects, evaluate.c stands in for oom_evaluate_task().
 *
 * An OOM that a program declares comes in by the same door; what differs is below, at "Nobody to
 * kill" and in the report.
 *
 * The state of the current OOM is guarded by oom_lock. The ftrace callbacks run for every caller
 * of the hooked functions, with or without that lock, so they first compare run.task with
 * current: only the task that holds the lock ever finds itself there. The same comparison, not
 * the caller's address, is what lets our own calls through to the original functions, so it
 * does not matter how the compiler makes those calls.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
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
	u64 number;
	enum bpf_oom_phase phase;
	bool selection_reached; /* a system OOM came as far as selection */
	bool selecting;		/* the kernel has begun to look at tasks */
	bool declared;
	bool policed; /* BPF has a say in it */
	bool remote;  /* current is not in the OOM's memcg */
	bool nobody;  /* there is nobody to kill, and the kernel was kept from saying so */
	bool notified;
	bool awaited_known;
	struct bpf_oom_awaited awaited; /* when this OOM came to its victim, if that is known */
	bool memory_freed;
	bool in_report;
	bool single;			       /* memory.oom.group does not count */
	const char *policy_name;	       /* of the struct_ops policy that runs */
	char evaluation_name[POLICY_NAME_LEN]; /* what set_oom_policy_name() was given */
} run;

/* What bpf_oom_declare() hands to the hook; under oom_lock, while out_of_memory() runs. */
static bool declaring;
static const char *declared_text;

/* Whose call is only to show that it comes here; NULL: none, or it has come. Under oom_lock. */
static const struct oom_control *tested;

struct bpf_oom_hook {
	struct ftrace_ops ops;
	const char *name;
	unsigned long *address;
	bool (*wanted)(struct ftrace_regs *fregs);
	void *replacement;
};

static bool is_of_current(const struct oom_control *oc)
{
	return READ_ONCE(run.task) == current && run.oc == oc;
}

/*
 * Could somebody have a say in an OOM that comes now, or follow it?
 *
 * Who uses the module by BPF holds it: a program by its hook or its kfuncs from its loading on, a
 * struct_ops map, a link. Two are not seen: a kprobe on a function of ours, which is not called
 * then; and the only program there is, while rmmod looks whether anybody holds the
 * module. A registered policy is always seen.
 */
static bool is_used(void)
{
#ifdef CONFIG_MODULE_UNLOAD
	return bpf_oom_have_policies() || module_refcount(THIS_MODULE) > 0 ||
	       trace_select_bad_process_end_enabled() || trace_bpf_oom_end_enabled();
#else
	return true;
#endif
}

bool bpf_oom_is_current(const struct oom_control *oc)
{
	return is_of_current(oc) && run.phase == BPF_OOM_POLICIES;
}

bool bpf_oom_is_selecting(const struct oom_control *oc)
{
	return is_of_current(oc) && run.selecting;
}

u64 bpf_oom_current_number(const struct oom_control *oc)
{
	return bpf_oom_is_current(oc) ? run.number : 0;
}

bool bpf_oom_is_inside(void)
{
	return READ_ONCE(run.task) == current;
}

bool bpf_oom_has_killed(void)
{
	return run.memory_freed;
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
	if (!is_of_current(oc))
		return "default";
	if (run.policy_name)
		return run.policy_name;
	return run.evaluation_name[0] ? run.evaluation_name : "default";
}

void bpf_oom_set_policy_name(const struct oom_control *oc, const char *name, size_t size)
{
	size_t i;

	if (!bpf_oom_is_selecting(oc))
		return;
	run.policed = true;
	size = strnlen(name, min(size, sizeof(run.evaluation_name) - 1));
	for (i = 0; i < size; i++)
		run.evaluation_name[i] = isascii(name[i]) && isgraph(name[i]) ? name[i] : '?';
	run.evaluation_name[size] = '\0';
}

void bpf_oom_set_policed(void)
{
	run.policed = true;
}

/* Once for each OOM, so that all who ask are told the same. */
static const struct bpf_oom_awaited *find_awaited(void)
{
	if (!run.awaited_known) {
		run.awaited = bpf_oom_find_awaited(run.oc, run.declared);
		run.awaited_known = true;
	}
	return &run.awaited;
}

const struct bpf_oom_awaited *bpf_oom_get_awaited(const struct oom_control *oc)
{
	if (!bpf_oom_is_selecting(oc) && !bpf_oom_is_current(oc))
		return NULL;
	run.policed = true;
	return find_awaited();
}

/*
 * Returns whether the kernel has nobody left to kill: a policy handled the OOM, or a victim was
 * dying when it came here. The kernel makes the latter check itself when it selects, but a policy
 * takes its time, and a victim that is gone by then would have another one killed after it. Of one
 * that the kernel does not count any more no policy is asked: it could only look for another.
 */
static bool run_policies(struct oom_control *oc)
{
	const struct bpf_oom_awaited *awaited;

	if (!run.policed && !bpf_oom_have_policies())
		return false;
	run.policed = true;
	/* Scans and evaluations that are called from here are the kernel's. */
	run.phase = BPF_OOM_POLICIES;
	awaited = find_awaited();
	if (awaited->what == BPF_OOM_AWAITS_LEAVING || awaited->what == BPF_OOM_AWAITS_ROOM)
		return true;
	return bpf_oom_have_policies() &&
	       (bpf_oom_run_policies(oc, &run.memory_freed, &run.policy_name) ||
		awaited->what == BPF_OOM_AWAITS_DYING);
}

bool bpf_oom_victim_left(void)
{
	return run.policed && run.awaited_known && run.awaited.what == BPF_OOM_AWAITS_DYING &&
	       !run.memory_freed &&
	       bpf_oom_find_awaited(run.oc, run.declared).what != BPF_OOM_AWAITS_DYING;
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
	struct task_struct *charged = current;
	struct mem_cgroup *own;
	bool member;

	if (!oc->memcg)
		return false;
	rcu_read_lock();
	/* Threads in several memcgs, as version 1 allows, are charged to that of one of them. */
	if (current->mm)
		charged = rcu_dereference(current->mm->owner);
	own = charged ? mem_cgroup_from_task(charged) : NULL;
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

/* All who call it hold oom_lock. */
static bool out_of_memory_wanted(struct ftrace_regs *fregs)
{
	const struct oom_control *oc = (void *)ftrace_regs_get_argument(fregs, 0);

	return READ_ONCE(run.task) != current && (is_used() || declaring || oc == tested ||
						  (!oc->memcg && bpf_oom_root_is_listened_to()));
}

static bool hooked_out_of_memory(struct oom_control *oc)
{
	static u64 n_ooms;
	bool ret;

	lockdep_assert_held(bpf_oom_lock);

	if (oc == tested) {
		tested = NULL;
		return true;
	}
	run = (struct bpf_oom_run){
		.oc = oc,
		.number = ++n_ooms,
		.phase = BPF_OOM_UNDECIDED,
		.declared = declaring,
		.policed = declaring,
		.remote = is_remote(oc),
	};
	WRITE_ONCE(run.task, current);

	ret = static_call(bpf_oom_out_of_memory)(oc);
	/* Chosen without a selection: the allocating task, as its sysctl wants. */
	if (run.selection_reached || oc->chosen)
		notify_root(oc);
	if (run.selection_reached && run.phase == BPF_OOM_UNDECIDED) {
		oc->chosen = NULL;
		ret = run_policies(oc);
		run.phase = BPF_OOM_KERNEL;
		if (!ret)
			ret = static_call(bpf_oom_out_of_memory)(oc);
	}

	if (run.nobody)
		ret = false;
	trace_bpf_oom_end(oc);

	WRITE_ONCE(run.task, NULL);
	run.phase = BPF_OOM_IDLE;
	return ret;
}

bool bpf_oom_declare(struct oom_control *oc, const char *text)
{
	bool ret;

	declaring = true;
	declared_text = text;
	/* By the kernel's function, which is hooked, and so by the one door. */
	ret = static_call(bpf_oom_out_of_memory)(oc);
	declaring = false;
	declared_text = NULL;
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
	if (trace_select_bad_process_end_enabled())
		run.policed = true;
	trace_select_bad_process_end(oc);
	if (run.declared || (run.remote && run.policed)) {
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

/* Is the memory of a victim on its way that the kernel does not see, where a program has chosen? */
static bool is_leaving(void)
{
	return run.policed && (find_awaited()->what == BPF_OOM_AWAITS_LEAVING ||
			       run.awaited.what == BPF_OOM_AWAITS_ROOM);
}

static void end_selection(struct oom_control *oc)
{
	if (oc->chosen == BPF_OOM_ABORTED)
		return;
	if (!is_leaving() && !bpf_oom_victim_left()) {
		if (!oc->chosen)
			nobody_chosen(oc);
		return;
	}
	if (oc->chosen)
		put_task_struct(oc->chosen);
	oc->chosen = BPF_OOM_ABORTED;
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
	return READ_ONCE(run.task) == current && !run.oc->memcg &&
	       (run.phase == BPF_OOM_UNDECIDED || run.phase == BPF_OOM_KERNEL);
}

static int hooked_evaluate_task(struct task_struct *task, void *arg)
{
	struct oom_control *oc = arg;

	if (run.phase == BPF_OOM_UNDECIDED) {
		run.selection_reached = true;
		if (run.policed || bpf_oom_have_policies()) {
			oc->chosen = BPF_OOM_ABORTED;
			return 1;
		}
		run.phase = BPF_OOM_KERNEL;
	}
	select_from_system(oc);
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
	bool nobody_left = run_policies(run.oc);

	run.phase = BPF_OOM_KERNEL;
	if (nobody_left) {
		run.oc->chosen = BPF_OOM_ABORTED;
		return;
	}
	/* Here, where it may sleep: a program that asks may not. */
	find_awaited();
	begin_selection();
	static_call(bpf_oom_scan_tasks)(memcg, bpf_oom_evaluate, arg);
	end_selection(run.oc);
}

/* The report: more lines, at its end, where no parser of the kernel's own lines trips. */

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
	if (declared_text)
		printk(KERN_WARNING "oom_declared=%s\n", declared_text);
	if (run.policed)
		printk(KERN_WARNING "oom_policy=%s\n", bpf_oom_policy_name(oc));
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

#define BPF_OOM_HOOK(function, hook)                                                \
	{                                                                           \
		.ops = {.func = hook_callback,                                      \
			.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT}, \
		.name = #function,                                                  \
		.address = &bpf_oom_kernel.function,                                \
		.wanted = hook##_wanted,                                            \
		.replacement = hooked_##hook,                                       \
	}

/* out_of_memory() comes last: without it none of the others ever replaces anything. */
static struct bpf_oom_hook hooks[] = {
	BPF_OOM_HOOK(dump_header, dump_header),
	BPF_OOM_HOOK(mem_cgroup_get_oom_group, oom_group),
	BPF_OOM_HOOK(mem_cgroup_scan_tasks, scan_tasks),
	BPF_OOM_HOOK(oom_evaluate_task, evaluate_task),
	BPF_OOM_HOOK(out_of_memory, out_of_memory),
};

/* The parameter "hooks", for status programs: which functions of the kernel are hooked. */
static int get_hooks(char *buffer, const struct kernel_param *kp)
{
	int length = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		length += sysfs_emit_at(buffer, length, "%s%s", i ? "," : "", hooks[i].name);
	return length + sysfs_emit_at(buffer, length, "\n");
}

static const struct kernel_param_ops hooks_ops = {.get = get_hooks};
module_param_cb(hooks, &hooks_ops, NULL, 0444);
MODULE_PARM_DESC(hooks, "the kernel's functions that are hooked (read-only)");

/*
 * The kernel refuses where ftrace has ended itself after a fault, and the hooked functions go on
 * jumping into this module: it must stay, and who unloads it waits for ever.
 */
static void unhook_one(struct bpf_oom_hook *hook)
{
	int err = unregister_ftrace_function(&hook->ops);

	if (err) {
		pr_crit("cannot unhook %s (%d), so the module stays: reboot to be rid of it\n",
			hook->name, err);
		while (true)
			schedule_timeout_idle(HZ);
	}
	ftrace_free_filter(&hook->ops);
}

static void unhook(int n)
{
	while (n-- > 0)
		unhook_one(&hooks[n]);
	/*
	 * A task that was sent here still holds the oom_lock it came with, and gives it back only
	 * after out_of_memory() has returned to its caller.
	 */
	mutex_lock(bpf_oom_lock);
	mutex_unlock(bpf_oom_lock);
}

/* What ftrace has in work for another user of the function is over in a moment. */
#define HOOK_ATTEMPTS 10
#define HOOK_DELAY_MSEC 20

static int hook_one(struct bpf_oom_hook *hook)
{
	int attempt;
	int err;

	err = ftrace_set_filter_ip(&hook->ops, *hook->address, 0, 0);
	for (attempt = 0; !err && attempt < HOOK_ATTEMPTS; attempt++) {
		err = register_ftrace_function(&hook->ops);
		if (err != -EAGAIN)
			break;
		msleep(HOOK_DELAY_MSEC);
		err = attempt + 1 < HOOK_ATTEMPTS ? 0 : -EAGAIN;
	}
	if (!err)
		return 0;
	ftrace_free_filter(&hook->ops);
	if (err == -EBUSY)
		pr_err("cannot hook %s: another module or a live patch has replaced it, or the "
		       "sysctl kernel.ftrace_enabled is 0; remove the one or set the other to 1, "
		       "and load bpf_oom again\n",
		       hook->name);
	else if (err == -EAGAIN)
		pr_err("cannot hook %s: a BPF program of another user on that function does not "
		       "allow it; detach it and load bpf_oom again\n",
		       hook->name);
	else
		pr_err("cannot hook %s (%d)\n", hook->name, err);
	return err;
}

/* Does a call of out_of_memory() come here? Should it not, the kernel does nothing for this one: it
 * kills nobody where the allocation must not go to file systems. */
static bool test_hook(void)
{
	struct oom_control oc = {.gfp_mask = GFP_NOWAIT};

	mutex_lock(bpf_oom_lock);
	tested = &oc;
	static_call(bpf_oom_out_of_memory)(&oc);
	mutex_unlock(bpf_oom_lock);
	if (!tested)
		return true;
	tested = NULL;
	pr_err("a call of out_of_memory does not come to its hook: not loading\n");
	return false;
}

int bpf_oom_hook_init(void)
{
	int err;
	int i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		err = hook_one(&hooks[i]);
		if (err) {
			unhook(i);
			return err;
		}
	}
	if (!test_hook()) {
		unhook(ARRAY_SIZE(hooks));
		return -ENXIO;
	}
	return 0;
}

void bpf_oom_hook_exit(void)
{
	unhook(ARRAY_SIZE(hooks));
}
