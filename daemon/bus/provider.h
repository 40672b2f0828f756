/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon tells on the bus, asked or not: the questions are bus.h's, the facts the
 * loader's, the tracker's and the configuration's.
 */
#ifndef OP_PROVIDER_H
#define OP_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct bus_provider;
struct op_oom_record;
struct record_text;
struct sd_event;
struct view;

/* The first four are the owner's to fill in. */
struct provider {
	void (*look)(struct view *ret, void *userdata);
	/* As of struct bus_provider, and as the control socket has them. */
	int (*reload)(char *message, void *userdata);
	int (*declare)(const char *cgroup, char *message, void *userdata);
	void *userdata;

	struct bus *bus;	   /* NULL: nobody can ask */
	uint64_t config_real_usec; /* when the configuration was made active */
	uint64_t last_oom_seq;	   /* 0: none yet */
	uint64_t last_oom_real_usec;
};

/* For @a as userdata. */
extern const struct bus_provider provider_ops;

/*
 * Goes on the bus, which is optional: what cannot be done is logged and survived. Once everything
 * that a view holds is there, the attachments apart.
 */
void provider_start(struct provider *a, struct sd_event *event);
void provider_done(struct provider *a);

/* To be told of: a configuration that was made active; the outcome of a reload, when all is as it
 * will be; the number of ruled cgroups; whether policies are attached, and warnings; an OOM. */
void provider_note_config(struct provider *a);
void provider_note_reload(struct provider *a);
void provider_note_cgroups(struct provider *a);
void provider_note_policies(struct provider *a);
void provider_note_oom(struct provider *a, const struct op_oom_record *e,
		       const struct record_text *text);

#endif
