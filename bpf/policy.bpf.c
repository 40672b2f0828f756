// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy: who dies when memory has run out.
 *
 * Owns the selection and the record of it. Knows nothing of configuration files: it has a map
 * from cgroup id to rule, and asks upwards from a cgroup until one has an entry. Anything it is
 * not sure of ends as "no opinion", and the kernel's own killer chooses.
 *
 * The handler runs under oom_lock, one OOM at a time, so the record is built in one static
 * buffer: nothing is allocated here, and the stack stays small.
 */
#include "kernel.h"

#include <linux/errno.h>

char LICENSE[] SEC("license") = "GPL";

#define OP_PID_INIT 1
#define OP_CGROUP_ID_ROOT 1 /* kernfs gives the root of the unified hierarchy this id */
/* A chosen task may exit before it is killed; look again this often, then leave it to the kernel.
 */
#define OP_ATTEMPTS 3
#define OP_REPETITION_NSEC 1000000000ULL

/* --- maps and variables the daemon fills */

/* The rules in force. A reload stages a map of its own and puts it here in one update. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_HASH);
			__uint(max_entries, 1024);
			__uint(key_size, sizeof(__u64));
			__uint(value_size, sizeof(struct op_rule));
		});
} op_active SEC(".maps");

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

/* A component is copied at once, so a path needs room for one name behind its end. */
__hidden char path_buffer[OP_PATH_LEN + OP_CGROUP_NAME_MAX + 1] = {};

/* The last record of an OOM for which nobody could be killed. */
struct retried {
	__u64 domain_id;
	__u64 ktime_nsec;
	__u32 reason;
	__u32 victim_pid;
	__u32 suppressed;
};

__hidden struct retried last_retried = {};

struct search {
	/* the candidate that is best so far */
	__u32 pid; /* 0: none */
	__u32 priority;
	__u64 points; /* pages, as oom_badness() counts them */
	__u64 start_boottime_nsec;
	__u64 cgroup_id;
	__u64 source_id;
	__u32 rule_index;

	__u32 dying_pid; /* a victim of an earlier OOM that still holds memory */
	__u32 protected_tasks;
	__u32 tasks;
	__u32 cgroups;
};

__hidden struct search search = {};

/* The mm of the first thread that still has one: the leader may have exited before the others. */
static __always_inline struct mm_struct *process_mm(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct task_struct *thread;

	if (mm)
		return mm;
	bpf_for_each(task, thread, task, OP_TASK_ITER_PROC_THREADS) {
		mm = thread->mm;
		if (mm)
			break;
	}
	return mm;
}

/* A child of vfork() runs in its parent's memory: killing it frees nothing. */
static __always_inline bool in_vfork(struct task_struct *task, struct mm_struct *mm)
{
	return task->vfork_done && task->real_parent->mm == mm;
}

static __always_inline __u64 mm_points(struct mm_struct *mm)
{
	return mm_counter_pages(mm, OP_MM_FILEPAGES) + mm_counter_pages(mm, OP_MM_ANONPAGES) +
	       mm_counter_pages(mm, OP_MM_SHMEMPAGES) + mm_counter_pages(mm, OP_MM_SWAPENTS) +
	       mm_pgtables_pages(mm);
}

/*
 * The rule of the nearest cgroup upwards that has one, its own included; the policy's default
 * where none has. Returns false where even that is missing.
 */
static __always_inline bool effective_rule(void *rules, struct cgroup *cgrp, struct op_rule *ret,
					   __u64 *ret_source)
{
	struct op_rule *rule;
	__u64 id;
	int i;

	bpf_for(i, 0, OP_DEPTH_MAX) {
		struct cgroup_subsys_state *parent;

		id = cgrp->kn->id;
		rule = bpf_map_lookup_elem(rules, &id);
		if (rule) {
			*ret = *rule;
			*ret_source = id;
			return true;
		}
		parent = cgrp->self.parent;
		if (!parent)
			break;
		cgrp = parent->cgroup;
	}

	id = 0;
	rule = bpf_map_lookup_elem(rules, &id);
	if (!rule)
		return false;
	*ret = *rule;
	*ret_source = 0;
	return true;
}

/* Weighs one process. Nothing here depends on its name or on anything else it could set. */
static __always_inline void evaluate_task(struct task_struct *task, const struct op_rule *rule,
					  __u64 source_id, __u64 cgroup_id)
{
	struct mm_struct *mm, *oom_mm;
	__u64 points;

	if (task->flags & OP_PF_KTHREAD)
		return;
	search.tasks++;

	oom_mm = task->signal->oom_mm;
	if (oom_mm && !(record.flags & OP_OOM_SYSRQ)) {
		if (!mm_oom_skip(oom_mm))
			search.dying_pid = task->tgid;
		return;
	}

	if (task->tgid == OP_PID_INIT || task->tgid == daemon_tgid ||
	    task->signal->oom_score_adj == OP_OOM_SCORE_ADJ_MIN)
		return;
	mm = process_mm(task);
	if (!mm || mm_oom_skip(mm) || in_vfork(task, mm))
		return;

	if (rule->flags & OP_RULE_PROTECT) {
		search.protected_tasks++;
		return;
	}
	if (search.pid && rule->priority > search.priority)
		return;
	points = mm_points(mm);
	if (search.pid && rule->priority == search.priority && points <= search.points)
		return;

	search.pid = task->tgid;
	search.priority = rule->priority;
	search.points = points;
	search.start_boottime_nsec = task->start_boottime;
	search.cgroup_id = cgroup_id;
	search.source_id = source_id;
	search.rule_index = rule->index;
}

/*
 * Walks every process of the cgroup @domain_id and its descendants; the result is in search.
 * Returns 0, or the OP_REASON_* for which there is none.
 */
__noinline int op_search(__u64 domain_id)
{
	struct cgroup_subsys_state *css;
	struct task_struct *task;
	struct cgroup *domain;
	__u32 zero = 0;
	void *rules;

	__builtin_memset(&search, 0, sizeof(search));

	rules = bpf_map_lookup_elem(&op_active, &zero);
	if (!rules)
		return OP_REASON_NO_POLICY;
	domain = bpf_cgroup_from_id(domain_id);
	if (!domain)
		return OP_REASON_DOMAIN_GONE;

	bpf_rcu_read_lock();
	bpf_for_each(css, css, &domain->self, OP_CGROUP_ITER_DESCENDANTS_PRE) {
		struct op_rule rule = {};
		struct cgroup *cgrp;
		__u64 source_id = 0;
		__u64 id;

		search.cgroups++;
		if (!css->cgroup->nr_populated_csets)
			continue;
		/* A reference, which is what the iterator of tasks asks for, comes by id alone. */
		id = css->cgroup->kn->id;
		cgrp = bpf_cgroup_from_id(id);
		if (!cgrp)
			continue;
		if (effective_rule(rules, cgrp, &rule, &source_id)) {
			bpf_for_each(css_task, task, &cgrp->self, OP_CSS_TASK_ITER_PROCS)
				evaluate_task(task, &rule, source_id, id);
		}
		bpf_cgroup_release(cgrp);
	}
	bpf_rcu_read_unlock();
	bpf_cgroup_release(domain);
	return 0;
}

/* --- the record */

#define OP_PATH_DOMAIN 0
#define OP_PATH_TRIGGER 1
#define OP_PATH_VICTIM 2
#define OP_PATH_SOURCE 3

/* Writes the path of the cgroup @id to one of the record's; leaves it empty if there is none. */
__noinline int op_record_path(__u64 id, __u32 which)
{
	struct cgroup *cgrp;
	__u32 used = 0;
	int level, i;
	char *path;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	level = cgrp->level;

	path_buffer[0] = '/';
	path_buffer[1] = '\0';
	bpf_for(i, 1, level + 1) {
		struct cgroup *ancestor;
		long n;

		if (used >= OP_PATH_LEN)
			break;
		ancestor = bpf_cgroup_ancestor(cgrp, i);
		if (!ancestor)
			break;
		path_buffer[used & (OP_PATH_LEN - 1)] = '/';
		used++;
		n = bpf_probe_read_kernel_str(&path_buffer[used & (2 * OP_PATH_LEN - 1)],
					      OP_CGROUP_NAME_MAX + 1, ancestor->kn->name);
		bpf_cgroup_release(ancestor);
		if (n > 0)
			used += n - 1;
	}
	bpf_cgroup_release(cgrp);

	if (used >= OP_PATH_LEN) {
		record.flags |= OP_OOM_PATH_CUT;
		path_buffer[OP_PATH_LEN - 1] = '\0';
	}
	switch (which) {
	case OP_PATH_DOMAIN:
		path = record.domain_path;
		break;
	case OP_PATH_TRIGGER:
		path = record.trigger_path;
		break;
	case OP_PATH_VICTIM:
		path = record.victim_path;
		break;
	default:
		path = record.source_path;
		break;
	}
	bpf_probe_read_kernel(path, OP_PATH_LEN, path_buffer);
	return 0;
}

static __always_inline void record_task(struct task_struct *task, struct op_task *ret)
{
	struct mm_struct *mm;

	ret->pid = task->tgid;
	ret->tid = task->pid;
	ret->uid = task->real_cred->uid.val;
	ret->oom_score_adj = task->signal->oom_score_adj;
	ret->start_boottime_nsec = task->group_leader->start_boottime;
	ret->cgroup_id = task_cgroup(task)->kn->id;
	bpf_probe_read_kernel_str(ret->comm, sizeof(ret->comm), task->comm);

	bpf_rcu_read_lock();
	mm = process_mm(task);
	if (mm) {
		ret->anon_pages = mm_counter_pages(mm, OP_MM_ANONPAGES);
		ret->file_pages = mm_counter_pages(mm, OP_MM_FILEPAGES);
		ret->shmem_pages = mm_counter_pages(mm, OP_MM_SHMEMPAGES);
		ret->swap_pages = mm_counter_pages(mm, OP_MM_SWAPENTS);
		ret->pgtables_bytes = mm->pgtables_bytes.counter;
	}
	bpf_rcu_read_unlock();
}

static __always_inline void record_begin(struct oom_control *oc, __u64 now)
{
	record.header.version = OP_ABI_VERSION;
	record.header.type = OP_EVENT_OOM;
	record.header.size = sizeof(record);
	record.header.ktime_nsec = now;
	record.decision = OP_DECISION_NONE;
	record.reason = OP_REASON_NONE;
	record.flags = 0;
	record.kill_error = 0;
	record.order = oc->order;
	record.gfp_mask = oc->gfp_mask;
	record.constraint = oc->constraint;
	record.priority = 0;
	record.rule_index = OP_RULE_NONE;
	record.nr_tasks = 0;
	record.nr_cgroups = 0;
	record.suppressed = 0;
	record.select_nsec = 0;
	record.source_id = 0;
	record.domain_id = 0;
	__builtin_memset(&record.trigger, 0, sizeof(record.trigger));
	__builtin_memset(&record.victim, 0, sizeof(record.victim));
	bpf_probe_read_kernel_str(record.policy, sizeof(record.policy), (const void *)policy_name);
	record.domain_path[0] = '\0';
	record.trigger_path[0] = '\0';
	record.victim_path[0] = '\0';
	record.source_path[0] = '\0';

	if (oc->order == -1)
		record.flags |= OP_OOM_SYSRQ;
}

/*
 * Where nobody can be killed the allocator tries again at once, hundreds of times a second: the
 * same OOM, as long as its domain and its reason stay. One record a second tells as much.
 */
static __always_inline bool is_repetition(__u64 now)
{
	bool retried =
		record.reason == OP_REASON_VICTIM_DYING || record.reason == OP_REASON_NO_CANDIDATE;

	if (retried && record.domain_id == last_retried.domain_id &&
	    record.reason == last_retried.reason && record.victim.pid == last_retried.victim_pid &&
	    now - last_retried.ktime_nsec < OP_REPETITION_NSEC) {
		last_retried.suppressed++;
		return true;
	}
	record.suppressed = last_retried.suppressed;
	last_retried.suppressed = 0;
	if (retried) {
		last_retried.domain_id = record.domain_id;
		last_retried.reason = record.reason;
		last_retried.victim_pid = record.victim.pid;
		last_retried.ktime_nsec = now;
	}
	return false;
}

static __always_inline void record_end(__u64 begun)
{
	__u64 now = bpf_ktime_get_ns();
	struct op_stats *stats;
	__u32 zero = 0;

	record.handler_nsec = now - begun;
	stats = bpf_map_lookup_elem(&op_stats, &zero);
	if (!stats)
		return;
	stats->runs++;
	stats->handler_nsec += record.handler_nsec;
	if (record.handler_nsec > stats->handler_max_nsec)
		stats->handler_max_nsec = record.handler_nsec;
	if (record.decision == OP_DECISION_KILLED)
		stats->kills++;
	if (is_repetition(now))
		return;
	/* Counted in the map, which an instance of the next policy shares. */
	record.header.seq = ++stats->records;
	if (bpf_ringbuf_output(&op_events, &record, sizeof(record), 0))
		stats->events_lost++;
}

/* --- the handler */

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

	record.priority = search.priority;
	record.rule_index = search.rule_index;
	record.source_id = search.source_id;
	record_task(task, &record.victim);
	op_record_path(search.cgroup_id, OP_PATH_VICTIM);
	if (search.source_id)
		op_record_path(search.source_id, OP_PATH_SOURCE);

	if (record.flags & OP_OOM_MEMCG)
		err = bpf_oom_kill_process(oc, task, "Memory cgroup out of memory");
	else
		err = bpf_oom_kill_process(oc, task, "Out of memory");
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
			none(search.protected_tasks ? OP_REASON_ALL_PROTECTED
						    : OP_REASON_NO_CANDIDATE);
			return;
		}
		if (kill_candidate(oc))
			return;
	}
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

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(op_handle_oom, struct oom_control *oc)
{
	__u64 begun = bpf_ktime_get_ns();
	struct task_struct *current = bpf_get_current_task_btf();
	struct mem_cgroup *memcg = oc->memcg;
	__u64 domain_id = OP_CGROUP_ID_ROOT;

	record_begin(oc, begun);
	record_task(current, &record.trigger);
	op_record_path(record.trigger.cgroup_id, OP_PATH_TRIGGER);

	if (memcg) {
		record.flags |= OP_OOM_MEMCG;
		if (memcg->css.cgroup->root->hierarchy_id) {
			none(OP_REASON_NOT_UNIFIED);
			goto out;
		}
		domain_id = memcg->css.cgroup->kn->id;
		record.domain_id = domain_id;
		if (is_remote(current, domain_id))
			record.flags |= OP_OOM_REMOTE;
	} else if (oc->constraint == CONSTRAINT_CPUSET ||
		   oc->constraint == CONSTRAINT_MEMORY_POLICY) {
		none(OP_REASON_CONSTRAINT);
		goto out;
	}

	op_record_path(domain_id, OP_PATH_DOMAIN);
	decide(oc, domain_id);
out:
	record_end(begun);
	return record.decision == OP_DECISION_KILLED;
}

SEC(".struct_ops.link")
struct bpf_oom_ops op_policy_ops = {
	.handle_out_of_memory = (void *)op_handle_oom,
	.name = "default",
};
