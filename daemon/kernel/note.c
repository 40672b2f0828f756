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
#define NOTE_HEADER_SIZE offsetof(struct note, size)

enum note_state note_judge(const void *data, size_t size)
{
	const struct note *note = data;

	if (size < NOTE_HEADER_SIZE || note->magic != NOTE_MAGIC)
		return NOTE_FOREIGN;
	if (note->complete != 1)
		return NOTE_HALF;
	if (note->version != NOTE_VERSION || size != sizeof(*note) || note->size != sizeof(*note) ||
	    note->abi != OP_ABI_VERSION)
		return NOTE_OTHER;
	if (note->backend == BACKEND_AUTO || note->backend >= _BACKEND_MAX)
		return NOTE_OTHER;
	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++) {
		const struct note_slot *slot = &note->slots[i];

		if (strnlen(slot->name, sizeof(slot->name)) == sizeof(slot->name) ||
		    (slot->name[0] && config_check_policy_name(slot->name)))
			return NOTE_OTHER;
		for (uint32_t j = 0; slot->name[0] && j < i; j++)
			if (strcmp(slot->name, note->slots[j].name) == 0)
				return NOTE_OTHER;
	}
	return NOTE_GOOD;
}

enum note_action note_decide(enum note_state state, const struct note *note, uint64_t build_id,
			     enum backend backend)
{
	switch (state) {
	case NOTE_NONE:
	case NOTE_HALF:
		return NOTE_LOAD;
	case NOTE_OTHER:
		return NOTE_REPLACE;
	case NOTE_GOOD:
		if (note->backend != backend)
			return NOTE_REPLACE;
		return note->build_id == build_id ? NOTE_ADOPT : NOTE_UPDATE;
	default:
		return NOTE_LEAVE;
	}
}

uint64_t note_hash(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

uint64_t note_hash_rules(const struct config *c)
{
	uint64_t hash = NOTE_HASH_INIT;

	/* With the NUL, which no name has in it. */
	for (size_t i = 0; i < c->n_rules; i++)
		hash = note_hash(hash, c->rules[i].name, strlen(c->rules[i].name) + 1);
	return hash;
}
