// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model.h"

#include <stdio.h>
#include <string.h>

/* No margin of the others: which process is older is never in doubt. */
#define MODEL_CERTAIN (INT64_C(1) << 40)

bool model_ignores_kill;
bool model_kills_no_single;

const struct model_policy model_policies[] = {
	{"", "vmtest", MODEL_LARGEST, MODEL_DEFAULT_PRIORITY},
	{"largest", "vm-largest", MODEL_LARGEST, 600},
	{"badness", "vm-badness", MODEL_BADNESS, 500},
	{"newest", "vm-newest", MODEL_NEWEST, 400},
	{"oldest", "vm-oldest", MODEL_OLDEST, 500},
	/* The same rules, another policy further down. */
	{"largest/inner", "vm-largest-inner", MODEL_BADNESS, 200},
	{"badness/inner", "vm-badness-inner", MODEL_NEWEST, 300},
	{"newest/inner", "vm-newest-inner", MODEL_OLDEST, 700},
	{"oldest/inner", "vm-oldest-inner", MODEL_LARGEST, 800},
};
const size_t n_model_policies = sizeof(model_policies) / sizeof(model_policies[0]);

const struct model_policy *model_find_policy(const char *top, const char *domain)
{
	const struct model_policy *best = &model_policies[0];
	char path[1024];

	snprintf(path, sizeof(path), "%s%s%s", top, *domain ? "/" : "", domain);
	for (size_t i = 1; i < n_model_policies; i++)
		if (model_domain_contains(model_policies[i].path, path) &&
		    strlen(model_policies[i].path) > strlen(best->path))
			best = &model_policies[i];
	return best;
}

static bool is_equal(const char *text, size_t len, const char *other)
{
	return len == strlen(other) && memcmp(text, other, len) == 0;
}

/* The rule that the name of one cgroup carries; false where it has none. */
static bool model_parse_name(const char *name, size_t len, struct model_rule *ret)
{
	struct model_rule rule = {};
	size_t dash = len, rest;

	while (dash > 0 && name[dash - 1] != '-')
		dash--;
	if (dash == 0)
		return false;
	name += dash;
	rest = len - dash;
	if (is_equal(name, rest, "prot")) {
		*ret = (struct model_rule){.protect = true};
		return true;
	}
	if (rest > 0 && name[rest - 1] == 'k')
		rule.kill = MODEL_KILL_CGROUP;
	else if (rest > 0 && name[rest - 1] == 's')
		rule.kill = MODEL_KILL_PROCESS;
	if (rule.kill != MODEL_KILL_UNSET)
		rest--;
	if (rule.kill != MODEL_KILL_UNSET && is_equal(name, rest, "pdef")) {
		*ret = rule;
		return true;
	}
	if (rest < strlen("p000") || name[0] != 'p')
		return false;
	for (size_t i = 1; i < rest; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		rule.priority = rule.priority * 10 + (unsigned)(name[i] - '0');
	}
	rule.has_priority = true;
	*ret = rule;
	return true;
}

void model_find_rule(const char *path, const struct model_policy *policy, struct model_rule *ret)
{
	size_t len = strlen(path);

	*ret = (struct model_rule){};
	while (len > 0) {
		const char *slash = memrchr(path, '/', len);
		size_t start = slash ? (size_t)(slash - path) + 1 : 0;

		if (model_parse_name(path + start, len - start, ret)) {
			ret->source_len = len;
			break;
		}
		len = slash ? start - 1 : 0;
	}
	if (model_ignores_kill || (model_kills_no_single && ret->kill == MODEL_KILL_PROCESS))
		ret->kill = MODEL_KILL_UNSET;
	if (!ret->has_priority)
		ret->priority = policy ? policy->default_priority : MODEL_DEFAULT_PRIORITY;
}

bool model_domain_contains(const char *domain, const char *path)
{
	size_t len = strlen(domain);

	return len == 0 || (strncmp(path, domain, len) == 0 && (path[len] == '/' || !path[len]));
}

/* "-og", and the end of the name or another suffix. */
static bool model_name_has_oom_group(const char *name, size_t len)
{
	for (size_t i = 0; i + 3 <= len; i++)
		if (memcmp(name + i, "-og", 3) == 0 && (i + 3 == len || name[i + 3] == '-'))
			return true;
	return false;
}

size_t model_find_oom_group(const char *domain, const char *path)
{
	size_t end = 0, len = strlen(path);

	if (!model_domain_contains(domain, path))
		return 0;
	while (end < len) {
		size_t start = end + (end > 0);

		end = start + strcspn(path + start, "/");
		if (end >= strlen(domain) && model_name_has_oom_group(path + start, end - start))
			return end;
	}
	return 0;
}

static int64_t model_badness(const struct model_task *t, uint64_t total_pages)
{
	return (int64_t)t->pages + (int64_t)t->oom_score_adj * (int64_t)(total_pages / 1000);
}

/* Of task @number, by a policy: the more, the sooner it dies. */
static int64_t model_points(const struct model_task *t, size_t number, enum model_victim victim,
			    uint64_t total_pages)
{
	switch (victim) {
	case MODEL_BADNESS:
		return model_badness(t, total_pages);
	case MODEL_NEWEST:
		return (int64_t)number * MODEL_CERTAIN;
	case MODEL_OLDEST:
		return -(int64_t)number * MODEL_CERTAIN;
	default:
		return (int64_t)t->pages;
	}
}

/* Takes the largest of those that @points does not exclude, and by how much it leads. */
static bool model_take_largest(const int64_t *points, const bool *eligible, size_t n,
			       struct model_verdict *ret)
{
	bool found = false;
	int64_t second = 0;
	bool has_second = false;

	for (size_t i = 0; i < n; i++) {
		if (!eligible[i])
			continue;
		if (!found) {
			ret->index = i;
			found = true;
			continue;
		}
		if (points[i] > points[ret->index]) {
			second = points[ret->index];
			ret->index = i;
		} else if (!has_second || points[i] > second) {
			second = points[i];
		}
		has_second = true;
	}
	ret->margin_pages = has_second ? (uint64_t)(points[ret->index] - second) : MODEL_MARGIN_MAX;
	return found;
}

void model_choose(const struct model_task *tasks, size_t n_tasks, const char *domain,
		  uint64_t total_pages, const struct model_policy *policy,
		  struct model_verdict *ret)
{
	unsigned lowest = 0;
	bool has_opinion = false;
	/* One more, as an array has to have an element. */
	bool killable[n_tasks + 1], eligible[n_tasks + 1];
	int64_t points[n_tasks + 1];
	struct model_rule rules[n_tasks + 1];

	for (size_t i = 0; i < n_tasks; i++) {
		model_find_rule(tasks[i].path, policy, &rules[i]);
		killable[i] = model_domain_contains(domain, tasks[i].path) &&
			      tasks[i].oom_score_adj != MODEL_OOM_SCORE_ADJ_MIN;
		if (!policy || !killable[i] || rules[i].protect)
			continue;
		if (!has_opinion || rules[i].priority < lowest)
			lowest = rules[i].priority;
		has_opinion = true;
	}
	for (size_t i = 0; i < n_tasks; i++) {
		eligible[i] = killable[i];
		points[i] = model_badness(&tasks[i], total_pages);
		if (!has_opinion)
			continue;
		eligible[i] = killable[i] && !rules[i].protect && rules[i].priority == lowest;
		points[i] = model_points(&tasks[i], i, policy->victim, total_pages);
	}
	*ret = (struct model_verdict){.killer = MODEL_NOBODY};
	if (!model_take_largest(points, eligible, n_tasks, ret))
		return;
	ret->killer = has_opinion ? MODEL_POLICY : MODEL_KERNEL;
	ret->rule = rules[ret->index];
}

void model_find_group(const struct model_task *tasks, size_t n_tasks, const char *domain,
		      const struct model_verdict *verdict, bool *dies)
{
	const char *path = tasks[verdict->index].path;
	enum model_kill kill =
		verdict->killer == MODEL_POLICY ? verdict->rule.kill : MODEL_KILL_UNSET;
	size_t group_len = kill == MODEL_KILL_CGROUP  ? verdict->rule.source_len
			   : kill == MODEL_KILL_UNSET ? model_find_oom_group(domain, path)
						      : 0;
	char group[1024];

	/* No group is larger than what ran out. */
	if (kill == MODEL_KILL_CGROUP && strlen(domain) > group_len)
		group_len = strlen(domain);
	snprintf(group, sizeof(group), "%.*s", (int)group_len, path);
	for (size_t i = 0; i < n_tasks; i++) {
		struct model_rule rule;

		dies[i] = i == verdict->index;
		if (dies[i] || group_len == 0 || !model_domain_contains(group, tasks[i].path) ||
		    tasks[i].oom_score_adj == MODEL_OOM_SCORE_ADJ_MIN)
			continue;
		/* What the kernel kills by memory.oom.group it kills whatever our rules say. */
		model_find_rule(tasks[i].path, NULL, &rule);
		dies[i] = kill == MODEL_KILL_UNSET || !rule.protect;
	}
}
