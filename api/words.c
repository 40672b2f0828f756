/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "words.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/oompolicy.h"
#include "util/basic.h"

/* The words_@kind of the table above it, which ends at the value @last. */
#define WORDS(kind, last)                                                        \
	static_assert(ARRAY_SIZE(kind) == (last) + 1, "a word for each " #kind); \
	const struct words words_##kind = {kind, ARRAY_SIZE(kind)}

#define BACKEND_WORD(name, word) [OP_BACKEND_##name] = {#word},

static const struct word backend[] = {[OP_BACKEND_NONE] = {"auto"}, OP_BACKENDS(BACKEND_WORD)};
WORDS(backend, _OP_BACKEND_MAX - 1);

/* enum oom_constraint of include/linux/oom.h, and the words of its report. */
static const struct word constraint[] = {{"none"}, {"cpuset"}, {"memory-policy"}, {"memcg"}};
WORDS(constraint, 3);

static const struct word decision[] = {
	[OP_DECISION_KILLED] = {"killed"},   [OP_DECISION_NONE] = {"no-opinion"},
	[OP_DECISION_WAITING] = {"waiting"}, [OP_DECISION_KERNEL] = {"kernel"},
	[OP_DECISION_NOBODY] = {"nobody"},
};
WORDS(decision, OP_DECISION_NOBODY);

static const struct word exception[] = {
	[API_EXCEPTION_NONE] = {""},
	[API_EXCEPTION_NO_POLICY] = {"no-policy", "No policy answers"},
	[API_EXCEPTION_DETACHED] = {"detached", "The policy is detached"},
	[API_EXCEPTION_ALL_PROTECTED] = {"all-protected", "All who may be killed are protected"},
	[API_EXCEPTION_NO_CANDIDATE] = {"no-candidate", "The policy finds nobody to kill"},
};
WORDS(exception, _API_EXCEPTION_MAX - 1);

static const struct word freed[] = {
	[OP_FREED_EXIT] = {"exit"},
	[OP_FREED_REAPER] = {"reaper"},
};
WORDS(freed, OP_FREED_REAPER);

static const struct word group[] = {
	[API_GROUP_NONE] = {""},
	[API_GROUP_KILL_CGROUP] = {"kill-cgroup", "Kill=cgroup"},
	[API_GROUP_OOM_GROUP] = {"oom-group", "memory.oom.group"},
};
WORDS(group, _API_GROUP_MAX - 1);

static const struct word kill[] = {
	[API_KILL_UNSET] = {""},
	[API_KILL_PROCESS] = {"process"},
	[API_KILL_CGROUP] = {"cgroup"},
};
WORDS(kill, _API_KILL_MAX - 1);

static const struct word never[] = {
	[OP_NEVER_NOT] = {""},
	[OP_NEVER_PROTECTED] = {"protected"},
	[OP_NEVER_DYING] = {"dying", "dying already"},
	[OP_NEVER_DEAD] = {"dead", "dead already"},
	[OP_NEVER_INIT] = {"init"},
	[OP_NEVER_DAEMON] = {"daemon", "the OOM policy daemon"},
	[OP_NEVER_SCORE_ADJ] = {"oom-score-adj", "oom_score_adj -1000"},
	[OP_NEVER_NO_MEMORY] = {"no-memory", "has no memory"},
	[OP_NEVER_VFORK] = {"vfork", "has its parent's memory"},
	[OP_NEVER_SHARED] = {"shared", "shares its memory with one of these"},
};
WORDS(never, OP_NEVER_SHARED);

static const struct word outcome[] = {
	[API_OUTCOME_KILL] = {"kill"},
	[API_OUTCOME_WAIT] = {"wait"},
	[API_OUTCOME_KERNEL] = {"kernel"},
};
WORDS(outcome, _API_OUTCOME_MAX - 1);

static const struct word reason[] = {
	[OP_REASON_NONE] = {"none", "no reason was given"},
	[OP_REASON_NO_CANDIDATE] = {"no-candidate", "it has no task that may be killed"},
	[OP_REASON_ALL_PROTECTED] = {"all-protected",
				     "every task that could be killed is protected"},
	[OP_REASON_VICTIM_DYING] = {"victim-dying", "a victim is dying already"},
	[OP_REASON_NO_POLICY] = {"no-policy", "no policy answers for it"},
	[OP_REASON_DOMAIN_GONE] = {"domain-gone", "its cgroup is gone already"},
	[OP_REASON_VICTIM_GONE] = {"victim-gone", "the chosen task exited by itself"},
	[OP_REASON_KILL_FAILED] = {"kill-failed", "the kernel refused to kill the chosen task"},
	[OP_REASON_CONSTRAINT] = {"constraint", "only some memory nodes have run out"},
	[OP_REASON_NOT_UNIFIED] = {"not-unified", "its cgroup is of a version 1 hierarchy"},
	[OP_REASON_NOT_ASKED] = {"not-asked", "no policy was asked"},
	[OP_REASON_UNFINISHED] = {"unfinished", "its selection came to no end"},
	[OP_REASON_UNSEEN] = {"unseen", "not all of its processes could be looked at"},
};
WORDS(reason, OP_REASON_UNSEEN);

static const struct word runner[] = {
	[OP_RUNNER_PRIORITY] = {"priority", "higher priority"},
	[OP_RUNNER_PREFERENCE] = {"preference", "same priority"},
	[OP_RUNNER_PROTECTED] = {"protected"},
	[OP_RUNNER_ADJ] = {"oom-score-adj", "oom_score_adj -1000"},
	[OP_RUNNER_SPARED] = {"spared", "never killed"},
};
WORDS(runner, OP_RUNNER_SPARED);

static const struct word victim[] = {
	[OP_VICTIM_LARGEST] = {"largest", "the largest"},
	[OP_VICTIM_BADNESS] = {"badness", "the largest badness"},
	[OP_VICTIM_NEWEST] = {"newest", "the newest"},
	[OP_VICTIM_OLDEST] = {"oldest", "the oldest"},
};
WORDS(victim, OP_VICTIM_OLDEST);

const char *word_get(const struct words *w, uint32_t value)
{
	return value < w->n ? w->items[value].word : NULL;
}

const char *word_text(const struct words *w, uint32_t value)
{
	if (value >= w->n)
		return NULL;
	return w->items[value].text ?: w->items[value].word;
}

bool word_is(const char *word, const struct words *w, uint32_t value)
{
	const char *expected = word_get(w, value);

	return expected && strcmp(word, expected) == 0;
}

int word_find(const struct words *w, const char *word)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->items[i].word && strcmp(w->items[i].word, word) == 0)
			return (int)i;
	return -EINVAL;
}

const char *word_describe(const struct words *w, const char *word)
{
	int value = word_find(w, word);

	return value < 0 ? word : word_text(w, (uint32_t)value);
}

static bool is_listed(const struct word *w)
{
	return w->word && w->word[0];
}

char *words_format(const struct words *w, char buf[static WORDS_SIZE])
{
	size_t used = 0, n_left = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < w->n; i++)
		n_left += is_listed(&w->items[i]);
	for (size_t i = 0; i < w->n && used < WORDS_SIZE; i++)
		if (is_listed(&w->items[i])) {
			n_left--;
			used += (size_t)snprintf(buf + used, WORDS_SIZE - used, "%s%s",
						 w->items[i].word,
						 n_left > 1    ? ", "
						 : n_left == 1 ? " or "
							       : "");
		}
	return buf;
}
