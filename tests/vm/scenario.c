// SPDX-License-Identifier: LGPL-2.1-or-later
#include "scenario.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>

#include "cgtree.h"
#include "handlers.h"
#include "model.h"
#include "scenario_run.h"

/* Emulated processors are slow; only a hang takes this long. */
#define FILL_MSEC 60000U
#define DRAIN_MSEC 20U
/* Beyond its room the trigger wants this much more, which any one victim has. */
#define EXCESS_KIB 2048U
/* A system has far more room than a table can know. */
#define SYSTEM_GROWTH_KIB (2048U * 1024)

#define PRIORITY_STEP 50
#define ROW_PATH_MAX 256
/* POLICY_NAME_LEN of the posted bpf_oom_evaluate_task() series, without the NUL. */
#define SHORT_NAME_MAX 15

void run_fail(struct run *run, const char *format, ...)
{
	va_list ap;

	if (run->failed)
		return;
	run->failed = true;
	va_start(ap, format);
	vsnprintf(run->o->reason, sizeof(run->o->reason), format, ap);
	va_end(ap);
}

void run_sleep_msec(unsigned msec)
{
	const struct timespec t = {.tv_sec = msec / 1000,
				   .tv_nsec = (long)(msec % 1000) * 1000 * 1000};

	nanosleep(&t, NULL);
}

void scenario_path(const struct scenario *s, const char *path, char buf[static CGTREE_PATH_MAX])
{
	snprintf(buf, CGTREE_PATH_MAX, "%s%s%s", scenario_top(s), *path ? "/" : "", path);
}

/* The cgroup that a ROW_MOVES_IN process starts in: a sibling that inherits. */
static void door_path(const struct scenario *s, const char *path, char buf[static CGTREE_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(buf, CGTREE_PATH_MAX, "%s/%.*sdoor", scenario_top(s),
		 slash ? (int)(slash - path) + 1 : 0, path);
}

/* Sets memory.oom.group where a name on the way to @path asks for it. */
static int set_oom_groups(const struct scenario *s, const char *path)
{
	size_t len = strlen(path), group_len;
	char row[ROW_PATH_MAX], group[CGTREE_PATH_MAX];
	int r;

	/* Once more for each component, as the topmost is found first. */
	for (size_t from = 0; from < len; from += strcspn(path + from, "/") + 1) {
		snprintf(row, sizeof(row), "%.*s", from ? (int)from - 1 : 0, path);
		group_len = model_find_oom_group(row, path);
		if (group_len == 0)
			return 0;
		snprintf(row, sizeof(row), "%.*s", (int)group_len, path);
		scenario_path(s, row, group);
		r = cgtree_write(group, "memory.oom.group", "1");
		if (r < 0)
			return r;
	}
	return 0;
}

int scenario_create_cgroups(const struct scenario *s)
{
	size_t n = scenario_count_rows(s);
	char path[CGTREE_PATH_MAX];
	int r;

	for (size_t i = 0; i < n; i++) {
		if (s->rows[i].flags & ROW_MOVES_IN)
			door_path(s, s->rows[i].path, path);
		else
			scenario_path(s, s->rows[i].path, path);
		r = cgtree_create(path);
		if (r == 0 && !(s->rows[i].flags & ROW_MOVES_IN))
			r = set_oom_groups(s, s->rows[i].path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Without a process: some for which there is no rule, some that come before any victim, some after.
 */
static int create_crowd(const struct scenario *s, unsigned n)
{
	static const char *const suffixes[] = {"", "-p000", "-p900"};
	char path[CGTREE_PATH_MAX], domain[CGTREE_PATH_MAX];
	int r = 0;

	scenario_path(s, s->domain ?: "", domain);
	for (unsigned i = 0; i < n && r == 0; i++) {
		int length = snprintf(path, sizeof(path), "%s/crowd%u%s", domain, i,
				      suffixes[i % ARRAY_SIZE(suffixes)]);

		if (length < 0 || (size_t)length >= sizeof(path))
			return -ENAMETOOLONG;
		r = cgtree_create_one(path);
	}
	return r;
}

static unsigned row_hog_flags(const struct row *row)
{
	return (row->flags & ROW_SHMEM ? HOG_SHMEM : 0) |
	       (row->flags & ROW_PGTABLES ? HOG_PGTABLES : 0) |
	       (row->flags & ROW_LEADER_GONE ? HOG_LEADER_GONE : 0) |
	       (row->flags & ROW_POPULATE ? HOG_POPULATE : 0);
}

static void run_start_hogs(struct run *run)
{
	char start[CGTREE_PATH_MAX], own[CGTREE_PATH_MAX];
	unsigned triggers = 0;
	int r;

	for (size_t i = 0; i < run->n_rows; i++)
		triggers += !!(run->s->rows[i].flags & ROW_TRIGGER);

	for (size_t i = 0; i < run->n_rows && !run->failed; i++) {
		const struct row *row = &run->s->rows[i];
		bool moves = row->flags & ROW_MOVES_IN;
		struct hog_config config = {
			.cgroup = moves ? start : own,
			.moves_to = moves ? own : NULL,
			.fill_mib = row->fill_mib,
			.grow_kib = run->s->domain ? run->s->room_mib * 1024 + EXCESS_KIB
						   : SYSTEM_GROWTH_KIB,
			.oom_score_adj = row->oom_score_adj,
			.flags = row_hog_flags(row),
			/* Several triggers are there to run at the same time. */
			.turn = triggers > 1		   ? HOG_ANYWHERE
				: row->flags & ROW_TRIGGER ? HOG_LAST
							   : HOG_FIRST,
		};

		scenario_path(run->s, row->path, own);
		door_path(run->s, row->path, start);
		r = hog_start(&config, &run->hogs[i]);
		if (r < 0)
			run_fail(run, "cannot start the process of %s: %s", row->path,
				 strerror(-r));
		run->o->pids[i] = run->hogs[i].pid;
	}
	for (size_t i = 0; i < run->n_rows && !run->failed; i++) {
		struct hog *h = &run->hogs[i];

		r = hog_wait_report(h, FILL_MSEC, &h->filled);
		if (r == 0)
			r = h->filled.error;
		if (r < 0)
			run_fail(run, "the process of %s cannot fill its memory: %s",
				 run->s->rows[i].path, strerror(-r));
		run->o->kib[i] = h->filled.kib;
	}
}

/* A victim that is traced with PTRACE_O_TRACEEXIT stops in do_exit() before it gives up its
 * memory: it is dying for as long as we like. */
static void run_trace_lingering(struct run *run)
{
	for (size_t i = 0; i < run->n_rows; i++)
		if (run->s->rows[i].flags & ROW_LINGERS &&
		    ptrace(PTRACE_SEIZE, run->hogs[i].pid, NULL, PTRACE_O_TRACEEXIT) < 0)
			run_fail(run, "cannot trace %s: %m", run->s->rows[i].path);
}

/* The first of the table is to be asked first. */
static void run_attach_handlers(struct run *run, bool newest_first)
{
	for (size_t n = 0; n < SCENARIO_HANDLERS_MAX; n++) {
		size_t i = newest_first ? SCENARIO_HANDLERS_MAX - 1 - n : n;
		const struct handler_spec *spec = &run->s->handlers[i];
		pid_t pid = 0;
		int r;

		if (!spec->used)
			continue;
		for (size_t row = 0; spec->kills && row < run->n_rows; row++)
			if (strcmp(run->s->rows[row].path, spec->kills) == 0)
				pid = run->hogs[row].pid;
		if (spec->kills && pid == 0) {
			run_fail(run, "the table has no row %s for its handler", spec->kills);
			return;
		}
		r = handler_attach(&run->handlers[i], pid, spec->result);
		if (r < 0)
			run_fail(run, "cannot attach handler %zu: %s", i, strerror(-r));
	}
}

static void run_check_handlers(struct run *run)
{
	for (size_t i = 0; i < SCENARIO_HANDLERS_MAX; i++) {
		const struct handler_spec *spec = &run->s->handlers[i];
		uint64_t calls = handler_count_calls(&run->handlers[i]);

		if (spec->used && spec->runs != (calls > 0))
			run_fail(run, "handler %zu ran %" PRIu64 " times, it should%s have run", i,
				 calls, spec->runs ? "" : " not");
	}
}

/*
 * Gives back what the kernel keeps aside, and what it could take back when the limit is met: of
 * each cgroup 64 pages on every processor (mm/memcontrol.c, MEMCG_CHARGE_BATCH), for seven cgroups
 * since 6.16. The lowest memory.high does that and kills nobody.
 */
static int drain(const char *path)
{
	int r = cgtree_write(path, "memory.high", "0");

	if (r < 0)
		return r;
	/* Other processors take a moment. */
	run_sleep_msec(DRAIN_MSEC);
	return cgtree_write(path, "memory.high", "max");
}

static void run_set_limit(struct run *run)
{
	char path[CGTREE_PATH_MAX], value[32];
	uint64_t usage_bytes = 0, limit_bytes;
	int r;

	if (!run->s->domain)
		return;
	scenario_path(run->s, run->s->domain, path);
	r = drain(path);
	if (r == 0)
		r = cgtree_read_u64(path, "memory.current", NULL, &usage_bytes);
	if (r == 0) {
		limit_bytes = usage_bytes + ((uint64_t)run->s->room_mib << 20);
		run->o->limit_pages = limit_bytes / 4096;
		snprintf(value, sizeof(value), "%" PRIu64, limit_bytes);
		r = cgtree_write(path, "memory.max", value);
	}
	if (r == 0)
		r = cgtree_write(path, "memory.swap.max", "0");
	/* There is no such file on a kernel without swap accounting. */
	if (r < 0 && r != -ENOENT)
		run_fail(run, "cannot limit %s: %s", path, strerror(-r));
}

static uint64_t read_system_kills(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/vmstat", "re");
	uint64_t value;
	char name[64];

	while (f && fscanf(f, "%63s %" SCNu64, name, &value) == 2)
		if (strcmp(name, "oom_kill") == 0)
			return value;
	return 0;
}

static uint64_t run_read_kills(struct run *run)
{
	uint64_t kills = 0;

	if (cgtree_read_u64(scenario_top(run->s), "memory.events", "oom_kill", &kills) < 0)
		run_fail(run, "cannot read memory.events of %s", scenario_top(run->s));
	return kills;
}

static void run_trigger(struct run *run)
{
	run->kills_before = run_read_kills(run);
	run->system_kills_before = read_system_kills();
	hog_stop_all(false);
	for (size_t i = 0; i < run->n_rows && !run->failed; i++)
		if (run->s->rows[i].flags & ROW_TRIGGER && hog_order_growth(&run->hogs[i]) < 0)
			run_fail(run, "cannot tell %s to grow: %m", run->s->rows[i].path);
}

struct kernel_log {
	unsigned kills;	      /* "Killed process" lines */
	unsigned reports;     /* the kernel leaves out those of many kills in five seconds */
	unsigned named_kills; /* with a report that named the expected policy */
};

/* Reads what the kernel logged since the trigger was told to grow. */
static void run_read_log(struct run *run, const char *policy, struct kernel_log *ret)
{
	char record[8192], wanted[128];
	bool named = false;
	ssize_t n;

	*ret = (struct kernel_log){};
	/* The backend that ignores Kill= names the policy by way of a shorter field. */
	snprintf(wanted, sizeof(wanted), "oom_policy=%.*s\n",
		 model_ignores_kill ? SHORT_NAME_MAX : (int)strlen(policy), policy);
	for (;;) {
		const char *at;

		n = read(run->kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue; /* overwritten; the next read goes on after the gap */
		if (n <= 0)
			break;
		record[n] = '\0';
		if (strstr(record, wanted))
			named = true;
		if (strstr(record, " invoked oom-killer: "))
			ret->reports++;
		at = strstr(record, "Killed process ");
		if (!at)
			continue;
		ret->kills++;
		ret->named_kills += named;
		named = false;
	}
}

static const struct model_policy *run_policy(const struct run *run)
{
	return run->s->domain ? model_find_policy(scenario_top(run->s), run->s->domain)
			      : model_find_policy("", "");
}

/*
 * Was it a kill by memory.oom.group? The kernel then kills the victim, and after it all of the
 * group: the victim once more if it is not gone by then (oom_kill_process(), mm/oom_kill.c).
 */
static bool run_is_kernel_group(const struct run *run)
{
	for (size_t i = 0; i < run->n_rows; i++) {
		const struct row *row = &run->s->rows[i];
		struct model_rule rule;

		if (!(row->flags & ROW_VICTIM))
			continue;
		model_find_rule(row->path, NULL, &rule);
		return model_find_oom_group(scenario_domain(run->s), row->path) > 0 &&
		       (run->s->killer != KILLER_POLICY || rule.kill == MODEL_KILL_UNSET);
	}
	return false;
}

/* The counters, the kernel's log and the processes must tell the same story. */
static void run_check_kills(struct run *run)
{
	bool by_policy = run->s->killer == KILLER_POLICY || run->s->killer == KILLER_HANDLER;
	uint64_t kills = run_read_kills(run) - run->kills_before;
	uint64_t system_kills = read_system_kills() - run->system_kills_before;
	struct kernel_log log;
	unsigned expected = 0, again;

	for (size_t i = 0; i < run->n_rows; i++)
		expected +=
			!!(run->s->rows[i].flags & (ROW_VICTIM | ROW_SECOND_VICTIM | ROW_MEMBER));
	if (run->s->killer == KILLER_NOBODY)
		expected = 0;
	again = run_is_kernel_group(run);
	if (kills < expected || kills > expected + again || system_kills != kills)
		run_fail(run,
			 "memory.events counts %" PRIu64 " kills and the system %" PRIu64
			 ", expected %u",
			 kills, system_kills, expected);
	run_read_log(run,
		     run->s->killer == KILLER_HANDLER ? HANDLERS_POLICY_NAME
						      : run_policy(run)->name,
		     &log);
	if (log.kills != kills)
		run_fail(run, "the kernel logged %u kills, and counted %" PRIu64, log.kills, kills);
	if (by_policy && log.named_kills != log.reports)
		run_fail(run, "%u of %u reports carry the policy's name", log.named_kills,
			 log.reports);
}

static void run_note_kills(struct run *run)
{
	const struct model_policy *policy = run_policy(run);
	FILE *f = run->options->kills;
	pid_t victim = 0;

	if (!f || !(run->s->needs & NEEDS_DAEMON))
		return;
	if (run->s->killer != KILLER_POLICY) {
		fprintf(f, "none\n");
		fflush(f);
		return;
	}
	for (size_t i = 0; i < run->n_rows; i++) {
		struct model_rule rule;

		if (!(run->s->rows[i].flags & (ROW_VICTIM | ROW_SECOND_VICTIM)))
			continue;
		model_find_rule(run->s->rows[i].path, policy, &rule);
		fprintf(f, "%d %u %s\n", run->o->pids[i], rule.priority, policy->name);
		victim = run->o->pids[i];
	}
	/* By Kill=cgroup, and those that the kernel adds by memory.oom.group. */
	for (size_t i = 0; i < run->n_rows; i++)
		if (run->s->rows[i].flags & ROW_MEMBER)
			fprintf(f, "member %d %d\n", victim, run->o->pids[i]);
	fflush(f);
}

static void run_clean_up(struct run *run)
{
	int r;

	hog_stop_all(true);
	for (size_t i = 0; i < SCENARIO_HANDLERS_MAX; i++)
		handler_done(&run->handlers[i]);
	for (size_t i = 0; i < run->n_rows; i++)
		hog_done(&run->hogs[i]);
	r = cgtree_remove(scenario_top(run->s));
	if (r < 0)
		run_fail(run, "cannot remove the cgroups: %s", strerror(-r));
	run->kmsg = safe_close(run->kmsg);
}

void scenario_run(struct scenario *s, const struct scenario_options *options,
		  scenario_expect_fn expect, struct scenario_outcome *ret)
{
	struct run run = {.s = s,
			  .options = options,
			  .o = ret,
			  .n_rows = scenario_count_rows(s),
			  .kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
	int r;

	*ret = (struct scenario_outcome){};
	for (size_t i = 0; i < SCENARIO_ROWS_MAX; i++)
		run.hogs[i] = (struct hog)HOG_INIT;
	if (run.kmsg < 0 || lseek(run.kmsg, 0, SEEK_END) < 0)
		run_fail(&run, "cannot read the kernel's log: %m");
	r = scenario_create_cgroups(s);
	if (r == 0)
		r = create_crowd(s, options->crowd);
	if (r < 0)
		run_fail(&run, "cannot make the cgroups: %s", strerror(-r));
	if (!run.failed)
		run_start_hogs(&run);
	if (!run.failed)
		run_trace_lingering(&run);
	if (!run.failed)
		run_attach_handlers(&run, options->newest_first);
	if (!run.failed)
		run_set_limit(&run);
	if (!run.failed && expect) {
		char reason[SCENARIO_REASON_MAX] = "";

		expect(s, ret, reason);
		if (*reason)
			run_fail(&run, "%s", reason);
	}
	if (!run.failed)
		run_trigger(&run);
	if (!run.failed) {
		run_watch(&run);
		run_check_handlers(&run);
		run_check_kills(&run);
		run_note_kills(&run);
	}
	run_clean_up(&run);
	ret->passed = !run.failed;
}

void scenario_print(const struct scenario *s, const struct scenario_outcome *o, FILE *f)
{
	size_t n = scenario_count_rows(s);

	fprintf(f, "# %s: in %s, domain %s, room %u MiB, limit %" PRIu64 " pages\n", s->name,
		scenario_top(s),
		!s->domain    ? "the system"
		: !*s->domain ? "(all)"
			      : s->domain,
		s->room_mib, o->limit_pages);
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &s->rows[i];

		fprintf(f, "#   %-40s fill %3u MiB, adj %5d, was %6u KiB, pid %d%s%s%s\n",
			row->path, row->fill_mib, row->oom_score_adj, o->kib[i], o->pids[i],
			row->flags & ROW_TRIGGER ? ", trigger" : "",
			row->flags & (ROW_VICTIM | ROW_SECOND_VICTIM) ? ", VICTIM"
			: row->flags & ROW_MEMBER		      ? ", MEMBER"
								      : "",
			o->died[i] ? ", died" : "");
	}
}

static void print_rule(FILE *f, const char *name, const char *settings)
{
	fprintf(f, "\n[Rule %s]\nCgroup=" CGTREE_PREFIX "/**/*-%s\n%s", name, name, settings);
}

void scenario_print_config(FILE *f)
{
	static const char *const victims[] = {[MODEL_LARGEST] = "largest",
					      [MODEL_BADNESS] = "badness",
					      [MODEL_NEWEST] = "newest",
					      [MODEL_OLDEST] = "oldest"};
	static const struct {
		const char *suffix, *setting;
	} kills[] = {{"", ""}, {"s", "Kill=process\n"}, {"k", "Kill=cgroup\n"}};

	for (size_t i = 0; i < n_model_policies; i++) {
		const struct model_policy *p = &model_policies[i];

		fprintf(f, "%s[Policy %s]\nDefaultPriority=%u\n", i ? "\n" : "", p->name,
			p->default_priority);
		if (*p->path)
			fprintf(f, "Cgroup=" CGTREE_PREFIX "/%s\nVictim=%s\n", p->path,
				victims[p->victim]);
	}
	for (size_t kill = 0; kill < ARRAY_SIZE(kills); kill++) {
		char name[32], settings[64];

		for (unsigned p = 0; p <= 1000; p += PRIORITY_STEP) {
			snprintf(name, sizeof(name), "p%03u%s", p, kills[kill].suffix);
			snprintf(settings, sizeof(settings), "Priority=%u\n%s", p,
				 kills[kill].setting);
			print_rule(f, name, settings);
		}
		snprintf(name, sizeof(name), "pdef%s", kills[kill].suffix);
		if (*kills[kill].suffix)
			print_rule(f, name, kills[kill].setting);
	}
	print_rule(f, "prot", "Protect=yes\n");
}
