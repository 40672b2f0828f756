/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The search of a domain: which of its processes dies next, and which belong to a group. Part of
 * policy.bpf.c and rank.bpf.c; kills nobody and records nothing.
 */
#ifndef OP_SEARCH_BPF_H
#define OP_SEARCH_BPF_H

#include "record.bpf.h"
#include "weigh.bpf.h"

/* A group is killed in rounds of this many. */
#define OP_ROUND_MEMBERS 256

/*
 * A domain with more cgroups than these is searched by the order of priorities first. That is given
 * up for the walk of all when it comes to as many cgroups itself, or after so many entries: a
 * domain may have few of those that are in the order.
 */
#define OP_ORDER_CGROUPS 256
#define OP_ORDER_VISITS 1024

/*
 * What is looked at for the sake of runners-up alone, where no victim could be: so many cgroups,
 * the nearest of those with tasks, and so many processes in each; and to find them behind a search
 * by the order, so many entries of it and so many cgroups.
 */
#define OP_SPARES_MAX 16
#define OP_SPARE_TASKS 32
#define OP_SPARE_ENTRIES 32
#define OP_SPARE_VISITS 128
/* Of so many cgroups the use is read, to tell the nearer of equals; of the rest it counts as none.
 */
#define OP_SPARE_USES 256
/* What is used is as many bits of a distance, in pages. */
#define OP_SPARE_USAGE_BITS 48
#define OP_SPARE_USAGE_MAX ((1ULL << OP_SPARE_USAGE_BITS) - 1)

/* How far the search of a domain has come, and how far it goes. */
struct search {
	__u32 tasks;
	__u32 cgroups;
	__u32 cgroups_max; /* the walk ends there */
	__u32 protected_cgroups;
	__u32 uses_left;    /* cgroups whose use may still be read */
	__u32 victim_known; /* what is looked at from now on is so for runners-up */
	__u32 recent_dying; /* victims of earlier OOMs that still hold memory, in all domains */
	__u32 look_at_all;  /* each task has to be looked at, to see one that is dying */
	__u32 find_dying;   /* nobody else has told whether one is dying: dying_pid is to be set */
};

__hidden struct search search = {};

/* Cgroups whose processes could not be looked at: the iterator takes memory, of which there is none
 * at an OOM. Whom they would have made the victim nobody knows. */
__hidden __u32 n_unseen = 0;

/* A victim of an earlier OOM that still holds memory, in this domain; 0: none was found. */
__hidden __u32 dying_pid = 0;

__hidden struct runners runners = {};

/* A cgroup in which no victim can be, and a runner-up may. */
struct spare {
	__u64 distance; /* by priority, and among equals by what it uses: the less, the nearer */
	__u64 cgroup_id;
	struct effective rule;
};

/* The nearest of these so far, in no order. */
__hidden struct spare spares[OP_SPARES_MAX] = {};
__hidden __u32 n_spares = 0;
__hidden __u32 farthest_spare = 0;
/* The address of one that may become it: a global function takes no pointer to it. */
__hidden __u64 spare_cgroup = 0;

/* What applies to the cgroups from the top of a walk down to the one being looked at: [0] is what
 * the top starts from, [n + 1] the cgroup n levels below the top. */
__hidden struct effective chain[OP_DEPTH_MAX + 1] = {};

/* The cgroup whose rule the current walk is confined to; 0: it is not. */
__hidden __u64 walk_source_id = 0;

/* The entry of the order that is next. */
__hidden __u32 order_next = 0;
/* The first that is behind all that a victim could be in. */
__hidden __u32 order_over = 0;
/* The priority of the entry before it. */
__hidden __u32 order_priority = 0;

struct member {
	__u64 start_boottime_nsec;
	__u32 pid;
	__u32 pad;
};

/* The members of a group that die in this round. */
__hidden struct member members[OP_ROUND_MEMBERS] = {};
__hidden __u32 n_members = 0;

/* chain[0]: the nearest cgroup from the top of the walk upwards that a rule matches. */
static __always_inline void begin_chain(void *rules, struct cgroup *cgrp)
{
	find_effective(rules, cgrp, criteria.default_priority, &chain[0]);
}

/* What applies to the cgroup @depth levels below the top, in a walk that has been at its parent. */
static __always_inline struct effective *extend_chain(void *rules, __u64 id, __u32 depth)
{
	struct effective *effective;
	struct op_entry *entry;

	if (depth >= OP_DEPTH_MAX)
		return NULL;
	effective = &chain[depth + 1];
	entry = bpf_map_lookup_elem(rules, &id);
	if (entry && entry->cgroup.flags & OP_RULE_MATCH)
		set_effective(effective, entry, id, criteria.default_priority);
	else
		*effective = chain[depth];
	return effective;
}

/* The memory that the death of the process would free, or NULL. */
static __always_inline struct mm_struct *killable_mm(struct task_struct *task)
{
	struct mm_struct *mm;

	if (is_spared(task))
		return NULL;
	mm = process_mm(task);
	return is_worth_killing(task, mm) ? mm : NULL;
}

/* Begins anew: nothing has been looked at, and nobody is chosen. */
static __always_inline void search_reset(__u32 runners_max)
{
	__u32 find_dying = search.find_dying;

	__builtin_memset(&search, 0, sizeof(search));
	search.find_dying = find_dying;
	__builtin_memset(&selection, 0, sizeof(selection));
	search.cgroups_max = ~0U;
	search.uses_left = OP_SPARE_USES;
	n_unseen = 0;
	n_spares = 0;
	runners_reset(&runners, runners_max);
}

/* Looks at one process of the current cgroup. */
__noinline int op_evaluate_task(struct task_struct *task __arg_trusted)
{
	struct mm_struct *mm;

	if (task->flags & OP_PF_KTHREAD)
		return 0;
	search.tasks++;

	if (READ_ONLY(task)->signal->oom_mm && !(record.flags & OP_OOM_SYSRQ)) {
		if (search.find_dying && is_dying(task))
			dying_pid = task->tgid;
		return 0;
	}
	if (selection.best.pid == task->tgid || !is_to_be_weighed(task, &runners))
		return 0;
	bpf_rcu_read_lock();
	mm = process_mm(task);
	if (weigh(task, mm, task_pages(task, mm), &runners))
		take_weighed(&runners);
	bpf_rcu_read_unlock();
	return 0;
}

/* What a walk does with each process; rank.bpf.c looks at them one by one. */
#ifndef OP_VISIT_TASK
#define OP_VISIT_TASK op_evaluate_task
#endif

/*
 * Looks for a dying victim among those of late, which spares looking at every task. Returns
 * whether that was enough to tell.
 */
static __always_inline bool check_recent(struct cgroup *domain)
{
	struct op_state *state;
	__u32 zero = 0;
	int i;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state || !state->tracking)
		return false;
	search.recent_dying = 0;
	bpf_for(i, 0, OP_RECENT_MAX) {
		struct recent *recent = &state->recent[i & (OP_RECENT_MAX - 1)];
		struct task_struct *task;

		if (!recent->pid)
			continue;
		task = bpf_task_from_pid(recent->pid);
		if (task && task->start_boottime == recent->start_boottime_nsec && is_dying(task)) {
			search.recent_dying++;
			if (bpf_task_under_cgroup(task, domain))
				dying_pid = recent->pid;
		} else {
			recent->pid = 0;
		}
		if (task)
			bpf_task_release(task);
	}
	return search.recent_dying < OP_RECENT_MAX;
}

/* Weighs the processes of the cgroup @id itself, at most @n_max of them, by selection.rule.
 */
__noinline int op_visit_cgroup(__u64 id, __u32 n_max)
{
	struct bpf_iter_css_task it;
	struct task_struct *task;
	struct cgroup *cgrp;
	__u32 n = 0;

	/* A reference, which is what the iterator of tasks asks for, comes by id alone. */
	cgrp = cgroup_from_id(id);
	if (!cgrp)
		return 0;
	selection.cgroup_id = id;
	/* By hand: bpf_for_each() takes one that cannot be opened for one with nothing in it. */
	if (bpf_iter_css_task_new(&it, &cgrp->self, OP_CSS_TASK_ITER_PROCS))
		n_unseen++;
	while ((task = bpf_iter_css_task_next(&it))) {
		if (n++ >= n_max)
			break;
		OP_VISIT_TASK(task);
	}
	bpf_iter_css_task_destroy(&it);
	bpf_cgroup_release(cgrp);
	return 0;
}

/* The least distance of a cgroup to which @rule applies; what it uses makes it more. */
static __always_inline __u64 spare_distance(const struct effective *rule)
{
	return (__u64)rule_order(rule) << OP_SPARE_USAGE_BITS;
}

/* Is there no room for a spare at this distance? */
static __always_inline bool is_too_far(__u64 distance)
{
	return n_spares >= OP_SPARES_MAX &&
	       distance >= spares[farthest_spare & (OP_SPARES_MAX - 1)].distance;
}

/* Makes the cgroup spare_cgroup one, by selection.rule, if it is nearer than the farthest
 * of them. */
__noinline int op_add_spare(void)
{
	const struct effective *rule = &selection.rule;
	struct cgroup *cgrp = bpf_core_cast((void *)spare_cgroup, struct cgroup);
	__u64 usage = 0, distance;
	struct spare *spare;
	__u32 i, at;

	if (search.uses_left > 0) {
		search.uses_left--;
		usage = cgroup_usage_pages(cgrp);
	}
	if (usage > OP_SPARE_USAGE_MAX)
		usage = OP_SPARE_USAGE_MAX;
	distance = spare_distance(rule) + OP_SPARE_USAGE_MAX - usage;
	if (is_too_far(distance))
		return 0;

	at = n_spares < OP_SPARES_MAX ? n_spares++ : farthest_spare;
	spare = &spares[at & (OP_SPARES_MAX - 1)];
	spare->distance = distance;
	spare->cgroup_id = cgrp->kn->id;
	spare->rule = *rule;

	if (n_spares < OP_SPARES_MAX)
		return 0;
	at = 0;
	distance = spares[0].distance;
#pragma unroll
	for (i = 1; i < OP_SPARES_MAX; i++)
		if (spares[i].distance > distance) {
			distance = spares[i].distance;
			at = i;
		}
	farthest_spare = at;
	return 0;
}

/* Notes a cgroup in which no victim can be, to look at it when the victim is known. */
static __always_inline void note_spare(struct cgroup *cgrp, const struct effective *rule)
{
	__u64 distance = spare_distance(rule);

	if (!search.uses_left)
		distance += OP_SPARE_USAGE_MAX;
	if (is_too_far(distance) || !is_wanted(rule, &runners))
		return;
	selection.rule = *rule;
	spare_cgroup = (__u64)cgrp;
	op_add_spare();
}

/* The index of the nearest spare that has not been looked at; OP_SPARES_MAX: there is none. A
 * function of its own, as the verifier would follow each outcome of it through its caller. */
__noinline __u32 op_find_nearest_spare(void)
{
	__u32 i, nearest = OP_SPARES_MAX;
	__u64 distance = ~0ULL;

#pragma unroll
	for (i = 0; i < OP_SPARES_MAX; i++)
		if (i < n_spares && spares[i].distance < distance) {
			distance = spares[i].distance;
			nearest = i;
		}
	return nearest;
}

/* Looks for runners-up in the spares, the nearest first. */
__noinline int op_visit_spares(void)
{
	int round;

	bpf_for(round, 0, OP_SPARES_MAX) {
		__u32 nearest = op_find_nearest_spare();
		struct spare *spare;

		if (nearest >= OP_SPARES_MAX)
			break;
		spare = &spares[nearest];
		if (!is_wanted(&spare->rule, &runners))
			break;
		spare->distance = ~0ULL;
		selection.rule = spare->rule;
		op_visit_cgroup(spare->cgroup_id, OP_SPARE_TASKS);
	}
	return 0;
}

/*
 * Weighs the processes of the cgroup @top_id and of its descendants; with @source_id only of those
 * that have their rule from that cgroup. Processes are looked at only where one could be chosen.
 */
__noinline int op_walk(__u64 top_id, __u64 source_id)
{
	struct cgroup_subsys_state *css;
	struct cgroup *top;
	int top_level;
	void *rules;

	rules = find_rules();
	if (!rules)
		return OP_REASON_NO_POLICY;
	top = cgroup_from_id(top_id);
	if (!top)
		return OP_REASON_DOMAIN_GONE;
	top_level = top->level;
	/* In memory: the verifier of 6.18 loses track of an argument that a loop compares. */
	walk_source_id = source_id;
	begin_chain(rules, top);

	bpf_rcu_read_lock();
	bpf_for_each(css, css, &top->self, OP_CGROUP_ITER_DESCENDANTS_PRE) {
		struct effective *rule;
		struct cgroup *cgrp;
		__u64 id;

		if (search.cgroups >= search.cgroups_max)
			break;
		search.cgroups++;
		cgrp = READ_ONLY(css)->cgroup;
		id = cgrp->kn->id;
		rule = extend_chain(rules, id, cgrp->level - top_level);
		if (!rule || !cgroup_has_tasks(cgrp))
			continue;
		if (walk_source_id && rule->source_id != walk_source_id)
			continue;
		if (rule->flags & OP_RULE_PROTECT)
			search.protected_cgroups++;
		if (is_hopeless(rule, &selection.best) && !search.look_at_all) {
			note_spare(cgrp, rule);
			continue;
		}
		if (search.victim_known)
			continue;
		selection.rule = *rule;
		op_visit_cgroup(id, ~0U);
	}
	bpf_rcu_read_unlock();
	bpf_cgroup_release(top);
	return 0;
}

/* What the cgroups of the domain without a rule of their own have for a priority, or what those
 * have whose rule sets none: an entry of the order is of use below both. */
static __always_inline __u32 order_bound(void *rules, struct cgroup *domain)
{
	begin_chain(rules, domain);
	if (chain[0].flags & OP_RULE_PROTECT || chain[0].priority > criteria.default_priority)
		return criteria.default_priority;
	return chain[0].priority;
}

/* Weighs the processes of one entry of the order, if it lies in the domain. */
static __always_inline void walk_ordered(struct cgroup *domain, __u64 domain_id, __u64 id)
{
	struct cgroup *cgrp, *ancestor;
	bool inside = false;

	cgrp = cgroup_from_id(id);
	if (!cgrp)
		return;
	ancestor = bpf_cgroup_ancestor(cgrp, domain->level);
	if (ancestor) {
		inside = READ_ONLY(ancestor)->kn->id == domain_id;
		bpf_cgroup_release(ancestor);
	}
	bpf_cgroup_release(cgrp);
	if (inside)
		op_walk(id, id);
}

/*
 * Looks at the cgroups with the lowest priorities only, where the order that the daemon keeps of
 * them is enough to tell. Returns whether it was; if not, selection holds no candidate.
 */
__noinline int op_search_ordered(__u64 domain_id)
{
	__u64 key = OP_KEY_CONFIG;
	struct op_entry *entry;
	struct cgroup *domain;
	__u32 n_sorted, bound;
	bool complete = false;
	void *rules;
	int i;

	rules = find_rules();
	if (!rules)
		return false;
	entry = bpf_map_lookup_elem(rules, &key);
	if (!entry || !(entry->config.flags & OP_CONFIG_ORDERED))
		return false;
	n_sorted = entry->config.n_sorted;
	domain = cgroup_from_id(domain_id);
	if (!domain)
		return false;
	bound = order_bound(rules, domain);

	order_next = 0;
	order_over = n_sorted;
	bpf_for(i, 0, OP_ORDER_VISITS) {
		bool sorted = order_next < n_sorted, over;
		__u32 priority;

		key = OP_KEY_ORDER((__u64)order_next);
		entry = bpf_map_lookup_elem(rules, &key);
		if (!entry) {
			complete = !sorted;
			break;
		}
		priority = entry->order.priority;
		over = priority >= bound || is_behind(priority, &selection.best);
		if (!over)
			walk_ordered(domain, domain_id, entry->order.cgroup_id);
		else if (sorted)
			order_over = order_next;
		order_next = over && sorted ? n_sorted : order_next + 1;
		if (search.cgroups > OP_ORDER_CGROUPS)
			break;
	}
	bpf_cgroup_release(domain);
	/* With others that share its memory the best may stand behind what was not looked at. */
	if (complete && selection.best.pid && selection.best.rule.priority < bound)
		return true;
	search_reset(runners.max);
	return false;
}

/* With a process of each, would the list be full? */
static __always_inline bool has_enough_spares(void)
{
	return runners.n + n_spares >= runners.max;
}

/* Looks for more spares where op_search_ordered() was enough to find the victim: in the next
 * entries of the order, then among the first cgroups of the domain, as far as that takes no time.
 */
__noinline int op_find_spares(__u64 domain_id)
{
	struct cgroup *domain;
	struct op_entry *entry;
	__u32 n_sorted;
	void *rules;
	__u64 key;
	int i;

	rules = find_rules();
	if (!rules)
		return 0;
	key = OP_KEY_CONFIG;
	entry = bpf_map_lookup_elem(rules, &key);
	domain = cgroup_from_id(domain_id);
	if (!domain)
		return 0;
	n_sorted = entry ? entry->config.n_sorted : 0;
	search.cgroups_max = search.cgroups + OP_SPARE_VISITS;
	search.victim_known = true;
	order_priority = 0;
	bpf_for(i, 0, OP_SPARE_ENTRIES) {
		__u32 next = order_over;

		if (next >= n_sorted)
			break;
		key = OP_KEY_ORDER((__u64)next);
		entry = bpf_map_lookup_elem(rules, &key);
		if (!entry || (entry->order.priority > order_priority && has_enough_spares()))
			break;
		order_priority = entry->order.priority;
		order_over = next + 1;
		walk_ordered(domain, domain_id, entry->order.cgroup_id);
	}
	bpf_cgroup_release(domain);
	if (!has_enough_spares())
		op_walk(domain_id, 0);
	return 0;
}

/*
 * Looks for the victim in the cgroup @domain_id and its descendants, for the policy in @slot: the
 * best of selection, unless dying_pid is set.
 * Returns 0, or the OP_REASON_* for which there is no result.
 */
__noinline int op_search(__u64 domain_id, __u32 slot)
{
	struct cgroup *domain;
	struct op_entry *entry;
	int reason = 0;
	bool large;
	void *rules;
	__u64 key;

	dying_pid = 0;
	sharers_reset();
	search_reset(find_runners_max());

	rules = find_rules();
	if (!rules)
		return OP_REASON_NO_POLICY;
	key = OP_KEY_POLICY((__u64)slot);
	entry = bpf_map_lookup_elem(rules, &key);
	if (!entry)
		return OP_REASON_NO_POLICY;
	set_criteria(entry);

	domain = cgroup_from_id(domain_id);
	if (!domain)
		return OP_REASON_DOMAIN_GONE;
	/* Where the module tells of the dying this OOM waits for none, and SysRq's never does. */
	search.find_dying = !bpf_ksym_exists(bpf_oom_awaits) && !(record.flags & OP_OOM_SYSRQ);
	search.look_at_all = search.find_dying && !check_recent(domain);
	large = domain->nr_descendants > OP_ORDER_CGROUPS;
	bpf_cgroup_release(domain);

	if (large && !search.look_at_all && op_search_ordered(domain_id))
		op_find_spares(domain_id);
	else
		reason = op_walk(domain_id, 0);
	if (!reason && n_unseen)
		reason = OP_REASON_UNSEEN;
	op_visit_spares();
	return reason;
}

/* Collects the next members of the group that is the cgroup @group_id with its descendants. */
__noinline int op_collect(__u64 group_id)
{
	struct cgroup_subsys_state *css;
	struct task_struct *task;
	struct cgroup *group;
	int group_level;
	void *rules;

	n_members = 0;
	rules = find_rules();
	if (!rules)
		return 0;
	group = cgroup_from_id(group_id);
	if (!group)
		return 0;
	group_level = group->level;
	begin_chain(rules, group);

	bpf_rcu_read_lock();
	bpf_for_each(css, css, &group->self, OP_CGROUP_ITER_DESCENDANTS_PRE) {
		struct effective *rule;
		struct cgroup *cgrp;
		__u64 id;

		cgrp = READ_ONLY(css)->cgroup;
		id = cgrp->kn->id;
		rule = extend_chain(rules, id, cgrp->level - group_level);
		if (!rule || rule->flags & OP_RULE_PROTECT || !cgroup_has_tasks(cgrp))
			continue;
		cgrp = cgroup_from_id(id);
		if (!cgrp)
			continue;
		bpf_for_each(css_task, task, &cgrp->self, OP_CSS_TASK_ITER_PROCS) {
			__u32 n = n_members;

			if (n >= OP_ROUND_MEMBERS || READ_ONLY(task)->signal->oom_mm ||
			    !killable_mm(task))
				continue;
			members[n & (OP_ROUND_MEMBERS - 1)].pid = task->tgid;
			members[n & (OP_ROUND_MEMBERS - 1)].start_boottime_nsec =
				task->start_boottime;
			n_members = n + 1;
		}
		bpf_cgroup_release(cgrp);
	}
	bpf_rcu_read_unlock();
	bpf_cgroup_release(group);
	return 0;
}

#endif
