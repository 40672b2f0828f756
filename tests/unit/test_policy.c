/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which rule wins, and what may be a rule: the model without any file. */
#include "config/policy.h"

#include "glob_reference.h"
#include "test.h"

#include "bpf/oompolicy.h"
#include "config/basic.h"
#include "config/glob.h"

static void add_rule(struct policy *p, const char *name, enum rule_match match, const char *pattern)
{
	struct rule rule = {
		.name = strdup(name),
		.file = strdup("test"),
		.match = match,
		.pattern = strdup(pattern),
	};

	CHECK(rule.name && rule.file && rule.pattern);
	CHECK_STR(policy_check_pattern(match, pattern), NULL);
	CHECK_INT(policy_add_rule(p, &rule), 0);
	CHECK(!rule.name && !rule.file && !rule.pattern);
}

/* One rule for each pattern, named after it; one with a slash is for Cgroup=. */
static struct policy *make_policy(const char *const *patterns)
{
	struct policy *p = policy_new();

	CHECK(p);
	for (; *patterns; patterns++)
		add_rule(p, *patterns, **patterns == '/' ? RULE_MATCH_CGROUP : RULE_MATCH_UNIT,
			 *patterns);
	CHECK_INT(policy_finish(p), 0);
	return p;
}

static void test_defaults(void)
{
	_cleanup_(policy_freep) struct policy *p = policy_new();
	struct op_rule entry;

	CHECK_STR(p->policy_name, "default");
	CHECK_INT(p->default_priority, OP_PRIORITY_DEFAULT);
	CHECK_INT(p->backend, BACKEND_AUTO);
	CHECK_INT(p->n_rules, 0);
	CHECK(!policy_match(p, "/a"));
	CHECK_INT(policy_finish(p), 0);
	CHECK(!policy_match(p, "/a"));
	CHECK(!policy_compile_cgroup(p, "/a", &entry));
	policy_compile_default(p, &entry);
	CHECK_INT(entry.priority, OP_PRIORITY_DEFAULT);
	CHECK_INT(entry.index, OP_RULE_NONE);
	CHECK_INT(entry.flags, 0);
	CHECK_INT(entry.pad, 0);
	CHECK(!policy_free(NULL));
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
		_cleanup_(policy_freep) struct policy *p = make_policy(table[i].patterns);
		const struct rule *rule = policy_match(p, table[i].path);

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
	_cleanup_(policy_freep) struct policy *p = make_policy(patterns);

	CHECK_INT(policy_match(p, "/a") - p->rules, 1);
	CHECK_INT(policy_match(p, "/x.service") - p->rules, 3);
	CHECK_INT(policy_match(p, "/y.service") - p->rules, 5);
}

static void test_compile(void)
{
	static const char *const patterns[] = {"/default", "/set", "/zero", "/protected", NULL};
	_cleanup_(policy_freep) struct policy *p = make_policy(patterns);
	struct op_rule entry;

	p->default_priority = 444;
	p->rules[1].priority = 7;
	p->rules[1].priority_set = true;
	p->rules[2].priority_set = true;
	p->rules[3].protect = true;

	memset(&entry, 0xff, sizeof(entry));
	CHECK(policy_compile_cgroup(p, "/default", &entry));
	CHECK_INT(entry.priority, 444);
	CHECK_INT(entry.index, 0);
	CHECK_INT(entry.flags, 0);
	CHECK_INT(entry.pad, 0);
	CHECK(policy_compile_cgroup(p, "/set", &entry));
	CHECK_INT(entry.priority, 7);
	CHECK_INT(entry.index, 1);
	CHECK(policy_compile_cgroup(p, "/zero", &entry));
	CHECK_INT(entry.priority, 0);
	CHECK(policy_compile_cgroup(p, "/protected", &entry));
	CHECK_INT(entry.priority, 444);
	CHECK_INT(entry.index, 3);
	CHECK_INT(entry.flags, OP_RULE_PROTECT);
	CHECK(!policy_compile_cgroup(p, "/other", &entry));
	CHECK(!policy_compile_cgroup(p, "/set/child", &entry));
	policy_compile_default(p, &entry);
	CHECK_INT(entry.priority, 444);
	CHECK_INT(entry.index, OP_RULE_NONE);
}

/* What policy.h says in words, as one loop over all rules. */
static const struct rule *slow_match(const struct policy *p, const char *path)
{
	const char *unit = strrchr(path, '/') + 1;
	const struct rule *best = NULL;
	size_t best_kind = 0, best_literals = 0;

	unit += *unit == '_';
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];
		bool is_unit = rule->match == RULE_MATCH_UNIT;
		size_t kind = glob_has_wildcard(rule->pattern) ? 1 : is_unit ? 2 : 3;
		size_t n_literals = glob_count_literals(rule->pattern);

		if (!reference_match(rule->pattern, is_unit ? unit : path))
			continue;
		if (best && (kind < best_kind || (kind == best_kind && n_literals < best_literals)))
			continue;
		best = rule;
		best_kind = kind;
		best_literals = n_literals;
	}
	return best;
}

static void test_random_against_slow(void)
{
	static const char *const components[] = {"a",  "b.slice",   "_a",	 "*",	     "?",
						 "**", "*.service", "a.service", "*b*.slice"};
	static const char *const plain[] = {"a",	 "b.slice",  "_a",
					    "a.service", "ab.slice", "_a.service"};
	size_t n_matches = 0;

	srandom(1);
	for (int round = 0; round < 300; round++) {
		_cleanup_(policy_freep) struct policy *p = policy_new();
		size_t n_rules = random() % 12;

		CHECK(p);
		for (size_t i = 0; i < n_rules; i++) {
			char pattern[128] = "";

			if (random() % 4 == 0) {
				static const char *const units[] = {"a.service", "*.service",
								    "b.slice", "?b.slice",
								    "_a.service"};

				add_rule(p, "r", RULE_MATCH_UNIT,
					 units[random() % ARRAY_SIZE(units)]);
				continue;
			}
			for (int n = 1 + random() % 3; n > 0; n--) {
				strcat(pattern, "/");
				strcat(pattern, components[random() % ARRAY_SIZE(components)]);
			}
			add_rule(p, "r", RULE_MATCH_CGROUP, pattern);
		}
		CHECK_INT(policy_finish(p), 0);
		for (int i = 0; i < 50; i++) {
			const struct rule *seen, *expected;
			char path[128] = "";

			for (int n = 1 + random() % 3; n > 0; n--) {
				strcat(path, "/");
				strcat(path, plain[random() % ARRAY_SIZE(plain)]);
			}
			seen = policy_match(p, path);
			expected = slow_match(p, path);
			n_matches += !!expected;
			if (seen != expected)
				FAIL("round %d: %s is ruled by %s, expected %s", round, path,
				     seen ? seen->pattern : "none",
				     expected ? expected->pattern : "none");
		}
	}
	CHECK(n_matches > 1000);
}

static void test_limits(void)
{
	_cleanup_(policy_freep) struct policy *p = policy_new();
	struct rule rule = {.name = strdup("one too many"), .pattern = strdup("/x")};
	char path[32];

	for (int i = 0; i < POLICY_RULES_MAX; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		add_rule(p, path, RULE_MATCH_CGROUP, path);
	}
	CHECK_INT(policy_add_rule(p, &rule), -E2BIG);
	CHECK_STR(rule.name, "one too many");
	rule_done(&rule);
	CHECK(!rule.name);
	rule_done(NULL);

	CHECK_INT(policy_finish(p), 0);
	for (int i = 0; i < POLICY_RULES_MAX; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		CHECK_STR(policy_match(p, path)->name, path);
	}
	CHECK(!policy_match(p, "/c10000"));
}

static void test_check_pattern(void)
{
	static const struct {
		enum rule_match match;
		const char *pattern;
		const char *wrong; /* a part of the reason, NULL: it is good */
	} table[] = {
		{RULE_MATCH_CGROUP, "/", NULL},
		{RULE_MATCH_CGROUP, "/a b/c;d/[e]", NULL},
		{RULE_MATCH_CGROUP, "/.a/..b/...", NULL},
		{RULE_MATCH_CGROUP, "/**/a/**/*/?/**", NULL},
		{RULE_MATCH_CGROUP, "/a\\**", NULL},
		{RULE_MATCH_CGROUP, "/a\\*\\*", NULL},
		{RULE_MATCH_CGROUP, "/\xff", NULL},
		{RULE_MATCH_CGROUP, "", "starts with /"},
		{RULE_MATCH_CGROUP, "a/b", "starts with /"},
		{RULE_MATCH_CGROUP, "**", "starts with /"},
		{RULE_MATCH_CGROUP, "//", "empty path component"},
		{RULE_MATCH_CGROUP, "/a//b", "empty path component"},
		{RULE_MATCH_CGROUP, "/a/", "empty path component"},
		{RULE_MATCH_CGROUP, "/.", "normalized"},
		{RULE_MATCH_CGROUP, "/a/../b", "normalized"},
		{RULE_MATCH_CGROUP, "/a/./b", "normalized"},
		{RULE_MATCH_CGROUP, "/a**", "whole path"},
		{RULE_MATCH_CGROUP, "/**a", "whole path"},
		{RULE_MATCH_CGROUP, "/***", "whole path"},
		{RULE_MATCH_CGROUP, "/a\\\\**", "whole path"},
		{RULE_MATCH_CGROUP, "/a\tb", "control byte"},
		{RULE_MATCH_CGROUP, "/a\\", "backslash"},
		{RULE_MATCH_CGROUP, "/a\\x2d", "backslash"},
		{RULE_MATCH_CGROUP, "/a\\/b", "backslash"},
		{RULE_MATCH_UNIT, "a.service", NULL},
		{RULE_MATCH_UNIT, "a@b:c_d-e.scope", NULL},
		{RULE_MATCH_UNIT, "dev-x\\\\x2dy.swap", NULL},
		{RULE_MATCH_UNIT, "*.slice", NULL},
		{RULE_MATCH_UNIT, "?.mount", NULL},
		{RULE_MATCH_UNIT, "a.socket", NULL},
		{RULE_MATCH_UNIT, "", "ends in"},
		{RULE_MATCH_UNIT, "sshd", "ends in"},
		{RULE_MATCH_UNIT, ".service", "ends in"},
		{RULE_MATCH_UNIT, "a.timer", "ends in"},
		{RULE_MATCH_UNIT, "a.*", "ends in"},
		{RULE_MATCH_UNIT, "a.Service", "ends in"},
		{RULE_MATCH_UNIT, "/a.service", "slash"},
		{RULE_MATCH_UNIT, "a b.service", "character"},
		{RULE_MATCH_UNIT, "\xc3\xa4.service", "character"},
		{RULE_MATCH_UNIT, "**.service", "**"},
		{RULE_MATCH_UNIT, "x\\x2dy.mount", "backslash"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *wrong = policy_check_pattern(table[i].match, table[i].pattern);

		if (wrong ? !table[i].wrong || !strstr(wrong, table[i].wrong) : !!table[i].wrong)
			FAIL("\"%s\": %s", table[i].pattern, wrong ? wrong : "no error");
	}
}

static void test_check_lengths(void)
{
	char pattern[POLICY_PATTERN_LEN_MAX + 2], unit[POLICY_UNIT_LEN_MAX + 2];
	char name[OP_POLICY_NAME_LEN + 1], rule_name[POLICY_RULE_NAME_MAX + 2];

	memset(pattern, 'a', sizeof(pattern));
	pattern[0] = '/';
	pattern[POLICY_PATTERN_LEN_MAX + 1] = '\0';
	CHECK(policy_check_pattern(RULE_MATCH_CGROUP, pattern));
	pattern[1] = '/';
	CHECK_STR(policy_check_pattern(RULE_MATCH_CGROUP, pattern + 1), NULL);

	memset(unit, 'a', sizeof(unit));
	strcpy(unit + sizeof(unit) - sizeof(".slice"), ".slice");
	CHECK(policy_check_pattern(RULE_MATCH_UNIT, unit));
	CHECK_STR(policy_check_pattern(RULE_MATCH_UNIT, unit + 1), NULL);

	memset(name, 'a', sizeof(name));
	name[OP_POLICY_NAME_LEN] = '\0';
	CHECK(policy_check_name(name));
	CHECK_STR(policy_check_name(name + 1), NULL);
	CHECK_STR(policy_check_name("aZ09_.:-"), NULL);
	CHECK(policy_check_name(""));
	CHECK(policy_check_name("a b"));
	CHECK(policy_check_name("a\n"));

	memset(rule_name, 'a', sizeof(rule_name));
	rule_name[POLICY_RULE_NAME_MAX + 1] = '\0';
	CHECK(policy_check_rule_name(rule_name));
	CHECK_STR(policy_check_rule_name(rule_name + 1), NULL);
	CHECK_STR(policy_check_rule_name("\xc3\xa4 \"\\"), NULL);
	CHECK(policy_check_rule_name(""));
	CHECK(policy_check_rule_name("\xff"));
	CHECK(policy_check_rule_name("a\tb"));
}

static void test_backend_names(void)
{
	for (int b = 0; b < _BACKEND_MAX; b++)
		CHECK_INT(backend_from_string(backend_to_string(b)), b);
	CHECK_STR(backend_to_string(BACKEND_AUTO), "auto");
	CHECK_STR(backend_to_string(_BACKEND_MAX), NULL);
	CHECK_INT(backend_from_string("score"), -EINVAL);
	CHECK_INT(backend_from_string(""), -EINVAL);
}

static const struct test_case cases[] = {
	TEST_CASE(defaults),	  TEST_CASE(precedence),	  TEST_CASE(later_of_equals),
	TEST_CASE(compile),	  TEST_CASE(random_against_slow), TEST_CASE(limits),
	TEST_CASE(check_pattern), TEST_CASE(check_lengths),	  TEST_CASE(backend_names),
};
TEST_MAIN(cases)
