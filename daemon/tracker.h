/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the rules map equal to what the policy says about the cgroups that exist. */
#ifndef OP_TRACKER_H
#define OP_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader.h"

struct policy;

/* The rules of all cgroups under one policy: staged first, in force after loader_commit(). */
struct tracker {
	struct loader_rules rules;
	size_t n_ruled; /* entries in the map without the policy's default */
	uint64_t last_seq;
	bool stale; /* records were lost, or the map is full: walk the tree again */
};

/*
 * Walks the tree at @root and stages the entry of every cgroup that @policy rules itself, and the
 * policy's default. Returns 0 and @ret, whose map the caller then owns; a negative errno.
 */
int tracker_init(const char *root, const struct policy *policy, struct tracker *ret);

/* Frees the map. Takes an empty one too. */
void tracker_done(struct tracker *t);

/*
 * Applies one record of a cgroup that came or went to the map in force. Records may repeat what the
 * walk saw already. What cannot be applied sets t->stale.
 */
void tracker_apply(struct tracker *t, const struct policy *policy, const void *data, size_t size);

#endif
