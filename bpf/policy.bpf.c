// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy: who dies when memory has run out.
 *
 * Owns the selection and the record of it. Knows nothing of configuration files: it has a map
 * from cgroup id to rule, and asks upwards from a cgroup until one has an entry. Anything it is
 * not sure of ends as "no opinion", and the kernel's own killer chooses.
 *
 * Loaded once for each policy, as the kernel names the handler in its report, and once more as
 * the director, which runs first and looks up whose OOM it is (see oompolicy.h). What they share
 * is in maps; what an instance keeps to itself is in static memory.
 *
 * Handlers run under oom_lock, one OOM at a time, so the record is built in one static buffer:
 * nothing is allocated here, and the stack stays small.
 */
#include "kernel.h"
#include "state.h"

#include <linux/errno.h>

char LICENSE[] SEC("license") = "GPL";

#define OP_CGROUP_ID_ROOT 1 /* kernfs gives the root of the unified hierarchy this id */
/* A chosen task may exit before it is killed; look again this often, then leave it to the kernel.
 */
#define OP_ATTEMPTS 3

/* --- maps and variables the daemon fills */

/* Configurations; op_switch_map says which is in force. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, OP_CONFIGS_MAX);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_HASH);
			__uint(max_entries, 1024);
			__uint(key_size, sizeof(__u64));
			__uint(value_size, sizeof(struct op_rule));
		});
} op_configs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct op_switch);
} op_switch_map SEC(".maps");

/* 1 MiB: 400 records, far more than a machine can kill before the daemon runs once. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} op_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct op_stats);
} op_stats SEC(".maps");

/* The daemon never dies of what it decides. */
__u32 daemon_tgid = 0;

/* Which handler this instance is. */
const volatile __u32 slot = OP_SLOT_DIRECTOR;

/* What the kernel's report calls this policy; the same as op_policy_ops.name. */
const volatile char policy_name[OP_POLICY_NAME_LEN] = "default";

/*
 * --- the OOM in hand; guarded by the kernel's oom_lock
 *
 * All of it lives in static memory, and the steps are global functions: the verifier then looks
 * at each step once and tracks no value from one to the next, which keeps loading fast. Hidden
 * and not static: clang takes a static struct apart, and the object's types then fit no longer.
 */

__hidden struct op_oom_event record = {};
__hidden struct op_member_event member_record = {};

#include "search.bpf.h"
#include "record.bpf.h"

/* Rounds of a group kill; one larger than all of them is finished by the next OOM. */
#define OP_ROUNDS 16

static __always_inline void none(__u32 reason)
{
	record.decision = OP_DECISION_NONE;
	record.reason = reason;
}

/* Names the victim of an earlier OOM that this one waits for. */
static __always_inline void wait_for_dying(void)
{
	struct task_struct *task;

	record.decision = OP_DECISION_WAITING;
	record.reason = OP_REASON_VICTIM_DYING;
	record.victim.pid = search.dying_pid;
	task = bpf_task_from_pid(search.dying_pid);
	if (!task)
		return;
	record_task(task, &record.victim);
	bpf_task_release(task);
	op_record_path(record.victim.cgroup_id, OP_PATH_VICTIM);
}

static __always_inline int kill_task(struct oom_control *oc, struct task_struct *task)
{
	/*
	 * Where Kill= is set memory.oom.group has no say: it would take protected processes along,
	 * and others that no record names. Without that kfunc the kernel's word stands.
	 */
	if (record.kill && bpf_ksym_exists(bpf_oom_kill_single_process)) {
		if (record.flags & OP_OOM_MEMCG)
			return bpf_oom_kill_single_process(oc, task, "Memory cgroup out of memory");
		return bpf_oom_kill_single_process(oc, task, "Out of memory");
	}
	if (record.flags & OP_OOM_MEMCG)
		return bpf_oom_kill_process(oc, task, "Memory cgroup out of memory");
	return bpf_oom_kill_process(oc, task, "Out of memory");
}

/* Kills the best candidate. Returns false when it is gone and another search is worth while. */
static __always_inline bool kill_candidate(struct oom_control *oc)
{
	struct task_struct *task;
	int err;

	task = bpf_task_from_pid(search.pid);
	if (!task) {
		none(OP_REASON_VICTIM_GONE);
		return false;
	}
	if (task->start_boottime != search.start_boottime_nsec) {
		bpf_task_release(task);
		none(OP_REASON_VICTIM_GONE);
		return false;
	}

	record.priority = search.rule.priority;
	record.rule_index = search.rule.index;
	record.source_id = search.rule.source_id;
	record.kill = search.rule.flags & (OP_RULE_KILL_PROCESS | OP_RULE_KILL_CGROUP);
	record_task(task, &record.victim);
	op_record_path(search.cgroup_id, OP_PATH_VICTIM);
	if (record.source_id)
		op_record_path(record.source_id, OP_PATH_SOURCE);

	err = kill_task(oc, task);
	bpf_task_release(task);

	record.kill_error = err;
	if (err) {
		none(OP_REASON_KILL_FAILED);
		return err != -EINVAL;
	}
	record.decision = OP_DECISION_KILLED;
	record.reason = OP_REASON_NONE;
	return true;
}

/* Kills what the victim's rule matched, the victim apart, which is dead already. */
static __always_inline void kill_group(struct oom_control *oc)
{
	int round, i;

	bpf_for(round, 0, OP_ROUNDS) {
		op_collect(record.source_id);
		if (!n_members)
			return;
		bpf_for(i, 0, OP_ROUND_MEMBERS) {
			struct task_struct *task;

			if (i >= n_members)
				break;
			task = bpf_task_from_pid(members[i & (OP_ROUND_MEMBERS - 1)]);
			if (!task)
				continue;
			member_begin(task);
			if (!kill_task(oc, task))
				member_end();
			bpf_task_release(task);
		}
		/* Those that could not be killed are found again: once is enough. */
		if (n_members < OP_ROUND_MEMBERS)
			return;
	}
}

static __always_inline void decide(struct oom_control *oc, __u64 domain_id)
{
	int i;

	bpf_for(i, 0, OP_ATTEMPTS) {
		int reason = op_search(domain_id);

		record.nr_tasks = search.tasks;
		record.nr_cgroups = search.cgroups;
		record.select_nsec = bpf_ktime_get_ns() - record.header.ktime_nsec;
		if (reason) {
			none(reason);
			return;
		}
		if (search.dying_pid) {
			wait_for_dying();
			return;
		}
		if (!search.pid) {
			none(search.protected_cgroups ? OP_REASON_ALL_PROTECTED
						      : OP_REASON_NO_CANDIDATE);
			return;
		}
		if (kill_candidate(oc))
			break;
	}
	if (record.decision == OP_DECISION_KILLED && record.kill == OP_RULE_KILL_CGROUP)
		kill_group(oc);
}

/* Is @task outside the cgroup @domain_id and its descendants? */
static __always_inline bool is_remote(struct task_struct *task, __u64 domain_id)
{
	struct cgroup *domain = bpf_cgroup_from_id(domain_id);
	bool remote;

	if (!domain)
		return false;
	remote = !bpf_task_under_cgroup(task, domain);
	bpf_cgroup_release(domain);
	return remote;
}

/* The slot of the nearest policy upwards from @domain_id that has OOMs of this kind; 0: none. */
__noinline int op_find_policy(__u64 domain_id, __u32 is_memcg)
{
	struct cgroup *domain, *cgrp;
	int found = 0, i;
	void *rules;

	rules = find_rules();
	if (!rules)
		return 0;
	domain = bpf_cgroup_from_id(domain_id);
	if (!domain)
		return 0;
	cgrp = domain;
	bpf_for(i, 0, OP_DEPTH_MAX) {
		struct cgroup_subsys_state *parent;
		struct op_rule *rule;
		__u64 id;

		id = cgrp->kn->id;
		rule = bpf_map_lookup_elem(rules, &id);
		if (rule) {
			found = is_memcg ? rule->slot_memcg : rule->slot_system;
			if (found)
				break;
		}
		parent = cgrp->self.parent;
		if (!parent)
			break;
		cgrp = parent->cgroup;
	}
	bpf_cgroup_release(domain);
	return found;
}

/* Fixes for this OOM which configuration it is decided by, and by whom. */
static __always_inline void direct(__u64 domain_id, struct oom_state *state)
{
	__u64 key = OP_KEY_CONFIG;
	struct op_switch *in_force;
	struct op_rule *config;
	__u32 zero = 0, index;
	void *rules;

	state->slot = 0;
	state->number = 0;
	in_force = bpf_map_lookup_elem(&op_switch_map, &zero);
	if (!in_force)
		return;
	index = in_force->config;
	state->config = index;
	rules = bpf_map_lookup_elem(&op_configs, &index);
	if (!rules)
		return;
	config = bpf_map_lookup_elem(rules, &key);
	if (!config)
		return;
	state->number = config->index;
	state->slot = op_find_policy(domain_id, !!(record.flags & OP_OOM_MEMCG));
}

/* The policy that answers for it decides. */
static __always_inline void answer(struct oom_control *oc, __u64 domain_id, __u32 number)
{
	void *rules = find_rules();

	record.config = number;
	if (!rules || !is_config(rules, number)) {
		none(OP_REASON_NO_POLICY);
		return;
	}
	search.total_pages = oc->totalpages;
	decide(oc, domain_id);
}

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(op_handle_oom, struct oom_control *oc)
{
	__u64 begun = bpf_ktime_get_ns();
	struct task_struct *current = bpf_get_current_task_btf();
	struct mem_cgroup *memcg = oc->memcg;
	__u64 domain_id = OP_CGROUP_ID_ROOT;
	struct oom_state *state;
	__u32 zero = 0, reason = OP_REASON_NO_POLICY;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state)
		return 0;
	if (slot != OP_SLOT_DIRECTOR && state->slot != slot)
		return 0;

	record_begin(oc, begun);
	if (memcg) {
		record.flags |= OP_OOM_MEMCG;
		domain_id = memcg->css.cgroup->kn->id;
		if (memcg->css.cgroup->root->hierarchy_id)
			reason = OP_REASON_NOT_UNIFIED;
		else
			record.domain_id = domain_id;
	} else if (oc->constraint == CONSTRAINT_CPUSET ||
		   oc->constraint == CONSTRAINT_MEMORY_POLICY) {
		reason = OP_REASON_CONSTRAINT;
	}

	if (slot == OP_SLOT_DIRECTOR) {
		state->slot = 0;
		if (reason == OP_REASON_NO_POLICY)
			direct(domain_id, state);
		if (state->slot)
			return 0;
		none(reason);
	}

	record_task(current, &record.trigger);
	op_record_path(record.trigger.cgroup_id, OP_PATH_TRIGGER);
	if (record.domain_id && is_remote(current, domain_id))
		record.flags |= OP_OOM_REMOTE;
	if (reason != OP_REASON_NOT_UNIFIED)
		op_record_path(domain_id, OP_PATH_DOMAIN);
	if (slot != OP_SLOT_DIRECTOR)
		answer(oc, domain_id, state->number);
	record_end(begun);
	return record.decision == OP_DECISION_KILLED;
}

SEC(".struct_ops.link")
struct bpf_oom_ops op_policy_ops = {
	.handle_out_of_memory = (void *)op_handle_oom,
	.name = "default",
};
