/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every unit test shares. A test program is a list of named cases; it runs all of them, or
 * those whose name matches the shell pattern given as its argument, and prints a line for each:
 * "ok NAME", "skip NAME: why", or "not ok NAME FILE:LINE: what was seen". The first failure ends
 *the program with status 1. To look at one failure: build/tests/unit/test_glob 'step*'.
 *
 *	static void test_addition(void)
 *	{
 *		CHECK_INT(1 + 1, 2);
 *	}
 *
 *	static const struct test_case cases[] = {TEST_CASE(addition)};
 *	TEST_MAIN(cases)
 */
#ifndef OP_TEST_H
#define OP_TEST_H

#include <fnmatch.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
};

#define TEST_CASE(function) {#function, test_##function}

/* The case that runs, and why it could not run or not as a whole. TEST_MAIN() defines them. */
extern const char *test_current;
extern const char *test_skipped;

__attribute__((noreturn, format(printf, 3, 4))) static inline void
test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("not ok %s %s:%d: ", test_current, file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	exit(EXIT_FAILURE);
}

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

/* The case goes on, and is counted as skipped unless it fails. @why is not copied. */
#define SKIP(why) ((void)(test_skipped = (why)))

#define CHECK(condition)                        \
	do {                                    \
		if (!(condition))               \
			FAIL("%s", #condition); \
	} while (0)

#define CHECK_INT(seen, expected)                                                           \
	do {                                                                                \
		long long test_seen = (seen), test_expected = (expected);                   \
		if (test_seen != test_expected)                                             \
			FAIL("%s is %lld, expected %lld", #seen, test_seen, test_expected); \
	} while (0)

/* Either may be NULL. */
#define CHECK_STR(seen, expected)                                                         \
	do {                                                                              \
		const char *test_seen = (seen), *test_expected = (expected);              \
		if (!test_seen || !test_expected ? test_seen != test_expected             \
						 : strcmp(test_seen, test_expected) != 0) \
			FAIL("%s is \"%s\", expected \"%s\"", #seen,                      \
			     test_seen ? test_seen : "(null)",                            \
			     test_expected ? test_expected : "(null)");                   \
	} while (0)

static inline int test_main(int argc, char **argv, const struct test_case *cases, size_t n_cases)
{
	size_t n_run = 0;

	for (size_t i = 0; i < n_cases; i++) {
		if (argc > 1 && fnmatch(argv[1], cases[i].name, 0) != 0)
			continue;
		test_current = cases[i].name;
		test_skipped = NULL;
		cases[i].run();
		if (test_skipped)
			printf("skip %s: %s\n", cases[i].name, test_skipped);
		else
			printf("ok %s\n", cases[i].name);
		fflush(stdout);
		n_run++;
	}
	if (n_run == 0) {
		fprintf(stderr, "No case has a name like \"%s\".\n", argc > 1 ? argv[1] : "");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

#define TEST_MAIN(cases)                                                                 \
	const char *test_current;                                                        \
	const char *test_skipped;                                                        \
	int main(int argc, char **argv)                                                  \
	{                                                                                \
		return test_main(argc, argv, cases, sizeof(cases) / sizeof((cases)[0])); \
	}

#endif
