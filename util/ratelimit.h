/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often something may be done or said. */
#ifndef OP_RATELIMIT_H
#define OP_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* The first two are the caller's to set, the others are 0 at first. */
struct ratelimit {
	uint64_t interval_usec;
	uint64_t burst; /* how often in an interval, which begins with the first of them */
	uint64_t begun_usec;
	uint64_t n;	       /* in this interval */
	uint64_t n_suppressed; /* the caller's to read and to set back */
};

/* Whether there may be another at @now_usec: counts it then, or as one that was suppressed. */
static inline bool ratelimit_pass(struct ratelimit *l, uint64_t now_usec)
{
	if (l->n == 0 || now_usec - l->begun_usec >= l->interval_usec) {
		l->begun_usec = now_usec;
		l->n = 0;
	}
	if (l->n >= l->burst) {
		l->n_suppressed++;
		return false;
	}
	l->n++;
	return true;
}

#endif
