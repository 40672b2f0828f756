/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages about a configuration: kept in order, counted, one printable line each. */
#include "config/diagnostics.h"

#include "test.h"

static void test_format(void)
{
	_cleanup_(diagnostics_done) struct diagnostics d = {};

	diagnostics_add(&d, DIAGNOSTIC_ERROR, "/etc/x.conf", 7, "bad %s, expected %d", "a", 5);
	diagnostics_add(&d, DIAGNOSTIC_WARNING, "/etc/x.conf", 0, "odd");
	CHECK_INT(d.n_items, 2);
	CHECK_INT(d.n_errors, 1);
	CHECK_INT(d.n_warnings, 1);
	CHECK_INT(d.items[0].level, DIAGNOSTIC_ERROR);
	CHECK_STR(d.items[0].message, "/etc/x.conf:7: bad a, expected 5");
	CHECK_INT(d.items[1].level, DIAGNOSTIC_WARNING);
	CHECK_STR(d.items[1].message, "/etc/x.conf: odd");
	CHECK(!d.out_of_memory);
}

static void test_untrusted_bytes(void)
{
	_cleanup_(diagnostics_done) struct diagnostics d = {};

	diagnostics_add(&d, DIAGNOSTIC_ERROR, "a\nb", 1, "\"%s\" \\*",
			"\x1b[2J\xff\xc3\xa9\xc2\x9b");
	CHECK_STR(d.items[0].message, "a\\x0ab:1: \"\\x1b[2J\\xff\xc3\xa9\\xc2\\x9b\" \\*");
}

static void test_more_than_kept(void)
{
	_cleanup_(diagnostics_done) struct diagnostics d = {};

	for (unsigned i = 1; i <= DIAGNOSTICS_MAX + 50; i++)
		diagnostics_add(&d, DIAGNOSTIC_WARNING, "f", i, "x");
	CHECK_INT(d.n_items, DIAGNOSTICS_MAX);
	CHECK_INT(d.n_warnings, DIAGNOSTICS_MAX + 50);
	CHECK_STR(d.items[DIAGNOSTICS_MAX - 1].message, "f:100: x");

	for (unsigned i = 1; i <= DIAGNOSTICS_MAX + 7; i++)
		diagnostics_add(&d, DIAGNOSTIC_ERROR, "f", i, "y");
	CHECK_INT(d.n_items, 2 * DIAGNOSTICS_MAX);
	CHECK_INT(d.n_warnings, DIAGNOSTICS_MAX + 50);
	CHECK_INT(d.n_errors, DIAGNOSTICS_MAX + 7);
	CHECK_STR(d.items[DIAGNOSTICS_MAX].message, "f:1: y");
}

static void test_done_empties(void)
{
	struct diagnostics d = {};

	diagnostics_done(NULL);
	diagnostics_done(&d);
	diagnostics_add(&d, DIAGNOSTIC_ERROR, "f", 1, "x");
	diagnostics_done(&d);
	CHECK_INT(d.n_items, 0);
	CHECK_INT(d.n_errors, 0);
	CHECK(!d.items);
	diagnostics_add(&d, DIAGNOSTIC_ERROR, "f", 2, "y");
	CHECK_STR(d.items[0].message, "f:2: y");
	diagnostics_done(&d);
}

static const struct test_case cases[] = {
	TEST_CASE(format),
	TEST_CASE(untrusted_bytes),
	TEST_CASE(more_than_kept),
	TEST_CASE(done_empties),
};
TEST_MAIN(cases)
