/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon tells on the bus, asked or not: the questions are bus.h's, the facts the
 * loader's, the tracker's and the configuration's.
 */
#ifndef OP_ANSWERS_H
#define OP_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct bus_provider;
struct config;
struct guard;
struct loader;
struct op_oom_event;
struct record_text;
struct sd_event;
struct tracker;

/* What is in force. All is borrowed for the time of one answer. */
struct answers_view {
	const struct config *config;
	const struct tracker *tracker;
	struct loader *loader;
	struct guard *guard; /* NULL: not yet */
	const char *cgroup_root;
	bool cgroups_lost; /* the tree is not mounted there any more */
	uint32_t config_number;
	const char *reload_error;
};

/* The first four are the owner's to fill in. */
struct answers {
	void (*look)(void *userdata, struct answers_view *ret);
	/* As of struct bus_provider, and as the control socket has them. */
	int (*reload)(void *userdata, char *message);
	int (*declare)(const char *cgroup, void *userdata, char *message);
	void *userdata;

	struct bus *bus;	   /* NULL: nobody can ask */
	uint64_t config_real_usec; /* when the configuration was put in force */
	uint64_t last_oom_seq;	   /* 0: none yet */
	uint64_t last_oom_real_usec;
};

/* For @a as userdata. */
extern const struct bus_provider answers_provider;

/*
 * Goes on the bus, which is optional: what cannot be done is logged and survived. Once everything
 * that a view holds is there, the guard apart.
 */
void answers_start(struct answers *a, struct sd_event *event);
void answers_done(struct answers *a);

/* To be told of: a configuration that was put in force; the outcome of a reload, when all is as it
 * will be; the number of ruled cgroups; whether policies are attached, and warnings; an OOM. */
void answers_note_config(struct answers *a);
void answers_note_reload(struct answers *a);
void answers_note_cgroups(struct answers *a);
void answers_note_policies(struct answers *a);
void answers_note_oom(struct answers *a, const struct op_oom_event *e,
		      const struct record_text *text);

#endif
