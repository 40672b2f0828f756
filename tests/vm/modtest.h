/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of modtest have in common: a test returns whether it passed, and leaves in reason
 * why not. */
#ifndef MODTEST_H
#define MODTEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define REASON_SIZE 256

extern char reason[REASON_SIZE];

#define CHECK(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			snprintf(reason, REASON_SIZE, "line %d: %s (errno %s)", __LINE__, \
				 #condition, strerror(errno));                            \
			return false;                                                     \
		}                                                                         \
	} while (0)

/* For a call that checks, and leaves the reason where it returns false. */
#define TRY(call)                                                                              \
	do {                                                                                   \
		if (!(call)) {                                                                 \
			size_t length = strlen(reason);                                        \
			snprintf(reason + length, REASON_SIZE - length, ", called in line %d", \
				 __LINE__);                                                    \
			return false;                                                          \
		}                                                                              \
	} while (0)

/* modtest_refused.c: programs that the module must not load. */
bool test_nonsleepable_refused(void);
bool test_forbidden_kfunc_refused(void);
bool test_locking_kfunc_refused(void);

#endif
