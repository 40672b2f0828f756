// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dryrun.h"

#include <stdarg.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "api/rows.h"
#include "cgtree.h"
#include "model.h"
#include "util/basic.h"

/* Of two whose points are this close a few pages decide, of which the model knows nothing. Sizes
 * alone are further apart in every table; with oom_score_adj any distance is possible. */
#define CLOSE_PAGES (2 * PAGES_PER_MIB)

struct forecast_row {
	uint32_t pid, priority, with_pid;
	const char *never; /* points into the reply; likewise below */
};

/* The answer of Rank. */
struct forecast {
	sd_bus_message *reply;
	struct forecast_row rows[SCENARIO_ROWS_MAX];
	size_t n; /* may be more than there is room for */
	const char *policy, *outcome, *cause;
};

/* What is compared. */
struct dryrun {
	const struct scenario *s;
	const struct scenario_outcome *o;
	const struct model_policy *policy;
	struct model_task tasks[SCENARIO_ROWS_MAX];
	bool gone[SCENARIO_ROWS_MAX]; /* outside of the domain, or dead by now */
	struct forecast f;
	size_t at; /* the next row of the forecast */
	char *reason;
};

static bool disagree(struct dryrun *d, const char *format, ...) _printf_(2, 3);

/* Keeps the first reason, and is false. */
static bool disagree(struct dryrun *d, const char *format, ...)
{
	char text[SCENARIO_REASON_MAX - 32];
	va_list ap;

	if (*d->reason)
		return false;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	snprintf(d->reason, SCENARIO_REASON_MAX, "rank before the OOM: %s", text);
	return false;
}

/* --- asking */

static int read_row(sd_bus_message *m, struct forecast *f)
{
	struct forecast_row unused = {}, *row = f->n < SCENARIO_ROWS_MAX ? &f->rows[f->n] : &unused;
	int r;

	f->n++;
	r = sd_bus_message_read(m, "uui", &row->pid, NULL, NULL);
	if (r >= 0)
		r = sd_bus_message_skip(m, "aytts");
	if (r >= 0)
		r = sd_bus_message_read(m, "ussssus", &row->priority, NULL, NULL, NULL, &row->never,
					&row->with_pid, NULL);
	return r;
}

static int read_outcome(sd_bus_message *m, struct forecast *f)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *name, **value = NULL;

		r = sd_bus_message_read(m, "s", &name);
		if (r < 0)
			return r;
		if (strcmp(name, "Policy") == 0)
			value = &f->policy;
		else if (strcmp(name, "Outcome") == 0)
			value = &f->outcome;
		else if (strcmp(name, "Reason") == 0)
			value = &f->cause;
		r = value ? sd_bus_message_read(m, "v", "s", value) : sd_bus_message_skip(m, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

static int read_forecast(sd_bus_message *m, struct forecast *f)
{
	int r = sd_bus_message_enter_container(m, 'a', PROCESS_ROW_TYPE);

	while (r >= 0 &&
	       (r = sd_bus_message_enter_container(m, 'r', PROCESS_ROW(API_SIGNATURE))) > 0) {
		r = read_row(m, f);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : read_outcome(m, f);
}

/* What is read belongs to f->reply, which the caller unreferences in any case. */
static bool ask(struct dryrun *d)
{
	const char *domain = scenario_domain(d->s);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	char path[CGTREE_PATH_MAX];
	sd_bus *bus = NULL;
	int r;

	snprintf(path, sizeof(path), CGTREE_PREFIX "/%s%s%s", scenario_top(d->s),
		 *domain ? "/" : "", domain);
	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = sd_bus_call_method(bus, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Rank", &error,
				       &d->f.reply, "s", path);
	if (r < 0)
		disagree(d, "no answer about %s: %s", path, error.message ?: strerror(-r));
	sd_bus_error_free(&error);
	if (r >= 0) {
		d->f.policy = d->f.outcome = d->f.cause = "";
		r = read_forecast(d->f.reply, &d->f);
		if (r < 0)
			disagree(d, "the answer cannot be read: %s", strerror(-r));
	}
	sd_bus_flush_close_unref(bus);
	return r >= 0;
}

/* --- comparing */

static const char *name_of(const struct dryrun *d, size_t row)
{
	return d->s->rows[row].path;
}

/* Which row of the table the process of this row of the forecast is. */
static bool find_row(struct dryrun *d, const struct forecast_row *f, size_t *ret)
{
	for (size_t i = 0; i < scenario_count_rows(d->s); i++)
		if (!d->gone[i] && d->o->pids[i] == (pid_t)f->pid) {
			*ret = i;
			return true;
		}
	disagree(d, "process %u is in the list, and is none of these, or there twice", f->pid);
	return false;
}

/* The model's idea of the next OOM, if those who were said to die before are gone. @rows says
 * which row of the table each of the @n tasks is. */
static size_t remaining(const struct dryrun *d, struct model_task *tasks, size_t *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < scenario_count_rows(d->s); i++)
		if (!d->gone[i]) {
			tasks[n] = d->tasks[i];
			rows[n++] = i;
		}
	return n;
}

/* Those who die with the victim follow it, all of them and nobody else. */
static bool compare_group(struct dryrun *d, const struct model_task *tasks, const size_t *rows,
			  size_t n, const struct model_verdict *v)
{
	const uint32_t victim = d->f.rows[d->at++].pid;
	bool dies[SCENARIO_ROWS_MAX] = {};

	model_find_group(tasks, n, d->s->domain, v, dies);
	d->gone[rows[v->index]] = true;
	for (; d->at < d->f.n && d->f.rows[d->at].with_pid; d->at++) {
		size_t row, i = 0;

		if (!find_row(d, &d->f.rows[d->at], &row))
			return false;
		while (rows[i] != row)
			i++;
		if (d->f.rows[d->at].with_pid != victim || !dies[i])
			return disagree(d, "%s is said to die with process %u, and does not",
					name_of(d, row), d->f.rows[d->at].with_pid);
		d->gone[row] = true;
	}
	for (size_t i = 0; i < n; i++)
		if (dies[i] && !d->gone[rows[i]])
			return disagree(d, "%s dies with %s, and is not said to",
					name_of(d, rows[i]), name_of(d, rows[v->index]));
	return true;
}

/* One OOM of the forecast; sets @ret_more to whether the model's policy would choose somebody. */
static bool compare_next(struct dryrun *d, bool is_first, bool *ret_more)
{
	struct model_task tasks[SCENARIO_ROWS_MAX];
	size_t rows[SCENARIO_ROWS_MAX], n = remaining(d, tasks, rows), row, wanted;
	struct model_verdict v;
	struct model_rule rule;

	model_choose(tasks, n, d->s->domain, d->o->limit_pages, d->policy, &v);
	*ret_more = v.killer == MODEL_POLICY;
	if (!*ret_more)
		return true;
	wanted = rows[v.index];
	if (d->at >= d->f.n || *d->f.rows[d->at].never)
		return disagree(d, "nobody is said to die where %s does", name_of(d, wanted));
	if (!find_row(d, &d->f.rows[d->at], &row))
		return false;
	model_find_rule(name_of(d, row), d->policy, &rule);
	if (rule.priority != d->f.rows[d->at].priority)
		return disagree(d, "%s has priority %u, not %u", name_of(d, row), rule.priority,
				d->f.rows[d->at].priority);
	if (row != wanted &&
	    (v.margin_pages >= CLOSE_PAGES || rule.priority != v.rule.priority || rule.protect))
		return disagree(d, "%s is said to die where %s does", name_of(d, row),
				name_of(d, wanted));
	/* Who dies in the end is the victim that is marked: scenario.c sees to that. */
	if (is_first && v.margin_pages >= CLOSE_PAGES && !(d->s->rows[row].flags & ROW_VICTIM))
		return disagree(d, "%s is said to die first, and will not", name_of(d, row));
	while (rows[v.index] != row)
		v.index = (v.index + 1) % n;
	v.rule = rule;
	return compare_group(d, tasks, rows, n, &v);
}

/* The others are there, each with the reason why no OOM of the policy takes it. */
static void compare_rest(struct dryrun *d)
{
	for (; d->at < d->f.n; d->at++) {
		const struct forecast_row *f = &d->f.rows[d->at];
		struct model_rule rule;
		const char *never;
		size_t row;

		if (!find_row(d, f, &row))
			return;
		d->gone[row] = true;
		model_find_rule(name_of(d, row), d->policy, &rule);
		never = rule.protect						   ? "protected"
			: d->s->rows[row].oom_score_adj == MODEL_OOM_SCORE_ADJ_MIN ? "oom-score-adj"
										   : "";
		if (strcmp(f->never, never) != 0)
			disagree(d, "%s is never chosen for '%s', expected '%s'", name_of(d, row),
				 f->never, never);
	}
	for (size_t i = 0; i < scenario_count_rows(d->s); i++)
		if (!d->gone[i])
			disagree(d, "%s is not in the list", name_of(d, i));
}

static void compare(struct dryrun *d)
{
	bool by_policy = d->s->killer == KILLER_POLICY, more = true;
	const char *outcome = by_policy ? "kill" : "kernel";
	const char *cause = by_policy ? "" : "all-protected";

	if (d->f.n > SCENARIO_ROWS_MAX) {
		disagree(d, "%zu processes are in the list", d->f.n);
		return;
	}
	if (strcmp(d->f.policy, d->policy->name) != 0)
		disagree(d, "policy '%s' answers, expected '%s'", d->f.policy, d->policy->name);
	if (strcmp(d->f.outcome, outcome) != 0 || strcmp(d->f.cause, cause) != 0)
		disagree(d, "the outcome is '%s' '%s', expected '%s' '%s'", d->f.outcome,
			 d->f.cause, outcome, cause);
	for (bool is_first = true; more; is_first = false)
		if (!compare_next(d, is_first, &more))
			return;
	compare_rest(d);
}

void dryrun_compare(const struct scenario *s, const struct scenario_outcome *o,
		    char reason[static SCENARIO_REASON_MAX])
{
	struct dryrun d = {
		.s = s,
		.o = o,
		.policy = model_find_policy(scenario_top(s), scenario_domain(s)),
		.reason = reason,
	};
	size_t n = scenario_count_rows(s);

	*reason = '\0';
	scenario_to_tasks(s, d.tasks);
	for (size_t i = 0; i < n; i++) {
		d.gone[i] = !model_domain_contains(scenario_domain(s), s->rows[i].path);
		/* It has yet to grow. */
		if (s->rows[i].flags & ROW_TRIGGER)
			d.tasks[i].pages -= (uint64_t)s->room_mib * PAGES_PER_MIB;
	}
	if (ask(&d))
		compare(&d);
	sd_bus_message_unref(d.f.reply);
}
