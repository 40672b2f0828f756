/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reference model that the tests in the machine are judged by, and the tables written for
 * them: what the model says has to be what a person wrote down.
 */
#include "tests/vm/model.h"

#include <stdint.h>

#include "test.h"
#include "tests/vm/random.h"
#include "tests/vm/victims.h"
#include "util/basic.h"

#define RANDOM_TABLES 200
#define MIB(n) ((uint64_t)(n) * PAGES_PER_MIB)

static void check_rule(const char *path, bool protect, unsigned priority, size_t source_len)
{
	struct model_rule rule = {};

	model_find_rule(path, &model_policies[0], &rule);
	if (rule.protect != protect || (!protect && rule.priority != priority) ||
	    rule.source_len != source_len)
		FAIL("%s: protect %d, priority %u, from %zu bytes", path, rule.protect,
		     rule.priority, rule.source_len);
}

static void test_rules(void)
{
	check_rule("", false, 500, 0);
	check_rule("a", false, 500, 0);
	check_rule("a-p050", false, 50, 6);
	check_rule("a-p1000", false, 1000, 7);
	check_rule("a-prot", true, 0, 6);
	check_rule("a-p050/b", false, 50, 6);
	check_rule("a-p050/b/c/d", false, 50, 6);
	check_rule("a-p050/b-p700/c", false, 700, 13);
	check_rule("a-prot/b-p700", false, 700, 13);
	check_rule("a-p700/b-prot/c", true, 0, 13);
	/* Not suffixes. */
	check_rule("a-p050x", false, 500, 0);
	check_rule("p050", false, 500, 0);
	check_rule("a-p05", false, 500, 0);
	check_rule("a-protx/b", false, 500, 0);
	check_rule("a-pdef", false, 500, 0);
	check_rule("a-p05k", false, 500, 0);
	check_rule("a-og", false, 500, 0);
	check_rule("a-og-p050", false, 50, 9);
	check_rule("a-prot/b-pdefk", false, 500, 14);
}

static void test_rule_of_policy(void)
{
	const struct model_policy policy = {.default_priority = 321};
	struct model_rule rule;

	model_find_rule("a/b", &policy, &rule);
	CHECK(rule.priority == 321 && rule.kill == MODEL_KILL_UNSET && rule.source_len == 0);
	model_find_rule("a-p700k/b", &policy, &rule);
	CHECK(rule.priority == 700 && rule.kill == MODEL_KILL_CGROUP && rule.source_len == 7);
	model_find_rule("a-pdefs", &policy, &rule);
	CHECK(rule.priority == 321 && rule.kill == MODEL_KILL_PROCESS && rule.source_len == 7);
}

static void test_policy(void)
{
	CHECK(model_find_policy("", "") == &model_policies[0]);
	CHECK(model_find_policy("flat", "inner/x") == &model_policies[0]);
	CHECK(model_find_policy("largestx", "") == &model_policies[0]);
	CHECK(strcmp(model_find_policy("largest", "x")->path, "largest") == 0);
	CHECK(strcmp(model_find_policy("largest", "inner/x/y")->path, "largest/inner") == 0);
}

static void test_oom_group(void)
{
	CHECK(model_find_oom_group("", "a/b") == 0);
	CHECK(model_find_oom_group("", "a-ogx/b-go") == 0);
	CHECK(model_find_oom_group("", "a/b-og/c-og-p050k") == 6);
	CHECK(model_find_oom_group("a/b-og/c-og-p050k", "a/b-og/c-og-p050k/d") == 17);
	CHECK(model_find_oom_group("a-og", "a-og/b") == 4);
	CHECK(model_find_oom_group("x", "a-og/b") == 0);
}

static void test_domain(void)
{
	CHECK(model_domain_contains("", "a/b"));
	CHECK(model_domain_contains("a", "a"));
	CHECK(model_domain_contains("a", "a/b"));
	CHECK(!model_domain_contains("a", "ab"));
	CHECK(!model_domain_contains("a/b", "a"));
	CHECK(!model_domain_contains("a/b", "a/c"));
}

static struct model_verdict choose(const struct model_task *tasks, size_t n, const char *domain,
				   bool policy)
{
	struct model_verdict v;

	model_choose(tasks, n, domain, MIB(100), policy ? &model_policies[0] : NULL, &v);
	return v;
}

static void test_policy_takes_lowest_then_largest(void)
{
	const struct model_task tasks[] = {
		{"a-p300", MIB(90), 0},	    {"b-p100", MIB(10), 1000}, {"c-p100/x", MIB(20), -999},
		{"d-p050", MIB(80), -1000}, {"e-prot", MIB(70), 0},
	};
	struct model_verdict v = choose(tasks, ARRAY_SIZE(tasks), "", true);

	CHECK(v.killer == MODEL_POLICY);
	CHECK(v.index == 2);
	CHECK(v.margin_pages == MIB(10));
	CHECK(v.rule.priority == 100);
}

static void test_kernel_counts_score(void)
{
	/* A limit of 25600 pages: one point of the score is 25 pages. */
	const struct model_task tasks[] = {
		{"a", MIB(60), 0},
		{"b", MIB(20), 500},
		{"c", MIB(90), -1000},
		{"d", MIB(61), -100},
	};
	struct model_verdict v = choose(tasks, ARRAY_SIZE(tasks), "", false);

	CHECK(v.killer == MODEL_KERNEL);
	CHECK(v.index == 1);
	CHECK(v.margin_pages == MIB(20) + 500 * 25 - MIB(60));
}

static void test_kernel_where_policy_has_no_opinion(void)
{
	const struct model_task tasks[] = {
		{"a-prot/x", MIB(10), 0},
		{"a-prot/y", MIB(30), 0},
		{"a-prot/z-p000", MIB(40), -1000},
		{"b-p000", MIB(90), 0},
	};
	struct model_verdict v = choose(tasks, ARRAY_SIZE(tasks), "a-prot", true);

	CHECK(v.killer == MODEL_KERNEL);
	CHECK(v.index == 1);
}

static void test_nobody(void)
{
	const struct model_task tasks[] = {
		{"a-p000", MIB(10), -1000},
		{"b-p000", MIB(10), 0},
	};

	CHECK(choose(tasks, ARRAY_SIZE(tasks), "a-p000", true).killer == MODEL_NOBODY);
	CHECK(choose(tasks, ARRAY_SIZE(tasks), "a-p000", false).killer == MODEL_NOBODY);
	CHECK(choose(tasks, 0, "", true).killer == MODEL_NOBODY);
}

static void test_single_candidate_has_full_margin(void)
{
	const struct model_task tasks[] = {{"a", MIB(10), 0}, {"b-p900", MIB(20), 0}};
	struct model_verdict v = choose(tasks, ARRAY_SIZE(tasks), "", true);

	CHECK(v.index == 0);
	CHECK(v.margin_pages == MODEL_MARGIN_MAX);
}

static void test_newest_and_oldest(void)
{
	const struct model_task tasks[] = {
		{"a-p900", MIB(90), 0}, {"b", MIB(10), -1000}, {"c", MIB(10), 0},
		{"d", MIB(30), 900},	{"e", MIB(20), 0},     {"f-p900", MIB(10), 0},
	};
	struct model_policy policy = {.victim = MODEL_NEWEST, .default_priority = 100};
	struct model_verdict v;

	model_choose(tasks, ARRAY_SIZE(tasks), "", MIB(100), &policy, &v);
	CHECK(v.index == 4 && v.rule.priority == 100);
	policy.victim = MODEL_OLDEST;
	model_choose(tasks, ARRAY_SIZE(tasks), "", MIB(100), &policy, &v);
	CHECK(v.index == 2);
	policy.victim = MODEL_BADNESS;
	model_choose(tasks, ARRAY_SIZE(tasks), "", MIB(100), &policy, &v);
	CHECK(v.index == 3);
}

/* The rule of a table that has one victim and no handler of its own. */
static void check_table(const struct scenario *s)
{
	struct model_task tasks[SCENARIO_ROWS_MAX];
	size_t n = scenario_count_rows(s), victims = 0;
	uint64_t limit_pages = MIB(s->room_mib);
	bool dies[SCENARIO_ROWS_MAX];
	struct model_verdict v;

	scenario_to_tasks(s, tasks);
	for (size_t i = 0; i < n; i++) {
		victims += !!(s->rows[i].flags & ROW_VICTIM);
		if (!s->domain || model_domain_contains(s->domain, tasks[i].path))
			limit_pages += tasks[i].pages;
	}
	if (s->killer == KILLER_HANDLER) {
		if (victims != 1)
			FAIL("%s has %zu victims", s->name, victims);
		return;
	}
	model_choose(tasks, n, scenario_domain(s), limit_pages,
		     s->needs & NEEDS_DAEMON
			     ? model_find_policy(scenario_top(s), scenario_domain(s))
			     : NULL,
		     &v);
	if (s->killer == KILLER_NOBODY) {
		if (v.killer != MODEL_NOBODY || victims != 0)
			FAIL("%s: the model kills %s", s->name, tasks[v.index].path);
		return;
	}
	if (victims != 1 ||
	    v.killer != (s->killer == KILLER_POLICY ? MODEL_POLICY : MODEL_KERNEL) ||
	    !(s->rows[v.index].flags & ROW_VICTIM))
		FAIL("%s: the model kills %s", s->name, tasks[v.index].path);
	if (s->needs & NEEDS_LANGUAGE) {
		model_find_group(tasks, n, scenario_domain(s), &v, dies);
		for (size_t i = 0; i < n; i++)
			if (dies[i] != !!(s->rows[i].flags & (ROW_VICTIM | ROW_MEMBER)))
				FAIL("%s: the model %s %s", s->name, dies[i] ? "kills" : "spares",
				     tasks[i].path);
	}
	/* In a system OOM the trigger is far larger than its row says. */
	if (s->domain && v.margin_pages < MIB(2))
		FAIL("%s is decided by %ju pages", s->name, (uintmax_t)v.margin_pages);
}

static void test_tables_agree_with_model(void)
{
	CHECK(victims_count() > 0);
	for (size_t i = 0; i < victims_count(); i++)
		check_table(victims_table(i));
}

static void test_table_names_are_unique(void)
{
	for (size_t i = 0; i < victims_count(); i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(victims_table(i)->name, victims_table(j)->name) == 0)
				FAIL("two tables are named %s", victims_table(i)->name);
}

static void test_random_tables_are_repeatable(void)
{
	for (unsigned i = 0; i < RANDOM_TABLES; i++) {
		struct random_table a, b;

		random_make_table(7, i, NEEDS_DAEMON, &a);
		random_make_table(7, i, NEEDS_DAEMON, &b);
		CHECK(memcmp(a.paths, b.paths, sizeof(a.paths)) == 0);
		CHECK(strcmp(a.domain, b.domain) == 0);
		CHECK(a.verdict.index == b.verdict.index);
	}
}

/* What the random tables are for has to be in them. */
static void test_random_tables_cover(void)
{
	unsigned by_kernel = 0, inherited = 0, by_default = 0, deeper = 0, not_trigger = 0;

	for (unsigned i = 0; i < RANDOM_TABLES; i++) {
		struct random_table t;
		size_t n;

		random_make_table(1, i, NEEDS_DAEMON, &t);
		n = scenario_count_rows(&t.scenario);
		CHECK(n >= 3 && n <= 10);
		CHECK(t.verdict.killer != MODEL_NOBODY);
		CHECK(t.verdict.margin_pages >= MIB(2));
		CHECK(model_domain_contains(t.domain, t.paths[t.verdict.index]));
		by_kernel += t.verdict.killer == MODEL_KERNEL;
		by_default += t.verdict.rule.source_len == 0;
		inherited += t.verdict.rule.source_len > 0 &&
			     t.verdict.rule.source_len < strlen(t.paths[t.verdict.index]);
		deeper += *t.domain && t.verdict.margin_pages != MODEL_MARGIN_MAX;
		not_trigger += !(t.scenario.rows[t.verdict.index].flags & ROW_TRIGGER);
	}
	CHECK(by_kernel >= RANDOM_TABLES / 20);
	CHECK(inherited >= RANDOM_TABLES / 20);
	CHECK(by_default >= RANDOM_TABLES / 20);
	CHECK(deeper >= RANDOM_TABLES / 20);
	CHECK(not_trigger >= RANDOM_TABLES / 4);
}

static void test_random_language_covers(void)
{
	unsigned victims[_MODEL_VICTIM_MAX] = {0}, inner = 0, by_rule = 0, by_kernel = 0, alone = 0;

	for (unsigned i = 0; i < RANDOM_TABLES; i++) {
		const struct model_policy *policy;
		const struct model_rule *rule;
		unsigned members = 0;
		struct random_table t;
		size_t group_len;

		random_make_table(1, i, NEEDS_DAEMON | NEEDS_LANGUAGE, &t);
		policy = model_find_policy(scenario_top(&t.scenario), t.domain);
		CHECK(policy != &model_policies[0]);
		rule = &t.verdict.rule;
		for (size_t row = 0; row < scenario_count_rows(&t.scenario); row++)
			members += !!(t.scenario.rows[row].flags & ROW_MEMBER);
		if (t.verdict.killer == MODEL_POLICY)
			victims[policy->victim]++;
		inner += strchr(policy->path, '/') && t.verdict.killer == MODEL_POLICY;
		group_len = model_find_oom_group(t.domain, t.paths[t.verdict.index]);
		by_rule += members > 0 && rule->kill == MODEL_KILL_CGROUP;
		by_kernel += members > 0 && group_len > 0 && rule->kill == MODEL_KILL_UNSET;
		alone += group_len > 0 && rule->kill == MODEL_KILL_PROCESS;
	}
	for (size_t i = 0; i < _MODEL_VICTIM_MAX; i++)
		CHECK(victims[i] >= RANDOM_TABLES / 10);
	printf("# %u inner, %u by rule, %u by memory.oom.group, %u alone despite it\n", inner,
	       by_rule, by_kernel, alone);
	CHECK(inner >= RANDOM_TABLES / 20);
	CHECK(by_rule >= RANDOM_TABLES / 20);
	CHECK(by_kernel >= RANDOM_TABLES / 40);
	CHECK(alone >= RANDOM_TABLES / 100);
}

static const struct test_case cases[] = {
	TEST_CASE(rules),
	TEST_CASE(rule_of_policy),
	TEST_CASE(policy),
	TEST_CASE(oom_group),
	TEST_CASE(newest_and_oldest),
	TEST_CASE(domain),
	TEST_CASE(policy_takes_lowest_then_largest),
	TEST_CASE(kernel_counts_score),
	TEST_CASE(kernel_where_policy_has_no_opinion),
	TEST_CASE(nobody),
	TEST_CASE(single_candidate_has_full_margin),
	TEST_CASE(tables_agree_with_model),
	TEST_CASE(table_names_are_unique),
	TEST_CASE(random_tables_are_repeatable),
	TEST_CASE(random_tables_cover),
	TEST_CASE(random_language_covers),
};
TEST_MAIN(cases)
