/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's state as a page, as JSON and as metrics. */
#include "show.h"

#include <inttypes.h>
#include <string.h>

#include "api/module.h"
#include "replies.h"
#include "table.h"
#include "text.h"
#include "util/basic.h"
#include "util/escape.h"
#include "util/format.h"

/* Width of the names before the colon. */
#define NAME_WIDTH 13

/* Prints "name: text" with the daemon's text escaped. */
static int print_text(const struct term *t, const char *name, const char *text)
{
	_cleanup_free_ char *clean = escape_printable(text, strlen(text));

	if (!clean)
		return -ENOMEM;
	term_print_wrapped(t, NAME_WIDTH, name, clean);
	return 0;
}

/* --- the module */

/* Gives the sentence about a module that waits for its turn, for the caller to free; NULL where
 * there is none. Returns 0 or -ENOMEM. */
static int warn_of_module(const struct status_report *s, char **ret)
{
	*ret = NULL;
	if (!s->module_installed || !*s->module_installed ||
	    strcmp(s->module_installed, s->module_version) == 0)
		return 0;
	*ret = format_string("Module " KERNEL_MODULE
			     " %s is installed, but %s is loaded: 'systemctl stop oompolicyd', "
			     "'modprobe -r " KERNEL_MODULE
			     "' and 'systemctl start oompolicyd' exchange it, or a reboot does.",
			     s->module_installed, s->module_version);
	return *ret ? 0 : -ENOMEM;
}

static int print_hooks(const struct status_report *s, const struct term *t)
{
	_cleanup_free_ char *text = strdup("");

	for (size_t i = 0; text && i < s->n_module_hooks; i++) {
		char *longer = format_string("%s%s%s", text, i > 0 ? ", " : "", s->module_hooks[i]);

		free(text);
		text = longer;
	}
	if (!text)
		return -ENOMEM;
	return *text ? print_text(t, "Hooks", text) : 0;
}

/* Nothing where no module is loaded. */
static int print_module(const struct status_report *s, const struct term *t)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (!*s->module_version)
		return 0;
	text = s->module_installed
		       ? format_string(KERNEL_MODULE " %s (installed: %s)", s->module_version,
				       *s->module_installed ? s->module_installed : "none")
		       : format_string(KERNEL_MODULE " %s", s->module_version);
	r = text ? print_text(t, "Module", text) : -ENOMEM;
	return r < 0 ? r : print_hooks(s, t);
}

/* --- the page */

static int print_policies(const struct status_report *s, const struct term *t)
{
	static const struct table_column columns[] = {
		{.title = "POLICY", .flexible = true},
		{.title = "SCOPE"},
		{.title = "CGROUP", .flexible = true, .cut_start = true},
		{.title = "PRIO", .align_right = true},
		{.title = "VICTIM"},
		{.title = "LINK", .align_right = true},
		{.title = "PROGRAM", .align_right = true},
		{.title = "STATE"},
	};
	_cleanup_(table_freep) struct table *table = NULL;
	int r;

	r = table_new(columns, ARRAY_SIZE(columns), &table);
	for (size_t i = 0; r == 0 && i < s->n_policies; i++) {
		const struct policy_row *p = &s->policies[i];
		_cleanup_free_ char *cgroup = text_escape(p->cgroup, strlen(p->cgroup));
		char priority[16], link[16], program[16];
		const char *cells[] = {
			p->name,
			*p->scope ? p->scope : "-",
			cgroup && *cgroup ? cgroup : "-",
			priority,
			*p->victim ? p->victim : "-",
			link,
			program,
			p->attached ? "attached" : "DETACHED",
		};

		if (!cgroup)
			return -ENOMEM;
		snprintf(priority, sizeof(priority), "%u", p->default_priority);
		/* The one that finds out whose turn it is decides nothing. */
		if (!*p->scope)
			snprintf(priority, sizeof(priority), "-");
		snprintf(link, sizeof(link), "%u", p->link_id);
		snprintf(program, sizeof(program), "%u", p->program_id);
		r = table_add(table, cells, p->attached ? COLOUR_NONE : COLOUR_RED);
	}
	if (r == 0) {
		fputc('\n', t->out);
		table_print(table, t, 0);
	}
	return r;
}

static int print_warnings(const struct status_report *s, const struct term *t)
{
	_cleanup_free_ char *of_module = NULL;
	int r = warn_of_module(s, &of_module);

	for (size_t i = 0; r == 0 && i < s->n_warnings; i++)
		r = print_text(t, "Warning", s->warnings[i]);
	return r == 0 && of_module ? print_text(t, "Warning", of_module) : r;
}

static void print_last_oom(const struct status_report *s, uint64_t now_usec, const struct term *t)
{
	char time[TEXT_TIME_SIZE], span[TEXT_SPAN_SIZE];
	uint64_t ago_usec =
		now_usec > s->status.last_oom_usec ? now_usec - s->status.last_oom_usec : 0;

	if (s->status.last_oom == 0)
		fprintf(t->out, "%*s: none\n", NAME_WIDTH, "Last record");
	else
		fprintf(t->out, "%*s: number %" PRIu64 " at %s, %s ago\n", NAME_WIDTH,
			"Last record", s->status.last_oom,
			text_format_time(s->status.last_oom_usec, time),
			text_format_span(ago_usec * 1000, span));
}

static int print_page(const struct status_report *s, uint64_t now_usec, const struct term *t)
{
	bool good = status_is_good(s);
	uint64_t n_ooms = s->status.ooms;
	char time[TEXT_TIME_SIZE], mean[TEXT_SPAN_SIZE], longest[TEXT_SPAN_SIZE];
	int r;

	fprintf(t->out, "%soompolicyd %s: %s%s\n", term_colour(t, good ? COLOUR_GREEN : COLOUR_RED),
		s->status.version, good ? "active" : "NOT all policies are in the kernel",
		term_colour(t, COLOUR_NONE));
	r = print_text(t, "Backend", s->status.backend);
	if (r == 0 && *s->status.backend_why)
		r = print_text(t, "Fallback", s->status.backend_why);
	if (r == 0)
		r = print_module(s, t);
	if (r < 0)
		return r;
	if (*s->status.origin)
		fprintf(t->out, "%*s: %s, %s, since %s\n", NAME_WIDTH, "Policies",
			s->status.pinned ? "pinned" : "not pinned, end with the daemon",
			s->status.origin, text_format_time(s->status.in_force_usec, time));
	fprintf(t->out, "%*s: number %u since %s, %u rules\n", NAME_WIDTH, "Configuration",
		s->status.configuration, text_format_time(s->status.configuration_usec, time),
		s->status.rules);
	fprintf(t->out, "%*s: %u ruled, %u of %u map entries%s\n", NAME_WIDTH, "Cgroups",
		s->status.cgroups_ruled, s->map_entries, s->status.map_entries_max,
		s->status.follows_cgroups ? "" : ", new ones only inherit");
	fprintf(t->out,
		"%*s: %" PRIu64 "; victims killed by policy: %" PRIu64 ", records lost: %" PRIu64
		"\n",
		NAME_WIDTH, "OOMs", n_ooms, s->status.kills, s->status.records_lost);
	if (n_ooms > 0)
		fprintf(t->out, "%*s: %s on average, %s at most\n", NAME_WIDTH, "Took",
			text_format_span(s->status.handler_nsec / n_ooms, mean),
			text_format_span(s->status.handler_max_nsec, longest));
	print_last_oom(s, now_usec, t);
	if (*s->status.reload_error)
		r = print_text(t, "Reload failed", s->status.reload_error);
	if (r == 0)
		r = print_warnings(s, t);
	return r < 0 ? r : print_policies(s, t);
}

static struct json *policies_to_json(const struct status_report *s)
{
	struct json *array = json_new_array();

	for (size_t i = 0; i < s->n_policies; i++) {
		struct json *object = json_new_object();

		json_add_values(object, policy_row_fields, &s->policies[i]);
		json_append(array, object);
	}
	return array;
}

static struct json *texts_to_json(const char *const *texts, size_t n)
{
	struct json *array = json_new_array();

	for (size_t i = 0; i < n; i++)
		json_append_bytes(array, texts[i], strlen(texts[i]));
	return array;
}

static int print_json(const struct status_report *s, enum json_mode mode, const struct term *t)
{
	_cleanup_free_ char *of_module = NULL;
	int r = warn_of_module(s, &of_module);
	_cleanup_(json_freep) struct json *object = json_new_object();
	struct json *counters = json_new_object();
	struct json *warnings = texts_to_json(s->warnings, s->n_warnings);

	if (of_module)
		json_append_bytes(warnings, of_module, strlen(of_module));
	json_add_values(counters, status_counter_fields, &s->status);
	json_add_boolean(object, "good", status_is_good(s));
	json_add_values(object, status_fields, &s->status);
	json_add_text(object, "module_version", s->module_version);
	json_add(object, "module_hooks", texts_to_json(s->module_hooks, s->n_module_hooks));
	json_add_text(object, "module_installed", s->module_installed ?: "");
	json_add_number(object, "map_entries", s->map_entries);
	json_add(object, "counters", counters);
	json_add(object, "policies", policies_to_json(s));
	json_add(object, "warnings", warnings);
	return r < 0 ? r : json_print(object, mode, t->out);
}

int show_status(const struct status_report *s, uint64_t now_usec, enum json_mode mode,
		const struct term *t)
{
	return mode == JSON_OFF ? print_page(s, now_usec, t) : print_json(s, mode, t);
}

/* --- metrics */

/* A label's value: backslashes, quotes and line ends are escaped, as the format wants. */
static void print_label(const struct term *t, const char *name, const char *value)
{
	fprintf(t->out, "%s=\"", name);
	for (; *value; value++)
		if (*value == '\n')
			fputs("\\n", t->out);
		else
			fprintf(t->out, "%s%c", *value == '"' || *value == '\\' ? "\\" : "",
				*value);
	fputc('"', t->out);
}

static void print_family(const struct term *t, const char *name, const char *type, const char *unit,
			 const char *help)
{
	fprintf(t->out, "# TYPE oompolicyd_%s %s\n", name, type);
	if (unit)
		fprintf(t->out, "# UNIT oompolicyd_%s %s\n", name, unit);
	fprintf(t->out, "# HELP oompolicyd_%s %s\n", name, help);
}

static void print_gauge(const struct term *t, const char *name, const char *help, uint64_t value)
{
	print_family(t, name, "gauge", NULL, help);
	fprintf(t->out, "oompolicyd_%s %" PRIu64 "\n", name, value);
}

static void print_counter(const struct term *t, const char *name, const char *help, uint64_t value)
{
	print_family(t, name, "counter", NULL, help);
	fprintf(t->out, "oompolicyd_%s_total %" PRIu64 "\n", name, value);
}

static void print_seconds(const struct term *t, const char *name, const char *type,
			  const char *help, uint64_t nsec)
{
	print_family(t, name, type, "seconds", help);
	fprintf(t->out, "oompolicyd_%s%s %" PRIu64 ".%09" PRIu64 "\n", name,
		strcmp(type, "counter") == 0 ? "_total" : "", nsec / 1000000000, nsec % 1000000000);
}

int show_metrics(const struct status_report *s, const struct term *t)
{
	/* Not the type info: node_exporter reads the older text format, which does not know it and
	 * rejects the whole file; all else here is good in both. */
	print_family(t, "build_info", "gauge", NULL, "The running daemon.");
	fputs("oompolicyd_build_info{", t->out);
	print_label(t, "version", s->status.version);
	fputc(',', t->out);
	print_label(t, "backend", s->status.backend);
	fputs("} 1\n", t->out);

	print_family(t, "policy_attached", "gauge", NULL, "Whether the kernel has the policy.");
	for (size_t i = 0; i < s->n_policies; i++) {
		fputs("oompolicyd_policy_attached{", t->out);
		print_label(t, "policy", s->policies[i].name);
		fprintf(t->out, "} %d\n", s->policies[i].attached);
	}
	print_gauge(t, "rules", "Rules of the active configuration.", s->status.rules);
	print_gauge(t, "cgroups_ruled", "Cgroups that a rule matches by itself.",
		    s->status.cgroups_ruled);
	print_gauge(t, "map_entries", "Entries of the map of rules.", s->map_entries);
	print_gauge(t, "map_entries_limit", "Entries that the map of rules has room for.",
		    s->status.map_entries_max);
	print_gauge(t, "reload_failed", "Whether the last reload failed.",
		    *s->status.reload_error != '\0');
	print_gauge(t, "warnings", "Things that are not as they should be, see the status.",
		    s->n_warnings);
	print_counter(t, "ooms", "OOMs that the policies were asked about.", s->status.ooms);
	print_counter(t, "kills", "Victims that a policy killed.", s->status.kills);
	print_counter(t, "records_lost", "Records of OOMs that were lost.", s->status.records_lost);
	print_counter(t, "cgroup_records_lost", "Records of cgroups that were lost.",
		      s->status.cgroup_records_lost);
	print_seconds(t, "handler_seconds", "counter", "Time spent deciding and killing.",
		      s->status.handler_nsec);
	print_seconds(t, "handler_max_seconds", "gauge", "The longest time one OOM took.",
		      s->status.handler_max_nsec);
	fputs("# EOF\n", t->out);
	return 0;
}
