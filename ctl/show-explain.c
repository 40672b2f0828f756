/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which rule holds for a cgroup, and which others match. */
#include "show.h"

#include <inttypes.h>
#include <string.h>

#include "replies.h"
#include "table.h"
#include "text.h"
#include "util/basic.h"
#include "util/escape.h"
#include "util/format.h"

static int print_candidates(const struct explanation *e, const struct term *t)
{
	static const struct table_column columns[] = {
		{.title = ""},
		{.title = "RULE", .flexible = true},
		{.title = "PATTERN", .flexible = true},
		{.title = "MATCHES", .flexible = true, .cut_start = true},
		{.title = "WHERE", .flexible = true, .cut_start = true},
	};
	_cleanup_(table_freep) struct table *table = NULL;
	int r;

	r = table_new(columns, ARRAY_SIZE(columns), &table);
	for (size_t i = 0; r == 0 && i < e->n_candidates; i++) {
		const struct candidate_row *c = &e->candidates[i];
		_cleanup_free_ char *rule = escape_printable(c->rule, strlen(c->rule));
		_cleanup_free_ char *pattern = escape_printable(c->pattern, strlen(c->pattern));
		_cleanup_free_ char *cgroup = text_escape(c->cgroup, strlen(c->cgroup));
		_cleanup_free_ char *file = escape_printable(c->file, strlen(c->file));
		_cleanup_free_ char *key = NULL, *where = NULL;
		const char *cells[] = {c->decides ? "*" : "", rule, NULL, cgroup, NULL};

		if (!rule || !pattern || !cgroup || !file)
			return -ENOMEM;
		key = format_string("%s=%s", c->key, pattern);
		where = format_string("%s:%u", file, c->line);
		if (!key || !where)
			return -ENOMEM;
		cells[2] = key;
		cells[4] = where;
		r = table_add(table, cells, c->decides ? COLOUR_BOLD : COLOUR_NONE);
	}
	if (r < 0)
		return r;
	fputc('\n', t->out);
	table_print(table, t, 0);
	if (t->legend)
		fputs("\nThe rule with the * holds: the nearest cgroup that a rule matches "
		      "decides, and there\nthe pattern that is most specific.\n",
		      t->out);
	return 0;
}

static int print_page(const struct explanation *e, const struct term *t)
{
	_cleanup_free_ char *cgroup = text_escape(e->cgroup, strlen(e->cgroup));
	_cleanup_free_ char *source = text_escape(e->effective.source, strlen(e->effective.source));
	_cleanup_free_ char *rule = escape_printable(e->effective.rule, strlen(e->effective.rule));

	if (!cgroup || !source || !rule)
		return -ENOMEM;
	fprintf(t->out, "%s%s%s%s\n", term_colour(t, COLOUR_BOLD), cgroup,
		term_colour(t, COLOUR_NONE),
		e->effective.exists ? "" : " (there is no such cgroup now)");
	if (e->effective.protect)
		fputs("    Priority: protected, never chosen\n", t->out);
	else
		fprintf(t->out, "    Priority: %u%s\n", e->effective.priority,
			e->effective.priority_is_default ? " (DefaultPriority= of the policy)"
							 : "");
	if (*e->effective.rule)
		fprintf(t->out, "        Rule: %s, by %s\n", rule,
			strcmp(e->effective.source, e->cgroup) == 0 ? "itself" : source);
	else
		fputs("        Rule: none matches it or a cgroup above\n", t->out);
	fprintf(t->out, "        Kill: %s\n",
		*e->effective.kill ? e->effective.kill : "as memory.oom.group says");
	fprintf(t->out, "      Policy: %s where it runs out itself, %s for the system\n",
		*e->effective.policy ? e->effective.policy : "none",
		*e->effective.system_policy ? e->effective.system_policy : "none");
	return e->n_candidates ? print_candidates(e, t) : 0;
}

static int print_json(const struct explanation *e, enum json_mode mode, const struct term *t)
{
	_cleanup_(json_freep) struct json *object = json_new_object();
	struct json *array = json_new_array();

	for (size_t i = 0; i < e->n_candidates; i++) {
		struct json *candidate = json_new_object();

		json_add_values(candidate, candidate_row_fields, &e->candidates[i]);
		json_append(array, candidate);
	}
	json_add_text(object, "cgroup", e->cgroup);
	json_add_values(object, effective_values_fields, &e->effective);
	json_add(object, "candidates", array);
	return json_print(object, mode, t->out);
}

int show_explanation(const struct explanation *e, enum json_mode mode, const struct term *t)
{
	return mode == JSON_OFF ? print_page(e, t) : print_json(e, mode, t);
}
