/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arrays that grow: what was in them stays, and each item has a place. */
#include "util/grow.h"

#include <stdint.h>

#include "test.h"
#include "util/basic.h"

static void test_items_stay(void)
{
	_cleanup_free_ uint64_t *items = NULL;

	for (size_t n = 0; n < 1000; n++) {
		CHECK_INT(GROW(items, n), 0);
		items[n] = n * n;
	}
	for (size_t i = 0; i < 1000; i++)
		CHECK_INT((long long)items[i], (long long)(i * i));
}

static void test_room_is_used_before_it_grows(void)
{
	_cleanup_free_ uint64_t *items = NULL;
	const uint64_t *before;

	for (size_t n = 0; n <= 64; n++)
		CHECK_INT(GROW(items, n), 0);
	before = items;
	for (size_t n = 65; n < 128; n++)
		CHECK_INT(GROW(items, n), 0);
	CHECK(items == before);
}

/* Or a sanitizer ends the program where malloc(3) fails. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* The items are larger than all memory: the array stays as it was. */
static void test_no_memory(void)
{
	struct huge {
		char bytes[PTRDIFF_MAX / 4];
	} *items = NULL;
	volatile size_t n = 8; /* or the compiler sees it, too */

	CHECK_INT(GROW(items, n), -ENOMEM);
	CHECK(!items);
}

static const struct test_case cases[] = {
	TEST_CASE(items_stay),
	TEST_CASE(room_is_used_before_it_grows),
	TEST_CASE(no_memory),
};
TEST_MAIN(cases)
