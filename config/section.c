/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns which section a line belongs to, over all files, and what a section must hold as a whole.
 * Knows no value. What a name may be is check.c's.
 *
 * Invariant: each section is one entry of the model, however many files it is in; lists[kind] and
 * the model's array of that kind have the same order and length.
 */
#include "config/section.h"

#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/policy.h"
#include "config/reader.h"
#include "util/basic.h"
#include "util/grow.h"

#include <assert.h>
#include <search.h>
#include <stdint.h>
#include <string.h>

static const char *const section_names[] = {
	[SECTION_DAEMON] = "Daemon",
	[SECTION_POLICY] = "Policy",
	[SECTION_RULE] = "Rule",
	[SECTION_TRIGGER] = "Trigger",
};
static_assert(ARRAY_SIZE(section_names) == _SECTION_MAX, "a name for each kind");

const char *section_kind_to_string(enum section_kind kind)
{
	return section_names[kind];
}

int sections_begin_file(struct sections *s, const char *file)
{
	s->n_file++;
	s->line = 0;
	s->current = NULL;
	s->before_first = true;
	return config_add_file(s->config, file, &s->file);
}

void sections_damage(struct sections *s, bool header)
{
	if (header) {
		s->current = NULL;
		s->before_first = false;
	} else if (s->current) {
		s->current->damaged = true;
	}
}

static int compare_sections(const void *a, const void *b)
{
	const struct section *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Appends an entry to the model. Returns 0, -E2BIG, -ENOMEM. */
static int add_entry(struct sections *s, enum section_kind kind, const char *name)
{
	switch (kind) {
	case SECTION_POLICY:
		return config_add_policy(s->config, name, s->file, s->line);
	case SECTION_RULE:
		return config_add_rule(s->config, name, s->file, s->line);
	case SECTION_TRIGGER:
		return config_add_trigger(s->config, name, s->file, s->line);
	default: /* [Daemon] is the model itself */
		return 0;
	}
}

static void check_name(struct sections *s, enum section_kind kind, const char *name)
{
	const char *wrong = NULL;

	if (kind == SECTION_DAEMON) {
		if (*name)
			report(s, "[Daemon %s] has a name, expected [Daemon]", quote(name).text);
		return;
	}
	wrong = kind == SECTION_POLICY ? config_check_policy_name(name)
				       : config_check_rule_name(name);
	if (wrong)
		report(s, "bad name in [%s %s], %s", section_names[kind], quote(name).text, wrong);
}

/* The section @fresh, which the tree has now, gets its entry in the model. */
static int add_section(struct sections *s, struct section *fresh)
{
	static const unsigned limits[] = {
		[SECTION_DAEMON] = 1,
		[SECTION_POLICY] = OP_POLICIES_MAX,
		[SECTION_RULE] = CONFIG_RULES_MAX,
		[SECTION_TRIGGER] = CONFIG_TRIGGERS_MAX,
	};
	static const char *const plurals[] = {
		[SECTION_DAEMON] = "[Daemon] sections",
		[SECTION_POLICY] = "policies",
		[SECTION_RULE] = "rules",
		[SECTION_TRIGGER] = "triggers",
	};
	static_assert(ARRAY_SIZE(limits) == _SECTION_MAX, "one for each kind");
	static_assert(ARRAY_SIZE(plurals) == _SECTION_MAX, "one for each kind");
	struct section_list *list = &s->lists[fresh->kind];
	int r;

	if (GROW(list->items, list->n_items) < 0)
		return -ENOMEM;
	r = add_entry(s, fresh->kind, fresh->name);
	if (r == -E2BIG) {
		if (!list->full)
			report(s, "too many %s, expected at most %u", plurals[fresh->kind],
			       limits[fresh->kind]);
		list->full = true;
		return r;
	}
	if (r < 0)
		return r;
	fresh->index = list->n_items;
	list->items[list->n_items++] = fresh;
	return 0;
}

static int find_kind(const char *name, enum section_kind *ret)
{
	for (enum section_kind kind = 0; kind < _SECTION_MAX; kind++)
		if (strcmp(name, section_names[kind]) == 0) {
			*ret = kind;
			return 0;
		}
	return -EINVAL;
}

int sections_begin(struct sections *s, const char *kind_name, const char *name)
{
	_cleanup_free_ struct section *fresh = NULL;
	size_t name_size = strlen(name) + 1;
	struct section **found, *section;
	enum section_kind kind;

	s->current = NULL;
	s->before_first = false;
	memset(s->key_lines, 0, sizeof(s->key_lines));
	if (find_kind(kind_name, &kind) < 0) {
		report(s,
		       "unknown section [%s], expected [Daemon], [Policy NAME], [Rule NAME] or "
		       "[Trigger NAME]",
		       quote(kind_name).text);
		return 0;
	}
	check_name(s, kind, name);
	if (kind == SECTION_DAEMON) { /* there is one, whatever the name that was refused */
		name = "";
		name_size = 1;
	}

	fresh = malloc(sizeof(*fresh) + name_size);
	if (!fresh)
		return -ENOMEM;
	*fresh = (struct section){.kind = kind, .n_file = s->n_file, .line = s->line};
	memcpy(fresh->name, name, name_size);
	found = tsearch(fresh, &s->by_name, compare_sections);
	if (!found)
		return -ENOMEM;
	section = *found;
	if (section == fresh) {
		int r = add_section(s, fresh);

		if (r < 0) {
			tdelete(fresh, &s->by_name, compare_sections);
			return r == -E2BIG ? 0 : r;
		}
		TAKE_PTR(fresh); /* the tree's now */
	} else if (section->n_file == s->n_file) {
		report(s, "second [%s%s%s] in one file, expected one; the first is in line %u",
		       section_names[kind], *name ? " " : "", quote(name).text, section->line);
	}
	if (section->n_file != s->n_file) {
		section->n_file = s->n_file;
		section->line = s->line;
	}
	s->current = section;
	return 0;
}

static void check_rule(struct sections *s, const struct section *section, const struct rule *rule)
{
	if (rule->n_patterns == 0 && !section->bad_list)
		report_at(s, rule->file, rule->line,
			  "[Rule %s] has no pattern, expected Cgroup=, Unit= or User=",
			  quote(rule->name).text);
	if (!section->bad_value && !rule->priority_set && !rule->protect_set &&
	    rule->kill == RULE_KILL_UNSET)
		report_at(s, rule->file, rule->line,
			  "[Rule %s] does nothing, expected Priority=, Protect= or Kill=",
			  quote(rule->name).text);
}

static void check_trigger(struct sections *s, const struct trigger *trigger)
{
	if (!trigger->cgroup)
		report_at(
			s, trigger->file, trigger->line,
			"[Trigger %s] has no cgroup, expected Cgroup=", quote(trigger->name).text);
	if (trigger->window_usec == 0)
		report_at(s, trigger->file, trigger->line,
			  "[Trigger %s] has no threshold, expected Pressure=",
			  quote(trigger->name).text);
}

static bool is_whole(const struct section *section)
{
	return !section->damaged && !section->bad_value;
}

static void check_policies(struct sections *s)
{
	const struct config *c = s->config;

	for (size_t i = 0; i < c->n_policies; i++) {
		const struct policy *p = &c->policies[i];

		if (!is_whole(s->lists[SECTION_POLICY].items[i]))
			continue;
		if (p->scope == POLICY_SCOPE_SYSTEM && strcmp(p->cgroup, "/") != 0)
			warn_at(s, p->file, p->line,
				"[Policy %s] never answers: when the system runs out, that is an "
				"OOM of the cgroup /, not of Cgroup=%s",
				quote(p->name).text, quote(p->cgroup).text);
		for (size_t j = 0; j < i; j++) {
			const struct policy *other = &c->policies[j];

			if (!is_whole(s->lists[SECTION_POLICY].items[j]) ||
			    !policy_scopes_overlap(p->scope, other->scope) ||
			    strcmp(p->cgroup, other->cgroup) != 0)
				continue;
			report_at(s, p->file, p->line,
				  "[Policy %s] answers for the same OOMs as [Policy %s] at "
				  "%s:%u, expected another Cgroup= or another Scope=",
				  quote(p->name).text, quote(other->name).text, other->file,
				  other->line);
		}
	}
}

/* A pattern with its rule, to find those that are there twice. */
struct use {
	const struct pattern *pattern;
	const struct rule *rule;
};

/* By what they match, then in the order of reading. */
static int compare_uses(const void *a, const void *b)
{
	const struct use *x = a, *y = b;
	bool x_cgroup = x->pattern->kind == PATTERN_CGROUP;
	bool y_cgroup = y->pattern->kind == PATTERN_CGROUP;
	int r;

	if (x_cgroup != y_cgroup)
		return x_cgroup ? -1 : 1;
	r = strcmp(x->pattern->text, y->pattern->text);
	if (r != 0)
		return r;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

static bool same_pattern(const struct use *a, const struct use *b)
{
	return (a->pattern->kind == PATTERN_CGROUP) == (b->pattern->kind == PATTERN_CGROUP) &&
	       strcmp(a->pattern->text, b->pattern->text) == 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct use *const *x = a, *const *y = b;

	if ((*x)->rule != (*y)->rule)
		return (*x)->rule < (*y)->rule ? -1 : 1;
	if ((*x)->pattern != (*y)->pattern)
		return (*x)->pattern < (*y)->pattern ? -1 : 1;
	return 0;
}

static const char *pattern_written(const struct pattern *pattern)
{
	return pattern->kind == PATTERN_USER ? pattern->user : pattern->text;
}

/* Warns of each pattern that a later rule has as well: the later rule wins wherever it matches. */
static int warn_shadowed(struct sections *s, size_t n_patterns)
{
	_cleanup_free_ struct use *uses = calloc(n_patterns + 1, sizeof(*uses));
	_cleanup_free_ const struct use **shadowed = calloc(n_patterns + 1, sizeof(struct use *));
	const struct config *c = s->config;
	size_t n = 0, n_shadowed = 0;

	if (!uses || !shadowed)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_rules; i++)
		for (size_t j = 0; j < c->rules[i].n_patterns; j++)
			if (c->rules[i].patterns[j].text)
				uses[n++] = (struct use){&c->rules[i].patterns[j], &c->rules[i]};
	qsort(uses, n, sizeof(*uses), compare_uses);

	/* What shadows is the last of those that are equal. */
	for (size_t i = n, last = n; i-- > 0;) {
		if (last == n || !same_pattern(&uses[i], &uses[last])) {
			last = i;
			continue;
		}
		if (uses[i].rule == uses[last].rule)
			continue;
		shadowed[n_shadowed++] = &uses[i];
	}
	qsort(shadowed, n_shadowed, sizeof(struct use *), compare_places);
	for (size_t i = 0; i < n_shadowed; i++) {
		const struct use *use = shadowed[i], *last = use;

		while (last + 1 < uses + n && same_pattern(use, last + 1))
			last++;
		warn_at(s, use->pattern->file, use->pattern->line,
			"%s=%s in [Rule %s] never decides, [Rule %s] has the same at %s:%u",
			pattern_kind_to_string(use->pattern->kind),
			quote(pattern_written(use->pattern)).text, quote(use->rule->name).text,
			quote(last->rule->name).text, last->pattern->file, last->pattern->line);
		if (s->diag->n_warnings >= DIAGNOSTICS_MAX)
			break; /* a thousand equal patterns are not searched a thousand times */
	}
	return 0;
}

int sections_check(struct sections *s)
{
	const struct config *c = s->config;
	size_t n_patterns = 0;

	for (size_t i = 0; i < c->n_rules; i++) {
		const struct section *section = s->lists[SECTION_RULE].items[i];
		const struct rule *rule = &c->rules[i];

		if (!section->damaged)
			check_rule(s, section, rule);
		if (n_patterns <= CONFIG_PATTERNS_MAX &&
		    n_patterns + rule->n_patterns > CONFIG_PATTERNS_MAX)
			report_at(s, rule->file, rule->line,
				  "too many patterns in all rules, expected at most %d",
				  CONFIG_PATTERNS_MAX);
		n_patterns += rule->n_patterns;
		for (size_t j = 0; j < rule->n_patterns; j++) {
			const struct pattern *pattern = &rule->patterns[j];
			const char *why = pattern->kind == PATTERN_CGROUP
						  ? config_check_possible(pattern->text)
						  : NULL;

			if (why)
				warn_at(s, pattern->file, pattern->line,
					"Cgroup=%s can never match: %s", quote(pattern->text).text,
					why);
		}
	}
	for (size_t i = 0; i < c->n_triggers; i++)
		if (is_whole(s->lists[SECTION_TRIGGER].items[i]))
			check_trigger(s, &c->triggers[i]);
	check_policies(s);
	return warn_shadowed(s, n_patterns);
}

void sections_done(struct sections *s)
{
	tdestroy(s->by_name, free);
	for (size_t i = 0; i < _SECTION_MAX; i++)
		free(s->lists[i].items);
	config_free(s->config);
	*s = (struct sections){};
}
