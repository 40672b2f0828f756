/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slots through reloads. A slot is "attached" here from the moment it is given out. */
#include "daemon/kernel/slots.h"

#include <errno.h>

#include "test.h"

static bool attached[OP_SLOTS_MAX];
static struct slots slots;

static void begin(void)
{
	memset(attached, 0, sizeof(attached));
	memset(&slots, 0, sizeof(slots));
}

static void release(uint32_t slot, void *userdata)
{
	(void)userdata;
	if (!attached[slot])
		FAIL("slot %u is released, and was not attached", slot);
	attached[slot] = false;
}

/* Returns the slot. */
static uint32_t want(const char *name, int expected)
{
	uint32_t slot = OP_SLOTS_MAX;

	CHECK_INT(slots_want(&slots, name, &slot), expected);
	CHECK(slot > OP_SLOT_RECORDER && slot < OP_SLOTS_MAX);
	CHECK_INT(attached[slot], !expected);
	attached[slot] = true;
	return slot;
}

static size_t count_attached(void)
{
	size_t n = 0;

	for (size_t i = 0; i < OP_SLOTS_MAX; i++)
		n += attached[i];
	return n;
}

static void cancel(void)
{
	slots_cancel(&slots, release, NULL);
}

static uint64_t expire(uint64_t now_usec)
{
	return slots_expire(&slots, now_usec, release, NULL);
}

static void test_exchange(void)
{
	uint32_t a, b, c;

	begin();
	slots_begin(&slots);
	a = want("a", 1);
	b = want("b", 1);
	CHECK(a != b);
	slots_commit(&slots, 1000);
	CHECK_INT(expire(1000), UINT64_MAX);

	/* a stays, c comes, b goes: but not before its time. */
	slots_begin(&slots);
	CHECK_INT(want("a", 0), a);
	c = want("c", 1);
	CHECK(c != a && c != b);
	slots_commit(&slots, 2000);
	CHECK_INT(expire(2000), 2000 + SLOTS_RETIRE_USEC);
	CHECK_INT(expire(1999 + SLOTS_RETIRE_USEC), 2000 + SLOTS_RETIRE_USEC);
	CHECK(attached[a] && attached[b] && attached[c]);
	CHECK_INT(expire(2000 + SLOTS_RETIRE_USEC), UINT64_MAX);
	CHECK(attached[a] && !attached[b] && attached[c]);
}

static void test_cancel(void)
{
	uint32_t a, b;

	begin();
	slots_begin(&slots);
	a = want("a", 1);
	slots_commit(&slots, 1000);

	slots_begin(&slots);
	b = want("b", 1);
	cancel();
	CHECK(attached[a] && !attached[b]);

	/* A commit without a new configuration keeps the active ones. */
	slots_commit(&slots, 2000);
	CHECK_INT(expire(UINT64_MAX), UINT64_MAX);
	CHECK(attached[a]);

	/* After a commit there is nothing to cancel. */
	slots_begin(&slots);
	b = want("b", 1);
	slots_commit(&slots, 3000);
	cancel();
	CHECK(attached[a] && attached[b]);
}

/* A retired name that comes back is taken back, and retires anew. */
static void test_take_back(void)
{
	uint32_t a, b;

	begin();
	slots_begin(&slots);
	a = want("a", 1);
	slots_commit(&slots, 1000);
	slots_begin(&slots);
	b = want("b", 1);
	slots_commit(&slots, 2000);

	slots_begin(&slots);
	CHECK_INT(want("a", 0), a);
	cancel();
	CHECK_INT(expire(3000), 2000 + SLOTS_RETIRE_USEC);

	slots_begin(&slots);
	CHECK_INT(want("a", 0), a);
	slots_commit(&slots, 4000);
	CHECK_INT(expire(3999 + SLOTS_RETIRE_USEC), 4000 + SLOTS_RETIRE_USEC);
	CHECK_INT(expire(4000 + SLOTS_RETIRE_USEC), UINT64_MAX);
	CHECK(attached[a] && !attached[b]);

	slots_begin(&slots);
	want("b", 1);
	slots_commit(&slots, 5000 + SLOTS_RETIRE_USEC);
	CHECK_INT(expire(5000 + SLOTS_RETIRE_USEC), 5000 + 2 * SLOTS_RETIRE_USEC);
}

/* One that stays retired through further reloads goes when it was due at first. */
static void test_retired_stays_due(void)
{
	uint32_t a;

	begin();
	slots_begin(&slots);
	a = want("a", 1);
	slots_commit(&slots, 1000);
	slots_begin(&slots);
	slots_commit(&slots, 2000);
	slots_begin(&slots);
	slots_commit(&slots, 9000);
	CHECK_INT(expire(2000 + SLOTS_RETIRE_USEC), UINT64_MAX);
	CHECK(!attached[a]);
}

static void test_full(void)
{
	char name[16];
	uint32_t slot, first;

	begin();
	slots_begin(&slots);
	first = want("0", 1);
	for (int i = 1; i < OP_SLOTS_MAX - 1; i++) {
		snprintf(name, sizeof(name), "%d", i);
		want(name, 1);
	}
	CHECK_INT(slots_want(&slots, "more", &slot), -EBUSY);
	CHECK_INT(count_attached(), OP_SLOTS_MAX - 1);
	slots_commit(&slots, 1000);

	/* Only what is free is given out, whichever that is. */
	slots_begin(&slots);
	for (int i = 1; i < OP_SLOTS_MAX - 1; i++) {
		snprintf(name, sizeof(name), "%d", i);
		want(name, 0);
	}
	slots_commit(&slots, 2000);
	CHECK_INT(slots_want(&slots, "more", &slot), -EBUSY);
	expire(2000 + SLOTS_RETIRE_USEC);
	CHECK_INT(want("more", 1), first);
}

/* A slot that has become free rests while others are. */
static void test_rest(void)
{
	uint32_t a, b;

	begin();
	slots_begin(&slots);
	a = want("a", 1);
	cancel();
	slots_begin(&slots);
	b = want("b", 1);
	CHECK(a != b);
}

/* What another daemon attached is found by its name, and retires where nobody wants it. */
static void test_adopt(void)
{
	begin();
	slots_adopt(&slots, 3, "a");
	slots_adopt(&slots, 9, "b");
	attached[3] = attached[9] = true;
	slots_begin(&slots);
	CHECK_INT(want("a", 0), 3);
	CHECK_INT(want("c", 1), 10);
	slots_commit(&slots, 1000);
	CHECK_INT(slots_expire(&slots, 1000, release, NULL), 1000 + SLOTS_RETIRE_USEC);
	CHECK_INT(slots_expire(&slots, 1000 + SLOTS_RETIRE_USEC, release, NULL), UINT64_MAX);
	CHECK(attached[3] && !attached[9]);
}

static const struct test_case cases[] = {
	TEST_CASE(exchange), TEST_CASE(cancel), TEST_CASE(take_back), TEST_CASE(retired_stays_due),
	TEST_CASE(full),     TEST_CASE(rest),	TEST_CASE(adopt),
};
TEST_MAIN(cases)
