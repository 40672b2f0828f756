/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often something passes, and how much of it is said to have been suppressed. */
#include "util/ratelimit.h"

#include "test.h"
#include "util/basic.h"

static void test_one_in_an_interval(void)
{
	static const struct {
		uint64_t now_usec;
		bool passes;
		uint64_t n_suppressed; /* before it */
	} table[] = {
		{5, true, 0},	  {6, false, 0},   {1004, false, 1}, {1005, true, 2},
		{1006, false, 0}, {3000, true, 1}, {5000, true, 0},
	};
	struct ratelimit l = {.interval_usec = 1000, .burst = 1};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CHECK_INT(l.n_suppressed, table[i].n_suppressed);
		CHECK_INT(ratelimit_pass(&l, table[i].now_usec), table[i].passes);
		if (table[i].passes)
			l.n_suppressed = 0;
	}
}

/* The interval begins with the first that passed, and not with the last. */
static void test_burst(void)
{
	struct ratelimit l = {.interval_usec = 1000, .burst = 3};

	for (uint64_t i = 0; i < 3; i++)
		CHECK(ratelimit_pass(&l, 5 + i));
	CHECK(!ratelimit_pass(&l, 1004));
	CHECK(ratelimit_pass(&l, 1005));
	CHECK_INT(l.n, 1);
	CHECK_INT(l.n_suppressed, 1);
}

static const struct test_case cases[] = {
	TEST_CASE(one_in_an_interval),
	TEST_CASE(burst),
};
TEST_MAIN(cases)
