// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy in the kernel's own selection: for a kernel that asks about each task, one by one, and
 * kills the one that is left. The same choice as policy.bpf.c makes, from the same rules.
 *
 * Only the best task so far is known here, and never what is still to come. So as long as there is
 * no candidate the kernel's own choice goes on, among protected tasks too; the first candidate
 * takes its place, and from then on only a better one does. Where there is none the kernel has
 * chosen as without a policy.
 *
 * Programs run under oom_lock, one OOM at a time, in the order op_begin, op_evaluate for each task;
 * what the kernel made of it is seen by victims.bpf.c. The task is not one that kfuncs take: what
 * needs them looks it up again.
 */
#include "record.bpf.h"
#include "weigh.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* What the kernel's report calls the policies. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OP_NAMES_MAX);
	__type(key, __u32);
	__type(value, struct op_name);
} op_names SEC(".maps");

/* The current OOM. The task that is the kernel's choice is the best of the selection. */
struct current_oom {
	__u64 oc; /* its address, to be compared alone; 0: no policy answers */
	__u64 begun_nsec;
	__u64 cgroup;		 /* its address, as a global function takes no pointer to it */
	struct candidate before; /* the choice before the best */
	__u32 tid;
	__u32 is_sysrq;
	__s32 awaited; /* what bpf_oom_awaits() said */
	__u32 pad;
};

__hidden struct current_oom current_oom = {};
/* What the kernel's report calls nobody. Not constant: the verifier asks of the kfunc's buffer that
 * it can be written to. */
__hidden char no_policy[] = "default";
__hidden __u64 thread_mm = 0;

/* Does the module tell what an OOM has to wait for? Then no task is looked at for that. */
static __always_inline bool knows_awaited(void)
{
	return bpf_ksym_exists(bpf_oom_awaits);
}

/* The answer for a task that no policy chooses. */
static __always_inline int pass_over(void)
{
	return selection.best.pid ? OP_BPF_EVAL_NEXT : OP_NO_BPF_POLICY;
}

/* Finds the policy of the slot that the OOM was directed to. Returns whether it is there. */
static __always_inline bool find_policy(const struct op_state *state)
{
	__u64 key = OP_KEY_POLICY((__u64)state->slot);
	__u32 number = state->number, index, zero = 0;
	struct op_switch *active = bpf_map_lookup_elem(&op_switch_map, &zero);
	void *rules = find_rules();
	struct op_entry *entry;
	struct op_name *name;

	if (!rules || !is_config(rules, number))
		return false;
	entry = bpf_map_lookup_elem(rules, &key);
	if (!entry)
		return false;
	set_daemon(active);
	set_criteria(entry);
	index = OP_NAMES_INDEX(state->config, state->slot);
	name = bpf_map_lookup_elem(&op_names, &index);
	if (name)
		bpf_probe_read_kernel_str(record.policy, sizeof(record.policy), name->text);
	return true;
}

/* Leaves the record for the end of the selection. */
static __always_inline void defer(void)
{
	struct pending *pending = find_pending();

	if (!pending)
		return;
	__builtin_memset(&pending->choice, 0, sizeof(pending->choice));
	runners_reset(&pending->runners, find_runners_max());
	/* Where nobody follows the kernel it is sent when the next OOM begins. */
	pending_set(pending, true);
}

/*
 * For a moment there are two of this program, when a daemon gives its maps to programs of another
 * build, and both see the OOM begin. The record that the first has left is this OOM's, and not one
 * whose end was not seen: it is not ours, and no task was looked at since.
 */
static __always_inline bool is_begun(void)
{
	struct pending *pending = find_pending();

	return pending && pending->tid == current_tid() && !pending->is_sent &&
	       pending->has_choice && !pending->choice.tasks &&
	       pending->record.header.ktime_nsec != current_oom.begun_nsec;
}

SEC("fentry/bpf_set_policy_name")
int BPF_PROG(op_begin, struct oom_control *oc)
{
	__u64 begun = bpf_ktime_get_ns();
	struct task_struct *current = bpf_get_current_task_btf();
	struct op_switch *active;
	struct op_state *state;
	__u32 zero = 0, reason;
	__u64 domain_id;

	current_oom.oc = 0;
	state = bpf_map_lookup_elem(&op_oom, &zero);
	active = bpf_map_lookup_elem(&op_switch_map, &zero);
	if (!state || !active || !has_config(active))
		return 0;
	if (!is_begun())
		op_record_flush();
	current_oom.begun_nsec = begun;
	record_begin(begun, OP_BACKEND_EVALUATE_TASK);
	reason = find_domain(oc, &domain_id);
	record_domain(oc, domain_id, reason);
	state->slot = 0;
	if (reason == OP_REASON_NO_POLICY)
		direct(domain_id, record.flags & OP_OOM_MEMCG, state);

	record_trigger(current, state);
	if (record.domain_id && is_remote(current, domain_id))
		record.flags |= OP_OOM_REMOTE;
	if (reason != OP_REASON_NOT_UNIFIED)
		op_record_path(domain_id, OP_PATH_DOMAIN);
	record.config = state->number;
	if (!state->slot || !find_policy(state)) {
		/* The report says so, as it does where handlers were asked and none answers. */
		if (bpf_ksym_exists(set_oom_policy_name))
			set_oom_policy_name(oc, no_policy, sizeof(no_policy));
		none(reason);
		defer();
		return 0;
	}
	defer();

	criteria.total_pages = oc->totalpages;
	current_oom.is_sysrq = record.flags & OP_OOM_SYSRQ;
	current_oom.awaited = knows_awaited() ? bpf_oom_awaits(oc) : 0;
	__builtin_memset(&selection, 0, sizeof(selection));
	sharers_reset();
	current_oom.before.pid = 0;
	current_oom.tid = current_tid();
	current_oom.oc = (__u64)oc;
	if (bpf_ksym_exists(set_oom_policy_name))
		set_oom_policy_name(oc, record.policy, sizeof(record.policy));
	return 0;
}

/* Looks up what applies to the cgroup current_oom.cgroup. Returns false where the configuration
 * that the OOM began with has been exchanged. */
__noinline int op_find_effective(void)
{
	struct cgroup *cgrp = bpf_core_cast((void *)current_oom.cgroup, struct cgroup);
	struct op_state *state;
	__u32 zero = 0, number;
	void *rules;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state)
		return false;
	number = state->number;
	rules = find_rules();
	if (!rules || !is_config(rules, number))
		return false;
	find_effective(rules, cgrp, criteria.default_priority, &selection.rule);
	return true;
}

/* Looks for the memory of a process whose main thread has none any more. */
__noinline int op_find_thread_mm(__u32 pid)
{
	struct task_struct *task = bpf_task_from_pid(pid);

	thread_mm = 0;
	if (!task)
		return 0;
	thread_mm = (__u64)process_mm(task);
	bpf_task_release(task);
	return 0;
}

/* What the process counts that the kernel asks about, whose memory is @mm; see task_pages(). */
static __always_inline __s64 asked_pages(struct task_struct *task, struct oom_control *oc,
					 struct mm_struct *mm)
{
	if (bpf_ksym_exists(bpf_oom_asked_pages) && !is_spared(task))
		return bpf_oom_asked_pages(oc);
	return mm_points(mm);
}

/* A victim of an earlier OOM still holds memory: this one waits for it. No process has a @pid
 * below 1.
 */
__noinline int op_wait(__s32 pid)
{
	struct pending *pending = find_pending();
	struct task_struct *task;

	if (!pending)
		return 0;
	pending->tid = 0;
	bpf_probe_read_kernel(&record, sizeof(record), &pending->record);
	record.decision = OP_DECISION_WAITING;
	record.reason = OP_REASON_VICTIM_DYING;
	record.nr_tasks = pending->choice.tasks;
	record.nr_cgroups = pending->choice.cgroups;
	record.victim.pid = pid > 0 ? pid : 0;
	task = pid > 0 ? bpf_task_from_pid(pid) : NULL;
	if (task) {
		record_task(task, &record.victim);
		bpf_task_release(task);
		op_record_path(record.victim.cgroup_id, OP_PATH_VICTIM);
	}
	record.select_nsec = bpf_ktime_get_ns() - current_oom.begun_nsec;
	count_run(current_oom.begun_nsec);
	return op_record_send();
}

/* What is recorded of the choice when it comes to the kill. */
static __always_inline void record_best(struct choice *choice)
{
	choice->pid = selection.best.pid;
	choice->priority = selection.best.rule.priority;
	choice->rule_index = selection.best.rule.rule_index;
	choice->source_id = selection.best.rule.source_id;
	choice->select_nsec = bpf_ktime_get_ns() - current_oom.begun_nsec;
}

/*
 * The kernel may have refused the last choice, for a task that exited meanwhile. To go on from it
 * would mean to pass over all others and leave the kernel with nobody.
 */
static __always_inline void check_best(struct oom_control *oc, struct choice *choice)
{
	__u64 chosen = (__u64)READ_ONLY(oc)->chosen;

	if (!selection.best.pid || selection.best.task == chosen)
		return;
	selection.best.pid = 0;
	if (current_oom.before.pid && current_oom.before.task == chosen)
		selection.best = current_oom.before;
	current_oom.before.pid = 0;
	record_best(choice);
}

/* Makes @cgrp the current cgroup. Returns false as op_find_effective() does. */
static __always_inline bool enter_cgroup(struct cgroup *cgrp, struct choice *choice)
{
	__u64 id = cgrp->kn->id;

	if (selection.cgroup_id == id)
		return true;
	selection.cgroup_id = id;
	choice->cgroups++;
	current_oom.cgroup = (__u64)cgrp;
	return op_find_effective();
}

static __always_inline int evaluate(struct task_struct *task, struct oom_control *oc,
				    struct choice *choice, struct runners *runners)
{
	struct mm_struct *mm;

	choice->tasks++;
	if (current_oom.awaited || (READ_ONLY(task)->signal->oom_mm && !current_oom.is_sysrq)) {
		if (!current_oom.awaited && (knows_awaited() || !is_dying(task)))
			return pass_over();
		op_wait(current_oom.awaited ? current_oom.awaited : task->tgid);
		return OP_BPF_EVAL_ABORT;
	}

	if (!enter_cgroup(process_cgroup(task), choice)) {
		current_oom.oc = 0;
		selection.best.pid = 0;
		record_best(choice);
		return OP_NO_BPF_POLICY;
	}
	if (selection.rule.flags & OP_RULE_PROTECT)
		choice->protected_tasks++;
	if (!is_to_be_weighed(task, runners))
		return pass_over();
	thread_mm = (__u64)READ_ONLY(task)->mm;
	if (!thread_mm)
		op_find_thread_mm(task->pid);
	if (!thread_mm)
		return pass_over();
	mm = bpf_core_cast((void *)thread_mm, struct mm_struct);
	if (!weigh(task, mm, asked_pages(task, oc, mm), runners)) {
		choice->protected_tasks += sharers.n_barred;
		sharers.n_barred = 0;
		return pass_over();
	}

	current_oom.before = selection.best;
	take_weighed(runners);
	record_best(choice);
	return OP_BPF_EVAL_SELECT;
}

SEC("fmod_ret/bpf_oom_evaluate_task")
int BPF_PROG(op_evaluate, struct task_struct *task, struct oom_control *oc)
{
	struct pending *pending;

	if (current_oom.oc != (__u64)oc || current_oom.tid != current_tid())
		return OP_NO_BPF_POLICY;
	pending = find_pending();
	if (!pending)
		return OP_NO_BPF_POLICY;
	check_best(oc, &pending->choice);
	return evaluate(task, oc, &pending->choice, &pending->runners);
}
