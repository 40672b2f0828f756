/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From cgroups to map entries. There is no list of cgroups here: the active map is the only
 * state, as each record carries the path it needs, and a walk of the tree (some microseconds a
 * cgroup) brings everything back. So an idle daemon costs nothing per cgroup.
 *
 * No cgroup is missed: records flow before the walk begins, and are applied after it, to the map
 * that the walk has filled. Cgroup ids are never used twice (64 bits, of which the upper half
 * counts the rounds of the lower; fs/kernfs/dir.c, __kernfs_new_node()), so applying a record again
 * is harmless, and one that comes too late for a cgroup that is gone is followed by its removal.
 */
#include "tracker.h"

#include <string.h>

#include "cgroup.h"
#include "config/policy.h"
#include "daemon/record/record.h"
#include "util/basic.h"
#include "util/grow.h"
#include "util/log.h"

/* What goes into the map, as the kernel takes it in one call. */
struct entries {
	const struct config *config;
	const uint16_t *slots;
	uint32_t order_below;
	uint64_t *ids;
	struct op_entry *entries;
	size_t n;
	size_t n_ruled;
	struct op_entry *order;
	size_t n_order;
};

static void entries_done(struct entries *e)
{
	free(e->ids);
	free(e->entries);
	free(e->order);
}

static int entries_add(struct entries *e, uint64_t id, const struct op_entry *entry)
{
	if (GROW(e->ids, e->n) < 0 || GROW(e->entries, e->n) < 0)
		return -ENOMEM;
	e->ids[e->n] = id;
	e->entries[e->n++] = *entry;
	return 0;
}

/* Nothing of the order is of use at the default of the policy that answers, or above. */
static uint32_t find_order_below(const struct config *config)
{
	uint32_t below = 0;

	for (size_t i = 0; i < config->n_policies; i++)
		if (config->policies[i].default_priority > below)
			below = config->policies[i].default_priority;
	return below;
}

static bool is_ordered(const struct op_entry *entry, uint32_t order_below)
{
	return (entry->cgroup.flags & OP_RULE_MATCH) &&
	       !(entry->cgroup.flags & (OP_RULE_PROTECT | OP_RULE_DEFAULT_PRIORITY)) &&
	       entry->cgroup.priority < order_below;
}

static struct op_entry order_entry(uint64_t id, uint32_t priority)
{
	return (struct op_entry){.order.cgroup_id = id, .order.priority = priority};
}

static int order_add(struct entries *e, uint64_t id, uint32_t priority)
{
	if (GROW(e->order, e->n_order) < 0)
		return -ENOMEM;
	e->order[e->n_order++] = order_entry(id, priority);
	return 0;
}

static int compare_order(const void *a, const void *b)
{
	const struct op_entry *x = a, *y = b;

	return (x->order.priority > y->order.priority) - (x->order.priority < y->order.priority);
}

/* The entry of the cgroup @path. Returns false where it has none. */
static bool compile_entry(const struct config *config, const uint16_t *slots, const char *path,
			  struct op_entry *ret)
{
	bool found = config_compile_cgroup(config, path, ret);

	if (!found)
		*ret = (struct op_entry){.cgroup.rule_index = OP_RULE_NONE};
	for (size_t i = 0; i < config->n_policies; i++) {
		const struct policy *p = &config->policies[i];

		if (strcmp(p->cgroup, path) != 0)
			continue;
		found = true;
		if (policy_scopes_overlap(p->scope, POLICY_SCOPE_MEMCG))
			ret->cgroup.slot_memcg = slots[i];
		if (policy_scopes_overlap(p->scope, POLICY_SCOPE_SYSTEM))
			ret->cgroup.slot_system = slots[i];
	}
	return found;
}

static int collect(const char *path, uint64_t id, void *userdata)
{
	struct entries *e = userdata;
	struct op_entry entry = {};
	int r;

	if (!compile_entry(e->config, e->slots, path, &entry))
		return 0;
	e->n_ruled += !!(entry.cgroup.flags & OP_RULE_MATCH);
	r = entries_add(e, id, &entry);
	return r < 0 || !is_ordered(&entry, e->order_below)
		       ? r
		       : order_add(e, id, entry.cgroup.priority);
}

static struct op_entry config_entry(const struct config *config, uint32_t number, size_t n_sorted,
				    bool ordered)
{
	return (struct op_entry){
		.config.number = number,
		.config.flags = ordered ? OP_CONFIG_ORDERED : 0,
		.config.n_sorted = (uint32_t)n_sorted,
		.config.runners_max = config->runners_up,
	};
}

/* The entries that are not of a cgroup, after those that are. */
static int collect_others(struct entries *e, uint32_t number)
{
	struct op_entry entry = config_entry(e->config, number, e->n_order, true);
	int r = entries_add(e, OP_KEY_CONFIG, &entry);

	if (e->n_order > 0)
		qsort(e->order, e->n_order, sizeof(*e->order), compare_order);
	for (size_t i = 0; i < e->n_order && r == 0; i++)
		r = entries_add(e, OP_KEY_ORDER(i), &e->order[i]);
	for (size_t i = 0; i < e->config->n_policies && r == 0; i++) {
		config_compile_policy(e->config, i, &entry);
		r = entries_add(e, OP_KEY_POLICY(e->slots[i]), &entry);
	}
	return r;
}

int tracker_init(const char *root, const struct config *config, const uint16_t *slots,
		 uint32_t number, struct tracker *ret)
{
	_cleanup_(entries_done) struct entries e = {
		.config = config,
		.slots = slots,
		.order_below = find_order_below(config),
	};
	_cleanup_(tracker_done) struct tracker t = {.rules.fd = -EBADF};
	int r;

	r = cgroup_walk(root, collect, &e);
	if (r == 0)
		r = collect_others(&e, number);
	if (r < 0)
		return r;
	r = loader_rules_init(&t.rules, e.n);
	if (r < 0)
		return r;
	r = loader_rules_fill(&t.rules, e.ids, e.entries, e.n);
	if (r < 0)
		return r;

	memcpy(t.slots, slots, config->n_policies * sizeof(t.slots[0]));
	t.number = number;
	t.n_ruled = e.n_ruled;
	t.order_below = e.order_below;
	t.n_sorted = (uint32_t)e.n_order;
	*ret = t;
	t.rules.fd = -EBADF;
	return 0;
}

void tracker_done(struct tracker *t)
{
	loader_rules_done(&t->rules);
}

/* Comes before the entry of the cgroup itself, which an ordered search would pass over. */
static void extend_order(struct tracker *t, const struct config *config, uint64_t id,
			 uint32_t priority)
{
	struct op_entry entry = order_entry(id, priority);

	if (t->unordered)
		return;
	if (t->n_later < OP_ORDER_LATER_MAX &&
	    loader_rules_set(&t->rules, OP_KEY_ORDER(t->n_sorted + t->n_later), &entry) >= 0) {
		t->n_later++;
		return;
	}
	entry = config_entry(config, t->number, t->n_sorted, false);
	if (loader_rules_set(&t->rules, OP_KEY_CONFIG, &entry) < 0)
		t->stale = true;
	t->unordered = true;
}

static void apply_mkdir(struct tracker *t, const struct config *config,
			const struct op_cgroup_record *e)
{
	struct op_entry entry = {};
	int r;

	if (record_cgroup_path_is_cut(e)) {
		t->stale = true;
		return;
	}
	if (!compile_entry(config, t->slots, e->path, &entry))
		return;
	if (is_ordered(&entry, t->order_below))
		extend_order(t, config, e->id, entry.cgroup.priority);
	r = loader_rules_set(&t->rules, e->id, &entry);
	if (r < 0) {
		log_debug("No entry for cgroup %llu: %s", (unsigned long long)e->id, strerror(-r));
		t->stale = true;
		return;
	}
	t->n_ruled += r > 0 && (entry.cgroup.flags & OP_RULE_MATCH);
}

static void apply_rmdir(struct tracker *t, const struct op_cgroup_record *e)
{
	struct op_entry entry;
	int r = loader_rules_remove(&t->rules, e->id, &entry);

	/* An entry that stays is harmless, as the id never comes back. */
	if (r > 0 && (entry.cgroup.flags & OP_RULE_MATCH))
		t->n_ruled--;
}

void tracker_apply(struct tracker *t, const struct config *config, const void *data, size_t size)
{
	struct op_cgroup_record e;

	if (record_decode_cgroup(data, size, &e) < 0) {
		log_debug("A record of a cgroup is not valid, walking the tree again.");
		t->stale = true;
		return;
	}
	if (record_count_lost(t->last_seq, e.header.seq) > 0)
		t->stale = true;
	t->last_seq = e.header.seq;

	/* cgroup v1 hierarchies have ids and paths of their own. */
	if (e.hierarchy_id != 0)
		return;
	if (e.header.type == OP_RECORD_CGROUP_MKDIR)
		apply_mkdir(t, config, &e);
	else
		apply_rmdir(t, &e);
}
