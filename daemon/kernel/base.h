/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all that is loaded into the kernel has in common. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_BASE_H
#define OP_KERNEL_BASE_H

#include <stdbool.h>

#include "pins.h"

struct bpf_link;
struct bpf_object;
struct op_switch;

/* The maps that the objects of a backend have in common. */
enum shared_map {
	SHARED_CONFIGS,
	SHARED_SWITCH,
	SHARED_EVENTS,
	SHARED_STATS,
	SHARED_OOM,
	SHARED_PENDING,
	SHARED_REPETITIONS,
	SHARED_OUTSTANDING,
	SHARED_NAMES, /* where the backend has it */
	_SHARED_MAX,
};

/*
 * Embedded. Owns the descriptors and the pins. A backend has its own besides, which nobody else
 * looks into.
 */
struct base {
	int shared[_SHARED_MAX]; /* -EBADF before the backend has loaded them */
	int detach_fd;		 /* epoll over the links that somebody else may detach */
	bool is_module;		 /* the interface is bpf_oom.ko's, which has more than others */
	struct pins pins;
	void *state; /* the backend's */
};

/* Nothing is loaded; what libbpf says goes to the log. Looks at what is pinned, as pins_init(). */
void base_init(struct base *b, const struct pins_removal *removal);

/* Lets go of everything; what is pinned stays pinned. The backend's state must be gone. */
void base_done(struct base *b);

/* Closes the shared maps. */
void base_drop_maps(struct base *b);

/* Takes over the shared maps that are pinned. Returns 0 or a negative errno. */
int base_adopt_maps(struct base *b);

/* Opens a shared map of the set that is to be removed. Returns a descriptor, which the caller owns,
 * or a negative errno. */
int base_get_old_map(enum shared_map map);

/* Gives @object those of the shared maps that are there. Returns 0 or a negative errno. */
int base_reuse_maps(const struct base *b, struct bpf_object *object);

/* Keeps those of the shared maps that @object has, loaded. Returns 0 or a negative errno. */
int base_keep_maps(struct base *b, struct bpf_object *object);

/* Makes a link a descriptor, which is all that keeps it, and pins it under @name. Takes NULL, with
 * errno set. Returns the descriptor, which the caller owns, or a negative errno. */
int base_keep_link(struct base *b, struct bpf_link *link, const char *name);

/* Notes this process as the one that is never chosen. */
void base_note_self(struct op_switch *s);

/* What page_bytes of an object is to be before it is loaded. */
uint32_t base_page_bytes(void);

#endif
