/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pins of a loader: made, taken over, removed. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_PINS_H
#define OP_KERNEL_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "note.h"
#include "pin-path.h"
#include "types.h"

/* The note, the maps, and a link a slot and for each that follows the kernel. */
#define PINS_MAX (OP_SLOTS_MAX + 32)

/* What was pinned, by the number that the kernel has given it: a link's or a map's, as its name
 * says. */
struct pin {
	char name[PINS_NAME_SIZE];
	uint32_t id;
};

/* How the links of a kind are taken out of the kernel. */
struct pins_step {
	bool (*is_link)(const char *name); /* of the pin, without PINS_LINK_PREFIX */
	bool is_detached;		   /* at once; any other when the kernel lets go of it */
	/* After a pause in which a running selection ends; the next step comes when the programs
	 * are unloaded. */
	bool is_awaited;
};

/* The links by which the kernel comes to a policy, of all backends, in the order in which they go:
 * a set may be of another backend than the one that replaces it. */
#define PINS_STEPS_MAX 8
struct pins_removal {
	struct pins_step steps[PINS_STEPS_MAX];
	size_t n;
};

/*
 * Embedded. Owns the note, and what is pinned in the directory; what was pinned is also held open
 * by its user, and stays in the kernel until both have let go of it.
 */
struct pins {
	struct pins_removal removal;
	char directory[sizeof(PINS_NEXT_DIRECTORY)]; /* empty: nothing is pinned */
	struct note *note;			     /* in a map, or else @unpinned */
	struct note unpinned;
	int note_fd;
	enum note_state found;	  /* in PINS_DIRECTORY, at the start */
	enum backend old_backend; /* of a good one that was not taken over; likewise the next */
	uint64_t old_lost_said;	  /* records that are known to be lost */
	bool old_waits;		  /* those in PINS_DIRECTORY go when the ones here are active */
	bool is_mapped;
	struct pin items[PINS_MAX]; /* the note first */
	size_t n_items;
};

/* Looks at what is there, and opens its note where that is good. What is half made goes. */
void pins_init(struct pins *p, const struct pins_removal *removal);

/* Lets go of everything; what is pinned stays pinned. */
void pins_done(struct pins *p);

/* Begins a set of its own, beside one that is active. Where that cannot be, it is logged, and
 * nothing is pinned from here on. */
void pins_begin(struct pins *p, enum backend backend, uint64_t build_id);

/* Pins what @fd is, under a name that is free. Where that cannot be, as above: all that was pinned
 * in this set goes. */
void pins_add(struct pins *p, int fd, const char *prefix, const char *name);
void pins_remove(struct pins *p, const char *prefix, const char *name);

/* Opens a pin, to take it over. Returns its descriptor, which the caller owns, or a negative errno.
 */
int pins_get(struct pins *p, const char *prefix, const char *name);

/* The set is active. Returns whether there is another to be removed, by pins_replace(). */
bool pins_complete(struct pins *p);

/* Opens a pin of the set that is to be removed. */
int pins_get_old(const char *prefix, const char *name);

/*
 * Waits until the current selection is over: what is asked about each task must not go
 * before, as the kernel would choose among the rest. Those that begin meanwhile have other programs
 * to ask.
 */
void pins_wait_selection(void);

/* Takes the policies of the other set out of the kernel. None of them runs when it returns. */
void pins_retire(const struct pins *p);

/* Removes the rest of the other set, and gives this one its place. */
void pins_replace(struct pins *p);

/* Removes this set, whose links stay attached for as long as they are held open. */
void pins_drop(struct pins *p);

/* As loader_describe_pins() and those below it. */
void pins_describe(const struct pins *p, char *buf, size_t size);
unsigned pins_count_missing(const struct pins *p);
int pins_restore(struct pins *p);
void pins_abandon(struct pins *p, const char *why);

/* As loader_is_active() and loader_remove_pinned(): of whichever set is there. */
bool pins_are_active(void);
int pins_remove_all(const struct pins_removal *removal, char why[static LOADER_WHY_SIZE]);

#endif
