// SPDX-License-Identifier: LGPL-2.1-or-later
#include "victims.h"

#include "util/basic.h"

#define BY_POLICY .needs = NEEDS_DAEMON, .killer = KILLER_POLICY
#define BY_KERNEL_DESPITE_DAEMON .needs = NEEDS_DAEMON, .killer = KILLER_KERNEL
#define BY_KERNEL_ALONE .needs = NEEDS_NO_DAEMON, .killer = KILLER_KERNEL

#define T ROW_TRIGGER
#define V ROW_VICTIM

/* A row a line. */
/* clang-format off */
static const struct scenario tables[] = {
	{
		/* The largest allocates, the kernel alone would take it. */
		.name = "flat",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "database-p900", 48, 0, T },
			{ "web-p500", 24 },
			{ "batch-p050", 8, 0, V },
		},
	},
	{
		.name = "flat-trigger-is-lowest",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "database-p900", 48 },
			{ "web-p500", 24 },
			{ "batch-p050", 8, 0, T | V },
		},
	},
	{
		/* The default is 500, below the others. */
		.name = "flat-default-priority",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "high-p550", 32, 0, T },
			{ "unnamed", 8, 0, V },
			{ "higher-p1000", 24 },
		},
	},
	{
		.name = "flat-lowest-and-highest-priority",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "low-p050", 32 },
			{ "lowest-p000", 8, 0, V },
			{ "highest-p1000", 40, 0, T },
		},
	},
	{
		.name = "nested-child-inherits",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p700/x", 40, 0, T },
			{ "b-p100/x", 8, 0, V },
			{ "c-p300/x", 24 },
		},
	},
	{
		.name = "nested-child-overrides-downwards",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p800/x", 40, 0, T },
			{ "a-p800/y-p050", 8, 0, V },
			{ "b-p100/x", 24 },
		},
	},
	{
		.name = "nested-child-overrides-upwards",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p050/x-p900", 40, 0, T },
			{ "b-p100/x", 8, 0, V },
			{ "c-p300/x", 24 },
		},
	},
	{
		.name = "nested-two-levels-up",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p100/b/c", 8, 0, V },
			{ "a-p100/b-p600/c/d", 24 },
			{ "e-p900/b/c/d", 40, 0, T },
		},
	},
	{
		.name = "cgroup-existed-before-daemon",
		.needs = NEEDS_DAEMON | NEEDS_EXISTING,
		.killer = KILLER_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p700/x", 40, 0, T },
			{ "a-p700/y-p050", 8, 0, V },
			{ "b-p100", 24 },
		},
	},
	{
		/* Its process makes the cgroup, enters it and sets off the OOM at once. */
		.name = "created-inside-lowers-itself",
		BY_POLICY,
		.domain = "unit-p800",
		.room_mib = 24,
		.rows = {
			{ "unit-p800/worker-p050", 8, 0, T | V | ROW_MOVES_IN },
			{ "unit-p800/main", 48 },
			{ "unit-p800/helper-p300", 12 },
		},
	},
	{
		.name = "created-inside-raises-itself",
		BY_POLICY,
		.domain = "unit-p050",
		.room_mib = 24,
		.rows = {
			{ "unit-p050/worker-p900", 32, 0, T | ROW_MOVES_IN },
			{ "unit-p050/main-p800", 48 },
			{ "unit-p050/helper-p300", 12, 0, V },
		},
	},
	{
		.name = "created-inside-inherits",
		BY_POLICY,
		.domain = "unit-p100",
		.room_mib = 24,
		.rows = {
			{ "unit-p100/worker", 8, 0, T | V | ROW_MOVES_IN },
			{ "unit-p100/main-p800", 48 },
			{ "unit-p100/helper-p300", 12 },
		},
	},
	{
		.name = "protected",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-prot", 48, 0, T },
			{ "b-p900", 8, 0, V },
			{ "c-prot/x/y", 24 },
		},
	},
	{
		/* A rule of its own takes a cgroup out of its ancestor's protection. */
		.name = "protected-except-child",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-prot/x", 48, 0, T },
			{ "a-prot/y-p950", 8, 0, V },
			{ "b-p1000", 24 },
		},
	},
	{
		.name = "all-protected",
		BY_KERNEL_DESPITE_DAEMON,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-prot", 16, 0, T },
			{ "b-prot/x", 48, 0, V },
			{ "c-prot", 8 },
		},
	},
	{
		/* The unprotected one is outside the domain, so it is no way out. */
		.name = "all-protected-in-domain",
		BY_KERNEL_DESPITE_DAEMON,
		.domain = "d-prot",
		.room_mib = 4,
		.rows = {
			{ "d-prot/a", 16, 0, T },
			{ "d-prot/b", 48, 0, V },
			{ "c-p000", 64 },
		},
	},
	{
		/* What is left unprotected cannot be killed either. */
		.name = "all-protected-or-unkillable",
		BY_KERNEL_DESPITE_DAEMON,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-prot", 16, 0, T },
			{ "b-prot", 32, 0, V },
			{ "c-p000", 48, -1000 },
		},
	},
	{
		.name = "nobody-can-be-killed",
		.needs = NEEDS_DAEMON,
		.domain = "",
		.room_mib = 4,
		.killer = KILLER_NOBODY,
		.rows = {
			{ "a-p000", 16, -1000, T | ROW_POPULATE },
			{ "b-prot", 8, -1000 },
		},
	},
	{
		.name = "victim-already-dying",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p900", 32, 0, T },
			{ "b-p300", 8 },
			{ "c-p050", 16, 0, V | ROW_LINGERS },
		},
	},
	{
		/* Two ask at once, on two processors, all the time that the victim is dying. */
		.name = "victim-already-dying-two-triggers",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p900/x", 32, 0, T },
			{ "a-p900/y", 20, 0, T },
			{ "b-p300", 8 },
			{ "c-p050", 24, 0, V | ROW_LINGERS },
		},
	},
	{
		/* Shared memory is not the reaper's: the victim is given up, and waiting for it
		 * for ever would hang the domain. */
		.name = "victim-never-dies",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p900", 32, 0, T },
			{ "b-p300", 8, 0, ROW_SECOND_VICTIM },
			{ "c-p050", 16, 0, V | ROW_LINGERS | ROW_SHMEM },
		},
	},
	{
		.name = "tie-largest-dies",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p100", 16 },
			{ "b-p100", 24, 0, V },
			{ "c-p100", 8 },
			{ "d-p900", 40, 0, T },
		},
	},
	{
		.name = "tie-across-inheritance",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p100/x/y", 24, 0, V },
			{ "b/x-p100", 16 },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "tie-largest-by-shmem",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p100", 16 },
			{ "b-p100", 24, 0, V | ROW_SHMEM },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		/* 12 MiB of pages and 12 of page tables. */
		.name = "tie-largest-by-page-tables",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p100", 18 },
			{ "b-p100", 24, 0, V | ROW_PGTABLES },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "deeper-domain",
		BY_POLICY,
		.domain = "a-p300/b",
		.room_mib = 4,
		.rows = {
			{ "a-p300/b/x-p900", 32, 0, T },
			{ "a-p300/b/y-p600", 8, 0, V },
			{ "a-p300/c-p050", 24 },
			{ "d-p000", 40 },
		},
	},
	{
		/* The rule comes from above the domain. */
		.name = "deeper-domain-inherits-from-outside",
		BY_POLICY,
		.domain = "a-p300/b",
		.room_mib = 4,
		.rows = {
			{ "a-p300/b/x-p900", 32, 0, T },
			{ "a-p300/b/y", 8, 0, V },
			{ "a-p300/b/z-p400", 16 },
			{ "d-p000", 40 },
		},
	},
	{
		.name = "domain-is-one-process",
		BY_POLICY,
		.domain = "a-p900",
		.room_mib = 4,
		.rows = {
			{ "a-p900", 32, 0, T | V },
			{ "b-p000", 40 },
		},
	},
	{
		.name = "score-minus-1000-is-spared",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p050", 24, -1000 },
			{ "b-p300", 8, 0, V },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		/* The kernel alone would take it. */
		.name = "score-plus-1000-is-spared",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p900", 24, 1000 },
			{ "b-p300", 8, 0, V },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "score-does-not-break-ties",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p100", 16, 900 },
			{ "b-p100", 24, -900, V },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "main-thread-has-exited",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p100", 24, 0, V | ROW_LEADER_GONE },
			{ "b-p100", 16 },
			{ "c-p900", 40, 0, T },
		},
	},
	{
		.name = "main-thread-of-trigger-has-exited",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p050", 8, 0, V },
			{ "b-p100", 16 },
			{ "c-p900", 40, 0, T | ROW_LEADER_GONE },
		},
	},
	{
		/* The daemon attached first. The second one would have killed another. */
		.name = "daemon-before-handler",
		BY_POLICY,
		.domain = "",
		.room_mib = 4,
		.handlers = {{.used = true, .kills = "b-p300", .result = 1, .runs = false}},
		.rows = {
			{ "a-p900", 40, 0, T },
			{ "b-p300", 24 },
			{ "c-p050", 8, 0, V },
		},
	},
	{
		.name = "handler-after-daemon-without-opinion",
		.needs = NEEDS_DAEMON,
		.killer = KILLER_HANDLER,
		.domain = "",
		.room_mib = 4,
		.handlers = {{.used = true, .kills = "b-prot", .result = 1, .runs = true}},
		.rows = {
			{ "a-prot", 40, 0, T },
			{ "b-prot", 8, 0, V },
			{ "c-prot", 24 },
		},
	},
	{
		.name = "no-daemon-kernel-takes-largest",
		BY_KERNEL_ALONE,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p900", 40, 0, V },
			{ "b-p050", 8, 0, T },
			{ "c-p300", 24 },
		},
	},
	{
		.name = "no-daemon-kernel-counts-score",
		BY_KERNEL_ALONE,
		.domain = "",
		.room_mib = 4,
		.rows = {
			{ "a-p050", 40 },
			{ "b-p900", 16, 1000, V },
			{ "c-p300", 8, 0, T },
		},
	},
	{
		.name = "handler-lies",
		.needs = NEEDS_NO_DAEMON | NEEDS_MODULE,
		.killer = KILLER_KERNEL,
		.domain = "",
		.room_mib = 4,
		.handlers = {{.used = true, .result = 1, .runs = true}},
		.rows = {
			{ "a-p900", 40, 0, T | V },
			{ "b-p050", 8 },
			{ "c-p300", 24 },
		},
	},
	{
		.name = "two-handlers-liar-first",
		.needs = NEEDS_NO_DAEMON | NEEDS_MODULE,
		.killer = KILLER_HANDLER,
		.domain = "",
		.room_mib = 4,
		.handlers = {{.used = true, .result = 1, .runs = true},
			     {.used = true, .kills = "b", .result = 1, .runs = true}},
		.rows = {
			{ "a", 40, 0, T },
			{ "b", 8, 0, V },
			{ "c", 24 },
		},
	},
	{
		.name = "two-handlers-first-has-no-opinion",
		.needs = NEEDS_NO_DAEMON | NEEDS_MODULE,
		.killer = KILLER_HANDLER,
		.domain = "",
		.room_mib = 4,
		.handlers = {{.used = true, .result = 0, .runs = true},
			     {.used = true, .kills = "c", .result = 1, .runs = true}},
		.rows = {
			{ "a", 40, 0, T },
			{ "b", 8 },
			{ "c", 24, 0, V },
		},
	},
	{
		.name = "two-handlers-first-kills",
		.needs = NEEDS_NO_DAEMON | NEEDS_MODULE,
		.killer = KILLER_HANDLER,
		.domain = "",
		.room_mib = 4,
		.handlers = {{.used = true, .kills = "b", .result = 1, .runs = true},
			     {.used = true, .kills = "c", .result = 1, .runs = false}},
		.rows = {
			{ "a", 40, 0, T },
			{ "b", 8, 0, V },
			{ "c", 24 },
		},
	},
	{
		.name = "two-handlers-in-the-other-order",
		.needs = NEEDS_NO_DAEMON | NEEDS_MODULE,
		.killer = KILLER_HANDLER,
		.domain = "",
		.room_mib = 4,
		.handlers = {{.used = true, .kills = "c", .result = 1, .runs = true},
			     {.used = true, .kills = "b", .result = 1, .runs = false}},
		.rows = {
			{ "a", 40, 0, T },
			{ "b", 8 },
			{ "c", 24, 0, V },
		},
	},
	{
		.name = "system-lowest-priority-dies",
		.needs = NEEDS_DAEMON | NEEDS_SMALL,
		.killer = KILLER_POLICY,
		.domain = NULL,
		.rows = {
			{ "a-p900", 32, 0, T },
			{ "b-p100/x", 24 },
			{ "c-p050", 20, 0, V },
			{ "d-p000", 16, -1000 },
		},
	},
	{
		.name = "system-largest-of-the-lowest-dies",
		.needs = NEEDS_DAEMON | NEEDS_SMALL,
		.killer = KILLER_POLICY,
		.domain = NULL,
		.rows = {
			{ "a-p900", 24, 0, T },
			{ "b-p100/x", 28, 0, V },
			{ "b-p100/y", 20 },
			{ "c-prot", 24 },
		},
	},
	{
		/* Not the trigger: a task that is killed in its own allocation leaves a warning in
		 * the kernel's log. */
		.name = "system-no-daemon-kernel-counts-score",
		.needs = NEEDS_NO_DAEMON | NEEDS_SMALL,
		.killer = KILLER_KERNEL,
		.domain = NULL,
		.rows = {
			{ "a-p050", 32, 0, T },
			{ "b-p900", 20, 1000, V },
			{ "c-p100", 24 },
		},
	},
};
/* clang-format on */

size_t victims_count(void)
{
	return ARRAY_SIZE(tables) + n_victims_language;
}

const struct scenario *victims_table(size_t i)
{
	return i < ARRAY_SIZE(tables) ? &tables[i] : &victims_language[i - ARRAY_SIZE(tables)];
}
