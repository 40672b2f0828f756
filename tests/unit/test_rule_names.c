/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rule names of earlier configurations. */
#include "daemon/record/rule-names.h"

#include "config/policy.h"
#include "test.h"

/* A configuration of @n rules, named NUMBER-INDEX. */
static void add(struct rule_names *h, uint32_t number, size_t n)
{
	struct config *c = config_new();
	char name[32];

	CHECK(c);
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%u-%zu", number, i);
		CHECK_INT(config_add_rule(c, name, NULL, 0), 0);
	}
	CHECK_INT(rule_names_add(h, number, c), 0);
	config_free(c);
}

static void test_names(void)
{
	struct rule_names h = {};

	CHECK_STR(rule_names_find(&h, 1, 0), NULL);
	add(&h, 1, 3);
	add(&h, 2, 1);
	CHECK_STR(rule_names_find(&h, 1, 0), "1-0");
	CHECK_STR(rule_names_find(&h, 1, 2), "1-2");
	CHECK_STR(rule_names_find(&h, 2, 0), "2-0");
	/* Numbers that come from a record are not trusted. */
	CHECK_STR(rule_names_find(&h, 1, 3), NULL);
	CHECK_STR(rule_names_find(&h, 1, UINT32_MAX), NULL);
	CHECK_STR(rule_names_find(&h, 3, 0), NULL);
	CHECK_STR(rule_names_find(&h, 0, 0), NULL);
	rule_names_done(&h);
	CHECK_STR(rule_names_find(&h, 1, 0), NULL);
}

static void test_forgets_the_oldest(void)
{
	struct rule_names h = {};

	for (uint32_t number = 1; number <= RULE_NAMES_CONFIGS + 2; number++)
		add(&h, number, number == 4 ? 0 : number);
	CHECK_STR(rule_names_find(&h, 1, 0), NULL);
	CHECK_STR(rule_names_find(&h, 2, 0), NULL);
	CHECK_STR(rule_names_find(&h, 3, 2), "3-2");
	CHECK_STR(rule_names_find(&h, 4, 0), NULL);
	CHECK_STR(rule_names_find(&h, RULE_NAMES_CONFIGS + 2, 9), "10-9");
	rule_names_done(&h);
}

static const struct test_case cases[] = {
	TEST_CASE(names),
	TEST_CASE(forgets_the_oldest),
};
TEST_MAIN(cases)
