// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy: who dies when memory has run out.
 *
 * Owns the selection and the record of it. Knows nothing of configuration files: it has a map
 * from cgroup id to rule, and asks upwards from a cgroup until one has an entry. Anything it is
 * not sure of ends as "no opinion", and the kernel's own killer chooses.
 *
 * Loaded once for each policy, as the kernel names the handler in its report, and once more as
 * the recorder, for OOMs that no policy answers for (see oompolicy.h). What they share is in maps;
 * what an instance keeps to itself is in static memory. Whichever the kernel asks first finds out
 * who answers.
 *
 * Handlers run under oom_lock, one OOM at a time, so all of the current OOM lives in static memory:
 * nothing is allocated here, and the stack stays small. The steps are global functions: the
 * verifier then looks at each step once and tracks no value from one to the next, which keeps
 * loading fast.
 */
#include "search.bpf.h"

#include <linux/errno.h>

char LICENSE[] SEC("license") = "GPL";

/* A chosen task may exit before it is killed; look again this often, then leave it to the kernel.
 */
#define OP_ATTEMPTS 3

/* Which handler this instance is. */
const volatile __u32 slot = OP_SLOT_RECORDER;

/* What the kernel's report calls this policy; the same as op_policy_ops.name. */
const volatile char policy_name[OP_POLICY_NAME_LEN] = "default";

/* What applies to the process that is about to be killed. */
__hidden struct effective now_effective = {};

/* Without the module: the longest time between two handlers of one OOM. */
#define OP_SAME_OOM_NSEC 1000000ULL

/* Rounds of a group kill; one larger than all of them is finished by the next OOM. */
#define OP_ROUNDS 16

/* Names the victim of an earlier OOM that this one waits for; no process has a @pid below 1. */
static __always_inline void wait_for_dying(__s32 pid)
{
	struct task_struct *task;

	record.decision = OP_DECISION_WAITING;
	record.reason = OP_REASON_VICTIM_DYING;
	if (pid <= 0)
		return;
	record.victim.pid = pid;
	task = bpf_task_from_pid(pid);
	if (!task)
		return;
	record_task(task, &record.victim);
	bpf_task_release(task);
	op_record_path(record.victim.cgroup_id, OP_PATH_VICTIM);
}

/* One that was dying has gone between the module's look and ours, and its memory is there: this one
 * waits for it too, and the candidate is none. */
static __always_inline void wait_for_gone(void)
{
	record.decision = OP_DECISION_WAITING;
	record.reason = OP_REASON_VICTIM_DYING;
	record.kill = 0;
	record_forget_victim();
}

/* Where Kill= is set memory.oom.group has no say: it would take protected processes along. Without
 * that kfunc the kernel's word stands. */
static __always_inline bool kills_one(void)
{
	return record.kill && bpf_ksym_exists(bpf_oom_kill_single_process);
}

static __always_inline int kill_task(struct oom_control *oc, struct task_struct *task)
{
	if (kills_one()) {
		if (record.flags & OP_OOM_MEMCG)
			return bpf_oom_kill_single_process(oc, task, "Memory cgroup out of memory");
		return bpf_oom_kill_single_process(oc, task, "Out of memory");
	}
	if (record.flags & OP_OOM_MEMCG)
		return bpf_oom_kill_process(oc, task, "Memory cgroup out of memory");
	return bpf_oom_kill_process(oc, task, "Out of memory");
}

/* Kills the victim; whom the kernel kills with it, by memory.oom.group, is recorded as its members
 * by victims.bpf.c. */
static __always_inline int kill_victim(struct oom_control *oc, struct task_struct *task)
{
	struct op_state *state;
	__u32 zero = 0;
	int err;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state)
		return -EINVAL;
	state->killing_pid = task->tgid;
	state->killing_nsec = kills_one() ? 0 : record.header.ktime_nsec;
	err = kill_task(oc, task);
	state->killing_nsec = 0;
	return err;
}

/*
 * May the process die still, as one of the cgroup @cgroup_id? It was found some time ago, and may
 * have been moved, or protected, since. Right before a kill.
 */
__noinline int op_may_die(struct task_struct *task __arg_trusted, __u64 cgroup_id)
{
	struct cgroup *cgroup = cgroup_from_id(cgroup_id);
	void *rules = find_rules();
	bool inside, is_barred;

	if (!cgroup)
		return false;
	inside = bpf_task_under_cgroup(task, cgroup);
	bpf_cgroup_release(cgroup);
	if (!inside || !rules || is_spared(task))
		return false;
	/* It may be moved just now. */
	bpf_rcu_read_lock();
	find_effective(rules, process_cgroup(task), criteria.default_priority, &now_effective);
	is_barred = find_sharers(process_mm(task)) && sharers.bar;
	bpf_rcu_read_unlock();
	return !(now_effective.flags & OP_RULE_PROTECT) && !is_barred;
}

/* Kills the best candidate. Returns false when it is gone and another search is worth while. */
static __always_inline bool kill_candidate(struct oom_control *oc, __u64 domain_id)
{
	struct task_struct *task;
	int err;

	task = bpf_task_from_pid(selection.best.pid);
	if (!task) {
		none(OP_REASON_VICTIM_GONE);
		return false;
	}
	if (task->start_boottime != selection.best.start_boottime_nsec ||
	    !op_may_die(task, domain_id)) {
		bpf_task_release(task);
		none(OP_REASON_VICTIM_GONE);
		return false;
	}

	record.priority = selection.best.rule.priority;
	record.rule_index = selection.best.rule.rule_index;
	record.source_id = selection.best.rule.source_id;
	record.kill = selection.best.rule.flags & (OP_RULE_KILL_PROCESS | OP_RULE_KILL_CGROUP);
	record_task(task, &record.victim);
	op_record_path(selection.best.cgroup_id, OP_PATH_VICTIM);
	if (record.source_id)
		op_record_path(record.source_id, OP_PATH_SOURCE);

	record_runners(&runners);

	err = kill_victim(oc, task);
	bpf_task_release(task);

	if (err == -EBUSY) {
		wait_for_gone();
		return true;
	}
	record.kill_error = err;
	if (err) {
		none(OP_REASON_KILL_FAILED);
		return err != -EINVAL;
	}
	record.decision = OP_DECISION_KILLED;
	record.reason = OP_REASON_NONE;
	return true;
}

/* As the kernel kills the members of a group, with one line each, where that can be asked for. */
static __always_inline int kill_member(struct oom_control *oc, struct task_struct *task)
{
	if (!bpf_ksym_exists(bpf_oom_kill_member))
		return kill_task(oc, task);
	if (record.flags & OP_OOM_MEMCG)
		return bpf_oom_kill_member(oc, task, "Memory cgroup out of memory");
	return bpf_oom_kill_member(oc, task, "Out of memory");
}

/* The cgroup that is killed as a whole: what the victim's rule matched, or of that no more than
 * what ran out. The victim is in both, so one of them is the other's ancestor. 0: it is gone. */
__noinline __u64 op_find_group(__u64 domain_id)
{
	struct cgroup *domain = cgroup_from_id(domain_id), *source = NULL;
	__u64 group_id = 0;

	if (!domain)
		return 0;
	source = cgroup_from_id(record.source_id);
	if (source) {
		group_id = source->level < domain->level ? domain_id : record.source_id;
		bpf_cgroup_release(source);
	}
	bpf_cgroup_release(domain);
	return group_id;
}

/* Whom the kernel kills with the member, by memory.oom.group, is recorded by victims.bpf.c, where
 * the member cannot be killed alone. */
static __always_inline void expect_members(struct task_struct *task)
{
	struct op_state *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state || bpf_ksym_exists(bpf_oom_kill_member))
		return;
	state->killing_pid = task->tgid;
	state->killing_nsec = record.header.ktime_nsec;
	state->kills_member = true;
}

/* Kills the group of the victim, who is dead already. */
static __always_inline void kill_group(struct oom_control *oc, __u64 group_id)
{
	int round, i;

	if (!group_id)
		return;
	bpf_for(round, 0, OP_ROUNDS) {
		op_collect(group_id);
		if (!n_members)
			return;
		bpf_for(i, 0, OP_ROUND_MEMBERS) {
			struct member *member = &members[i & (OP_ROUND_MEMBERS - 1)];
			struct task_struct *task;

			if (i >= n_members)
				break;
			task = bpf_task_from_pid(member->pid);
			if (!task)
				continue;
			if (task->start_boottime == member->start_boottime_nsec &&
			    !READ_ONLY(task)->signal->oom_mm && op_may_die(task, group_id)) {
				member_begin(task);
				expect_members(task);
				if (!kill_member(oc, task))
					member_end();
			}
			bpf_task_release(task);
		}
		/* Those that could not be killed are found again: once is enough. */
		if (n_members < OP_ROUND_MEMBERS)
			return;
	}
}

static __always_inline void decide(struct oom_control *oc, __u64 domain_id)
{
	__s32 awaited = bpf_ksym_exists(bpf_oom_awaits) ? bpf_oom_awaits(oc) : 0;
	int i;

	if (awaited) {
		wait_for_dying(awaited);
		return;
	}
	bpf_for(i, 0, OP_ATTEMPTS) {
		int reason = op_search(domain_id, slot);

		record.nr_tasks = search.tasks;
		record.nr_cgroups = search.cgroups;
		record.select_nsec = bpf_ktime_get_ns() - record.header.ktime_nsec;
		if (reason) {
			none(reason);
			return;
		}
		if (dying_pid) {
			wait_for_dying(dying_pid);
			return;
		}
		if (!selection.best.pid) {
			none(search.protected_cgroups || sharers.n_barred ? OP_REASON_ALL_PROTECTED
									  : OP_REASON_NO_CANDIDATE);
			record_runners(&runners);
			return;
		}
		if (kill_candidate(oc, domain_id))
			break;
	}
	if (record.decision == OP_DECISION_KILLED && record.kill == OP_RULE_KILL_CGROUP)
		kill_group(oc, op_find_group(domain_id));
}

/* The policy that answers for it decides. */
static __always_inline void answer(struct oom_control *oc, __u64 domain_id, struct op_state *state)
{
	__u32 number = state->number, zero = 0;
	struct op_switch *active = bpf_map_lookup_elem(&op_switch_map, &zero);
	void *rules = find_rules();

	set_daemon(active);
	record.config = number;
	bpf_probe_read_kernel_str(record.policy, sizeof(record.policy), (const void *)policy_name);
	if (!rules || !is_config(rules, number)) {
		none(OP_REASON_NO_POLICY);
		return;
	}
	criteria.total_pages = oc->totalpages;
	/* What is marked as a victim from here on is ours. */
	state->killing_tid = current_tid();
	state->killing_members = 0;
	state->kills_member = false;
	decide(oc, domain_id);
	state->killing_tid = 0;
	state->killing_nsec = 0;
	record.n_members += state->killing_members;
}

/* Sends the record, unless the kernel is to have the last word. That it has found nobody either is
 * told by the module alone: without it that is taken for granted where there was nobody. */
static __always_inline void record_end(__u64 begun)
{
	bool is_last = record.reason == OP_REASON_NO_CANDIDATE && !bpf_ksym_exists(bpf_oom_awaits);
	bool deferred = false;

	count_run(begun);
	if (record.decision != OP_DECISION_KILLED)
		deferred = record_defer(is_last);
	if (record.decision != OP_DECISION_NONE || !deferred || is_last)
		op_record_send();
}

static __always_inline bool was_asked(const struct op_state *state)
{
	return state->asked[slot / 64 % (OP_SLOTS_MAX / 64)] & 1ULL << slot % 64;
}

/* How often the memcg has run out: the kernel counts right before it begins an OOM. */
static __always_inline __u64 count_events(struct oom_control *oc)
{
	struct mem_cgroup *memcg = READ_ONLY(oc)->memcg;
	__u64 offset = bpf_core_field_offset(struct mem_cgroup, memory_events) +
		       bpf_core_enum_value(enum memcg_memory_event, MEMCG_OOM) * sizeof(__u64);
	__u64 events = 0;

	if (memcg)
		bpf_probe_read_kernel(&events, sizeof(events), (void *)memcg + offset);
	return events;
}

/*
 * Is it the OOM that the last handler was asked about? The module counts them. Other kernels do
 * not, and a thread that runs out of memory again has its oom_control at the same place. But each
 * handler is asked once, one right after the other, and of a memcg the kernel counts the events.
 * Where that misleads it matters only while configurations are exchanged: a handler that was
 * attached between two OOMs of one thread, of which the first has killed nobody, goes by the
 * configuration of the first; and where others have run out of the memcg meanwhile, or the thread
 * had to wait for a processor, the rest of the handlers go by the new one.
 */
static __always_inline bool is_begun(const struct op_state *state, struct oom_control *oc,
				     __u64 now)
{
	if (bpf_ksym_exists(bpf_oom_number))
		return state->oom_number == bpf_oom_number(oc);
	return state->oom_control == (__u64)oc && state->oom_tid == current_tid() &&
	       !was_asked(state) && now - state->asked_nsec < OP_SAME_OOM_NSEC &&
	       state->oom_number == count_events(oc);
}

static __always_inline void begin(struct op_state *state, struct oom_control *oc, __u64 domain_id,
				  __u32 reason)
{
	state->oom_number = bpf_ksym_exists(bpf_oom_number) ? bpf_oom_number(oc) : count_events(oc);
	state->oom_control = (__u64)oc;
	state->oom_tid = current_tid();
	__builtin_memset(state->asked, 0, sizeof(state->asked));
	state->has_answer = false;
	state->slot = OP_SLOT_RECORDER;
	if (reason == OP_REASON_NO_POLICY)
		direct(domain_id, READ_ONLY(oc)->memcg != NULL, state);
}

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(op_handle_oom, struct oom_control *oc)
{
	__u64 begun = bpf_ktime_get_ns();
	struct task_struct *current = bpf_get_current_task_btf();
	struct op_switch *active;
	struct op_state *state;
	__u32 zero = 0, reason;
	__u64 domain_id;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	active = bpf_map_lookup_elem(&op_switch_map, &zero);
	if (!state || !active || !has_config(active))
		return 0;
	reason = find_domain(oc, &domain_id);
	if (!is_begun(state, oc, begun))
		begin(state, oc, domain_id, reason);
	state->asked[slot / 64 % (OP_SLOTS_MAX / 64)] |= 1ULL << slot % 64;
	state->asked_nsec = bpf_ktime_get_ns();
	/* There are two of a slot for a moment, when another build's takes its place. */
	if (state->slot != slot || state->has_answer)
		return 0;
	state->has_answer = true;

	op_record_flush();
	record_begin(begun, OP_BACKEND_STRUCT_OPS);
	record_domain(oc, domain_id, reason);
	record_trigger(current, state);
	if (record.domain_id && is_remote(current, domain_id))
		record.flags |= OP_OOM_REMOTE;
	if (reason != OP_REASON_NOT_UNIFIED)
		op_record_path(domain_id, OP_PATH_DOMAIN);
	if (slot == OP_SLOT_RECORDER)
		none(reason);
	else
		answer(oc, domain_id, state);
	record_end(begun);
	state->asked_nsec = bpf_ktime_get_ns();
	if (record.decision != OP_DECISION_KILLED)
		return 0;
	state->oom_control = 0;
	return 1;
}

SEC(".struct_ops.link")
struct bpf_oom_ops op_policy_ops = {
	.handle_out_of_memory = (void *)op_handle_oom,
	.name = "default",
};
