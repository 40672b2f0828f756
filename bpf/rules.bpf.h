/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration that an OOM is decided by: which it is, and what it says about a cgroup. */
#ifndef OP_RULES_BPF_H
#define OP_RULES_BPF_H

#include "maps.bpf.h"
#include "state.h"

/* An entry of the rules as it applies to one cgroup. */
struct effective {
	__u64 source_id; /* the cgroup that has the entry; 0: none has */
	__u32 priority;
	__u32 rule_index;
	__u32 flags;
	__u32 pad;
};

static __always_inline void *find_rules(void)
{
	struct op_state *state;
	__u32 zero = 0, config;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state)
		return NULL;
	config = state->config;
	return bpf_map_lookup_elem(&op_configs, &config);
}

/* How many runners-up the current OOM is to name. */
static __always_inline __u32 find_runners_max(void)
{
	struct op_state *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	return state ? state->runners_max : 0;
}

/* A map that was exchanged during the current OOM is not the one that it began with. */
static __always_inline bool is_config(void *rules, __u32 number)
{
	struct op_entry *entry;
	__u64 key = OP_KEY_CONFIG;

	entry = bpf_map_lookup_elem(rules, &key);
	return entry && entry->config.number == number;
}

static __always_inline void set_effective(struct effective *ret, const struct op_entry *entry,
					  __u64 source_id, __u32 default_priority)
{
	ret->source_id = source_id;
	ret->rule_index = entry->cgroup.rule_index;
	ret->flags = entry->cgroup.flags;
	ret->priority =
		ret->flags & OP_RULE_DEFAULT_PRIORITY ? default_priority : entry->cgroup.priority;
}

/* What applies where no rule does. */
static __always_inline void set_default(struct effective *ret, __u32 default_priority)
{
	ret->source_id = 0;
	ret->rule_index = OP_RULE_NONE;
	ret->flags = 0;
	ret->priority = default_priority;
}

/* What the nearest cgroup from @cgrp upwards says that a rule matches. */
static __always_inline void find_effective(void *rules, struct cgroup *cgrp, __u32 default_priority,
					   struct effective *ret)
{
	set_default(ret, default_priority);
	cgrp = READ_ONLY(cgrp);
	for_each_ancestor(cgrp) {
		__u64 id = cgrp->kn->id;
		struct op_entry *entry = bpf_map_lookup_elem(rules, &id);

		if (entry && entry->cgroup.flags & OP_RULE_MATCH) {
			set_effective(ret, entry, id, default_priority);
			break;
		}
	}
}

/* The slot of the nearest policy upwards from @domain_id that has OOMs of this kind; 0: none. */
__noinline int op_find_policy(__u64 domain_id, __u32 is_memcg)
{
	struct cgroup *domain, *cgrp;
	int found = 0;
	void *rules;

	rules = find_rules();
	if (!rules)
		return 0;
	domain = cgroup_from_id(domain_id);
	if (!domain)
		return 0;
	cgrp = READ_ONLY(domain);
	for_each_ancestor(cgrp) {
		__u64 id = cgrp->kn->id;
		struct op_entry *entry = bpf_map_lookup_elem(rules, &id);

		if (entry)
			found = is_memcg ? entry->cgroup.slot_memcg : entry->cgroup.slot_system;
		if (found)
			break;
	}
	bpf_cgroup_release(domain);
	return found;
}

/* Is there any configuration? Before the first this set of programs may be asked beside another,
 * and has nothing to say or to record. */
static __always_inline bool has_config(const struct op_switch *active)
{
	__u32 config = active->config;

	return bpf_map_lookup_elem(&op_configs, &config) != NULL;
}

/* Fixes for this OOM which configuration it is decided by, and by whom. */
static __always_inline void direct(__u64 domain_id, bool is_memcg, struct op_state *state)
{
	__u64 key = OP_KEY_CONFIG;
	struct op_switch *active;
	struct op_entry *entry;
	__u32 zero = 0, index;
	void *rules;

	state->slot = 0;
	state->number = 0;
	active = bpf_map_lookup_elem(&op_switch_map, &zero);
	if (!active)
		return;
	index = active->config;
	state->config = index;
	rules = bpf_map_lookup_elem(&op_configs, &index);
	if (!rules)
		return;
	entry = bpf_map_lookup_elem(rules, &key);
	if (!entry)
		return;
	state->number = entry->config.number;
	state->runners_max = entry->config.runners_max;
	state->slot = op_find_policy(domain_id, is_memcg);
}

#endif
