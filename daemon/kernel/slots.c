/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the table of slots. Invariant: a name has at most one slot, and an active slot is released
 * only by way of being retired.
 */
#include "slots.h"

#include <string.h>

#include "util/basic.h"

void slots_begin(struct slots *s)
{
	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++)
		s->items[i].wanted = false;
}

int slots_want(struct slots *s, const char *name, uint32_t *ret)
{
	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++)
		if (s->items[i].state != SLOT_FREE && strcmp(s->items[i].name, name) == 0) {
			s->items[i].wanted = true;
			*ret = i;
			return 0;
		}
	for (uint32_t n = 1; n <= OP_SLOTS_MAX; n++) {
		uint32_t i = (s->last + n) % OP_SLOTS_MAX;
		struct slot *slot = &s->items[i];

		if (i == OP_SLOT_RECORDER || slot->state != SLOT_FREE)
			continue;
		*slot = (struct slot){.state = SLOT_STAGED, .wanted = true};
		snprintf(slot->name, sizeof(slot->name), "%s", name);
		s->last = i;
		*ret = i;
		return 1;
	}
	return -EBUSY;
}

void slots_adopt(struct slots *s, uint32_t i, const char *name)
{
	struct slot *slot = &s->items[i];

	*slot = (struct slot){.state = SLOT_ACTIVE, .wanted = true};
	snprintf(slot->name, sizeof(slot->name), "%s", name);
	s->last = i;
}

void slots_commit(struct slots *s, uint64_t now_usec)
{
	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++) {
		struct slot *slot = &s->items[i];

		if (slot->state == SLOT_FREE)
			continue;
		if (slot->wanted)
			slot->state = SLOT_ACTIVE;
		else if (slot->state != SLOT_RETIRED) {
			slot->state = SLOT_RETIRED;
			slot->retired_usec = now_usec;
		}
	}
}

static void release_slot(struct slots *s, uint32_t i, slots_release_t release, void *userdata)
{
	s->items[i] = (struct slot){};
	release(i, userdata);
}

void slots_cancel(struct slots *s, slots_release_t release, void *userdata)
{
	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++) {
		struct slot *slot = &s->items[i];

		if (slot->state == SLOT_STAGED)
			release_slot(s, i, release, userdata);
		else
			slot->wanted = slot->state == SLOT_ACTIVE;
	}
}

uint64_t slots_expire(struct slots *s, uint64_t now_usec, slots_release_t release, void *userdata)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++) {
		struct slot *slot = &s->items[i];
		uint64_t due = slot->retired_usec + SLOTS_RETIRE_USEC;

		if (slot->state != SLOT_RETIRED)
			continue;
		if (due <= now_usec)
			release_slot(s, i, release, userdata);
		else if (due < next)
			next = due;
	}
	return next;
}
