/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a set of files, one after each SEPARATOR: either a model in which everything is as
 * policy.h promises, or reasons why not; never both, never neither. The lines of the input serve as
 * cgroup paths too.
 */
#include "config/parser.h"

#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/glob.h"
#include "config/policy.h"
#include "util/escape.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* How many lines are tried as paths: enough, without making long inputs slow. */
#define PATHS_MAX 64
/* A line of its own; a form feed is in no good file. */
#define SEPARATOR "\f\n"
/* Each file's name is a letter. */
#define FILES_MAX 26

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_message(const struct diagnostic *item)
{
	const char *s = item->message;
	size_t size = strlen(s);

	check(s[0] >= 'a' && s[0] < 'a' + FILES_MAX && s[1] == ':');
	check(s[2] >= '1' && s[2] <= '9');
	while (size > 0) {
		size_t n = escape_printable_length(s, size);

		check(n > 0);
		s += n;
		size -= n;
	}
}

static void check_place(const char *file, unsigned line)
{
	check(file[0] >= 'a' && file[0] < 'a' + FILES_MAX && !file[1]);
	check(line > 0);
}

/* Exact and normalized, so a good pattern when its wildcards are escaped. */
static void check_path(const char *path)
{
	check(path[0] == '/');
	check(strlen(path) <= CONFIG_PATTERN_LEN_MAX);
	check(!strstr(path, "//"));
}

static void check_policies(const struct config *c)
{
	check(c->n_policies >= 1 && c->n_policies <= OP_POLICIES_MAX);
	for (size_t i = 0; i < c->n_policies; i++) {
		const struct policy *p = &c->policies[i];
		bool system_oom = p->scope != POLICY_SCOPE_MEMCG;
		struct op_entry entry;

		check(!config_check_policy_name(p->name));
		if (p->file)
			check_place(p->file, p->line);
		else
			check(c->n_policies == 1);
		check_path(p->cgroup);
		check(policy_scope_to_string(p->scope) && policy_victim_to_string(p->victim));
		check(config_policy_for(c, p->cgroup, system_oom) == i);
		config_compile_policy(c, i, &entry);
		check(entry.policy.default_priority <= OP_PRIORITY_MAX);
		check(entry.policy.victim <= OP_VICTIM_OLDEST);
		for (size_t j = 0; j < i; j++)
			check(strcmp(p->name, c->policies[j].name) != 0);
	}
}

static void check_model(const struct config *c)
{
	check(backend_to_string(c->backend));
	check_policies(c);
	check(c->n_rules <= CONFIG_RULES_MAX);
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct rule *rule = &c->rules[i];

		check(!config_check_rule_name(rule->name));
		check_place(rule->file, rule->line);
		check(rule->n_patterns >= 1 && rule->n_patterns <= CONFIG_RULE_PATTERNS_MAX);
		for (size_t j = 0; j < rule->n_patterns; j++) {
			const struct pattern *pattern = &rule->patterns[j];
			bool is_user = pattern->kind == PATTERN_USER;

			check_place(pattern->file, pattern->line);
			check(is_user == !!pattern->user);
			check(is_user || pattern->text);
			check(!pattern->text ||
			      !config_check_pattern(is_user ? PATTERN_UNIT : pattern->kind,
						    pattern->text));
		}
		check(rule->priority <= OP_PRIORITY_MAX);
		check(rule->priority_set || rule->priority == 0);
		check(rule->priority_set || rule->protect_set || rule->kill != RULE_KILL_UNSET);
	}
	check(c->n_oom_controls <= CONFIG_OOM_CONTROLS_MAX);
	for (size_t i = 0; i < c->n_oom_controls; i++) {
		check_path(c->oom_controls[i]);
		check(strcmp(c->oom_controls[i], "/") != 0);
		for (size_t j = 0; j < i; j++)
			check(strcmp(c->oom_controls[i], c->oom_controls[j]) != 0);
	}
	check(c->n_triggers <= CONFIG_TRIGGERS_MAX);
	for (size_t i = 0; i < c->n_triggers; i++) {
		const struct trigger *t = &c->triggers[i];

		check_place(t->file, t->line);
		check_path(t->cgroup);
		check(t->window_usec >= CONFIG_WINDOW_MIN_USEC &&
		      t->window_usec <= CONFIG_WINDOW_MAX_USEC);
		check(t->threshold_usec > 0 && t->threshold_usec <= t->window_usec);
	}
}

static int take_first(const struct rule *rule, const struct pattern *pattern, void *userdata)
{
	check(pattern >= rule->patterns && pattern < rule->patterns + rule->n_patterns);
	*(const struct rule **)userdata = rule;
	return 1;
}

/* The index against a look at each pattern in turn, for a normalized path. */
static void check_match(const struct config *c, const char *path)
{
	const struct rule *rule = config_match(c, path), *first = NULL;
	struct op_entry entry;

	check(config_compile_cgroup(c, path, &entry) == !!rule);
	config_explain(c, path, take_first, &first);
	check(first == rule);
	if (!rule)
		return;
	check(rule == &c->rules[entry.cgroup.rule_index]);
	check(entry.cgroup.flags & OP_RULE_MATCH);
	check(entry.cgroup.priority <= OP_PRIORITY_MAX);
	check(!!(entry.cgroup.flags & OP_RULE_PROTECT) == rule->protect);
	check(!(entry.cgroup.flags & OP_RULE_DEFAULT_PRIORITY) == rule->priority_set);
}

/* Each line from its first slash on, as far as that is a path. */
static void check_paths(const struct config *c, const uint8_t *data, size_t size)
{
	for (int i = 0; i < PATHS_MAX && size > 0; i++) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;
		const uint8_t *slash = memchr(data, '/', length);

		if (slash) {
			char *path = strndup((const char *)slash, length - (size_t)(slash - data));
			size_t n;

			check(path);
			n = strlen(path);
			if (!strstr(path, "//") && (n == 1 || path[n - 1] != '/'))
				check_match(c, path);
			free(path);
		}
		length += end ? 1 : 0;
		data += length;
		size -= length;
	}
}

/* What a rule without wildcards spells out is ruled by it, or by another such. */
static void check_own_paths(const struct config *c)
{
	for (size_t i = 0; i < c->n_rules && i < PATHS_MAX; i++) {
		const struct pattern *pattern = &c->rules[i].patterns[0];
		char *path;

		if (pattern->kind != PATTERN_CGROUP || glob_has_wildcard(pattern->text))
			continue;
		path = glob_unescape(pattern->text);
		check(path);
		check_match(c, path);
		check(config_match(c, path) >= &c->rules[i]);
		free(path);
	}
}

static int resolve_user(const char *name, uid_t *ret, void *userdata)
{
	(void)userdata;
	if (*name < 'a')
		return *name < 'Z' ? -ESRCH : -EIO;
	*ret = (uid_t)*name;
	return 0;
}

static int add_files(struct parser *p, const uint8_t *data, size_t size)
{
	for (char name[2] = "a"; name[0] < 'a' + FILES_MAX; name[0]++) {
		const uint8_t *end = memmem(data, size, SEPARATOR, strlen(SEPARATOR));
		size_t length = end && name[0] + 1 < 'a' + FILES_MAX ? (size_t)(end - data) : size;
		/* A copy that ends where the file ends, so that a look beyond it is found. */
		char *copy = malloc(length ? length : 1);
		int r;

		check(copy);
		memcpy(copy, data, length);
		r = parser_add_buffer(p, name, copy, length);
		free(copy);
		if (r < 0 || length == size)
			return r;
		data += length + strlen(SEPARATOR);
		size -= length + strlen(SEPARATOR);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct parser_users users = {.resolve = resolve_user};
	struct diagnostics diag = {};
	struct parser *p = NULL;
	struct config *c = NULL;
	int r;

	check(parser_new(&users, &diag, &p) == 0);
	check(size == 0 || add_files(p, data, size) == 0);
	r = parser_finish(p, &c);
	check(r == 0 || r == -EINVAL);
	check((r == 0) == (c != NULL));
	check((r == 0) == (diag.n_errors == 0));
	check(diag.n_items <= diag.n_errors + diag.n_warnings);
	for (size_t i = 0; i < diag.n_items; i++)
		check_message(&diag.items[i]);
	parser_free(p);
	if (c) {
		check_model(c);
		check_paths(c, data, size);
		check_own_paths(c);
	}
	config_free(c);
	diagnostics_done(&diag);
	return 0;
}
