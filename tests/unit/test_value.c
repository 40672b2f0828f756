/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values as systemd spells them, and what is none. */
#include "config/value.h"

#include "test.h"

#include "util/basic.h"

#include <errno.h>
#include <inttypes.h>

static void test_boolean(void)
{
	static const struct {
		const char *text;
		int expected;
	} table[] = {
		{"1", 1},     {"YES", 1}, {"tRue", 1}, {"on", 1}, {"0", 0},   {"n", 0},
		{"False", 0}, {"off", 0}, {"", -1},    {"2", -1}, {"t ", -1}, {"yesno", -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		bool b = table[i].expected == 0;
		int r = value_parse_boolean(table[i].text, &b);

		CHECK_INT(r, table[i].expected < 0 ? -EINVAL : 0);
		if (r == 0)
			CHECK_INT(b, table[i].expected);
	}
}

static void test_number(void)
{
	static const struct {
		const char *text;
		uint64_t max;
		int r;
		uint64_t n;
	} table[] = {
		{"0", 0, 0, 0},
		{"007", 7, 0, 7},
		{"8", 7, -ERANGE, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999", UINT64_MAX, -ERANGE, 0},
		{"", 9, -EINVAL, 0},
		{"-1", 9, -EINVAL, 0},
		{"+1", 9, -EINVAL, 0},
		{" 1", 9, -EINVAL, 0},
		{"1 ", 9, -EINVAL, 0},
		{"0x1", 9, -EINVAL, 0},
		{"99999999999999999999999x", 9, -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t n = 12345;
		int r = value_parse_number(table[i].text, table[i].max, &n);

		if (r != table[i].r || n != (r == 0 ? table[i].n : 12345))
			FAIL("\"%s\" gives %d, %" PRIu64, table[i].text, r, n);
	}
}

static void test_size(void)
{
	static const struct {
		const char *text;
		int r;
		bool relative;
		uint64_t value;
	} table[] = {
		{"0", 0, false, 0},
		{"4096", 0, false, 4096},
		{"4096B", 0, false, 4096},
		{"3K", 0, false, 3072},
		{"64M", 0, false, 64ULL << 20},
		{"2G", 0, false, 2ULL << 30},
		{"1T", 0, false, 1ULL << 40},
		{"16777215T", 0, false, 16777215ULL << 40},
		{"16777216T", -ERANGE, false, 0},
		{"18446744073709551616", -ERANGE, false, 0},
		{"10%", 0, true, 10},
		{"0%", 0, true, 0},
		{"100%", 0, true, 100},
		{"101%", -ERANGE, true, 0},
		{"", -EINVAL, false, 0},
		{"M", -EINVAL, false, 0},
		{"%", -EINVAL, false, 0},
		{"1.5M", -EINVAL, false, 0},
		{"1m", -EINVAL, false, 0},
		{"1MB", -EINVAL, false, 0},
		{"1 M", -EINVAL, false, 0},
		{"-1M", -EINVAL, false, 0},
		{"10%%", -EINVAL, false, 0},
		{"infinity", -EINVAL, false, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct value_size size = {.value = 12345};
		int r = value_parse_size(table[i].text, &size);

		if (r != table[i].r)
			FAIL("\"%s\" gives %d", table[i].text, r);
		CHECK_INT(size.relative, r == 0 && table[i].relative);
		CHECK_INT(size.value, r == 0 ? table[i].value : 12345);
	}
}

static void test_timespan(void)
{
	static const struct {
		const char *text;
		int r;
		uint64_t usec;
	} table[] = {
		{"0", 0, 0},
		{"1", 0, 1000000},
		{"150ms", 0, 150000},
		{"150 msec", 0, 150000},
		{"7us", 0, 7},
		{"7usec", 0, 7},
		{"7\xc2\xb5s", 0, 7},
		{"7\xce\xbcs", 0, 7},
		{"1s", 0, 1000000},
		{"1sec2second3seconds", 0, 6000000},
		{"2min 30s", 0, 150000000},
		{"2min30", 0, 150000000},
		{"1m 1minute 1minutes", 0, 180000000},
		{" 1h\t1hr  1hour 1hours ", 0, 4 * 3600000000ULL},
		{"1d 1day 1days", 0, 3 * 86400000000ULL},
		{"1w 1week 1weeks", 0, 21 * 86400000000ULL},
		{"1M 1month", 0, 2 * 2629800000000ULL},
		{"1y 1year", 0, 2 * 31557600000000ULL},
		{"584542y", 0, 584542 * 31557600000000ULL},
		{"584543y", -ERANGE, 0},
		{"18446744073709551615us", 0, UINT64_MAX},
		{"18446744073709551615us 1us", -ERANGE, 0},
		{"18446744073709551616us", -ERANGE, 0},
		{"", -EINVAL, 0},
		{" ", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"1S", -EINVAL, 0},
		{"1.5s", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"1s,", -EINVAL, 0},
		{"1x", -EINVAL, 0},
		{"1s x", -EINVAL, 0},
		{"1 \xb5s", -EINVAL, 0},
		{"99999999999999999999s x", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t usec = 12345;
		int r = value_parse_timespan(table[i].text, &usec);

		if (r != table[i].r || usec != (r == 0 ? table[i].usec : 12345))
			FAIL("\"%s\" gives %d, %" PRIu64, table[i].text, r, usec);
	}
}

static void test_pressure(void)
{
	static const struct {
		const char *text;
		int r;
		bool full;
		uint64_t threshold_usec, window_usec;
	} table[] = {
		{"full 150ms/1s", 0, true, 150000, 1000000},
		{"some 150ms/1s", 0, false, 150000, 1000000},
		{"some\t1 s / 2 s", 0, false, 1000000, 2000000},
		{"full 5/1", 0, true, 5000000, 1000000}, /* the caller's to refuse */
		{"", -EINVAL, false, 0, 0},
		{"full", -EINVAL, false, 0, 0},
		{"full150ms/1s", -EINVAL, false, 0, 0},
		{"fuller 150ms/1s", -EINVAL, false, 0, 0},
		{"Full 150ms/1s", -EINVAL, false, 0, 0},
		{"150ms/1s", -EINVAL, false, 0, 0},
		{"full 150ms", -EINVAL, false, 0, 0},
		{"full /1s", -EINVAL, false, 0, 0},
		{"full 1s/", -EINVAL, false, 0, 0},
		{"full 1s/1s/1s", -EINVAL, false, 0, 0},
		{"full 1s/99999999y", -ERANGE, false, 0, 0},
		{"full 99999999y/1s", -ERANGE, false, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t threshold = 1, window = 2;
		bool full = false;
		int r = value_parse_pressure(table[i].text, &full, &threshold, &window);

		if (r != table[i].r)
			FAIL("\"%s\" gives %d", table[i].text, r);
		CHECK_INT(full, table[i].full);
		CHECK_INT(threshold, r == 0 ? table[i].threshold_usec : 1);
		CHECK_INT(window, r == 0 ? table[i].window_usec : 2);
	}
}

static const struct test_case cases[] = {
	TEST_CASE(boolean),  TEST_CASE(number),	  TEST_CASE(size),
	TEST_CASE(timespan), TEST_CASE(pressure),
};
TEST_MAIN(cases)
