/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which policy has which slot, through reloads that succeed, fail, and bring a name back. Knows
 * nothing of BPF: what is attached under a slot is the owner's, who is told when to let go of it.
 *
 * A reload: slots_begin(), slots_want() for each name, then slots_commit() or slots_cancel().
 */
#ifndef OP_KERNEL_SLOTS_H
#define OP_KERNEL_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"

/*
 * How long a policy that is no longer used stays attached: an OOM that began under it may still
 * need it, and the longest of those are the ones whose kernel report goes to a slow console.
 */
#define SLOTS_RETIRE_USEC 5000000ULL

enum slot_state {
	SLOT_FREE,
	SLOT_STAGED, /* for the configuration that is being prepared alone */
	SLOT_ACTIVE,
	SLOT_RETIRED, /* used by none */
};

struct slot {
	enum slot_state state;
	bool wanted; /* by the configuration that is being prepared */
	uint64_t retired_usec;
	char name[OP_POLICY_NAME_LEN];
};

/* Empty when zero. items[OP_SLOT_RECORDER] is never given out. */
struct slots {
	struct slot items[OP_SLOTS_MAX];
	uint32_t last; /* given out; the next one follows, so that a slot rests before it is used
			  again */
};

/* Called for each slot that becomes free. */
typedef void (*slots_release_t)(uint32_t slot, void *userdata);

/* Begins a configuration: nothing is wanted yet. */
void slots_begin(struct slots *s);

/*
 * The slot of the policy @name: the one it has, or a free one. Returns 1 when it is a free one, to
 * be filled; 0 when it has one; -EBUSY when none is free before some are released.
 */
int slots_want(struct slots *s, const char *name, uint32_t *ret);

/* The policy @name is attached under slot @i already, of an empty table or one filled like this. */
void slots_adopt(struct slots *s, uint32_t i, const char *name);

/* What is wanted is active from @now_usec on: the others retire. */
void slots_commit(struct slots *s, uint64_t now_usec);

/* Releases what was staged; the rest is as it was before slots_begin(). */
void slots_cancel(struct slots *s, slots_release_t release, void *userdata);

/*
 * Releases what has been retired for SLOTS_RETIRE_USEC. Returns the time when the next one is due,
 * or UINT64_MAX where none is retired.
 */
uint64_t slots_expire(struct slots *s, uint64_t now_usec, slots_release_t release, void *userdata);

#endif
