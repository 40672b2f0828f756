/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reference model: who has to die, said in the plainest way. Works on names and numbers
 * alone, knows no cgroup, process, map or BPF, and shares no code with the policy that it judges.
 *
 * A cgroup's rule is in its name: "x-p050" has priority 50, "x-prot" is protected, "x" inherits.
 * "x-p050k" has Kill=cgroup as well, "x-p050s" Kill=process; "x-pdefk" and "x-pdefs" have that
 * alone. A name with "-og" before the rule has memory.oom.group set.
 *
 * There is one policy for everything, and others for what is below a few given names.
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

enum model_victim { MODEL_LARGEST, MODEL_BADNESS, MODEL_NEWEST, MODEL_OLDEST, _MODEL_VICTIM_MAX };

enum model_kill { MODEL_KILL_UNSET, MODEL_KILL_PROCESS, MODEL_KILL_CGROUP };

struct model_policy {
	const char *path; /* from the top of the tests' cgroups, "" is the top */
	const char *name;
	enum model_victim victim;
	unsigned default_priority;
};

struct model_task {
	const char *path; /* of its cgroup, relative, "" is the top */
	uint64_t pages;	  /* resident, swapped out, and page tables */
	int oom_score_adj;
};

struct model_rule {
	bool protect;
	bool has_priority;
	unsigned priority; /* if not @has_priority, the default of the policy that answers */
	enum model_kill kill;
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
	struct model_rule rule; /* the victim's, with its effective priority */
	uint64_t margin_pages;	/* by which it was larger than the next one that could have died */
};

/* Set for a backend that leaves it to the kernel how much is killed: Kill= has no effect then. */
extern bool model_ignores_kill;
/* Set where the kernel can kill no process alone of a memory.oom.group: Kill=process has no effect
 * then. */
extern bool model_kills_no_single;

extern const struct model_policy model_policies[];
extern const size_t n_model_policies;

/* The policy that answers for OOMs of the cgroup @top/@domain: the nearest one upwards. */
const struct model_policy *model_find_policy(const char *top, const char *domain);

/* The rule of the cgroup or of its nearest ancestor that has one, or none with the default
 * priority of @policy. */
void model_find_rule(const char *path, const struct model_policy *policy, struct model_rule *ret);

/* Is the cgroup @path @domain or below it? "" contains everything. */
bool model_domain_contains(const char *domain, const char *path);

/* How many bytes of @path name the topmost cgroup in @domain that has memory.oom.group set, or 0:
 * the kernel looks no further up than the domain. */
size_t model_find_oom_group(const char *domain, const char *path);

/*
 * Who dies when @domain runs out with @total_pages allowed (for the kernel's own rule,
 * oom_badness() of mm/oom_kill.c). The tasks are in the order in which they were started. Without
 * a @policy the kernel chooses.
 */
void model_choose(const struct model_task *tasks, size_t n_tasks, const char *domain,
		  uint64_t total_pages, const struct model_policy *policy,
		  struct model_verdict *ret);

/* Who dies with the victim of @verdict, itself included: sets @dies for each task. */
void model_find_group(const struct model_task *tasks, size_t n_tasks, const char *domain,
		      const struct model_verdict *verdict, bool *dies);

#endif
