/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the spelling of values. Knows no key and reports nothing. Invariant: a text is a value as a
 * whole or not at all; no rest is ignored, and nothing wraps around.
 */
#include "config/value.h"

#include "util/basic.h"

#include <string.h>
#include <strings.h>

#define WHITESPACE " \t"
#define USEC_PER_SEC 1000000ULL

int value_parse_boolean(const char *s, bool *ret)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"off", "on"}, {"false", "true"}, {"0", "1"}, {"n", "y"}, {"f", "t"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (int b = 0; b < 2; b++)
			if (strcasecmp(s, words[i][b]) == 0) {
				*ret = b;
				return 0;
			}
	return -EINVAL;
}

/*
 * Takes the digits that *@s begins with and moves it behind them. strtoull() would take a sign,
 * spaces and an empty string as well.
 */
static int take_digits(const char **s, uint64_t *ret)
{
	const char *c = *s;
	uint64_t n = 0;
	bool fits = true;

	if (*c < '0' || *c > '9')
		return -EINVAL;
	for (; *c >= '0' && *c <= '9'; c++)
		fits = fits && !__builtin_mul_overflow(n, 10, &n) &&
		       !__builtin_add_overflow(n, (uint64_t)(*c - '0'), &n);
	*s = c;
	*ret = n;
	return fits ? 0 : -ERANGE;
}

int value_parse_number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n;
	int r = take_digits(&s, &n);

	if (r == -EINVAL || *s)
		return -EINVAL;
	if (r < 0 || n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}

int value_parse_size(const char *s, struct value_size *ret)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	uint64_t n;
	int r = take_digits(&s, &n);

	if (r == -EINVAL || (*s && s[1]))
		return -EINVAL;
	if (*s == '%') {
		if (r < 0 || n > 100)
			return -ERANGE;
		*ret = (struct value_size){.relative = true, .value = n};
		return 0;
	}
	suffix = *s ? strchr(suffixes, *s) : NULL;
	if (*s && *s != 'B' && !suffix)
		return -EINVAL;
	if (suffix && __builtin_mul_overflow(n, 1ULL << (10 * (suffix - suffixes + 1)), &n))
		r = -ERANGE;
	if (r < 0)
		return r;
	*ret = (struct value_size){.value = n};
	return 0;
}

/* The microseconds of the unit @s of @size bytes, 0 if there is no such unit. */
static uint64_t unit_usec(const char *s, size_t size)
{
	/* A month and a year are systemd's averages: 30.44 and 365.25 days. */
	static const struct {
		uint64_t usec;
		const char *names[4];
	} units[] = {
		{1, {"us", "usec", "\xc2\xb5s", "\xce\xbcs"}},
		{1000, {"ms", "msec"}},
		{USEC_PER_SEC, {"s", "sec", "second", "seconds"}},
		{60 * USEC_PER_SEC, {"m", "min", "minute", "minutes"}},
		{3600 * USEC_PER_SEC, {"h", "hr", "hour", "hours"}},
		{86400 * USEC_PER_SEC, {"d", "day", "days"}},
		{7 * 86400 * USEC_PER_SEC, {"w", "week", "weeks"}},
		{2629800 * USEC_PER_SEC, {"M", "month", "months"}},
		{31557600 * USEC_PER_SEC, {"y", "year", "years"}},
	};

	if (size == 0)
		return USEC_PER_SEC;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		for (size_t j = 0; j < ARRAY_SIZE(units[i].names); j++) {
			const char *name = units[i].names[j];

			if (name && strlen(name) == size && memcmp(name, s, size) == 0)
				return units[i].usec;
		}
	return 0;
}

int value_parse_timespan(const char *s, uint64_t *ret_usec)
{
	uint64_t usec = 0;
	bool fits = true;

	s += strspn(s, WHITESPACE);
	do {
		uint64_t n, unit;
		size_t size;
		int r = take_digits(&s, &n);

		if (r == -EINVAL)
			return r;
		s += strspn(s, WHITESPACE);
		size = strcspn(s, WHITESPACE "0123456789");
		unit = unit_usec(s, size);
		if (unit == 0)
			return -EINVAL;
		s += size;
		s += strspn(s, WHITESPACE);
		fits = fits && r == 0 && !__builtin_mul_overflow(n, unit, &n) &&
		       !__builtin_add_overflow(usec, n, &usec);
	} while (*s);
	if (!fits)
		return -ERANGE;
	*ret_usec = usec;
	return 0;
}

int value_parse_pressure(const char *s, bool *ret_full, uint64_t *ret_threshold_usec,
			 uint64_t *ret_window_usec)
{
	_cleanup_free_ char *threshold = NULL;
	uint64_t threshold_usec, window_usec;
	const char *slash;
	bool full;
	int r;

	if (strncmp(s, "some", 4) == 0)
		full = false;
	else if (strncmp(s, "full", 4) == 0)
		full = true;
	else
		return -EINVAL;
	s += 4;
	slash = strchr(s, '/');
	if (strspn(s, WHITESPACE) == 0 || !slash)
		return -EINVAL;
	threshold = strndup(s, (size_t)(slash - s));
	if (!threshold)
		return -ENOMEM;
	r = value_parse_timespan(threshold, &threshold_usec);
	if (r < 0)
		return r;
	r = value_parse_timespan(slash + 1, &window_usec);
	if (r < 0)
		return r;
	*ret_full = full;
	*ret_threshold_usec = threshold_usec;
	*ret_window_usec = window_usec;
	return 0;
}
