/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The time since the machine was started, by the clock of the records (bpf_ktime_get_ns()) and of
 * the timers; and the clock for times that people read.
 */
#ifndef OP_CLOCK_H
#define OP_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* For people: since 1970. */
static inline uint64_t clock_real_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static inline uint64_t clock_now_usec(void)
{
	return clock_now_nsec() / 1000;
}

#endif
