// SPDX-License-Identifier: GPL-2.0-only
/*
 * Follows what the kernel does: whom it marks as a victim, and where its selection ends with
 * nobody.
 *
 * Keeps the victims of late, so that a policy need not look at every task of a domain to find one
 * that is dying still; and completes and sends the records of OOMs that end outside of a policy.
 * An object of its own, since policies do without where the kernel's tracepoints are others.
 *
 * The tracepoints fire under oom_lock, in the task that ran out of memory: mark_victim by every
 * caller in mm/oom_kill.c, select_bad_process_end and bpf_oom_end by their definition.
 */
#include "record.bpf.h"
#include "rules.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The members of a memory.oom.group are marked right after the victim, each after a line to a
 * console that may be slow: what the same thread marks in this time belongs to the same OOM. */
#define OP_GROUP_NSEC 1000000000ULL

/* Does the kernel tell when an OOM has ended? */
const volatile __u32 tells_end = 0;

__hidden struct effective effective = {};

/* Returns whether the process was known as a victim. */
static __always_inline bool remember(struct op_state *state, struct task_struct *task)
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
static __always_inline void record_rule(struct op_state *state, struct task_struct *task)
{
	__u64 key = OP_KEY_POLICY((__u64)state->slot);
	__u32 number = state->number;
	struct op_entry *entry;
	void *rules;

	rules = find_rules();
	if (!state->slot || !rules || !is_config(rules, number))
		return;
	entry = bpf_map_lookup_elem(rules, &key);
	if (!entry)
		return;
	find_effective(rules, process_cgroup(task), entry->policy.default_priority, &effective);
	record.priority = effective.priority;
	record.rule_index = effective.rule_index;
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
	record_forget_victim();
	if (pending->has_choice) {
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

/* From here on it is looked for the time when its memory is back. */
static __always_inline void expect_memory(struct op_state *state, struct task_struct *task,
					  __u64 now)
{
	struct mm_struct *mm = READ_ONLY(task)->signal->oom_mm;
	struct outstanding victim = {
		.event.header.version = OP_ABI_VERSION,
		.event.header.type = OP_RECORD_FREED,
		.event.header.size = sizeof(victim.event),
		.event.killed_nsec = now,
		.event.pid = task->tgid,
	};
	__u64 key = (__u64)mm;
	struct outstanding *earlier;

	if (!mm)
		return;
	earlier = bpf_map_lookup_elem(&op_outstanding, &key);
	if (earlier && is_stale(earlier, now))
		freed_forget(state, key);
	bpf_probe_read_kernel_str(victim.event.comm, sizeof(victim.event.comm), task->comm);
	victim.reapable_pages = reapable_pages(mm);
	if (bpf_map_update_elem(&op_outstanding, &key, &victim, BPF_NOEXIST))
		return;
	__sync_fetch_and_add(&state->n_outstanding, 1);
	state->marked_mm = key;
}

/* The memcg that the process is charged to. An array index cannot be relocated: by hand. */
static __always_inline struct cgroup_subsys_state *find_memcg(struct task_struct *task)
{
	__u64 offset = bpf_core_field_offset(struct css_set, subsys) +
		       bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(void *);
	struct cgroup_subsys_state *css = NULL;

	bpf_probe_read_kernel(&css, sizeof(css), (void *)READ_ONLY(task)->cgroups + offset);
	return css ? bpf_core_cast(css, struct cgroup_subsys_state) : NULL;
}

/*
 * The cgroup that the kernel kills as a whole because of its victim @task, or 0: of those from the
 * victim's up to the domain, the topmost with memory.oom.group; none where the victim has left the
 * domain (mem_cgroup_get_oom_group() of mm/memcontrol.c).
 */
static __always_inline __u64 find_group(struct task_struct *task)
{
	struct cgroup_subsys_state *css = find_memcg(task);
	__u64 group_id = 0;
	int i;

	bpf_for(i, 0, OP_DEPTH_MAX) {
		__u64 id;

		if (!css || !css->parent)
			break;
		id = css->cgroup->kn->id;
		if (bpf_core_cast(css, struct mem_cgroup)->oom_group)
			group_id = id;
		if (id == record.domain_id)
			return group_id;
		css = css->parent;
	}
	return record.domain_id ? 0 : group_id;
}

/* Names the process of a group, unless the kernel spares it or it is a victim already, as
 * oom_kill_memcg_member() of mm/oom_kill.c has it. */
__noinline int op_name_member(__u32 pid)
{
	struct task_struct *task = bpf_task_from_pid(pid);

	if (!task)
		return 0;
	if (task->tgid != OP_PID_INIT &&
	    READ_ONLY(task)->signal->oom_score_adj != OP_OOM_SCORE_ADJ_MIN &&
	    !READ_ONLY(task)->signal->oom_mm && process_mm(task)) {
		member_begin(task);
		member_end();
	}
	bpf_task_release(task);
	return 0;
}

/*
 * Names those that the kernel is about to kill with its victim, where it does not tell when the
 * last of them was: they are marked one by one after it, and the record does not wait. This looks
 * at all processes, under a lock of the victim.
 */
__noinline int op_name_group(__u64 id, __u32 victim_pid)
{
	struct cgroup *group = cgroup_from_id(id);
	struct task_struct *task;

	if (!group)
		return 0;
	bpf_for_each(task, task, NULL, OP_TASK_ITER_ALL_PROCS) {
		if (task->tgid != victim_pid && bpf_task_under_cgroup(task, group))
			op_name_member(task->tgid);
	}
	bpf_cgroup_release(group);
	return 0;
}

/* One that the kernel kills with the victim of the OOM that began at @ktime_nsec. */
static __always_inline void record_member(struct task_struct *task, __u64 ktime_nsec)
{
	record.header.ktime_nsec = ktime_nsec;
	member_begin(task);
	member_end();
}

static __always_inline __u32 find_follows(void)
{
	__u32 zero = 0;
	struct op_switch *active = bpf_map_lookup_elem(&op_switch_map, &zero);

	return active ? active->follows : OP_FOLLOWS_NOTHING;
}

/* A policy kills the process, or the kernel does with the policy's victim. */
static __always_inline void note_kill(struct op_state *state, struct task_struct *task, __u64 now)
{
	if (state->killing_pid == task->tgid) {
		if (!state->kills_member)
			expect_memory(state, task, now);
	} else if (state->killing_nsec) {
		record_member(task, state->killing_nsec);
		state->killing_members++;
	}
}

/* The kernel's victim, and what the policy had to say about its cgroup. */
static __always_inline void record_victim(struct op_state *state, struct task_struct *task)
{
	record_task(task, &record.victim);
	op_record_path(record.victim.cgroup_id, OP_PATH_VICTIM);
	if (record.decision == OP_DECISION_KERNEL && record.reason != OP_REASON_NOT_ASKED)
		record_rule(state, task);
	if (record.source_id)
		op_record_path(record.source_id, OP_PATH_SOURCE);
}

SEC("tp_btf/mark_victim")
int BPF_PROG(op_mark_victim, struct task_struct *task)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0, tid = current_tid();
	struct pending *pending;
	struct op_state *state;
	__u64 group_id;
	bool known;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	pending = find_pending();
	if (!state || !pending)
		return 0;
	state->tracking = 1;
	known = remember(state, task);
	if (state->killing_tid == tid) {
		if (!known)
			note_kill(state, task, now);
		return 0;
	}
	/* The OOM ends here; where handlers are asked again it is another. */
	state->oom_control = 0;
	if (pending->is_ending && pending->tid == tid) {
		if (!known) {
			record_member(task, pending->record.header.ktime_nsec);
			pending->record.n_members++;
		}
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

	record_victim(state, task);
	expect_memory(state, task, now);
	/* Of the domain of an OOM that no policy was asked about nothing is known. */
	group_id = record.reason == OP_REASON_NOT_ASKED ? 0 : find_group(task);
	if (group_id && tells_end) {
		pending_set(pending, false);
		pending->is_ending = true;
		return 0;
	}
	if (group_id)
		op_name_group(group_id, task->tgid);
	op_record_send();
	return 0;
}

/* Sends the record of a group that the kernel has killed, and of an OOM of which nothing else has
 * told how it ended. */
SEC("tp_btf/bpf_oom_end")
int BPF_PROG(op_oom_end, struct oom_control *oc)
{
	struct pending *pending = find_pending();

	if (!pending || pending->tid != current_tid())
		return 0;
	return op_record_flush();
}

SEC("tp_btf/select_bad_process_end")
int BPF_PROG(op_select_end, struct oom_control *oc)
{
	struct pending *pending = find_pending();

	if (pending && record_take(pending, NULL))
		op_record_send();
	return 0;
}
