/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that is active, for those who tell of it. */
#ifndef OP_VIEW_H
#define OP_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct attachments;
struct config;
struct loader;
struct tracker;

/* Borrowed for the time of one answer. */
struct view {
	const struct config *config;
	const struct tracker *tracker;
	struct loader *loader;
	struct attachments *attachments; /* NULL: not yet */
	const char *cgroup_root;
	bool cgroups_lost; /* the tree is not mounted there any more */
	uint32_t config_number;
	const char *reload_error;
};

#endif
