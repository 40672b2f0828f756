/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record of an OOM: filled while it is decided, sent when that is done. Part of policy.bpf.c,
 * whose maps and variables it uses; decides nothing.
 */
#ifndef OP_RECORD_BPF_H
#define OP_RECORD_BPF_H

#define OP_REPETITION_NSEC 1000000000ULL

/* A component is copied at once, so a path needs room for one name behind its end. */
__hidden char path_buffer[OP_PATH_LEN + OP_CGROUP_NAME_MAX + 1] = {};
__hidden __u32 path_used = 0;

/* The last record of an OOM for which nobody could be killed. */
struct retried {
	__u64 domain_id;
	__u64 ktime_nsec;
	__u32 reason;
	__u32 victim_pid;
	__u32 suppressed;
};

__hidden struct retried last_retried = {};

#define OP_PATH_DOMAIN 0
#define OP_PATH_TRIGGER 1
#define OP_PATH_VICTIM 2
#define OP_PATH_SOURCE 3
#define OP_PATH_MEMBER 4

/* Writes the path of the cgroup @id to one of the records'; leaves it empty if there is none. */
__noinline int op_record_path(__u64 id, __u32 which)
{
	struct cgroup *cgrp;
	__u32 used;
	int level, i;
	char *path;

	cgrp = bpf_cgroup_from_id(id);
	if (!cgrp)
		return 0;
	level = cgrp->level;

	path_used = 0;
	path_buffer[0] = '/';
	path_buffer[1] = '\0';
	bpf_for(i, 1, level + 1) {
		struct cgroup *ancestor;
		long n;

		used = path_used;
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
		path_used = used;
	}
	bpf_cgroup_release(cgrp);

	if (path_used >= OP_PATH_LEN) {
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
	case OP_PATH_MEMBER:
		path = member_record.path;
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
	record.config = 0;
	record.kill = 0;
	record.n_members = 0;
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

/* A member of a group: filled before the kill, which takes its memory, and sent after it. */
static __always_inline void member_begin(struct task_struct *task)
{
	member_record.header.version = OP_ABI_VERSION;
	member_record.header.type = OP_EVENT_MEMBER;
	member_record.header.size = sizeof(member_record);
	member_record.header.ktime_nsec = record.header.ktime_nsec;
	member_record.path[0] = '\0';
	__builtin_memset(&member_record.task, 0, sizeof(member_record.task));
	record_task(task, &member_record.task);
	op_record_path(member_record.task.cgroup_id, OP_PATH_MEMBER);
}

static __always_inline void member_end(void)
{
	struct op_stats *stats;
	__u32 zero = 0;

	record.n_members++;
	stats = bpf_map_lookup_elem(&op_stats, &zero);
	if (!stats)
		return;
	member_record.header.seq = ++stats->records;
	if (bpf_ringbuf_output(&op_events, &member_record, sizeof(member_record), 0))
		stats->events_lost++;
}

#endif
