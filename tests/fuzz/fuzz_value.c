/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any text as a value of each kind: a result is within its bounds, and a refusal leaves none. */
#include "config/value.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNTOUCHED 0x5a5a5a5a5a5a5a5aULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* Returns whether there is a value. */
static bool check_result(int r)
{
	check(r == 0 || r == -EINVAL || r == -ERANGE);
	return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	uint64_t number = UNTOUCHED, usec = UNTOUCHED, threshold = UNTOUCHED, window = UNTOUCHED;
	struct value_size bytes = {.value = UNTOUCHED};
	bool boolean, full;
	int r;

	check(text);
	r = value_parse_boolean(text, &boolean);
	check(r == 0 || r == -EINVAL);

	r = value_parse_number(text, 1000, &number);
	check(check_result(r) ? number <= 1000 : number == UNTOUCHED);

	r = value_parse_size(text, &bytes);
	if (!check_result(r))
		check(bytes.value == UNTOUCHED);
	else if (bytes.relative)
		check(bytes.value <= 100);

	r = value_parse_timespan(text, &usec);
	if (!check_result(r)) {
		check(usec == UNTOUCHED);
	} else {
		char again[32];
		uint64_t same;

		snprintf(again, sizeof(again), "%lluus", (unsigned long long)usec);
		check(value_parse_timespan(again, &same) == 0 && same == usec);
	}

	r = value_parse_pressure(text, &full, &threshold, &window);
	if (!check_result(r))
		check(threshold == UNTOUCHED && window == UNTOUCHED);
	free(text);
	return 0;
}
