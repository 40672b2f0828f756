/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the rules map equal to what the configuration says about the cgroups that exist. */
#ifndef OP_TRACKER_H
#define OP_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"
#include "daemon/kernel/loader.h"

struct config;

/* The entries of one configuration: staged first, active after loader_commit(). */
struct tracker {
	struct loader_rules rules;
	uint16_t slots[OP_POLICIES_MAX]; /* of the policies, in the order of the configuration */
	uint32_t number;		 /* of the configuration */
	size_t n_ruled;			 /* cgroups that a rule matches by itself */
	uint32_t order_below;		 /* only cgroups of a lower priority are in the order */
	uint32_t n_sorted, n_later;	 /* entries of the order */
	uint64_t last_seq;
	bool stale;	/* records were lost, or the map is full: walk the tree again */
	bool unordered; /* the order is full, and not used any more: likewise, in a while */
};

/*
 * Walks the tree at @root and stages the entries of all cgroups that @config rules itself or has a
 * policy for, those of the policies, which have the @slots, and the @number of the configuration.
 * Returns 0 and @ret, whose map the caller then owns; a negative errno.
 */
int tracker_init(const char *root, const struct config *config, const uint16_t *slots,
		 uint32_t number, struct tracker *ret);

/* Frees the map. Takes an empty one too. */
void tracker_done(struct tracker *t);

/*
 * Applies one record of a cgroup that came or went to the active map. Records may repeat what the
 * walk saw already. What cannot be applied sets t->stale.
 */
void tracker_apply(struct tracker *t, const struct config *config, const void *data, size_t size);

#endif
