/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values as systemd spells them (systemd.syntax(7), systemd.time(7)). Text to number and nothing
 * else: no unit of it depends on the locale, the machine or the key.
 */
#ifndef OP_VALUE_H
#define OP_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Each returns 0; -EINVAL when it is no such value; -ERANGE when it is one, but too large. @ret
 * is written on success only. */

/* 1, yes, y, true, t, on and 0, no, n, false, f, off, in any case. */
int value_parse_boolean(const char *s, bool *ret);

/* Digits only: no sign, no space, no other base. */
int value_parse_number(const char *s, uint64_t max, uint64_t *ret);

struct value_size {
	bool relative;	/* to something that the key names */
	uint64_t value; /* bytes, or percent (0..100) of it */
};

/* A whole number of bytes, with K, M, G or T for powers of 1024; or of percent, with %. */
int value_parse_size(const char *s, struct value_size *ret);

/*
 * Whole numbers with units (us, ms, s, min, h, d, w and their longer names), which add up, as in
 * "2min 30s"; a number without a unit is in seconds.
 */
int value_parse_timespan(const char *s, uint64_t *ret_usec);

/* "some 150ms/1s" or "full ...": the stall time within the window. What the kernel takes of it
 * (threshold and window) is checked by the caller. */
int value_parse_pressure(const char *s, bool *ret_full, uint64_t *ret_threshold_usec,
			 uint64_t *ret_window_usec);

#endif
