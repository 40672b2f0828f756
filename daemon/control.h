/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket: how `oompolicyd --reload` asks the running daemon and learns the outcome.
 * Type=notify units before systemd 253 have no other way to make a reload wait for it.
 */
#ifndef OP_CONTROL_H
#define OP_CONTROL_H

#include <stddef.h>

struct sd_event;
struct control;

/* Longest answer, with the terminating NUL. */
#define CONTROL_MESSAGE_SIZE 1024

/* Reloads. Returns 0 or a negative errno, and in both cases a sentence in @message. */
typedef int (*control_reload_t)(void *userdata, char message[static CONTROL_MESSAGE_SIZE]);

/*
 * Listens. Returns 0 and a listener that the caller owns; -EADDRINUSE when another daemon answers
 * there; another negative errno.
 */
int control_new(struct sd_event *event, control_reload_t reload, void *userdata,
		struct control **ret);
struct control *control_free(struct control *c);

/*
 * Asks the running daemon for a reload and waits. Returns what the daemon's reload returned, with
 * its sentence in @message; -ENOTCONN with a sentence when no daemon answers.
 */
int control_request_reload(char message[static CONTROL_MESSAGE_SIZE]);

static inline void control_freep(struct control **c)
{
	control_free(*c);
}

#endif
