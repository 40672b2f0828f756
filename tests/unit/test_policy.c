/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which rule wins, and what may be a rule: the model without any file. */
#include "config/policy.h"

#include "glob_reference.h"
#include "test.h"

#include "bpf/oompolicy.h"
#include "config/glob.h"
#include "util/basic.h"

static void add_pattern(struct config *c, enum pattern_kind kind, const char *text)
{
	struct pattern pattern = {.kind = kind, .text = strdup(text)};

	CHECK(pattern.text);
	CHECK_STR(config_check_pattern(kind, text), NULL);
	CHECK_INT(rule_add_pattern(&c->rules[c->n_rules - 1], &pattern), 0);
	CHECK(!pattern.text);
}

static void add_rule(struct config *c, const char *name, enum pattern_kind kind, const char *text)
{
	CHECK_INT(config_add_rule(c, name, NULL, 0), 0);
	add_pattern(c, kind, text);
}

/* One with a slash is for Cgroup=. */
static enum pattern_kind kind_of(const char *pattern)
{
	return *pattern == '/' ? PATTERN_CGROUP : PATTERN_UNIT;
}

/* One rule for each pattern, named after it. */
static struct config *make_config(const char *const *patterns)
{
	struct config *c = config_new();

	CHECK(c);
	for (; *patterns; patterns++)
		add_rule(c, *patterns, kind_of(*patterns), *patterns);
	CHECK_INT(config_finish(c), 0);
	return c;
}

static void test_defaults(void)
{
	_cleanup_(config_freep) struct config *c = config_new();
	struct op_entry entry;

	CHECK_INT(c->backend, BACKEND_AUTO);
	CHECK_INT(c->n_rules, 0);
	CHECK_INT(c->n_policies, 0);
	CHECK(!config_match(c, "/a"));
	CHECK_INT(config_policy_for(c, "/", true), SIZE_MAX);
	CHECK_INT(config_finish(c), 0);
	CHECK(!config_match(c, "/a"));
	CHECK(!config_compile_cgroup(c, "/a", &entry));
	CHECK_INT(c->n_policies, 1);
	CHECK_STR(c->policies[0].name, "default");
	CHECK_STR(c->policies[0].cgroup, "/");
	CHECK_STR(c->policies[0].file, NULL);
	CHECK_INT(c->policies[0].scope, POLICY_SCOPE_ANY);
	CHECK_INT(config_policy_for(c, "/", true), 0);
	CHECK_INT(config_policy_for(c, "/a/b", false), 0);
	memset(&entry, 0xff, sizeof(entry));
	config_compile_policy(c, 0, &entry);
	CHECK_INT(entry.policy.default_priority, OP_PRIORITY_DEFAULT);
	CHECK_INT(entry.policy.victim, OP_VICTIM_LARGEST);
	CHECK(!config_free(NULL));
}

static void test_precedence(void)
{
	static const struct {
		const char *path;
		const char *patterns[5];
		const char *winner;
	} table[] = {
		{"/a/x.service", {"/b"}, NULL},
		{"/a/x.service", {"/a"}, NULL}, /* inheritance is not decided here */
		{"/a/x.service", {"/a/x.service", "x.service", "/a/*.service"}, "/a/x.service"},
		{"/a/x.service", {"/a/*.service", "x.service", "/a/x.service"}, "/a/x.service"},
		{"/a/x.service", {"/a/x.servic?", "x.service"}, "x.service"},
		{"/a/x.service", {"x.service", "/a/x.servic?"}, "x.service"},
		/* of those with wildcards the longest, a unit among them */
		{"/a/x.service", {"/a/*", "/**", "/a/x*"}, "/a/x*"},
		{"/a/x.service", {"/a/x*", "x*.service"}, "x*.service"},
		{"/a/x.service", {"/a/x.*ce", "?.service"}, "?.service"},
		{"/a/x.service", {"/a/x.*vice", "?.service"}, "/a/x.*vice"},
		{"/a/x.service", {"/a/*", "/a/**"}, "/a/**"},
		{"/a/x.service", {"/a/**", "/a/*"}, "/a/*"},
		{"/a/x.service", {"/*/x.service", "/a/*.service"}, "/a/*.service"},
		/* an escaped wildcard is a literal */
		{"/a/x*", {"/a/x\\*", "/a/x*"}, "/a/x\\*"},
		{"/a/xy", {"/a/x\\*", "/a/x*"}, "/a/x*"},
		{"/a/x\\x2dy.mount", {"x\\\\x2dy.mount", "*.mount"}, "x\\\\x2dy.mount"},
		/* the root is a cgroup like others, but no unit */
		{"/", {"/", "/**", "*.slice"}, "/"},
		{"/", {"/*", "/**", "*.slice"}, NULL},
		/* a unit's name is the last component only */
		{"/x.slice/y.service", {"x.slice"}, NULL},
		{"/a/b/c/x.service", {"x.service"}, "x.service"},
		/* one _ of systemd's */
		{"/a/_cpu.service", {"cpu.service"}, "cpu.service"},
		{"/a/_cpu.service", {"c?u.service"}, "c?u.service"},
		{"/a/_cpu.service", {"_cpu.service"}, NULL},
		{"/a/__x.service", {"_x.service"}, "_x.service"},
		{"/a/__x.service", {"x.service"}, NULL},
		{"/a/_cpu.service", {"/a/cpu.service", "/a/_cpu.service"}, "/a/_cpu.service"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(config_freep) struct config *c = make_config(table[i].patterns);
		const struct rule *rule = config_match(c, table[i].path);

		if (rule ? !table[i].winner || strcmp(rule->name, table[i].winner) != 0
			 : !!table[i].winner)
			FAIL("row %zu: %s is ruled by %s, expected %s", i, table[i].path,
			     rule ? rule->name : "none",
			     table[i].winner ? table[i].winner : "none");
	}
}

static void test_later_of_equals(void)
{
	static const char *const patterns[] = {"/a",	     "/a",	   "x.service", "x.service",
					       "*y.service", "*y.service", NULL};
	_cleanup_(config_freep) struct config *c = make_config(patterns);

	CHECK_INT(config_match(c, "/a") - c->rules, 1);
	CHECK_INT(config_match(c, "/x.service") - c->rules, 3);
	CHECK_INT(config_match(c, "/y.service") - c->rules, 5);
}

static void test_lists(void)
{
	_cleanup_(config_freep) struct config *c = config_new();
	struct pattern unknown = {.kind = PATTERN_USER, .user = strdup("nobody-is-called-so")};

	/* Each pattern of a list ranks by itself. */
	add_rule(c, "wide", PATTERN_CGROUP, "/a/**");
	add_pattern(c, PATTERN_CGROUP, "/b/x");
	add_pattern(c, PATTERN_USER, "user-7.slice");
	add_rule(c, "narrow", PATTERN_CGROUP, "/b/*");
	add_pattern(c, PATTERN_CGROUP, "/a/long*");
	CHECK_INT(config_add_rule(c, "nobody", NULL, 0), 0);
	CHECK_INT(rule_add_pattern(&c->rules[2], &unknown), 0);
	CHECK_INT(config_finish(c), 0);

	CHECK_STR(config_match(c, "/a/x")->name, "wide");
	CHECK_STR(config_match(c, "/a/longer")->name, "narrow");
	CHECK_STR(config_match(c, "/b/x")->name, "wide");
	CHECK_STR(config_match(c, "/b/y")->name, "narrow");
	CHECK_STR(config_match(c, "/user.slice/user-7.slice")->name, "wide");
	CHECK(!config_match(c, "/user.slice/user-8.slice"));
	CHECK(!config_match(c, "/"));
}

static void test_reset(void)
{
	_cleanup_(config_freep) struct config *c = config_new();
	struct rule *rule;

	add_rule(c, "r", PATTERN_CGROUP, "/0");
	rule = &c->rules[0];
	for (int i = 0; i < 5; i++) {
		add_pattern(c, PATTERN_UNIT, "u.service");
		add_pattern(c, PATTERN_CGROUP, "/1");
	}
	rule_reset_patterns(rule, PATTERN_USER);
	CHECK_INT(rule->n_patterns, 11);
	rule_reset_patterns(rule, PATTERN_UNIT);
	CHECK_INT(rule->n_patterns, 6);
	CHECK_STR(rule->patterns[0].text, "/0");
	CHECK_STR(rule->patterns[5].text, "/1");
	rule_reset_patterns(rule, PATTERN_CGROUP);
	CHECK_INT(rule->n_patterns, 0);
	for (int i = 0; i < 20; i++)
		add_pattern(c, PATTERN_CGROUP, "/2");
	CHECK_INT(rule->n_patterns, 20);
}

static void test_policy_for(void)
{
	static const struct {
		const char *cgroup;
		enum policy_scope scope;
	} policies[] = {
		{"/", POLICY_SCOPE_SYSTEM},    {"/a", POLICY_SCOPE_ANY},
		{"/a/b", POLICY_SCOPE_SYSTEM}, {"/a/b", POLICY_SCOPE_MEMCG},
		{"/ab", POLICY_SCOPE_MEMCG},
	};
	static const struct {
		const char *path;
		bool system_oom;
		size_t expected;
	} table[] = {
		{"/", true, 0},	     {"/", false, SIZE_MAX},	{"/x", false, SIZE_MAX},
		{"/a", false, 1},    {"/a/x", false, 1},	{"/a/x", true, 1},
		{"/a/b", false, 3},  {"/a/b", true, 2},		{"/a/b/c/d", false, 3},
		{"/a/bc", false, 1}, {"/ab", false, 4},		{"/ab/c", false, 4},
		{"/abc", true, 0},   {"/abc", false, SIZE_MAX},
	};
	_cleanup_(config_freep) struct config *c = config_new();

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		CHECK_INT(config_add_policy(c, "p", NULL, 0), 0);
		free(c->policies[i].cgroup);
		c->policies[i].cgroup = strdup(policies[i].cgroup);
		c->policies[i].scope = policies[i].scope;
	}
	CHECK_INT(config_finish(c), 0);
	CHECK_INT(c->n_policies, ARRAY_SIZE(policies));
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		size_t seen = config_policy_for(c, table[i].path, table[i].system_oom);

		if (seen != table[i].expected)
			FAIL("row %zu: %s is answered for by %zd, expected %zd", i, table[i].path,
			     (ssize_t)seen, (ssize_t)table[i].expected);
	}
	for (enum policy_scope a = 0; a < _POLICY_SCOPE_MAX; a++)
		for (enum policy_scope b = 0; b < _POLICY_SCOPE_MAX; b++)
			CHECK_INT(policy_scopes_overlap(a, b),
				  !((a == POLICY_SCOPE_SYSTEM && b == POLICY_SCOPE_MEMCG) ||
				    (a == POLICY_SCOPE_MEMCG && b == POLICY_SCOPE_SYSTEM)));
}

static void test_compile(void)
{
	static const char *const patterns[] = {"/default", "/set",    "/zero", "/protected",
					       "/process", "/cgroup", NULL};
	_cleanup_(config_freep) struct config *c = make_config(patterns);
	struct op_entry entry;

	c->rules[1].priority = 7;
	c->rules[1].priority_set = true;
	c->rules[2].priority_set = true;
	c->rules[3].protect = true;
	c->rules[4].kill = RULE_KILL_PROCESS;
	c->rules[5].kill = RULE_KILL_CGROUP;
	c->policies[0].default_priority = 444;
	c->policies[0].victim = POLICY_VICTIM_NEWEST;

	memset(&entry, 0xff, sizeof(entry));
	CHECK(config_compile_cgroup(c, "/default", &entry));
	CHECK_INT(entry.cgroup.priority, OP_PRIORITY_DEFAULT);
	CHECK_INT(entry.cgroup.rule_index, 0);
	CHECK_INT(entry.cgroup.flags, OP_RULE_MATCH | OP_RULE_DEFAULT_PRIORITY);
	CHECK_INT(entry.cgroup.slot_memcg, 0);
	CHECK_INT(entry.cgroup.slot_system, 0);
	CHECK(config_compile_cgroup(c, "/set", &entry));
	CHECK_INT(entry.cgroup.priority, 7);
	CHECK_INT(entry.cgroup.rule_index, 1);
	CHECK_INT(entry.cgroup.flags, OP_RULE_MATCH);
	CHECK(config_compile_cgroup(c, "/zero", &entry));
	CHECK_INT(entry.cgroup.priority, 0);
	CHECK_INT(entry.cgroup.flags, OP_RULE_MATCH);
	CHECK(config_compile_cgroup(c, "/protected", &entry));
	CHECK_INT(entry.cgroup.rule_index, 3);
	CHECK_INT(entry.cgroup.flags, OP_RULE_MATCH | OP_RULE_PROTECT | OP_RULE_DEFAULT_PRIORITY);
	CHECK(config_compile_cgroup(c, "/process", &entry));
	CHECK_INT(entry.cgroup.flags,
		  OP_RULE_MATCH | OP_RULE_KILL_PROCESS | OP_RULE_DEFAULT_PRIORITY);
	CHECK(config_compile_cgroup(c, "/cgroup", &entry));
	CHECK_INT(entry.cgroup.flags,
		  OP_RULE_MATCH | OP_RULE_KILL_CGROUP | OP_RULE_DEFAULT_PRIORITY);
	CHECK(!config_compile_cgroup(c, "/other", &entry));
	CHECK(!config_compile_cgroup(c, "/set/child", &entry));
	config_compile_policy(c, 0, &entry);
	CHECK_INT(entry.policy.default_priority, 444);
	CHECK_INT(entry.policy.victim, OP_VICTIM_NEWEST);
}

static int append_pattern(const struct rule *rule, const struct pattern *pattern, void *userdata)
{
	char *text = userdata;

	strcat(strcat(strcat(text, rule->name), ":"), pattern->text);
	strcat(text, " ");
	return strcmp(pattern->text, "/stop") == 0 ? 17 : 0;
}

static void test_explain(void)
{
	_cleanup_(config_freep) struct config *c = config_new();
	char text[256] = "";

	add_rule(c, "a", PATTERN_CGROUP, "/x/**");
	add_pattern(c, PATTERN_CGROUP, "/x/y.*");
	add_rule(c, "b", PATTERN_UNIT, "y.service");
	add_rule(c, "c", PATTERN_CGROUP, "/x/*");
	add_rule(c, "d", PATTERN_CGROUP, "/stop");
	CHECK_INT(config_explain(c, "/x/y.service", append_pattern, text), 0);
	CHECK_STR(text, "");
	CHECK_INT(config_finish(c), 0);
	CHECK_INT(config_explain(c, "/x/y.service", append_pattern, text), 0);
	CHECK_STR(text, "b:y.service a:/x/y.* c:/x/* a:/x/** ");
	text[0] = '\0';
	CHECK_INT(config_explain(c, "/stop", append_pattern, text), 17);
	CHECK_STR(text, "d:/stop ");
}

/* What policy.h says in words, as one loop over all patterns. */
static const struct rule *slow_match(const struct config *c, const char *path)
{
	const char *unit = strrchr(path, '/') + 1;
	const struct rule *best = NULL;
	size_t best_kind = 0, best_literals = 0;

	unit += *unit == '_';
	for (size_t i = 0; i < c->n_rules; i++)
		for (size_t j = 0; j < c->rules[i].n_patterns; j++) {
			const struct pattern *pattern = &c->rules[i].patterns[j];
			bool is_unit = pattern->kind != PATTERN_CGROUP;
			size_t kind, n_literals;

			if (!pattern->text ||
			    !reference_match(pattern->text, is_unit ? unit : path))
				continue;
			kind = glob_has_wildcard(pattern->text) ? 1 : is_unit ? 2 : 3;
			n_literals = glob_count_literals(pattern->text);
			if (best &&
			    (kind < best_kind || (kind == best_kind && n_literals < best_literals)))
				continue;
			best = &c->rules[i];
			best_kind = kind;
			best_literals = n_literals;
		}
	return best;
}

static void append_random(char *text, const char *const *parts, size_t n_parts)
{
	strcat(text, parts[random() % (long)n_parts]);
}

/* Few letters, so that texts are often each other's beginning or end. */
static void random_pattern(char *text, bool is_cgroup)
{
	static const char *const parts[] = {"a", "b", "aa", "_", "*", "?", "\\*", "\\\\", "-"};
	static const char *const suffixes[] = {".service", ".slice", "a.slice"};

	*text = '\0';
	if (!is_cgroup) {
		for (long n = 1 + random() % 3; n > 0; n--)
			append_random(text, parts, ARRAY_SIZE(parts));
		append_random(text, suffixes, ARRAY_SIZE(suffixes));
		return;
	}
	for (long n = 1 + random() % 4; n > 0; n--) {
		strcat(text, "/");
		if (random() % 5 == 0) {
			strcat(text, "**");
			continue;
		}
		for (long m = 1 + random() % 3; m > 0; m--)
			append_random(text, parts, ARRAY_SIZE(parts));
		if (random() % 4 == 0)
			append_random(text, suffixes, ARRAY_SIZE(suffixes));
	}
}

static void random_path(char *text)
{
	static const char *const parts[] = {"a", "b", "aa", "_", "*", "\\", "-"};
	static const char *const suffixes[] = {".service", ".slice", "a.slice", "", ""};

	*text = '\0';
	for (long n = 1 + random() % 4; n > 0; n--) {
		strcat(text, "/");
		for (long m = 1 + random() % 4; m > 0; m--)
			append_random(text, parts, ARRAY_SIZE(parts));
		append_random(text, suffixes, ARRAY_SIZE(suffixes));
	}
}

/* The index finds what a look at each pattern finds. */
static void test_random_against_slow(void)
{
	size_t n_matches = 0, n_lost = 0;

	srandom(1);
	for (int round = 0; round < 3000; round++) {
		_cleanup_(config_freep) struct config *c = config_new();
		long n_rules = random() % 30;

		CHECK(c);
		for (long i = 0; i < n_rules; i++) {
			CHECK_INT(config_add_rule(c, "r", NULL, 0), 0);
			for (long n = 1 + random() % 3; n > 0;) {
				bool is_cgroup = random() % 3 > 0;
				enum pattern_kind kind = is_cgroup ? PATTERN_CGROUP : PATTERN_UNIT;
				char pattern[128];

				random_pattern(pattern, is_cgroup);
				if (config_check_pattern(kind, pattern))
					continue;
				add_pattern(c, kind, pattern);
				n--;
			}
		}
		CHECK_INT(config_finish(c), 0);
		for (int i = 0; i < 40; i++) {
			const struct rule *seen, *expected;
			char path[128];

			random_path(path);
			seen = config_match(c, path);
			expected = slow_match(c, path);
			n_matches += !!expected;
			n_lost += !expected;
			if (seen != expected)
				FAIL("round %d: %s is ruled by rule %zd, expected %zd", round, path,
				     seen ? seen - c->rules : -1,
				     expected ? expected - c->rules : -1);
		}
		CHECK(config_match(c, "/") == slow_match(c, "/"));
	}
	CHECK(n_matches > 10000 && n_lost > 10000);
}

/* So many patterns with wildcards at both ends that they are found by what is between those. */
static void test_crowded_against_slow(void)
{
	_cleanup_(config_freep) struct config *c = config_new();
	size_t n_matches = 0;
	char text[64];

	srandom(2);
	for (int i = 0; i < 26 * 26; i++) {
		int a = 'a' + i / 26, b = 'a' + i % 26;

		snprintf(text, sizeof(text), i % 2 ? "/**/*%c-%c*" : "/**/?*%c/%c*/**", a, b);
		add_rule(c, "path", PATTERN_CGROUP, text);
		snprintf(text, sizeof(text), "*%c_\\\\%c*.service", a, b);
		add_rule(c, "unit", PATTERN_UNIT, text);
	}
	add_rule(c, "b", PATTERN_CGROUP, "/**/*b*/**/*-*");
	CHECK_INT(config_finish(c), 0);
	for (int i = 0; i < 5000; i++) {
		static const char *const joints[] = {"-", "/", "_\\"};
		const struct rule *seen, *expected;
		int a = 'a' + (int)(random() % 26), b = 'a' + (int)(random() % 26);

		snprintf(text, sizeof(text), "%s%c%s%cz%s", random() % 2 ? "/x/y" : "/", a,
			 joints[random() % 3], b, random() % 2 ? "/e" : ".service");
		seen = config_match(c, text);
		expected = slow_match(c, text);
		n_matches += !!expected;
		if (seen != expected)
			FAIL("%s is ruled by rule %zd, expected %zd", text,
			     seen ? seen - c->rules : -1, expected ? expected - c->rules : -1);
	}
	CHECK(n_matches > 1000 && n_matches < 5000);
}

static void test_limits(void)
{
	_cleanup_(config_freep) struct config *c = config_new(), *many = config_new();
	struct pattern pattern = {.kind = PATTERN_CGROUP, .text = strdup("/one-too-many")};
	char path[32];

	for (int i = 0; i < CONFIG_RULES_MAX; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		add_rule(c, path, PATTERN_CGROUP, path);
	}
	CHECK_INT(config_add_rule(c, "one too many", NULL, 0), -E2BIG);
	for (int i = 1; i < CONFIG_RULE_PATTERNS_MAX; i++)
		add_pattern(c, PATTERN_CGROUP, "/x");
	CHECK_INT(rule_add_pattern(&c->rules[CONFIG_RULES_MAX - 1], &pattern), -E2BIG);
	CHECK_STR(pattern.text, "/one-too-many");
	free(pattern.text);
	for (int i = 0; i < OP_POLICIES_MAX; i++)
		CHECK_INT(config_add_policy(c, "p", NULL, 0), 0);
	CHECK_INT(config_add_policy(c, "p", NULL, 0), -E2BIG);
	for (int i = 0; i < CONFIG_TRIGGERS_MAX; i++)
		CHECK_INT(config_add_trigger(c, "t", NULL, 0), 0);
	CHECK_INT(config_add_trigger(c, "t", NULL, 0), -E2BIG);
	for (int i = 0; i < CONFIG_OOM_CONTROLS_MAX; i++)
		CHECK_INT(config_add_oom_control(c, strdup("/c")), 0);
	CHECK_INT(config_add_oom_control(c, NULL), -E2BIG);
	config_reset_oom_controls(c);
	CHECK_INT(c->n_oom_controls, 0);

	CHECK_INT(config_finish(c), 0);
	for (int i = 0; i < CONFIG_RULES_MAX; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		CHECK_STR(config_match(c, path)->name, path);
	}
	CHECK(!config_match(c, "/c10000"));

	for (int i = 0; i <= CONFIG_PATTERNS_MAX; i++) {
		if (i % CONFIG_RULE_PATTERNS_MAX == 0)
			CHECK_INT(config_add_rule(many, "r", NULL, 0), 0);
		add_pattern(many, PATTERN_CGROUP, "/x");
	}
	CHECK_INT(config_finish(many), -E2BIG);
	many->rules[0].n_patterns--;
	free(many->rules[0].patterns[many->rules[0].n_patterns].text);
	CHECK_INT(config_finish(many), 0);
}

static void test_check_pattern(void)
{
	static const struct {
		enum pattern_kind kind;
		const char *pattern;
		const char *wrong; /* a part of the reason, NULL: it is good */
	} table[] = {
		{PATTERN_CGROUP, "/", NULL},
		{PATTERN_CGROUP, "/a b/c;d/[e]", NULL},
		{PATTERN_CGROUP, "/.a/..b/...", NULL},
		{PATTERN_CGROUP, "/**/a/**/*/?/**", NULL},
		{PATTERN_CGROUP, "/a\\**", NULL},
		{PATTERN_CGROUP, "/a\\*\\*", NULL},
		{PATTERN_CGROUP, "/\xff", NULL},
		{PATTERN_CGROUP, "", "starts with /"},
		{PATTERN_CGROUP, "a/b", "starts with /"},
		{PATTERN_CGROUP, "**", "starts with /"},
		{PATTERN_CGROUP, "//", "empty path component"},
		{PATTERN_CGROUP, "/a//b", "empty path component"},
		{PATTERN_CGROUP, "/a/", "empty path component"},
		{PATTERN_CGROUP, "/.", "normalized"},
		{PATTERN_CGROUP, "/a/../b", "normalized"},
		{PATTERN_CGROUP, "/a/./b", "normalized"},
		{PATTERN_CGROUP, "/a**", "whole path"},
		{PATTERN_CGROUP, "/**a", "whole path"},
		{PATTERN_CGROUP, "/***", "whole path"},
		{PATTERN_CGROUP, "/a\\\\**", "whole path"},
		{PATTERN_CGROUP, "/a\tb", "control byte"},
		{PATTERN_CGROUP, "/a\\", "backslash"},
		{PATTERN_CGROUP, "/a\\x2d", "backslash"},
		{PATTERN_CGROUP, "/a\\/b", "backslash"},
		{PATTERN_UNIT, "a.service", NULL},
		{PATTERN_UNIT, "a@b:c_d-e.scope", NULL},
		{PATTERN_UNIT, "dev-x\\\\x2dy.swap", NULL},
		{PATTERN_UNIT, "*.slice", NULL},
		{PATTERN_UNIT, "?.mount", NULL},
		{PATTERN_UNIT, "a.socket", NULL},
		{PATTERN_UNIT, "", "ends in"},
		{PATTERN_UNIT, "sshd", "ends in"},
		{PATTERN_UNIT, ".service", "ends in"},
		{PATTERN_UNIT, "a.timer", "ends in"},
		{PATTERN_UNIT, "a.*", "ends in"},
		{PATTERN_UNIT, "a.Service", "ends in"},
		{PATTERN_UNIT, "/a.service", "slash"},
		{PATTERN_UNIT, "a b.service", "character"},
		{PATTERN_UNIT, "\xc3\xa4.service", "character"},
		{PATTERN_UNIT, "**.service", "**"},
		{PATTERN_UNIT, "x\\x2dy.mount", "backslash"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *wrong = config_check_pattern(table[i].kind, table[i].pattern);

		if (wrong ? !table[i].wrong || !strstr(wrong, table[i].wrong) : !!table[i].wrong)
			FAIL("\"%s\": %s", table[i].pattern, wrong ? wrong : "no error");
	}
}

static void test_check_lengths(void)
{
	char pattern[CONFIG_PATTERN_LEN_MAX + 2], unit[CONFIG_UNIT_LEN_MAX + 2];
	char name[OP_POLICY_NAME_LEN + 1], rule_name[CONFIG_RULE_NAME_MAX + 2];

	memset(pattern, 'a', sizeof(pattern));
	pattern[0] = '/';
	pattern[CONFIG_PATTERN_LEN_MAX + 1] = '\0';
	CHECK(config_check_pattern(PATTERN_CGROUP, pattern));
	pattern[1] = '/';
	CHECK_STR(config_check_pattern(PATTERN_CGROUP, pattern + 1), NULL);

	memset(unit, 'a', sizeof(unit));
	strcpy(unit + sizeof(unit) - sizeof(".slice"), ".slice");
	CHECK(config_check_pattern(PATTERN_UNIT, unit));
	CHECK_STR(config_check_pattern(PATTERN_UNIT, unit + 1), NULL);

	memset(name, 'a', sizeof(name));
	name[OP_POLICY_NAME_LEN] = '\0';
	CHECK(config_check_policy_name(name));
	CHECK_STR(config_check_policy_name(name + 1), NULL);
	CHECK_STR(config_check_policy_name("aZ09_.:-"), NULL);
	CHECK(config_check_policy_name(""));
	CHECK(config_check_policy_name("a b"));
	CHECK(config_check_policy_name("a\n"));

	memset(rule_name, 'a', sizeof(rule_name));
	rule_name[CONFIG_RULE_NAME_MAX + 1] = '\0';
	CHECK(config_check_rule_name(rule_name));
	CHECK_STR(config_check_rule_name(rule_name + 1), NULL);
	CHECK_STR(config_check_rule_name("\xc3\xa4 \"\\"), NULL);
	CHECK(config_check_rule_name(""));
	CHECK(config_check_rule_name("\xff"));
	CHECK(config_check_rule_name("a\tb"));
}

static void test_check_path(void)
{
	CHECK_STR(config_check_path("/"), NULL);
	CHECK_STR(config_check_path("/a/b.slice"), NULL);
	CHECK_STR(config_check_path("/a\\*"), NULL);
	CHECK(strstr(config_check_path("/a*"), "wildcard"));
	CHECK(strstr(config_check_path("/a/?"), "wildcard"));
	CHECK(strstr(config_check_path("/**"), "wildcard"));
	CHECK(strstr(config_check_path("a"), "starts with /"));
	CHECK(strstr(config_check_path(""), "starts with /"));
	CHECK(strstr(config_check_path("/a/../b"), "normalized"));
}

static void test_check_depth(void)
{
	char pattern[CONFIG_PATTERN_LEN_MAX + 1] = "";

	for (int i = 0; i < CONFIG_DEPTH_MAX; i++)
		strcat(pattern, "/*");
	CHECK_STR(config_check_pattern(PATTERN_CGROUP, pattern), NULL);
	CHECK_STR(config_check_pattern(PATTERN_CGROUP, strcat(pattern, "/**")), NULL);
	CHECK(strstr(config_check_pattern(PATTERN_CGROUP, strcat(pattern, "/a")), "deep"));
}

static void test_check_possible(void)
{
	char pattern[600];

	CHECK_STR(config_check_possible("/"), NULL);
	CHECK_STR(config_check_possible("/a/b"), NULL);
	memset(pattern, 'a', sizeof(pattern));
	memcpy(pattern, "/*", 2);
	pattern[2 + 255] = '\0';
	CHECK_STR(config_check_possible(pattern), NULL);
	pattern[1] = '?';
	CHECK(config_check_possible(pattern));
	memcpy(pattern, "/\\*", 3);
	CHECK_STR(config_check_possible(pattern), NULL);
	pattern[100] = '/';
	pattern[2 + 255] = 'a';
	pattern[356] = '\0';
	CHECK_STR(config_check_possible(pattern), NULL);
	pattern[356] = 'a';
	pattern[357] = '\0';
	CHECK(config_check_possible(pattern));
}

static void test_names(void)
{
	for (int i = 0; i < _BACKEND_MAX; i++)
		CHECK_INT(backend_from_string(backend_to_string(i)), i);
	for (int i = 0; i < _POLICY_SCOPE_MAX; i++)
		CHECK_INT(policy_scope_from_string(policy_scope_to_string(i)), i);
	for (int i = 0; i < _POLICY_VICTIM_MAX; i++)
		CHECK_INT(policy_victim_from_string(policy_victim_to_string(i)), i);
	for (int i = 0; i < _RULE_KILL_MAX; i++)
		CHECK_INT(rule_kill_from_string(rule_kill_to_string(i)), i);
	CHECK_STR(backend_to_string(BACKEND_AUTO), "auto");
	CHECK_STR(backend_to_string(_BACKEND_MAX), NULL);
	CHECK_STR(policy_scope_to_string(POLICY_SCOPE_MEMCG), "memcg");
	CHECK_STR(policy_victim_to_string(POLICY_VICTIM_OLDEST), "oldest");
	CHECK_STR(rule_kill_to_string(RULE_KILL_CGROUP), "cgroup");
	CHECK_STR(pattern_kind_to_string(PATTERN_USER), "User");
	CHECK_INT(backend_from_string("score"), -EINVAL);
	CHECK_INT(backend_from_string(""), -EINVAL);
	CHECK_INT(policy_scope_from_string("Any"), -EINVAL);
}

static const struct test_case cases[] = {
	TEST_CASE(defaults),
	TEST_CASE(precedence),
	TEST_CASE(later_of_equals),
	TEST_CASE(lists),
	TEST_CASE(reset),
	TEST_CASE(policy_for),
	TEST_CASE(compile),
	TEST_CASE(explain),
	TEST_CASE(random_against_slow),
	TEST_CASE(crowded_against_slow),
	TEST_CASE(limits),
	TEST_CASE(check_pattern),
	TEST_CASE(check_lengths),
	TEST_CASE(check_path),
	TEST_CASE(check_depth),
	TEST_CASE(check_possible),
	TEST_CASE(names),
};
TEST_MAIN(cases)
