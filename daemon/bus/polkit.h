/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may change something: root may always, others ask polkit. */
#ifndef OP_BUS_POLKIT_H
#define OP_BUS_POLKIT_H

struct sd_bus_message;
struct sd_bus_slot;
struct polkit;

/* Requests that wait for polkit: more than the administrators of one machine ask at once. */
#define POLKIT_PENDING_MAX 16

/* Does what was asked for, and replies. Returns 0 or more, or a negative errno. */
typedef int (*polkit_perform_t)(struct sd_bus_message *request, const char *argument,
				void *userdata);

struct polkit_request {
	struct sd_bus_message *message; /* NULL: this place is free */
	struct sd_bus_slot *slot;	/* the call of polkit */
	char *argument;
	polkit_perform_t perform;
	void *userdata;
};

/* Zero at first. */
struct polkit {
	struct polkit_request pending[POLKIT_PENDING_MAX];
};

/*
 * Performs what @request asks for, now or when polkit has said yes to @action for its sender; until
 * then the request is kept, and nothing waits. Takes over *@argument, which may be NULL. Returns
 * what a method of sd-bus does.
 */
int polkit_authorize(struct polkit *p, struct sd_bus_message *request, const char *action,
		     char **argument, polkit_perform_t perform, void *userdata);

/* Drops the requests that wait. */
void polkit_done(struct polkit *p);

#endif
