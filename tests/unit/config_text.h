/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration as a text, to the model and back. */
#ifndef OP_CONFIG_TEXT_H
#define OP_CONFIG_TEXT_H

#include "bpf/oompolicy.h"
#include "config/parser.h"
#include "config/policy.h"
#include "test.h"
#include "util/basic.h"

/* The beginning of a rule, to which one setting more is enough. */
#define RULE "[Rule r]\nCgroup=/r\n"

static char users_data;

/* "alice" is 1001, "broken" cannot be looked up, nobody else is known. */
static inline int resolve_user(const char *name, uid_t *ret, void *userdata)
{
	CHECK(userdata == &users_data);
	if (strcmp(name, "alice") == 0) {
		*ret = 1001;
		return 0;
	}
	return strcmp(name, "broken") == 0 ? -EIO : -ESRCH;
}

static const struct parser_users users = {.resolve = resolve_user, .userdata = &users_data};

/* Parses a copy that ends where the text ends, so that a look beyond it is found. */
static inline int parse_sized(const char *text, size_t size, struct diagnostics *diag,
			      struct config **ret)
{
	_cleanup_free_ char *copy = malloc(size ? size : 1);

	CHECK(copy);
	memcpy(copy, text, size);
	return parser_parse_buffer("f", copy, size, &users, diag, ret);
}

/* The whole model as a text. A policy at its defaults is not mentioned. The caller frees it. */
static inline char *describe(const struct config *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f);
	fprintf(f, "%s\n", backend_to_string(c->backend));
	if (c->runners_up != OP_RUNNERS_MAX)
		fprintf(f, "runners_up: %u\n", c->runners_up);
	if (c->stop != STOP_REMOVE)
		fprintf(f, "stop: %s\n", stop_to_string(c->stop));
	if (c->root_oom_control_off || c->n_oom_controls > 0)
		fprintf(f, "oom_control:%s", c->root_oom_control_off ? "" : " /");
	for (size_t i = 0; i < c->n_oom_controls; i++)
		fprintf(f, " %s", c->oom_controls[i]);
	if (c->root_oom_control_off || c->n_oom_controls > 0)
		fprintf(f, "\n");
	for (size_t i = 0; i < c->n_policies; i++) {
		const struct policy *p = &c->policies[i];

		if (p->file)
			fprintf(f, "%s:%u policy %s: %s %s %u %s\n", p->file, p->line, p->name,
				policy_scope_to_string(p->scope), p->cgroup, p->default_priority,
				policy_victim_to_string(p->victim));
		else
			CHECK_STR(p->name, "default");
	}
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct rule *rule = &c->rules[i];

		fprintf(f, "%s:%u %s:", rule->file, rule->line, rule->name);
		for (size_t j = 0; j < rule->n_patterns; j++) {
			const struct pattern *pattern = &rule->patterns[j];

			fprintf(f, " %s=%s", pattern_kind_to_string(pattern->kind),
				pattern->text ? pattern->text : "(nobody)");
			CHECK_INT(!!pattern->user, pattern->kind == PATTERN_USER);
			CHECK(pattern->file && pattern->line > 0);
		}
		if (rule->priority_set)
			fprintf(f, " %u", rule->priority);
		fprintf(f, "%s%s%s\n", rule->protect ? " protect" : "", rule->kill ? " kill " : "",
			rule_kill_to_string(rule->kill));
	}
	for (size_t i = 0; i < c->n_triggers; i++) {
		const struct trigger *t = &c->triggers[i];

		fprintf(f, "%s:%u trigger %s: %s %s %llu/%llu\n", t->file, t->line, t->name,
			t->cgroup, t->full ? "full" : "some", (unsigned long long)t->threshold_usec,
			(unsigned long long)t->window_usec);
	}
	fclose(f);
	return text;
}

#endif
