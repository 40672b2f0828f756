/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket: how `oompolicyd --reload` and `--declare` ask the running daemon and learn
 * the outcome. Type=notify units before systemd 253 have no other way to make a reload wait for it.
 */
#ifndef OP_CONTROL_H
#define OP_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

struct sd_event;
struct control;

/* Longest answer, with the terminating NUL. */
#define CONTROL_MESSAGE_SIZE 1024

/* What can be asked for. Each returns 0 or a negative errno, and in both cases a sentence in
 * @message. No other request is read meanwhile. */
struct control_handlers {
	int (*reload)(char message[static CONTROL_MESSAGE_SIZE], void *userdata);
	/* Declares an OOM of the cgroup @path, "/" being the system. */
	int (*declare)(const char *path, char message[static CONTROL_MESSAGE_SIZE], void *userdata);
	void *userdata;
};

/*
 * Listens. Returns 0 and a listener that the caller owns; -EADDRINUSE when another daemon answers
 * there; another negative errno.
 */
int control_new(struct sd_event *event, const struct control_handlers *handlers,
		struct control **ret);
struct control *control_free(struct control *c);

/* Whether a daemon answers. */
bool control_is_running(void);

/*
 * Ask the running daemon and wait. Return what the daemon's handler returned, with its sentence in
 * @message; -ENOTCONN with a sentence when no daemon answers; -ENAMETOOLONG with a sentence.
 */
int control_request_reload(char message[static CONTROL_MESSAGE_SIZE]);
int control_request_declare(const char *path, char message[static CONTROL_MESSAGE_SIZE]);

static inline void control_freep(struct control **c)
{
	control_free(*c);
}

#endif
