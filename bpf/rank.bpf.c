// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who would die: runs the selection of search.bpf.h over a domain without an OOM, and says of each
 * process what it came to. Kills nobody.
 *
 * Each process is weighed by the policy's own op_evaluate_task() as if it were the only one: if it
 * is chosen then, its priority and points are what it competes with, by the comparison that the
 * policy chooses by. It is done over all processes once more, so the first of the list is known
 * without the list.
 *
 * It runs beside OOMs, without oom_lock. So it shares with the policies only what it reads, which
 * are the configurations and the switch: the state of the current OOM and all static memory are
 * this object's own. The daemon has one thread, so there is one run at a time.
 */
#include "rules.bpf.h"
#include "tasks.bpf.h"

static __always_inline void rank_task(struct task_struct *task);
#define OP_VISIT_TASK rank_task

#include "search.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The way from the root of a heap of OP_RANK_MAX to a leaf. */
#define OP_RANK_LEVELS 11

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OP_RANK_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct op_ranked);
} op_ranked SEC(".maps");

/* What decides who of two dies first. */
struct standing {
	__u64 points;
	__u32 order; /* the priority, or OP_ORDER_LAST */
	__u32 found;
	__u32 entry; /* of op_ranked */
	__u32 pad;
};

/* A heap of those that are kept, the last of them at its root. It begins at 1: half of the array is
 * never used, for the sake of a mask as bound. */
__hidden struct standing heap[2 * OP_RANK_MAX] = {};
__hidden __u32 n_heap = 0;
__hidden __u32 heap_at = 0;
__hidden __u32 n_left_out = 0;

/* The current process. */
__hidden struct standing coming = {};

/* The one that the policy would choose among all so far. */
__hidden struct candidate first = {};

#define AT(i) (&heap[(i) & (2 * OP_RANK_MAX - 1)])

/* Does @a die after @b? */
static __always_inline bool comes_after(const struct standing *a, const struct standing *b)
{
	int order = compare_order(a->order, a->points, b->order, b->points);

	return order ? order > 0 : a->found > b->found;
}

static __always_inline void swap(__u32 i, __u32 j)
{
	struct standing moved = *AT(i);

	*AT(i) = *AT(j);
	*AT(j) = moved;
}

/* Moves the last of the heap up to its place. */
__noinline int op_rank_rise(void)
{
	int level;

	heap_at = n_heap;
	bpf_for(level, 0, OP_RANK_LEVELS) {
		__u32 at = heap_at, parent = at / 2;

		if (parent == 0 || !comes_after(AT(at), AT(parent)))
			break;
		swap(at, parent);
		heap_at = parent;
	}
	return 0;
}

/* Moves the root of the heap down to its place. */
__noinline int op_rank_sink(void)
{
	int level;

	heap_at = 1;
	bpf_for(level, 0, OP_RANK_LEVELS) {
		__u32 at = heap_at, child = 2 * at;

		if (child > n_heap)
			break;
		if (child < n_heap && comes_after(AT(child + 1), AT(child)))
			child++;
		if (!comes_after(AT(child), AT(at)))
			break;
		swap(at, child);
		heap_at = child;
	}
	return 0;
}

/* Finds a place for the one that is coming. Returns whether there is one, coming.entry. */
__noinline int op_rank_place(void)
{
	if (n_heap < OP_RANK_MAX) {
		coming.entry = n_heap;
		n_heap++;
		*AT(n_heap) = coming;
		op_rank_rise();
		return true;
	}
	n_left_out++;
	if (!comes_after(AT(1), &coming))
		return false;
	coming.entry = AT(1)->entry;
	*AT(1) = coming;
	op_rank_sink();
	return true;
}

/* Why op_evaluate_task() did not choose the only one there was. */
static __always_inline __u32 find_never(struct task_struct *task, struct mm_struct *mm,
					const struct effective *rule)
{
	if (READ_ONLY(task)->signal->oom_mm)
		return is_dying(task) ? OP_NEVER_DYING : OP_NEVER_DEAD;
	if (rule->flags & OP_RULE_PROTECT)
		return OP_NEVER_PROTECTED;
	if (task->tgid == OP_PID_INIT)
		return OP_NEVER_INIT;
	if (is_daemon(task))
		return OP_NEVER_DAEMON;
	if (is_spared(task))
		return OP_NEVER_SCORE_ADJ;
	if (mm && in_vfork(task, mm))
		return OP_NEVER_VFORK;
	return mm && !mm_oom_skip(mm) && sharers.mm == (__u64)mm && sharers.bar
		       ? OP_NEVER_SHARED
		       : OP_NEVER_NO_MEMORY;
}

/* Keeps the process if it belongs to those that are kept. Whether it was chosen, and what applies
 * to its cgroup, is in selection. */
__noinline int op_rank_add(__u32 pid, __u64 cgroup_id)
{
	struct op_ranked *ranked = NULL;
	const struct task_struct *reading;
	__u32 entry, never = OP_NEVER_NOT;
	struct task_struct *task;
	struct mm_struct *mm;
	__u64 size;

	task = bpf_task_from_pid(pid);
	if (!task)
		return 0;
	reading = READ_ONLY(task);
	bpf_rcu_read_lock();
	mm = process_mm(task);
	size = not_negative(task_pages(task, mm));
	if (!selection.best.pid)
		never = find_never(task, mm, &selection.rule);
	bpf_rcu_read_unlock();

	coming.found = search.tasks;
	coming.order = never ? OP_ORDER_LAST : selection.best.rule.priority;
	coming.points = never ? size : selection.best.points;
	if (!never && candidate_beats(&selection.best, &first))
		first = selection.best;
	if (op_rank_place()) {
		entry = coming.entry;
		ranked = bpf_map_lookup_elem(&op_ranked, &entry);
	}
	if (ranked) {
		ranked->cgroup_id = cgroup_id;
		ranked->source_id = selection.rule.source_id;
		ranked->start_boottime_nsec = reading->group_leader->start_boottime;
		ranked->points = coming.points;
		ranked->size_pages = size;
		ranked->pid = pid;
		ranked->uid = reading->real_cred->uid.val;
		ranked->oom_score_adj = reading->signal->oom_score_adj;
		ranked->priority = never ? selection.rule.priority : selection.best.rule.priority;
		ranked->rule_index = selection.rule.rule_index;
		ranked->rule_flags = selection.rule.flags;
		ranked->never = never;
		ranked->found = coming.found;
		bpf_probe_read_kernel_str(ranked->comm, sizeof(ranked->comm), task->comm);
	}
	bpf_task_release(task);
	return 0;
}

static __always_inline void rank_task(struct task_struct *task)
{
	if (task->flags & OP_PF_KTHREAD)
		return;
	selection.best.pid = 0;
	op_evaluate_task(task);
	/* A step of its own, that the verifier looks at once. */
	op_rank_add(task->tgid, selection.cgroup_id);
}

/* Prepares the walk as op_search() does. Returns an OP_REASON_*. */
static __always_inline __u32 rank_begin(struct op_rank_run *run)
{
	struct op_state *state;
	struct op_entry *entry;
	__u32 zero = 0;
	void *rules;
	__u64 key;

	n_heap = 0;
	n_left_out = 0;
	first.pid = 0;
	dying_pid = 0;
	sharers_reset();
	search_reset(0);
	search.look_at_all = true;
	search.find_dying = true;
	criteria.total_pages = run->total_pages;

	/* Not the policies' own: see above. */
	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state)
		return OP_REASON_NO_POLICY;
	direct(run->domain_id, run->is_memcg, state);
	if (!state->slot)
		return OP_REASON_NO_POLICY;
	run->slot = state->slot;
	key = OP_KEY_POLICY((__u64)state->slot);
	rules = find_rules();
	entry = rules ? bpf_map_lookup_elem(rules, &key) : NULL;
	if (!entry)
		return OP_REASON_NO_POLICY;
	run->victim = entry->policy.victim;
	set_criteria(entry);
	return OP_REASON_NONE;
}

SEC("syscall")
int op_rank(struct op_rank_run *run)
{
	__u64 begun = bpf_ktime_get_ns();

	run->reason = rank_begin(run);
	if (run->reason == OP_REASON_NONE)
		run->reason = op_walk(run->domain_id, 0);
	run->first_pid = first.pid;
	run->dying_pid = dying_pid;
	run->nr_tasks = search.tasks;
	run->nr_cgroups = search.cgroups;
	run->nr_protected = search.protected_cgroups;
	run->n_ranked = n_heap;
	run->n_left_out = n_left_out;
	run->nsec = bpf_ktime_get_ns() - begun;
	return 0;
}
