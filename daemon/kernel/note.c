/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what a note is worth and what follows from it. Refuses to know where it lies.
 *
 * Invariant: what is not known to be ours is never taken over, changed or removed; and what is
 * active is not removed before something else is.
 */
#include "note.h"

#include <string.h>

#include "util/basic.h"

/* What all versions have in common. */
#define NOTE_HEADER_SIZE offsetof(struct pins_note, size)

enum pins_state pins_judge(const void *data, size_t size)
{
	const struct pins_note *note = data;

	if (size < NOTE_HEADER_SIZE || note->magic != PINS_MAGIC)
		return PINS_STATE_FOREIGN;
	if (note->complete != 1)
		return PINS_STATE_HALF;
	if (note->version != PINS_NOTE_VERSION || size != sizeof(*note) ||
	    note->size != sizeof(*note) || note->abi != OP_ABI_VERSION)
		return PINS_STATE_OTHER;
	if (note->backend == BACKEND_AUTO || note->backend >= _BACKEND_MAX)
		return PINS_STATE_OTHER;
	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++) {
		const struct pins_slot *slot = &note->slots[i];

		if (strnlen(slot->name, sizeof(slot->name)) == sizeof(slot->name) ||
		    (slot->name[0] && config_check_policy_name(slot->name)))
			return PINS_STATE_OTHER;
		for (uint32_t j = 0; slot->name[0] && j < i; j++)
			if (strcmp(slot->name, note->slots[j].name) == 0)
				return PINS_STATE_OTHER;
	}
	return PINS_STATE_GOOD;
}

enum pins_action pins_decide(enum pins_state state, const struct pins_note *note, uint64_t build_id,
			     enum backend backend)
{
	switch (state) {
	case PINS_STATE_NONE:
	case PINS_STATE_HALF:
		return PINS_LOAD;
	case PINS_STATE_OTHER:
		return PINS_REPLACE;
	case PINS_STATE_GOOD:
		if (note->backend != backend)
			return PINS_REPLACE;
		return note->build_id == build_id ? PINS_ADOPT : PINS_UPDATE;
	default:
		return PINS_LEAVE;
	}
}

uint64_t pins_hash(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

uint64_t pins_hash_rules(const struct config *c)
{
	uint64_t hash = PINS_HASH_INIT;

	/* With the NUL, which no name has in it. */
	for (size_t i = 0; i < c->n_rules; i++)
		hash = pins_hash(hash, c->rules[i].name, strlen(c->rules[i].name) + 1);
	return hash;
}
