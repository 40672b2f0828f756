/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How things are that are not as they should be, in sentences for people. */
#ifndef OP_WARNINGS_H
#define OP_WARNINGS_H

#include <stddef.h>

#define WARNING_SIZE 512
#define WARNINGS_MAX 20

/* Empty when n is 0. */
struct warnings {
	char items[WARNINGS_MAX][WARNING_SIZE];
	size_t n;
};

#endif
