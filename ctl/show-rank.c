/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who would die, in order, each with its reason. */
#include "show.h"

#include <string.h>

#include "model.h"
#include "table.h"
#include "text.h"
#include "util/basic.h"
#include "util/escape.h"
#include "util/format.h"

static const struct {
	const char *name;
	const char *text;
} nevers[] = {
	{"protected", "protected"},
	{"dying", "dying already"},
	{"dead", "dead already"},
	{"init", "init"},
	{"daemon", "the OOM policy daemon"},
	{"oom-score-adj", "oom_score_adj -1000"},
	{"no-memory", "has no memory"},
	{"vfork", "has its parent's memory"},
};

/* Why it has its place, for the caller to free; @rule is printable. */
static char *describe(const struct process_row *row, const char *rule)
{
	const char *never = row->never;

	for (size_t i = 0; i < ARRAY_SIZE(nevers); i++)
		if (strcmp(row->never, nevers[i].name) == 0)
			never = nevers[i].text;
	if (row->with_pid)
		return format_string("with %u, %s", row->with_pid,
				     strcmp(row->group, "oom-group") == 0 ? "memory.oom.group"
									  : "Kill=cgroup");
	if (strcmp(row->never, "protected") == 0)
		return format_string("protected by rule %s", rule);
	if (*never)
		return strdup(never);
	return *rule ? format_string("rule %s", rule) : strdup("default");
}

static int print_rows(const struct ranking *ranking, size_t n_first, const struct term *t)
{
	static const struct table_column columns[] = {
		{.title = "PRIO", .align_right = true},
		{.title = "SIZE", .align_right = true},
		{.title = "PID", .align_right = true},
		{.title = "COMMAND"},
		{.title = "WHY", .flexible = true},
		{.title = "CGROUP", .flexible = true, .cut_start = true},
	};
	_cleanup_(table_freep) struct table *table = NULL;
	int r;

	r = table_new(columns, ARRAY_SIZE(columns), &table);
	for (size_t i = 0; r == 0 && i < ranking->n_processes && i < n_first; i++) {
		const struct process_row *row = &ranking->processes[i];
		bool dies = !*row->never || row->with_pid;
		_cleanup_free_ char *comm = text_escape(row->comm.data, row->comm.size);
		_cleanup_free_ char *rule = escape_printable(row->rule, strlen(row->rule));
		_cleanup_free_ char *cgroup = text_escape(row->cgroup, strlen(row->cgroup));
		_cleanup_free_ char *why = rule ? describe(row, rule) : NULL;
		char priority[16], pid[16], size[TEXT_BYTES_SIZE];
		const char *cells[] = {
			priority, text_format_bytes(row->size_bytes, size), pid, comm,
			why,	  cgroup && *cgroup ? cgroup : "-",
		};

		if (!comm || !cgroup || !why)
			return -ENOMEM;
		if (dies)
			snprintf(priority, sizeof(priority), "%u", row->priority);
		else
			snprintf(priority, sizeof(priority), "never");
		snprintf(pid, sizeof(pid), "%u", row->pid);
		r = table_add(table, cells,
			      !dies	      ? COLOUR_GREEN
			      : row->with_pid ? COLOUR_DIM
					      : COLOUR_NONE);
	}
	if (r == 0)
		table_print(table, t, 0);
	return r;
}

static const char *describe_victim(const char *victim)
{
	static const struct {
		const char *name, *text;
	} victims[] = {
		{"largest", "the largest"},
		{"badness", "the largest badness"},
		{"newest", "the newest"},
		{"oldest", "the oldest"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(victims); i++)
		if (strcmp(victim, victims[i].name) == 0)
			return victims[i].text;
	return "one of them";
}

/* Whether a group that dies reaches beyond the domain, where nobody was looked at. */
static const char *find_outside(const struct ranking *ranking)
{
	size_t length = strcmp(ranking->domain, "/") == 0 ? 0 : strlen(ranking->domain);

	for (size_t i = 0; i < ranking->n_processes; i++)
		if (strcmp(ranking->processes[i].group, "kill-cgroup") == 0 &&
		    *ranking->processes[i].source && strlen(ranking->processes[i].source) < length)
			return ranking->processes[i].source;
	return NULL;
}

static int print_legend(const struct ranking *ranking, size_t n_first, const struct term *t)
{
	const char *outside = find_outside(ranking);
	size_t n_hidden = ranking->outcome.left_out;

	if (n_first < ranking->n_processes)
		n_hidden += ranking->n_processes - n_first;
	fprintf(t->out,
		"\nPolicy %s answers where %s runs out, and kills from the top down:\n"
		"the lowest priority first, within one %s. Nothing was killed.\n",
		ranking->outcome.policy,
		strcmp(ranking->domain, "/") == 0 ? "the system" : "this cgroup",
		describe_victim(ranking->outcome.victim));
	if (n_hidden > 0)
		fprintf(t->out, "%zu more, who come after these, are not shown.\n", n_hidden);
	if (outside) {
		_cleanup_free_ char *escaped = text_escape(outside, strlen(outside));

		if (!escaped)
			return -ENOMEM;
		fprintf(t->out, "Kill=cgroup takes along what else is in %s.\n", escaped);
	}
	return 0;
}

/* Why an OOM now would not go by the list: with or without a legend, as it is no explanation. */
static void print_exception(const struct ranking *ranking, const struct term *t)
{
	static const struct {
		const char *reason, *text;
	} reasons[] = {
		{"no-policy", "No policy answers"},
		{"detached", "The policy is detached"},
		{"all-protected", "All who may be killed are protected"},
		{"no-candidate", "The policy finds nobody to kill"},
	};
	const char *text = ranking->outcome.reason;

	if (strcmp(ranking->outcome.outcome, "wait") == 0) {
		fprintf(t->out,
			"%sProcess %u is dying already: until it is gone an OOM kills nobody "
			"else.%s\n\n",
			term_colour(t, COLOUR_YELLOW), ranking->outcome.dying_pid,
			term_colour(t, COLOUR_NONE));
		return;
	}
	if (strcmp(ranking->outcome.outcome, "kernel") != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(text, reasons[i].reason) == 0)
			text = reasons[i].text;
	fprintf(t->out, "%s%s: the kernel would choose, by its badness.%s\n",
		term_colour(t, COLOUR_YELLOW), text, term_colour(t, COLOUR_NONE));
	if (ranking->n_processes > 0)
		fputc('\n', t->out);
}

static int print_json(const struct ranking *ranking, size_t n_first, enum json_mode mode,
		      const struct term *t)
{
	_cleanup_(json_freep) struct json *object = json_new_object();
	struct json *array = json_new_array();

	for (size_t i = 0; i < ranking->n_processes && i < n_first; i++) {
		struct json *process = json_new_object();

		json_add_values(process, process_row_fields, &ranking->processes[i]);
		json_append(array, process);
	}
	json_add_text(object, "domain", ranking->domain);
	json_add_values(object, outcome_values_fields, &ranking->outcome);
	json_add(object, "processes", array);
	return json_print(object, mode, t->out);
}

int show_ranking(const struct ranking *ranking, size_t n_first, enum json_mode mode,
		 const struct term *t)
{
	int r = 0;

	if (mode != JSON_OFF)
		return print_json(ranking, n_first, mode, t);
	print_exception(ranking, t);
	if (ranking->n_processes > 0)
		r = print_rows(ranking, n_first, t);
	if (r == 0 && t->legend && strcmp(ranking->outcome.outcome, "kernel") != 0)
		r = print_legend(ranking, n_first, t);
	return r;
}
