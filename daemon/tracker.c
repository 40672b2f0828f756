/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From cgroups to map entries. There is no list of cgroups here: the map in force is the only
 * state, as each record carries the path it needs, and a walk of the tree (some microseconds a
 * cgroup) brings everything back. So an idle daemon costs nothing per cgroup.
 *
 * No cgroup is missed: records flow before the walk begins, and are applied after it, to the map
 * that the walk has filled. Cgroup ids are never used twice, so applying a record again is
 * harmless, and one that comes too late for a cgroup that is gone is followed by its removal.
 */
#include "tracker.h"

#include <string.h>

#include "cgroup.h"
#include "config/basic.h"
#include "config/policy.h"
#include "log.h"
#include "record.h"

struct entry {
	uint64_t id;
	struct op_rule rule;
};

struct entries {
	const struct policy *policy;
	struct entry *items;
	size_t n_items, n_allocated;
};

static int collect(const char *path, uint64_t id, void *userdata)
{
	struct entries *e = userdata;
	struct op_rule rule = {};

	if (!policy_compile_cgroup(e->policy, path, &rule))
		return 0;
	if (e->n_items == e->n_allocated) {
		size_t n = e->n_allocated ? 2 * e->n_allocated : 64;
		struct entry *items = reallocarray(e->items, n, sizeof(*items));

		if (!items)
			return -ENOMEM;
		e->items = items;
		e->n_allocated = n;
	}
	e->items[e->n_items++] = (struct entry){id, rule};
	return 0;
}

static void entries_done(struct entries *e)
{
	free(e->items);
}

int tracker_init(const char *root, const struct policy *policy, struct tracker *ret)
{
	_cleanup_(entries_done) struct entries e = {.policy = policy};
	_cleanup_(tracker_done) struct tracker t = {.rules.fd = -EBADF};
	struct op_rule rule = {};
	int r;

	r = cgroup_walk(root, collect, &e);
	if (r < 0)
		return r;

	/* One more for the default. */
	r = loader_rules_init(&t.rules, e.n_items + 1);
	if (r < 0)
		return r;
	policy_compile_default(policy, &rule);
	r = loader_rules_set(&t.rules, 0, &rule);
	if (r < 0)
		return r;
	for (size_t i = 0; i < e.n_items; i++) {
		r = loader_rules_set(&t.rules, e.items[i].id, &e.items[i].rule);
		if (r < 0)
			return r;
		t.n_ruled += (size_t)r;
	}

	*ret = t;
	t.rules.fd = -EBADF;
	return 0;
}

void tracker_done(struct tracker *t)
{
	loader_rules_done(&t->rules);
}

static void apply_mkdir(struct tracker *t, const struct policy *policy,
			const struct op_cgroup_event *e)
{
	struct op_rule rule = {};
	int r;

	if (record_cgroup_path_is_cut(e)) {
		t->stale = true;
		return;
	}
	if (!policy_compile_cgroup(policy, e->path, &rule))
		return;
	r = loader_rules_set(&t->rules, e->id, &rule);
	if (r < 0) {
		log_debug("No entry for cgroup %llu: %s", (unsigned long long)e->id, strerror(-r));
		t->stale = true;
		return;
	}
	t->n_ruled += (size_t)r;
}

static void apply_rmdir(struct tracker *t, const struct op_cgroup_event *e)
{
	int r = loader_rules_remove(&t->rules, e->id);

	/* An entry that stays is harmless, as the id never comes back. */
	if (r > 0)
		t->n_ruled--;
}

void tracker_apply(struct tracker *t, const struct policy *policy, const void *data, size_t size)
{
	struct op_cgroup_event e;

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
	if (e.header.type == OP_EVENT_CGROUP_MKDIR)
		apply_mkdir(t, policy, &e);
	else
		apply_rmdir(t, &e);
}
