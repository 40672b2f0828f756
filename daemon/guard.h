/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sees to it that the policies stay where the kernel asks them, and knows who else it asks: what
 * other programs do to them is logged, told on the bus, and mended where that is right.
 */
#ifndef OP_GUARD_H
#define OP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard;
struct loader;
struct sd_event;

/*
 * How often in this time what was detached is attached again, and what was removed is pinned again.
 * Whoever does it more often means it, or fights another program: the daemon is not to be the
 * third.
 */
#define GUARD_RESTORES_MAX 3U
#define GUARD_WINDOW_USEC UINT64_C(60000000)

/* Called when there is another warning, or one less, or a policy has come or gone. */
typedef void (*guard_changed_t)(void *userdata);

/*
 * Begins to watch the policies of @loader, which must outlive the result. What cannot be watched is
 * logged and survived. Returns 0 and what the caller owns, or a negative errno.
 */
int guard_new(struct sd_event *event, struct loader *loader, guard_changed_t changed,
	      void *userdata, struct guard **ret);
struct guard *guard_free(struct guard *g);

/* Has the kernel tell when others attach something, once, and looks around. That may take seconds;
 * where the kernel does not tell, it is logged, and looked for. */
void guard_watch_others(struct guard *g, struct sd_event *event);

/* All take NULL. */

/* Looks for what others have attached: for moments when that costs nobody anything. */
void guard_look(struct guard *g);

/* Likewise, where the kernel does not tell of it, and seldom: for each OOM. */
void guard_note_oom(struct guard *g);

/* The administrator wants the policies in force: attaches them again, however often it was done. */
void guard_retry(struct guard *g);

/* A warning for people: how things are that are not as they should be. */
#define GUARD_WARNING_SIZE 512
#define GUARD_WARNINGS_MAX 20

struct guard_warnings {
	char items[GUARD_WARNINGS_MAX][GUARD_WARNING_SIZE];
	size_t n;
};

/* Adds those of the guard to @ret. */
void guard_acquire_warnings(const struct guard *g, struct guard_warnings *ret);

static inline void guard_freep(struct guard **g)
{
	guard_free(*g);
}

#endif
