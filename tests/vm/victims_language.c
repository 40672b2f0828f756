// SPDX-License-Identifier: LGPL-2.1-or-later
/* Those of several policies, Victim= and Kill=. */
#include "victims.h"

#include "util/basic.h"

#define OF_LANGUAGE .needs = NEEDS_DAEMON | NEEDS_LANGUAGE, .killer = KILLER_POLICY, .room_mib = 4
#define OF_LANGUAGE_BUT_KERNEL \
	.needs = NEEDS_DAEMON | NEEDS_LANGUAGE, .killer = KILLER_KERNEL, .room_mib = 4

#define T ROW_TRIGGER
#define V ROW_VICTIM
#define M ROW_MEMBER

/* A row a line. */
/* clang-format off */
const struct scenario victims_language[] = {
	{
		.name = "victim-largest",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-p900", 40, 0, T },
			{ "b-p100", 8 },
			{ "c-p100", 24, 0, V },
			{ "d-p100", 16, 800 },
		},
	},
	{
		.name = "victim-badness-counts-score",
		OF_LANGUAGE,
		.top = "badness",
		.domain = "",
		.rows = {
			{ "a-p900", 40, 0, T },
			{ "b-p100", 8, 500, V },
			{ "c-p100", 24 },
		},
	},
	{
		/* Below zero both: the kernel alone would take the trigger. */
		.name = "victim-badness-counts-negative-score",
		OF_LANGUAGE,
		.top = "badness",
		.domain = "",
		.rows = {
			{ "a-p900", 40, 0, T },
			{ "b-p100", 32, -500 },
			{ "c-p100", 8, 0, V },
			{ "d-p100", 16, -300 },
		},
	},
	{
		.name = "victim-badness-within-priority",
		OF_LANGUAGE,
		.top = "badness",
		.domain = "",
		.rows = {
			{ "a-p900", 40, 0, T },
			{ "b-p150", 32, 1000 },
			{ "c-p100", 8, -900, V },
		},
	},
	{
		.name = "victim-badness-ties-by-size",
		OF_LANGUAGE,
		.top = "badness",
		.domain = "",
		.rows = {
			{ "a-p900", 40, 0, T },
			{ "b-p100", 24, 200, V },
			{ "c-p100", 16, 200 },
		},
	},
	{
		.name = "victim-newest",
		OF_LANGUAGE,
		.top = "newest",
		.domain = "",
		.rows = {
			{ "a-p100", 24 },
			{ "b-p100", 8, 500 },
			{ "c-p100", 16, -500, V },
			{ "d-p900", 40, 0, T },
		},
	},
	{
		/* The priority comes first. */
		.name = "victim-newest-in-the-first-row",
		OF_LANGUAGE,
		.top = "newest",
		.domain = "",
		.rows = {
			{ "b-p150", 24 },
			{ "a-p100", 16, 0, V },
			{ "d-p900", 40, 0, T },
			{ "c-p950", 8 },
		},
	},
	{
		.name = "victim-oldest",
		OF_LANGUAGE,
		.top = "oldest",
		.domain = "",
		.rows = {
			{ "d-p900", 40, 0, T },
			{ "a-p100", 16, 0, V },
			{ "b-p100", 24, 500 },
			{ "c-p100", 8 },
		},
	},
	{
		/* It is this policy's, not the 500 of the one above. */
		.name = "policy-default-priority",
		OF_LANGUAGE,
		.top = "newest",
		.domain = "",
		.rows = {
			{ "a-p500", 40, 0, T },
			{ "b", 8, 0, V },
			{ "c-p450", 16 },
		},
	},
	{
		/* Its default is 300, and the newest dies, not the worst. */
		.name = "policy-nearest-answers",
		OF_LANGUAGE,
		.top = "badness",
		.domain = "inner",
		.rows = {
			{ "inner/a", 24, 0 },
			{ "inner/b-p350", 16, 500 },
			{ "inner/c", 8, 0, V },
			{ "inner/d-p900", 40, 0, T },
			{ "e-p000", 16 },
		},
	},
	{
		/* The OOM is that of the cgroup above: its default, 500, is that of all below. */
		.name = "policy-above-answers-for-its-own-domain",
		OF_LANGUAGE,
		.top = "badness",
		.domain = "",
		.rows = {
			{ "inner/a", 24 },
			{ "b-p400", 16, 0, V },
			{ "inner/d-p900", 40, 0, T },
		},
	},
	{
		.name = "policy-answers-below-its-cgroup",
		OF_LANGUAGE,
		.top = "oldest",
		.domain = "inner/x",
		.rows = {
			{ "inner/x/a", 8 },
			{ "inner/x/b", 24, 0, V },
			{ "inner/x/c-p850", 40, 0, T },
			{ "inner/y-p000", 16 },
		},
	},
	{
		/* Names alone make no policy. */
		.name = "policy-of-everything-answers",
		OF_LANGUAGE,
		.domain = "",
		.rows = {
			{ "a/inner-p300/x", 8 },
			{ "a/inner-p300/y", 24, 0, V },
			{ "b", 40, 0, T },
		},
	},
	{
		.name = "kill-process-despite-oom-group",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-og-p100s/x", 16 },
			{ "a-og-p100s/y", 24, 0, V },
			{ "b-p900", 40, 0, T },
		},
	},
	{
		.name = "kill-process-where-the-group-is-above",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-og/x-p100s", 24, 0, V },
			{ "a-og/y", 16 },
			{ "b-p900", 40, 0, T },
		},
	},
	{
		.name = "kill-unset-oom-group",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-og-p100/x", 16, 0, M },
			{ "a-og-p100/y/z", 24, 0, V },
			{ "b-p100", 8 },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "kill-unset-oom-group-is-the-topmost",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-og/x-og-p100/y", 24, 0, V },
			{ "a-og/x-og-p100/z", 8, 0, M },
			{ "a-og/w", 16, 0, M },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "kill-unset-without-oom-group",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-p100/x", 16 },
			{ "a-p100/y", 24, 0, V },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "kill-cgroup-without-oom-group",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-p100k/x", 16, 0, M },
			{ "a-p100k/y/z", 24, 0, V },
			{ "a-p100k/y/w", 8, 0, M },
			{ "b-p100", 12 },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		/* A protected cgroup, a score of -1000, and what is outside. A higher priority is no shelter: it
		 * says who is chosen, and the group was. */
		.name = "kill-cgroup-spares",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-p100k/x", 24, 0, V },
			{ "a-p100k/y-prot", 8 },
			{ "a-p100k/z", 12, -1000 },
			{ "a-p100k/w-p950", 16, 0, M },
			{ "b-p000k", 8, -1000 },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		/* The rule says what dies, not memory.oom.group. */
		.name = "kill-cgroup-with-oom-group-spares",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-og-p100k/x", 24, 0, V },
			{ "a-og-p100k/y-prot/z", 8 },
			{ "a-og-p100k/w", 16, 0, M },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		/* Likewise: the group that memory.oom.group makes is larger than the matched cgroup. */
		.name = "kill-cgroup-with-larger-oom-group",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-og/b-p100k/x", 24, 0, V },
			{ "a-og/b-p100k/y", 8, 0, M },
			{ "a-og/c", 16 },
			{ "d-p900", 40, 0, T },
		},
	},
	{
		/* The nearest rule counts as a whole, and this one has no Kill=. */
		.name = "kill-cgroup-of-the-nearest-rule",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-p100k/b-p050/x", 24, 0, V },
			{ "a-p100k/b-p050/y", 8 },
			{ "a-p100k/c", 16 },
			{ "d-p900", 40, 0, T },
		},
	},
	{
		/* All of the matched cgroup is more than what ran out. */
		.name = "kill-cgroup-beyond-the-domain",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "a-p100k/b",
		.rows = {
			{ "a-p100k/b/x", 24, 0, V },
			{ "a-p100k/b/y-p900", 16, 0, T | M },
			{ "a-p100k/c", 8 },
			{ "d", 12 },
		},
	},
	{
		.name = "kill-cgroup-by-default-priority",
		OF_LANGUAGE,
		.top = "newest",
		.domain = "",
		.rows = {
			{ "a-pdefk/x", 8, 0, M },
			{ "a-pdefk/y", 8, 0, V },
			{ "b-p450", 16 },
			{ "d-p900", 40, 0, T },
		},
	},
	{
		.name = "kill-cgroup-that-holds-the-trigger",
		OF_LANGUAGE,
		.top = "largest",
		.domain = "",
		.rows = {
			{ "a-p100k/x", 24, 0, V },
			{ "a-p100k/y", 16, 0, T | M },
			{ "b-p900", 40 },
		},
	},
	{
		.name = "oom-group-where-all-are-protected",
		OF_LANGUAGE_BUT_KERNEL,
		.domain = "",
		.rows = {
			{ "a-og-prot/x", 32, 0, V },
			{ "a-og-prot/y", 16, 0, M },
			{ "b-prot", 20, 0, T },
		},
	},
};
/* clang-format on */

const size_t n_victims_language = ARRAY_SIZE(victims_language);
