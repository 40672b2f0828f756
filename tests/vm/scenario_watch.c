// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who dies, first and at all, and whether the triggers get what they asked for. */
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "scenario_run.h"

/* Emulated processors are slow; only a hang takes this long. */
#define DEATH_MSEC 30000U
/* Half of the time after which the kernel's reaper takes a dying victim's memory away
 * (OOM_REAPER_DELAY, mm/oom_kill.c). */
#define LINGER_MSEC 1000U
#define TICK_MSEC 5U
/* From a victim's memory being free to its death. */
#define CONTENT_MSEC 3000U

static uint64_t now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool run_see_deaths(struct run *run)
{
	bool any = false;

	for (size_t i = 0; i < run->n_rows; i++) {
		run->o->died[i] = hog_is_dead(&run->hogs[i]);
		any = any || run->o->died[i];
	}
	return any;
}

/* All triggers have grown as far as they may, or are dead. */
static bool run_triggers_done(struct run *run)
{
	for (size_t i = 0; i < run->n_rows; i++)
		if (run->s->rows[i].flags & ROW_TRIGGER && !hog_is_dead(&run->hogs[i]) &&
		    !hog_has_report(&run->hogs[i]))
			return false;
	return true;
}

static bool run_wait_death(struct run *run, const char *whose)
{
	uint64_t end = now_msec() + DEATH_MSEC;
	bool content = false;

	while (!run_see_deaths(run)) {
		/* A dying process gives up its memory before it counts as dead. */
		if (!content && run_triggers_done(run)) {
			content = true;
			end = now_msec() + CONTENT_MSEC;
		}
		if (now_msec() > end) {
			run_fail(run, "nobody died%s, %s should have",
				 content ? " and the trigger got all it asked for" : " in time",
				 whose);
			return false;
		}
		run_sleep_msec(TICK_MSEC);
	}
	return true;
}

/* After the kill the trigger gets what it asked for. */
static void run_wait_triggers(struct run *run)
{
	uint64_t end = now_msec() + DEATH_MSEC;

	while (!run_triggers_done(run)) {
		if (now_msec() > end) {
			run_fail(run, "the trigger still waits for memory after the kill");
			return;
		}
		run_sleep_msec(TICK_MSEC);
	}
}

static void run_name_dead(struct run *run, char *buf, size_t size)
{
	size_t len = 0;

	snprintf(buf, size, "nobody");
	for (size_t i = 0; i < run->n_rows; i++)
		if (run->o->died[i] && len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? ", " : "",
						run->s->rows[i].path);
}

/* The dead are those with one of @flags, no others. */
static void run_check_deaths(struct run *run, unsigned flags)
{
	char dead[256];

	run_see_deaths(run);
	run_name_dead(run, dead, sizeof(dead));
	for (size_t i = 0; i < run->n_rows; i++) {
		bool expected = run->s->rows[i].flags & flags;

		if (expected && !run->o->died[i])
			run_fail(run, "%s should have died, but %s did", run->s->rows[i].path,
				 dead);
		else if (!expected && run->o->died[i])
			run_fail(run, "%s died and should live; dead: %s", run->s->rows[i].path,
				 dead);
		else if (expected && (!WIFSIGNALED(run->hogs[i].status) ||
				      WTERMSIG(run->hogs[i].status) != SIGKILL))
			run_fail(run, "%s was not killed, its status is %#x", run->s->rows[i].path,
				 (unsigned)run->hogs[i].status);
	}
}

/* After the first death: the others of the group are on their way. */
static void run_wait_group(struct run *run)
{
	uint64_t end = now_msec() + DEATH_MSEC;
	bool pending = true;

	while (pending && now_msec() < end) {
		pending = false;
		run_see_deaths(run);
		for (size_t i = 0; i < run->n_rows; i++) {
			bool expected = run->s->rows[i].flags & (ROW_VICTIM | ROW_MEMBER);

			if (run->o->died[i] && !expected)
				return;
			pending = pending || (expected && !run->o->died[i]);
		}
		if (pending)
			run_sleep_msec(TICK_MSEC);
	}
}

/* One death, or one group's, or with KILLER_NOBODY none and an error for the trigger instead. */
static void run_watch_plain(struct run *run)
{
	if (run->s->killer == KILLER_NOBODY) {
		run_wait_triggers(run);
		for (size_t i = 0; i < run->n_rows && !run->failed; i++) {
			struct hog_report report;

			if (!(run->s->rows[i].flags & ROW_TRIGGER))
				continue;
			if (hog_wait_report(&run->hogs[i], 0, &report) < 0 || report.error >= 0)
				run_fail(run,
					 "the trigger %s got its memory, the limit did not hold",
					 run->s->rows[i].path);
		}
	} else if (run_wait_death(run, "the victim")) {
		/* In a system OOM it would go on to the next one. */
		if (!run->s->domain)
			hog_stop_all(true);
		run_wait_group(run);
		run_check_deaths(run, ROW_VICTIM | ROW_MEMBER);
		run_wait_triggers(run);
	}
	run_sleep_msec(run->options->settle_msec);
	run_check_deaths(run, ROW_VICTIM | ROW_MEMBER);
}

static bool is_stopped_at_exit(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG | __WALL) == pid && WIFSTOPPED(status) &&
	       status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8));
}

static void run_lift_limit(struct run *run)
{
	char path[CGTREE_PATH_MAX];
	int r;

	scenario_path(run->s, run->s->domain, path);
	r = cgtree_write(path, "memory.max", "max");
	if (r < 0)
		run_fail(run, "cannot lift the limit of %s: %s", path, strerror(-r));
}

/*
 * The victim is killed but stands still in its exit, so the triggers, which keep asking from as
 * many processors as there are triggers, get nothing. Nobody else may die for it. Then either the
 * limit is lifted and the triggers are content, or the kernel's reaper gives the victim up two
 * seconds after its kill, and the next one has to die while the first still stands there. A race
 * of two real exits would show less: the kernel marks a victim as given up before the last of its
 * pages are free, so that a second kill can be right then.
 */
static void run_watch_lingering(struct run *run, size_t victim)
{
	uint64_t end = now_msec() + DEATH_MSEC;
	bool has_second = false;

	for (size_t i = 0; i < run->n_rows; i++)
		has_second = has_second || run->s->rows[i].flags & ROW_SECOND_VICTIM;
	while (!is_stopped_at_exit(run->hogs[victim].pid)) {
		if (run_see_deaths(run) || now_msec() > end) {
			run_check_deaths(run, 0);
			run_fail(run, "%s was not killed in %u ms", run->s->rows[victim].path,
				 DEATH_MSEC);
			return;
		}
		run_sleep_msec(TICK_MSEC);
	}
	run_sleep_msec(LINGER_MSEC);
	run_check_deaths(run, 0);
	if (run_triggers_done(run))
		run_fail(run, "the trigger was content while the victim still had its memory");
	if (!has_second)
		run_lift_limit(run);
	else if (!run->failed)
		run_wait_death(run, "the second victim");
	run_wait_triggers(run);
	run_sleep_msec(run->options->settle_msec);
	run_check_deaths(run, ROW_SECOND_VICTIM);
	if (ptrace(PTRACE_DETACH, run->hogs[victim].pid, NULL, 0) < 0)
		run_fail(run, "cannot let %s go: %m", run->s->rows[victim].path);
	end = now_msec() + DEATH_MSEC;
	while (!hog_is_dead(&run->hogs[victim]) && now_msec() < end)
		run_sleep_msec(TICK_MSEC);
	run_check_deaths(run, ROW_VICTIM | ROW_SECOND_VICTIM);
}

void run_watch(struct run *run)
{
	for (size_t i = 0; i < run->n_rows; i++)
		if (run->s->rows[i].flags & ROW_LINGERS) {
			run_watch_lingering(run, i);
			return;
		}
	run_watch_plain(run);
}
