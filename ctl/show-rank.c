/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who would die, in order, each with its reason. */
#include "show.h"

#include <string.h>

#include "api/words.h"
#include "bpf/oompolicy.h"
#include "replies.h"
#include "table.h"
#include "text.h"
#include "util/basic.h"
#include "util/escape.h"
#include "util/format.h"

/* Why it has its place, for the caller to free; @rule is printable. */
static char *describe(const struct process_row *row, const char *rule)
{
	if (row->with_pid)
		return format_string("with %u, %s", row->with_pid,
				     word_describe(&words_group, row->group));
	if (word_is(row->never, &words_never, OP_NEVER_PROTECTED))
		return format_string("protected by rule %s", rule);
	if (*row->never)
		return strdup(word_describe(&words_never, row->never));
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

/* Whether a group that dies reaches beyond the domain, where nobody was looked at. */
static const char *find_outside(const struct ranking *ranking)
{
	size_t length = strcmp(ranking->domain, "/") == 0 ? 0 : strlen(ranking->domain);

	for (size_t i = 0; i < ranking->n_processes; i++)
		if (word_is(ranking->processes[i].group, &words_group, API_GROUP_KILL_CGROUP) &&
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
		word_describe(&words_victim, ranking->outcome.victim));
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
	if (word_is(ranking->outcome.outcome, &words_outcome, API_OUTCOME_WAIT)) {
		fprintf(t->out,
			"%sProcess %u is dying already: until it is gone an OOM kills nobody "
			"else.%s\n\n",
			term_colour(t, COLOUR_YELLOW), ranking->outcome.dying_pid,
			term_colour(t, COLOUR_NONE));
		return;
	}
	if (!word_is(ranking->outcome.outcome, &words_outcome, API_OUTCOME_KERNEL))
		return;
	fprintf(t->out, "%s%s: the kernel would choose, by its badness.%s\n",
		term_colour(t, COLOUR_YELLOW),
		word_describe(&words_exception, ranking->outcome.reason),
		term_colour(t, COLOUR_NONE));
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
	if (r == 0 && t->legend &&
	    !word_is(ranking->outcome.outcome, &words_outcome, API_OUTCOME_KERNEL))
		r = print_legend(ranking, n_first, t);
	return r;
}
