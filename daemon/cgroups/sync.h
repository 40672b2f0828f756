/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the rules in the kernel in step with the cgroups that come and go. */
#ifndef OP_CGROUPS_SYNC_H
#define OP_CGROUPS_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracker.h"

struct config;
struct loader;
struct mounts;
struct sd_event;
struct sd_event_source;

struct sync_callbacks {
	/* A record of a cgroup, untrusted as it is. */
	void (*record)(const void *data, size_t size, void *userdata);
	/* The tree was walked again, as records were lost. */
	void (*walked)(void *userdata);
	/* Another number of cgroups is ruled. */
	void (*changed)(void *userdata);
	void *userdata;
};

/* Embedded. The mount point and the loader must outlive it. */
struct sync {
	struct sync_callbacks callbacks;
	const struct mounts *mounts;
	struct loader *loader;
	const struct config *config; /* the active one; the owner's */
	struct tracker tracker;	     /* of that */
	struct sd_event_source *source, *timer;
	uint64_t n_lost; /* records, as of the last walk */
	uint64_t walked_usec;
	bool failed; /* the last walk did */
};

void sync_init(struct sync *s, const struct mounts *mounts, const struct sync_callbacks *callbacks);
void sync_done(struct sync *s);

/* Takes one record of the ring, as loader_callbacks.cgroup with the struct as userdata. */
void sync_take(const void *data, size_t size, void *userdata);

/*
 * Walks the tree for another configuration, known as @number and with its policies in @slots.
 * Nothing has changed before sync_set(). Returns 0 and a tracker that the caller owns, or a
 * negative errno, which sync_describe_error() has words for.
 */
int sync_stage(const struct sync *s, const struct config *config, const uint16_t *slots,
	       uint32_t number, struct tracker *ret);
const char *sync_describe_error(int r);

/* What was staged is active: takes @staged over. @n_lost is how many records had been lost before
 * it was staged. @config must outlive the next call. */
void sync_set(struct sync *s, struct tracker *staged, const struct config *config, uint64_t n_lost);

/* Reads records whenever there are some, where the kernel has cgroups followed. Returns 0 or a
 * negative errno. */
int sync_watch(struct sync *s, struct sd_event *event);

/* Reads those that wait now, and has the tree walked in a while where that is due. */
void sync_consume(struct sync *s);

/* Something was missed: the tree is to be walked again. */
void sync_invalidate(struct sync *s);

#endif
