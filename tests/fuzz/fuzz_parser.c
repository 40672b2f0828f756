/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a configuration: either a model in which everything is as policy.h promises, or
 * reasons why not; never both, never neither. The lines of the input serve as cgroup paths too.
 */
#include "config/parser.h"

#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/escape.h"
#include "config/glob.h"
#include "config/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* How many lines are tried as paths: enough, without making long inputs slow. */
#define PATHS_MAX 64

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

	check(strncmp(s, "f:", 2) == 0);
	check(s[2] >= '1' && s[2] <= '9');
	while (size > 0) {
		size_t n = escape_printable_length(s, size);

		check(n > 0);
		s += n;
		size -= n;
	}
}

static void check_model(const struct policy *p)
{
	check(!policy_check_name(p->policy_name));
	check(p->default_priority <= OP_PRIORITY_MAX);
	check(backend_to_string(p->backend));
	check(p->n_rules <= POLICY_RULES_MAX);
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];

		check(!policy_check_rule_name(rule->name));
		check(!policy_check_pattern(rule->match, rule->pattern));
		check(strcmp(rule->file, "f") == 0);
		check(rule->line > (i ? p->rules[i - 1].line : 0));
		check(rule->priority <= OP_PRIORITY_MAX);
		check(rule->priority_set || rule->priority == 0);
	}
}

static void check_path(const struct policy *p, const char *path)
{
	const struct rule *rule = policy_match(p, path);
	struct op_rule entry;

	check(policy_compile_cgroup(p, path, &entry) == !!rule);
	if (!rule)
		return;
	check(rule == &p->rules[entry.index]);
	check(entry.priority <= OP_PRIORITY_MAX);
	check(!!(entry.flags & OP_RULE_PROTECT) == rule->protect);
	if (rule->match == RULE_MATCH_CGROUP)
		check(glob_match(rule->pattern, path));
}

/* Each line from its first slash on, and the path that each rule without wildcards spells out. */
static void check_paths(const struct policy *p, const uint8_t *data, size_t size)
{
	for (int i = 0; i < PATHS_MAX && size > 0; i++) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;
		const uint8_t *slash = memchr(data, '/', length);

		if (slash) {
			char *path = strndup((const char *)slash, length - (size_t)(slash - data));

			check(path);
			check_path(p, path);
			free(path);
		}
		length += end ? 1 : 0;
		data += length;
		size -= length;
	}
	for (size_t i = 0; i < p->n_rules && i < PATHS_MAX; i++) {
		const struct rule *rule = &p->rules[i], *found;
		char *path;

		if (rule->match != RULE_MATCH_CGROUP || glob_has_wildcard(rule->pattern))
			continue;
		path = glob_unescape(rule->pattern);
		check(path);
		check_path(p, path);
		found = policy_match(p, path);
		check(found >= rule && found->match == RULE_MATCH_CGROUP);
		check(!glob_has_wildcard(found->pattern));
		free(path);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diagnostics diag = {};
	struct policy *p = NULL;
	int r = parser_parse_buffer("f", (const char *)data, size, &diag, &p);

	check(r == 0 || r == -EINVAL);
	check((r == 0) == (p != NULL));
	check((r == 0) == (diag.n_errors == 0));
	check(diag.n_items <= diag.n_errors + diag.n_warnings);
	for (size_t i = 0; i < diag.n_items; i++)
		check_message(&diag.items[i]);
	if (p) {
		check_model(p);
		check_paths(p, data, size);
	}
	policy_free(p);
	diagnostics_done(&diag);
	return 0;
}
