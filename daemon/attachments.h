/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sees to it that the policies stay where the kernel asks them, and knows who else it asks: what
 * other programs do to them is logged, told on the bus, and mended where that is right.
 */
#ifndef OP_ATTACHMENTS_H
#define OP_ATTACHMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attachments;
struct loader;
struct sd_event;
struct warnings;

/*
 * How often in this time what was detached is attached again, and what was removed is pinned again.
 * Whoever does it more often means it, or fights another program: the daemon is not to be the
 * third.
 */
#define ATTACHMENTS_RESTORES_MAX 3U
#define ATTACHMENTS_WINDOW_USEC UINT64_C(60000000)

/* Called when there is another warning, or one less, or a policy has come or gone. */
typedef void (*attachments_changed_t)(void *userdata);

/*
 * Begins to watch the policies of @loader, which must outlive the result. What cannot be watched is
 * logged and survived. Returns 0 and what the caller owns, or a negative errno.
 */
int attachments_new(struct sd_event *event, struct loader *loader, attachments_changed_t changed,
		    void *userdata, struct attachments **ret);
struct attachments *attachments_free(struct attachments *g);

/* Has the kernel tell when others attach something, once, and looks around. That may take seconds;
 * where the kernel does not tell, it is logged, and looked for. */
void attachments_watch_others(struct attachments *g, struct sd_event *event);

/* All take NULL. */

/* Looks for what others have attached: for moments when that costs nobody anything. */
void attachments_look(struct attachments *g);

/* Likewise, where the kernel does not tell of it, and seldom: for each OOM. */
void attachments_note_oom(struct attachments *g);

/* The administrator wants the policies active: attaches them again, however often it was done. */
void attachments_retry(struct attachments *g);

/* Adds what is not as it should be to @ret. */
void attachments_acquire_warnings(const struct attachments *g, struct warnings *ret);

static inline void attachments_freep(struct attachments **g)
{
	attachments_free(*g);
}

#endif
