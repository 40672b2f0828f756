/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the model and its compilation. Knows no file format; what a text may hold is check.c's, how
 * a rule is found index.c's.
 *
 * Invariant: between config_finish() and config_free() nothing changes, so the index may point
 * into the rules.
 */
#include "config/policy.h"

#include "api/words.h"
#include "bpf/oompolicy.h"
#include "config/index.h"
#include "util/basic.h"
#include "util/grow.h"

#include <assert.h>
#include <string.h>

static const struct word stop_items[] = {
	[STOP_REMOVE] = {"remove"},
	[STOP_KEEP] = {"keep"},
};
static const struct words words_stop = {stop_items, ARRAY_SIZE(stop_items)};
static_assert(ARRAY_SIZE(stop_items) == _STOP_MAX, "a word for each");

static const struct word scope_items[] = {
	[POLICY_SCOPE_ANY] = {"any"},
	[POLICY_SCOPE_SYSTEM] = {"system"},
	[POLICY_SCOPE_MEMCG] = {"memcg"},
};
static const struct words words_scope = {scope_items, ARRAY_SIZE(scope_items)};
static_assert(ARRAY_SIZE(scope_items) == _POLICY_SCOPE_MAX, "a word for each");

static const struct word pattern_kind_items[] = {
	[PATTERN_CGROUP] = {"Cgroup"},
	[PATTERN_UNIT] = {"Unit"},
	[PATTERN_USER] = {"User"},
};
static const struct words words_pattern_kind = {pattern_kind_items, ARRAY_SIZE(pattern_kind_items)};
static_assert(ARRAY_SIZE(pattern_kind_items) == _PATTERN_KIND_MAX, "a word for each");

static_assert((int)POLICY_VICTIM_LARGEST == OP_VICTIM_LARGEST &&
		      (int)POLICY_VICTIM_BADNESS == OP_VICTIM_BADNESS &&
		      (int)POLICY_VICTIM_NEWEST == OP_VICTIM_NEWEST &&
		      (int)POLICY_VICTIM_OLDEST == OP_VICTIM_OLDEST,
	      "the values of words_victim");
static_assert((int)RULE_KILL_UNSET == API_KILL_UNSET &&
		      (int)RULE_KILL_PROCESS == API_KILL_PROCESS &&
		      (int)RULE_KILL_CGROUP == API_KILL_CGROUP,
	      "the values of words_kill");

/* Define *_to_string(), and with it *_from_string(). */
#define DEFINE_TO_STRING(type, list)                    \
	const char *type##_to_string(enum type value)   \
	{                                               \
		return word_get(list, (uint32_t)value); \
	}
#define DEFINE_STRINGS(type, list)            \
	DEFINE_TO_STRING(type, list)          \
	int type##_from_string(const char *s) \
	{                                     \
		return word_find(list, s);    \
	}

DEFINE_STRINGS(backend, &words_backend)
DEFINE_STRINGS(stop, &words_stop)
DEFINE_STRINGS(policy_scope, &words_scope)
DEFINE_STRINGS(policy_victim, &words_victim)
DEFINE_STRINGS(rule_kill, &words_kill)
DEFINE_TO_STRING(pattern_kind, &words_pattern_kind)

struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof(*c));

	if (c)
		c->runners_up = OP_RUNNERS_MAX;
	return c;
}

static void pattern_done(struct pattern *pattern)
{
	free(pattern->text);
	free(pattern->user);
	*pattern = (struct pattern){};
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	index_free(c->index);
	for (size_t i = 0; i < c->n_policies; i++) {
		free(c->policies[i].name);
		free(c->policies[i].cgroup);
	}
	for (size_t i = 0; i < c->n_rules; i++) {
		free(c->rules[i].name);
		for (size_t j = 0; j < c->rules[i].n_patterns; j++)
			pattern_done(&c->rules[i].patterns[j]);
		free(c->rules[i].patterns);
	}
	for (size_t i = 0; i < c->n_triggers; i++) {
		free(c->triggers[i].name);
		free(c->triggers[i].cgroup);
	}
	config_reset_oom_controls(c);
	for (size_t i = 0; i < c->n_files; i++)
		free(c->files[i]);
	free(c->oom_controls);
	free(c->policies);
	free(c->rules);
	free(c->triggers);
	free(c->files);
	free(c);
	return NULL;
}

int config_add_file(struct config *c, const char *file, const char **ret)
{
	char *copy;

	if (GROW(c->files, c->n_files) < 0)
		return -ENOMEM;
	copy = strdup(file);
	if (!copy)
		return -ENOMEM;
	*ret = c->files[c->n_files++] = copy;
	return 0;
}

int config_add_policy(struct config *c, const char *name, const char *file, unsigned line)
{
	_cleanup_free_ char *copy = NULL, *cgroup = NULL;

	assert(!c->index);

	if (c->n_policies >= OP_POLICIES_MAX)
		return -E2BIG;
	if (GROW(c->policies, c->n_policies) < 0)
		return -ENOMEM;
	copy = strdup(name);
	cgroup = strdup("/");
	if (!copy || !cgroup)
		return -ENOMEM;
	c->policies[c->n_policies++] = (struct policy){
		.name = TAKE_PTR(copy),
		.file = file,
		.line = line,
		.cgroup = TAKE_PTR(cgroup),
		.default_priority = OP_PRIORITY_DEFAULT,
	};
	return 0;
}

int config_add_rule(struct config *c, const char *name, const char *file, unsigned line)
{
	char *copy;

	assert(!c->index);

	if (c->n_rules >= CONFIG_RULES_MAX)
		return -E2BIG;
	if (GROW(c->rules, c->n_rules) < 0)
		return -ENOMEM;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	c->rules[c->n_rules++] = (struct rule){.name = copy, .file = file, .line = line};
	return 0;
}

int config_add_trigger(struct config *c, const char *name, const char *file, unsigned line)
{
	char *copy;

	assert(!c->index);

	if (c->n_triggers >= CONFIG_TRIGGERS_MAX)
		return -E2BIG;
	if (GROW(c->triggers, c->n_triggers) < 0)
		return -ENOMEM;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	c->triggers[c->n_triggers++] = (struct trigger){.name = copy, .file = file, .line = line};
	return 0;
}

int config_add_oom_control(struct config *c, char *path)
{
	assert(!c->index);

	if (c->n_oom_controls >= CONFIG_OOM_CONTROLS_MAX)
		return -E2BIG;
	if (GROW(c->oom_controls, c->n_oom_controls) < 0)
		return -ENOMEM;
	c->oom_controls[c->n_oom_controls++] = path;
	return 0;
}

void config_reset_oom_controls(struct config *c)
{
	while (c->n_oom_controls > 0)
		free(c->oom_controls[--c->n_oom_controls]);
}

int rule_add_pattern(struct rule *rule, struct pattern *pattern)
{
	if (rule->n_patterns >= CONFIG_RULE_PATTERNS_MAX)
		return -E2BIG;
	if (GROW(rule->patterns, rule->n_patterns) < 0)
		return -ENOMEM;
	rule->patterns[rule->n_patterns++] = TAKE(*pattern, (struct pattern){});
	return 0;
}

void rule_reset_patterns(struct rule *rule, enum pattern_kind kind)
{
	size_t n = rule->n_patterns;

	rule->n_patterns = 0;
	for (size_t i = 0; i < n; i++) {
		struct pattern pattern = TAKE(rule->patterns[i], (struct pattern){});

		if (pattern.kind == kind)
			pattern_done(&pattern);
		else
			rule->patterns[rule->n_patterns++] = pattern;
	}
}

int config_finish(struct config *c)
{
	size_t n_patterns = 0;
	int r;

	assert(!c->index);

	for (size_t i = 0; i < c->n_rules; i++)
		n_patterns += c->rules[i].n_patterns;
	if (n_patterns > CONFIG_PATTERNS_MAX)
		return -E2BIG;
	r = c->n_policies ? 0 : config_add_policy(c, "default", NULL, 0);
	if (r < 0)
		return r;
	return index_new(c, &c->index);
}

/* Whether @path is @ancestor or below it. */
static bool path_is_within(const char *path, const char *ancestor)
{
	size_t length = strlen(ancestor);

	if (strcmp(ancestor, "/") == 0)
		return true;
	return strncmp(path, ancestor, length) == 0 &&
	       (path[length] == '\0' || path[length] == '/');
}

size_t config_policy_for(const struct config *c, const char *path, bool system_oom)
{
	enum policy_scope other = system_oom ? POLICY_SCOPE_MEMCG : POLICY_SCOPE_SYSTEM;
	size_t best = SIZE_MAX;

	/* Of the ancestors of one path, the nearest is the longest. */
	for (size_t i = 0; i < c->n_policies; i++) {
		const struct policy *p = &c->policies[i];

		if (p->scope == other || !path_is_within(path, p->cgroup))
			continue;
		if (best == SIZE_MAX || strlen(p->cgroup) > strlen(c->policies[best].cgroup))
			best = i;
	}
	return best;
}

bool policy_scopes_overlap(enum policy_scope a, enum policy_scope b)
{
	return a == b || a == POLICY_SCOPE_ANY || b == POLICY_SCOPE_ANY;
}

const struct rule *config_match(const struct config *c, const char *path)
{
	return c->index ? index_match(c->index, path) : NULL;
}

int config_explain(const struct config *c, const char *path,
		   int (*each)(const struct rule *rule, const struct pattern *pattern,
			       void *userdata),
		   void *userdata)
{
	return c->index ? index_explain(c->index, path, each, userdata) : 0;
}

bool config_compile_cgroup(const struct config *c, const char *path, struct op_entry *ret)
{
	const struct rule *rule = config_match(c, path);

	if (!rule)
		return false;
	*ret = (struct op_entry){
		.cgroup.priority = rule->priority_set ? rule->priority : OP_PRIORITY_DEFAULT,
		.cgroup.rule_index = (__u32)(rule - c->rules),
		.cgroup.flags = OP_RULE_MATCH | (rule->protect ? OP_RULE_PROTECT : 0) |
				(rule->priority_set ? 0 : OP_RULE_DEFAULT_PRIORITY) |
				(rule->kill == RULE_KILL_PROCESS ? OP_RULE_KILL_PROCESS : 0) |
				(rule->kill == RULE_KILL_CGROUP ? OP_RULE_KILL_CGROUP : 0),
	};
	return true;
}

void config_compile_policy(const struct config *c, size_t i, struct op_entry *ret)
{
	*ret = (struct op_entry){
		.policy.default_priority = c->policies[i].default_priority,
		.policy.victim = (__u32)c->policies[i].victim,
	};
}
