/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the cgroup2 hierarchy is mounted, also when that changes. */
#ifndef OP_MOUNTS_H
#define OP_MOUNTS_H

#include <limits.h>
#include <stdbool.h>

struct sd_event;
struct sd_event_source;

/* Called when the hierarchy is somewhere else, is gone, or is there again: root and lost say what
 * it is now. */
typedef void (*mounts_changed_t)(void *userdata);

/* Embedded. */
struct mounts {
	char root[PATH_MAX]; /* stays where it is, whatever it holds */
	bool lost;	     /* it is mounted nowhere; what was known of it stays in root */
	mounts_changed_t changed;
	void *userdata;
	struct sd_event_source *source;
};

/* Finds the mount point. Errors as cgroup_acquire_mount_point(). */
int mounts_init(struct mounts *m);
void mounts_done(struct mounts *m);

/* Follows it from here on, without polling. Where that cannot be it is logged, and survived. */
void mounts_watch(struct mounts *m, struct sd_event *event, mounts_changed_t changed,
		  void *userdata);

#endif
