/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record of an OOM: filled while it is decided, sent when that is done. Decides nothing.
 *
 * One object builds a record in its static memory, and the guard is the kernel's oom_lock. What is
 * left to the kernel waits in a map until victims.bpf.c has seen what the kernel made of it.
 */
#ifndef OP_RECORD_BPF_H
#define OP_RECORD_BPF_H

#include "freed.bpf.h"
#include "maps.bpf.h"
#include "runners.bpf.h"
#include "state.h"

#define OP_CGROUP_ID_ROOT 1 /* kernfs gives the root of the unified hierarchy this id */

/* OOMs that killed nobody: the same ones leave one record in this time. */
#define OP_REPETITION_NSEC 1000000000ULL
/* As many different ones are told apart. */
#define OP_REPETITIONS_MAX 256

/* Hidden and not static: clang takes a static struct apart, and the object's types then fit no
 * longer. */
__hidden struct op_oom_record record = {};
__hidden struct op_member_record member_record = {};

/* A component is copied at once, so a path needs room for one name behind its end. */
__hidden char path_buffer[OP_PATH_LEN + OP_CGROUP_NAME_MAX + 1] = {};
__hidden __u32 path_used = 0;

/* What a policy found in the kernel's own selection. */
struct choice {
	__u64 source_id;
	__u32 pid; /* the candidate, which the kernel is to kill; 0: none */
	__u32 priority;
	__u32 rule_index;
	__u32 tasks;
	__u32 cgroups;
	__u32 protected_tasks;
	__u64 select_nsec;
};

/* The OOM that the kernel is about to end. */
struct pending {
	__u32 tid;	    /* the thread that ran out of memory; 0: nothing is pending */
	__u32 finished_tid; /* likewise, of the OOM that was the last to end with a victim */
	__u64 finished_nsec;
	__u32 is_sent;	  /* the record says all there is, unless the kernel kills after all */
	__u32 has_choice; /* it was offered to the kernel, which has the last word */
	__u32 is_ending;  /* the record is complete, and more may die by memory.oom.group */
	__u32 pad;
	struct choice choice;
	struct runners runners; /* of that choice */
	struct op_oom_record record;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pending);
} op_pending SEC(".maps");

struct repetition_key {
	__u64 domain_id;
	__u32 decision;
	__u32 reason;
	__u32 victim_pid;
	__u32 pad;
};

struct repetition {
	__u64 ktime_nsec; /* of the last record */
	__u32 suppressed; /* since */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, OP_REPETITIONS_MAX);
	__type(key, struct repetition_key);
	__type(value, struct repetition);
} op_repetitions SEC(".maps");

static __always_inline __u32 current_tid(void)
{
	return (__u32)bpf_get_current_pid_tgid();
}

static __always_inline void none(__u32 reason)
{
	record.decision = OP_DECISION_NONE;
	record.reason = reason;
}

/* The mm of the first thread that still has one: the leader may have exited before the others. */
static __always_inline struct mm_struct *process_mm(struct task_struct *task)
{
	struct mm_struct *mm = READ_ONLY(task)->mm;
	struct task_struct *thread;

	if (mm)
		return mm;
	bpf_for_each(task, thread, task, OP_TASK_ITER_PROC_THREADS) {
		mm = READ_ONLY(thread)->mm;
		if (mm)
			break;
	}
	return mm;
}

#define OP_PATH_DOMAIN 0
#define OP_PATH_TRIGGER 1
#define OP_PATH_VICTIM 2
#define OP_PATH_SOURCE 3
#define OP_PATH_MEMBER 4
#define OP_PATH_RUNNER 8 /* and those after it, one for each */

/* Where a path goes, OP_PATH_LEN bytes. */
static __always_inline char *find_path(__u32 which)
{
	switch (which) {
	case OP_PATH_DOMAIN:
		return record.domain_path;
	case OP_PATH_TRIGGER:
		return record.trigger_path;
	case OP_PATH_VICTIM:
		return record.victim_path;
	case OP_PATH_MEMBER:
		return member_record.path;
	case OP_PATH_SOURCE:
		return record.source_path;
	default:
		return record.runners[which & (OP_RUNNERS_MAX - 1)].path;
	}
}

/* Writes the path of the cgroup @id to one of the records'; leaves it empty if there is none. */
__noinline int op_record_path(__u64 id, __u32 which)
{
	struct cgroup *cgrp;
	__u32 used;
	int level, i;

	cgrp = cgroup_from_id(id);
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
					      OP_CGROUP_NAME_MAX + 1,
					      READ_ONLY(ancestor)->kn->name);
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
	bpf_probe_read_kernel(find_path(which), OP_PATH_LEN, path_buffer);
	return 0;
}

static __always_inline void record_task(struct task_struct *task, struct op_task *ret)
{
	const struct task_struct *reading = READ_ONLY(task);
	struct mm_struct *mm;

	ret->pid = task->tgid;
	ret->tid = task->pid;
	ret->oom_score_adj = reading->signal->oom_score_adj;
	ret->start_boottime_nsec = reading->group_leader->start_boottime;
	bpf_probe_read_kernel_str(ret->comm, sizeof(ret->comm), task->comm);

	/* What another task may exchange meanwhile, and RCU then frees. */
	bpf_rcu_read_lock();
	ret->uid = reading->real_cred->uid.val;
	ret->cgroup_id = task_cgroup(task)->kn->id;
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

/* The numbers and tasks of a record: all from its decision up to its first string. */
#define OP_RECORD_NUMBERS_SIZE \
	(offsetof(struct op_oom_record, policy) - offsetof(struct op_oom_record, decision))

/* Of a string the first byte is enough: what is behind its end nobody reads. */
static __always_inline void record_begin(__u64 now, __u32 backend)
{
	record.header.version = OP_ABI_VERSION;
	record.header.type = OP_RECORD_OOM;
	record.header.ktime_nsec = now;
	__builtin_memset(&record.decision, 0, OP_RECORD_NUMBERS_SIZE);
	record.decision = OP_DECISION_NONE;
	record.rule_index = OP_RULE_NONE;
	record.backend = backend;
	record.policy[0] = '\0';
	record.declared[0] = '\0';
	record.domain_path[0] = '\0';
	record.trigger_path[0] = '\0';
	record.victim_path[0] = '\0';
	record.source_path[0] = '\0';
}

/* Names no victim: the record's candidate, or the one that it waited for, is not who dies. */
static __always_inline void record_forget_victim(void)
{
	__builtin_memset(&record.victim, 0, sizeof(record.victim));
	record.victim_path[0] = '\0';
	record.source_path[0] = '\0';
	record.source_id = 0;
	record.priority = 0;
	record.rule_index = OP_RULE_NONE;
}

static __always_inline __u64 limit_pages(unsigned long pages)
{
	return pages >= OP_PAGE_COUNTER_MAX ? OP_PAGES_UNLIMITED : pages;
}

/* Its address: a global function takes no pointer to it. */
__hidden __u64 domain_memcg = 0;

/* Limits and use of the memcg that ran out and of its ancestors below the root, which has neither.
 */
__noinline int op_record_levels(void)
{
	struct cgroup_subsys_state *css =
		bpf_core_cast((void *)domain_memcg, struct cgroup_subsys_state);
	int i;

	bpf_for(i, 0, OP_LEVELS_MAX) {
		struct op_level *level = &record.levels[i & (OP_LEVELS_MAX - 1)];
		struct mem_cgroup *memcg = bpf_core_cast(css, struct mem_cgroup);
		struct cgroup_subsys_state *parent = css->parent;

		if (!parent)
			break;
		level->cgroup_id = css->cgroup->kn->id;
		level->usage_pages = not_negative(memcg->memory.usage.counter);
		level->max_pages = limit_pages(memcg->memory.max);
		level->high_pages = limit_pages(memcg->memory.high);
		level->swap_usage_pages = not_negative(memcg->swap.usage.counter);
		level->swap_max_pages = limit_pages(memcg->swap.max);
		record.n_levels = i + 1;
		css = parent;
	}
	return 0;
}

/* Gives the cgroup that ran out, the root for the system. Returns OP_REASON_NO_POLICY, which is for
 * the rules to refute, or why no policy may answer. */
static __always_inline __u32 find_domain(struct oom_control *oc, __u64 *ret_domain_id)
{
	struct mem_cgroup *memcg = READ_ONLY(oc)->memcg;

	*ret_domain_id = OP_CGROUP_ID_ROOT;
	if (!memcg)
		return oc->constraint == CONSTRAINT_CPUSET ||
				       oc->constraint == CONSTRAINT_MEMORY_POLICY
			       ? OP_REASON_CONSTRAINT
			       : OP_REASON_NO_POLICY;
	*ret_domain_id = memcg->css.cgroup->kn->id;
	return memcg->css.cgroup->root->hierarchy_id ? OP_REASON_NOT_UNIFIED : OP_REASON_NO_POLICY;
}

/* Fills in what the kernel says about the OOM; the others are find_domain()'s. */
static __always_inline void record_domain(struct oom_control *oc, __u64 domain_id, __u32 reason)
{
	struct mem_cgroup *memcg = READ_ONLY(oc)->memcg;

	record.order = oc->order;
	record.gfp_mask = oc->gfp_mask;
	record.constraint = oc->constraint;
	if (oc->order == -1)
		record.flags |= OP_OOM_SYSRQ;
	if (!memcg)
		return;
	record.flags |= OP_OOM_MEMCG;
	if (reason == OP_REASON_NOT_UNIFIED)
		return;
	record.domain_id = domain_id;
	domain_memcg = (__u64)memcg;
	op_record_levels();
}

/* Is @task outside the cgroup @domain_id and its descendants? */
static __always_inline bool is_remote(struct task_struct *task, __u64 domain_id)
{
	struct cgroup *domain = cgroup_from_id(domain_id);
	bool remote;

	if (!domain)
		return false;
	remote = !bpf_task_under_cgroup(task, domain);
	bpf_cgroup_release(domain);
	return remote;
}

/* Who ran out of memory, and whether somebody declared it so. */
static __always_inline void record_trigger(struct task_struct *current,
					   const struct op_state *state)
{
	record_task(current, &record.trigger);
	op_record_path(record.trigger.cgroup_id, OP_PATH_TRIGGER);
	if (state->declaring_tid && state->declaring_tid == current_tid()) {
		record.flags |= OP_OOM_DECLARED;
		bpf_probe_read_kernel_str(record.declared, sizeof(record.declared),
					  state->declared);
	}
}

/*
 * Where nobody can be killed the allocator tries again at once, hundreds of times a second: the
 * same OOM, as long as its domain and what became of it stay. One record a second tells as much.
 * Kills are never left out.
 */
static __always_inline bool is_repetition(__u64 now)
{
	struct repetition fresh = {.ktime_nsec = now}, *last;
	struct repetition_key key = {
		.domain_id = record.domain_id,
		.decision = record.decision,
		.reason = record.reason,
		.victim_pid = record.victim.pid,
	};

	if (record.decision == OP_DECISION_KILLED || record.decision == OP_DECISION_KERNEL)
		return false;
	last = bpf_map_lookup_elem(&op_repetitions, &key);
	if (!last) {
		bpf_map_update_elem(&op_repetitions, &key, &fresh, BPF_ANY);
		return false;
	}
	if (now - last->ktime_nsec < OP_REPETITION_NSEC) {
		last->suppressed++;
		return true;
	}
	record.suppressed = last->suppressed;
	last->suppressed = 0;
	last->ktime_nsec = now;
	return false;
}

__noinline int op_record_send(void)
{
	__u64 size = record.n_runners;
	struct op_stats *stats;
	__u32 zero = 0;

	stats = bpf_map_lookup_elem(&op_stats, &zero);
	if (!stats || size > OP_RUNNERS_MAX)
		return 0;
	barrier_var(
		size); /* or clang goes on from a copy whose bounds the verifier does not know */
	size = OP_OOM_RECORD_SIZE(size);
	record.header.size = size;
	if (record.decision == OP_DECISION_KILLED)
		stats->kills++;
	if (is_repetition(bpf_ktime_get_ns()))
		return 0;
	/* Counted in the map, which all objects share. */
	record.header.seq = ++stats->records;
	if (bpf_ringbuf_output(&op_events, &record, size, 0)) {
		stats->events_lost++;
		op_freed_cancel();
	} else if (record.decision == OP_DECISION_KILLED || record.decision == OP_DECISION_KERNEL)
		op_freed_expect(record.header.seq, record.header.ktime_nsec);
	return 0;
}

static __always_inline void count_run(__u64 begun)
{
	struct op_stats *stats;
	__u32 zero = 0;

	record.handler_nsec = bpf_ktime_get_ns() - begun;
	stats = bpf_map_lookup_elem(&op_stats, &zero);
	if (!stats)
		return;
	stats->runs++;
	stats->handler_nsec += record.handler_nsec;
	if (record.handler_nsec > stats->handler_max_nsec)
		stats->handler_max_nsec = record.handler_nsec;
}

static __always_inline struct pending *find_pending(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&op_pending, &zero);
}

static __always_inline void pending_set(struct pending *pending, bool has_choice)
{
	bpf_probe_read_kernel(&pending->record, sizeof(pending->record), &record);
	pending->is_sent = record.decision == OP_DECISION_WAITING;
	pending->has_choice = has_choice;
	pending->is_ending = false;
	pending->tid = current_tid();
}

/* Leaves the record to be completed; with @is_last only if the kernel kills after all. Returns
 * false where nobody would do so. */
static __always_inline bool record_defer(bool is_last)
{
	struct op_switch *active;
	struct pending *pending;
	__u32 zero = 0;

	active = bpf_map_lookup_elem(&op_switch_map, &zero);
	pending = find_pending();
	if (!active || !active->follows || !pending)
		return false;
	pending_set(pending, false);
	if (is_last)
		pending->is_sent = true;
	return true;
}

/* Sends the record that waits: at the end of its OOM or, where that was not seen, before the next
 * record is begun. */
__noinline int op_record_flush(void)
{
	struct pending *pending = find_pending();

	if (!pending || !pending->tid)
		return 0;
	pending->tid = 0;
	pending->is_ending = false;
	if (pending->is_sent)
		return 0;
	bpf_probe_read_kernel(&record, sizeof(record), &pending->record);
	if (record.decision != OP_DECISION_KILLED && record.reason == OP_REASON_NONE)
		record.reason = OP_REASON_UNFINISHED;
	return op_record_send();
}

/* Names those of @list, none of whom is the victim: before it is killed, as all of them may change
 * while that is done. */
static __always_inline void record_runners(const struct runners *list)
{
	int i;

	record.n_runners = 0;
	bpf_for(i, 0, OP_RUNNERS_MAX) {
		const struct runner *from = &list->items[i & (OP_RUNNERS_MAX - 1)];
		struct op_runner *to = &record.runners[i & (OP_RUNNERS_MAX - 1)];
		struct task_struct *task;

		if (i >= list->n)
			break;
		to->pid = from->pid;
		to->uid = 0;
		to->oom_score_adj = 0;
		to->priority = from->priority;
		to->rule_index = from->rule_index;
		to->cgroup_id = from->cgroup_id;
		to->size_pages = from->size_pages;
		to->reason = from->bar				? from->bar
			     : from->priority > record.priority ? OP_RUNNER_PRIORITY
								: OP_RUNNER_PREFERENCE;
		to->comm[0] = '\0';
		to->path[0] = '\0';
		task = bpf_task_from_pid(from->pid);
		if (task) {
			to->uid = READ_ONLY(task)->real_cred->uid.val;
			to->oom_score_adj = READ_ONLY(task)->signal->oom_score_adj;
			bpf_probe_read_kernel_str(to->comm, sizeof(to->comm), task->comm);
			bpf_task_release(task);
		}
		op_record_path(from->cgroup_id, OP_PATH_RUNNER + i);
		record.n_runners = i + 1;
	}
}

/* A member of a group: filled before the kill, which takes its memory, and sent after it. */
static __always_inline void member_begin(struct task_struct *task)
{
	member_record.header.version = OP_ABI_VERSION;
	member_record.header.type = OP_RECORD_MEMBER;
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
