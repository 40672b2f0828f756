// SPDX-License-Identifier: GPL-2.0-only
/*
 * Follows what the kernel does: whom it marks as a victim, and where its selection ends with
 * nobody.
 *
 * Keeps the victims of late, so that a policy need not look at every task of a domain to find one
 * that is dying still; and completes and sends the records of OOMs that end outside of a policy.
 * An object of its own, since policies do without where the kernel's tracepoints are others.
 *
 * Both tracepoints fire under oom_lock, in the task that ran out of memory: mark_victim by every
 * caller in mm/oom_kill.c, select_bad_process_end by its definition.
 */
#include "record.bpf.h"
#include "rules.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The members of a memory.oom.group are marked right after the victim, each after a line to a
 * console that may be slow: what the same thread marks in this time belongs to the same OOM. */
#define OP_GROUP_NSEC 1000000000ULL

__hidden struct effective effective = {};

/* Returns whether the process was known as a victim. */
static __always_inline bool remember(struct oom_state *state, struct task_struct *task)
{
	__u64 start = READ_ONLY(task)->group_leader->start_boottime;
	__u32 pid = task->tgid, next;
	bool known = false;
	int i;

	bpf_for(i, 0, OP_RECENT_MAX) {
		struct recent *recent = &state->recent[i & (OP_RECENT_MAX - 1)];

		if (recent->pid == pid && recent->start_boottime_nsec == start) {
			known = true;
			break;
		}
	}
	if (known)
		return true;
	next = state->next_recent++ & (OP_RECENT_MAX - 1);
	state->recent[next].start_boottime_nsec = start;
	state->recent[next].pid = pid;
	return false;
}

/* What the policy that was asked had to say about the cgroup of the kernel's victim. */
static __always_inline void record_rule(struct oom_state *state, struct task_struct *task)
{
	__u64 key = OP_KEY_POLICY((__u64)state->slot);
	__u32 number = state->number;
	struct op_rule *policy;
	void *rules;

	rules = find_rules();
	if (!state->slot || !rules || !is_config(rules, number))
		return;
	policy = bpf_map_lookup_elem(rules, &key);
	if (!policy)
		return;
	find_effective(rules, process_cgroup(task), policy->priority, &effective);
	record.priority = effective.priority;
	record.rule_index = effective.index;
	record.source_id = effective.source_id;
}

/* What the kernel's selection was told, where it was told anything. */
static __always_inline void record_choice(const struct choice *choice, struct task_struct *victim,
					  const struct runners *runners)
{
	record.nr_tasks = choice->tasks;
	record.nr_cgroups = choice->cgroups;
	record.select_nsec = choice->select_nsec;
	if (victim && choice->pid && choice->pid == victim->tgid) {
		record.decision = OP_DECISION_KILLED;
		record.reason = OP_REASON_NONE;
		record.priority = choice->priority;
		record.rule_index = choice->rule_index;
		record.source_id = choice->source_id;
	} else if (record.reason == OP_REASON_NONE) {
		record.reason = choice->pid		  ? OP_REASON_VICTIM_GONE
				: choice->protected_tasks ? OP_REASON_ALL_PROTECTED
							  : OP_REASON_NO_CANDIDATE;
	}
	record_runners(runners);
}

/* Completes the record that waits for the end of this thread's OOM. Returns whether one does. */
static __always_inline bool record_take(struct pending *pending, struct task_struct *victim)
{
	__u32 tid = current_tid();

	if (pending->tid != tid)
		return false;
	pending->tid = 0;
	bpf_probe_read_kernel(&record, sizeof(record), &pending->record);
	record.decision = victim ? OP_DECISION_KERNEL : OP_DECISION_NOBODY;
	/* Whom the policy waited for, or could not kill, is not who dies. */
	__builtin_memset(&record.victim, 0, sizeof(record.victim));
	record.victim_path[0] = '\0';
	record.source_path[0] = '\0';
	record.source_id = 0;
	record.priority = 0;
	record.rule_index = OP_RULE_NONE;
	if (record.backend == OP_BACKEND_EVALUATE_TASK) {
		record_choice(&pending->choice, victim, &pending->runners);
		count_run(record.header.ktime_nsec);
	}
	return true;
}

/* One for an OOM that came to its victim before any policy was asked. */
static __always_inline void record_unasked(void)
{
	struct task_struct *current = bpf_get_current_task_btf();

	record_begin(bpf_ktime_get_ns(), OP_BACKEND_NONE);
	record.decision = OP_DECISION_KERNEL;
	record.reason = OP_REASON_NOT_ASKED;
	record_task(current, &record.trigger);
	op_record_path(record.trigger.cgroup_id, OP_PATH_TRIGGER);
}

/* One that the kernel kills with the victim of a policy. */
static __always_inline void record_member(struct oom_state *state, struct task_struct *task)
{
	record.header.ktime_nsec = state->killing_nsec;
	member_begin(task);
	member_end();
	state->killing_members++;
}

static __always_inline __u32 find_follows(void)
{
	__u32 zero = 0;
	struct op_switch *in_force = bpf_map_lookup_elem(&op_switch_map, &zero);

	return in_force ? in_force->follows : OP_FOLLOWS_NOTHING;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(op_mark_victim, struct task_struct *task)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0, tid = current_tid();
	struct pending *pending;
	struct oom_state *state;
	bool known;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	pending = find_pending();
	if (!state || !pending)
		return 0;
	state->tracking = 1;
	known = remember(state, task);
	if (state->killing_tid == tid) {
		if (state->killing_nsec && state->killing_pid != task->tgid && !known)
			record_member(state, task);
		return 0;
	}
	if (!record_take(pending, task)) {
		if (pending->finished_tid == tid && now - pending->finished_nsec < OP_GROUP_NSEC) {
			pending->finished_nsec = now;
			return 0;
		}
		/* Another thread of a victim, which gets at the reserves; or a victim of another
		 * set of policies. */
		if (known || find_follows() != OP_FOLLOWS_ALL)
			return 0;
		op_record_flush();
		record_unasked();
	}
	pending->finished_tid = tid;
	pending->finished_nsec = now;

	record_task(task, &record.victim);
	op_record_path(record.victim.cgroup_id, OP_PATH_VICTIM);
	if (record.decision == OP_DECISION_KERNEL && record.reason != OP_REASON_NOT_ASKED)
		record_rule(state, task);
	if (record.source_id)
		op_record_path(record.source_id, OP_PATH_SOURCE);
	op_record_send();
	return 0;
}

SEC("tp_btf/select_bad_process_end")
int BPF_PROG(op_select_end, struct oom_control *oc)
{
	struct pending *pending = find_pending();

	if (pending && record_take(pending, NULL))
		op_record_send();
	return 0;
}
