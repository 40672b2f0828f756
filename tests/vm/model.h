/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reference model: who has to die, said in the plainest way. Works on names and numbers
 * alone, knows no cgroup, process, map or BPF, and shares no code with the policy that it judges.
 *
 * A cgroup's rule is in its name: "x-p050" has priority 50, "x-prot" is protected, "x" inherits.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_DEFAULT_PRIORITY 500
#define MODEL_OOM_SCORE_ADJ_MIN (-1000)
/* Nothing else comes near the winner. */
#define MODEL_MARGIN_MAX UINT64_MAX

struct model_task {
	const char *path; /* of its cgroup, relative, "" is the top */
	uint64_t pages;	  /* resident, swapped out, and page tables */
	int oom_score_adj;
};

struct model_rule {
	bool protect;
	unsigned priority;
	size_t source_len; /* bytes of the path that name the cgroup behind it; 0: the default */
};

enum model_killer {
	MODEL_NOBODY, /* there is no killable task */
	MODEL_POLICY,
	MODEL_KERNEL, /* the policy has no opinion */
};

struct model_verdict {
	enum model_killer killer;
	size_t index;		/* of the victim */
	struct model_rule rule; /* the victim's */
	uint64_t margin_pages;	/* by which it was larger than the next one that could have died */
};

/* The rule of the cgroup or of its nearest ancestor that has one, or the default. */
void model_find_rule(const char *path, struct model_rule *ret);

/* Is the cgroup @path @domain or below it? "" contains everything. */
bool model_domain_contains(const char *domain, const char *path);

/*
 * Who dies when @domain runs out with @total_pages allowed (for the kernel's own rule,
 * oom_badness() of mm/oom_kill.c). Without a @policy the kernel chooses.
 */
void model_choose(const struct model_task *tasks, size_t n_tasks, const char *domain,
		  uint64_t total_pages, bool policy, struct model_verdict *ret);

#endif
