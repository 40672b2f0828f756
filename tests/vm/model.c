// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model.h"

#include <stdio.h>
#include <string.h>

/* The rule that the name of one cgroup carries; false where it has none. */
static bool model_parse_name(const char *name, size_t len, struct model_rule *ret)
{
	size_t dash = len, rest;
	unsigned priority = 0;

	while (dash > 0 && name[dash - 1] != '-')
		dash--;
	if (dash == 0)
		return false;
	name += dash;
	rest = len - dash;
	if (rest == strlen("prot") && memcmp(name, "prot", rest) == 0) {
		*ret = (struct model_rule){.protect = true, .priority = MODEL_DEFAULT_PRIORITY};
		return true;
	}
	if (rest < strlen("p000") || name[0] != 'p')
		return false;
	for (size_t i = 1; i < rest; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		priority = priority * 10 + (unsigned)(name[i] - '0');
	}
	*ret = (struct model_rule){.priority = priority};
	return true;
}

void model_find_rule(const char *path, struct model_rule *ret)
{
	size_t len = strlen(path);

	while (len > 0) {
		const char *slash = memrchr(path, '/', len);
		size_t start = slash ? (size_t)(slash - path) + 1 : 0;

		if (model_parse_name(path + start, len - start, ret)) {
			ret->source_len = len;
			return;
		}
		len = slash ? start - 1 : 0;
	}
	*ret = (struct model_rule){.priority = MODEL_DEFAULT_PRIORITY};
}

bool model_domain_contains(const char *domain, const char *path)
{
	size_t len = strlen(domain);

	return len == 0 || (strncmp(path, domain, len) == 0 && (path[len] == '/' || !path[len]));
}

static int64_t model_badness(const struct model_task *t, uint64_t total_pages)
{
	return (int64_t)t->pages + (int64_t)t->oom_score_adj * (int64_t)(total_pages / 1000);
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
		  uint64_t total_pages, bool policy, struct model_verdict *ret)
{
	unsigned lowest = 0;
	bool has_opinion = false;
	/* One more, as an array has to have an element. */
	bool killable[n_tasks + 1], eligible[n_tasks + 1];
	int64_t points[n_tasks + 1];
	struct model_rule rules[n_tasks + 1];

	for (size_t i = 0; i < n_tasks; i++) {
		model_find_rule(tasks[i].path, &rules[i]);
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
		points[i] = (int64_t)tasks[i].pages;
	}
	*ret = (struct model_verdict){.killer = MODEL_NOBODY};
	if (!model_take_largest(points, eligible, n_tasks, ret))
		return;
	ret->killer = has_opinion ? MODEL_POLICY : MODEL_KERNEL;
	ret->rule = rules[ret->index];
}
