/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Knows how a cgroup inherits, as the BPF side does: the rule from the nearest cgroup upwards that
 * has one in the map of rules, and the policy likewise. Owns nothing.
 */
#include "effective.h"

#include <string.h>
#include <sys/stat.h>

#include "api/words.h"
#include "config/policy.h"
#include "daemon/cgroups/cgroup.h"
#include "daemon/cgroups/tracker.h"
#include "daemon/kernel/loader.h"
#include "daemon/view.h"
#include "util/basic.h"
#include "util/format.h"
#include "util/path.h"

/* What a cgroup has of its own or from above. */
struct level {
	struct op_entry entry;
	size_t source_depth; /* of the cgroup that the rule matches */
	bool ruled;
};

struct tree_walk {
	const struct view *view;
	const char *domain; /* "" for the root */
	size_t domain_depth;
	uint32_t default_priority;
	bus_tree_visit_t visit;
	void *userdata;
	/* Of the current cgroup and its ancestors: cgroups come a parent before its children. */
	struct level levels[OP_DEPTH_MAX + 1];
	char path[CGROUP_PATH_SIZE], source[CGROUP_PATH_SIZE];
};

/* Sets the level of the cgroup at @depth. Returns 0 or a negative errno. */
static int enter_level(struct tree_walk *t, size_t depth, uint64_t id)
{
	struct level *level = &t->levels[depth];
	struct op_entry entry;
	int r;

	r = loader_rules_get(&t->view->tracker->rules, id, &entry);
	if (r < 0)
		return r;
	if (r > 0 && (entry.cgroup.flags & OP_RULE_MATCH))
		*level = (struct level){.entry = entry, .source_depth = depth, .ruled = true};
	else
		*level = depth > 0 ? t->levels[depth - 1] : (struct level){};
	return 0;
}

const char *effective_rule(const struct config *c, uint32_t flags, uint32_t rule_index)
{
	return flags & OP_RULE_MATCH && rule_index < c->n_rules ? c->rules[rule_index].name : "";
}

const char *effective_kill(uint32_t flags)
{
	return word_get(&words_kill, flags & OP_RULE_KILL_CGROUP    ? API_KILL_CGROUP
				     : flags & OP_RULE_KILL_PROCESS ? API_KILL_PROCESS
								    : API_KILL_UNSET);
}

static int visit_cgroup(const char *path, uint64_t id, void *userdata)
{
	struct tree_walk *t = userdata;
	size_t depth = t->domain_depth + path_depth(path);
	const struct level *level;
	struct tree_row row = {.id = id, .source = ""};
	int r, n;

	/* Below, the BPF side has no opinion. */
	if (depth > OP_DEPTH_MAX)
		return 0;
	n = snprintf(t->path, sizeof(t->path), "%s%s", t->domain,
		     t->domain[0] && strcmp(path, "/") == 0 ? "" : path);
	if (n < 0 || (size_t)n >= sizeof(t->path))
		return 0;
	r = enter_level(t, depth, id);
	if (r < 0)
		return r;
	level = &t->levels[depth];

	row.cgroup = t->path;
	row.priority = level->ruled && !(level->entry.cgroup.flags & OP_RULE_DEFAULT_PRIORITY)
			       ? level->entry.cgroup.priority
			       : t->default_priority;
	row.rule = effective_rule(t->view->config, level->entry.cgroup.flags,
				  level->entry.cgroup.rule_index);
	if (level->ruled) {
		path_ancestor(t->path, level->source_depth, t->source, sizeof(t->source));
		row.source = t->source;
	}
	row.protect = level->ruled && (level->entry.cgroup.flags & OP_RULE_PROTECT);
	row.kill = effective_kill(level->entry.cgroup.flags);
	return t->visit(&row, t->userdata);
}

/* The entry of the policy with @slot gives the default, as the BPF side takes it. */
static uint32_t slot_default_priority(const struct tracker *t, uint16_t slot)
{
	struct op_entry entry;

	return slot && loader_rules_get(&t->rules, OP_KEY_POLICY(slot), &entry) > 0
		       ? entry.policy.default_priority
		       : OP_PRIORITY_DEFAULT;
}

/*
 * The slot of the policy that answers for OOMs of @domain, 0 for none: looks upwards as the BPF
 * side does. Returns 0 or a negative errno; -ENOENT where a cgroup is gone.
 */
static int domain_slot(const struct view *view, const char *domain, uint16_t *ret)
{
	bool is_system = strcmp(domain, "/") == 0;
	char path[CGROUP_PATH_SIZE], directory[CGROUP_PATH_SIZE + 256];

	*ret = 0;
	for (size_t depth = path_depth(domain) + 1; depth-- > 0 && !*ret;) {
		struct op_entry entry;
		struct stat st;
		int n;

		path_ancestor(domain, depth, path, sizeof(path));
		n = snprintf(directory, sizeof(directory), "%s%s", view->cgroup_root, path);
		if (n < 0 || (size_t)n >= sizeof(directory))
			return -ENAMETOOLONG;
		if (stat(directory, &st) < 0)
			return errno == ENODEV ? -ENOENT : -errno;
		if (loader_rules_get(&view->tracker->rules, st.st_ino, &entry) > 0)
			*ret = is_system ? entry.cgroup.slot_system : entry.cgroup.slot_memcg;
	}
	return 0;
}

const char *effective_domain_policy(const struct view *view, const char *domain)
{
	uint16_t slot;

	if (domain_slot(view, domain, &slot) < 0 || slot == 0)
		return "";
	for (size_t i = 0; i < view->config->n_policies; i++)
		if (view->tracker->slots[i] == slot)
			return view->config->policies[i].name;
	return "";
}

/* Fills in the levels above the domain, which it inherits from. */
static int enter_ancestors(struct tree_walk *t, const char *domain)
{
	char directory[CGROUP_PATH_SIZE + 256];

	for (size_t depth = 0; depth < t->domain_depth; depth++) {
		struct stat st;
		int r, n;

		path_ancestor(domain, depth, t->path, sizeof(t->path));
		n = snprintf(directory, sizeof(directory), "%s%s", t->view->cgroup_root, t->path);
		if (n < 0 || (size_t)n >= sizeof(directory))
			return -ENAMETOOLONG;
		if (stat(directory, &st) < 0)
			return errno == ENODEV ? -ENOENT : -errno;
		r = enter_level(t, depth, st.st_ino);
		if (r < 0)
			return r;
	}
	return 0;
}

int effective_walk(const struct view *view, const char *domain, bus_tree_visit_t visit,
		   void *userdata)
{
	_cleanup_free_ struct tree_walk *t = calloc(1, sizeof(*t));
	_cleanup_free_ char *directory = NULL;
	uint16_t slot;
	int r;

	if (!t)
		return -ENOMEM;
	r = domain_slot(view, domain, &slot);
	if (r < 0)
		return r;
	*t = (struct tree_walk){
		.view = view,
		.domain = strcmp(domain, "/") == 0 ? "" : domain,
		.domain_depth = path_depth(domain),
		.default_priority = slot_default_priority(view->tracker, slot),
		.visit = visit,
		.userdata = userdata,
	};
	r = enter_ancestors(t, domain);
	if (r < 0)
		return r;
	directory = format_string("%s%s", view->cgroup_root, t->domain);
	if (!directory)
		return -ENOMEM;
	return cgroup_walk(directory, visit_cgroup, t);
}

/* --- one cgroup */

struct explain_walk {
	const char *cgroup; /* the current one */
	bool decided;
	const struct rule *rule; /* that decides */
	bus_candidate_visit_t visit;
	void *userdata;
};

static int visit_pattern(const struct rule *rule, const struct pattern *pattern, void *userdata)
{
	struct explain_walk *e = userdata;
	const struct candidate_row candidate = {
		.cgroup = e->cgroup,
		.rule = rule->name,
		.key = pattern_kind_to_string(pattern->kind),
		.pattern = pattern->kind == PATTERN_USER ? pattern->user : pattern->text,
		.file = pattern->file,
		.line = pattern->line,
		.decides = !e->decided,
	};

	e->decided = true;
	return e->visit(&candidate, e->userdata);
}

static const char *policy_name(const struct config *c, size_t i)
{
	return i == SIZE_MAX ? "" : c->policies[i].name;
}

int effective_explain(const struct view *view, const char *cgroup, struct effective_values *ret,
		      bus_candidate_visit_t visit, void *userdata)
{
	const struct config *c = view->config;
	_cleanup_free_ char *path = strdup(cgroup);
	_cleanup_free_ char *directory = format_string("%s%s", view->cgroup_root, cgroup);
	struct explain_walk e = {.visit = visit, .userdata = userdata};
	size_t memcg = config_policy_for(c, cgroup, false), sys = config_policy_for(c, "/", true);
	const struct rule *rule = NULL;
	static char source[CGROUP_PATH_SIZE];
	struct stat st;

	if (!path || !directory)
		return -ENOMEM;
	source[0] = '\0';
	for (size_t depth = path_depth(cgroup) + 1; depth-- > 0;) {
		int r;

		path_ancestor(cgroup, depth, path, strlen(cgroup) + 1);
		e.cgroup = path;
		if (!rule) {
			rule = config_match(c, path);
			if (rule)
				snprintf(source, sizeof(source), "%s", path);
		}
		r = config_explain(c, path, visit_pattern, &e);
		if (r < 0)
			return r;
	}

	*ret = (struct effective_values){
		.priority_is_default = !rule || !rule->priority_set,
		.rule = rule ? rule->name : "",
		.source = source,
		.protect = rule && rule->protect,
		.kill = rule ? rule_kill_to_string(rule->kill) : "",
		.policy = policy_name(c, memcg),
		.system_policy = policy_name(c, sys),
		.exists = stat(directory, &st) == 0,
	};
	/* A default is that of the policy that answers, which is the one of the cgroup where it
	 * runs out itself. */
	if (rule && rule->priority_set)
		ret->priority = rule->priority;
	else if (memcg != SIZE_MAX || sys != SIZE_MAX)
		ret->priority = c->policies[memcg != SIZE_MAX ? memcg : sys].default_priority;
	else
		ret->priority = OP_PRIORITY_DEFAULT;
	return 0;
}
