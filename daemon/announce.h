/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of the policies that are in force: to the journal and, with STATUS=, to systemd. */
#ifndef OP_ANNOUNCE_H
#define OP_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answers_view;
struct config;
struct loader_history;

/* Room for a sentence about all that is in force. */
#define ANNOUNCE_SIZE 512

/* How long a change took. */
struct announce_timing {
	uint64_t begun_usec;
	uint64_t switch_nsec; /* the step that put it in force */
};

/* "Policy 'a'", "Policies 'a', 'b'", "Policies 'a', 'b', 'c' (+7)". */
void announce_describe_policies(const struct config *c, char *buf, size_t size);

/* The same with what they are made of: "Policy 'a' active: 2 rules, ...". */
void announce_describe(const struct answers_view *view, char *buf, size_t size);

/* Logs that the configuration is in force, after a start or a reload. @description is what
 * announce_describe() gave. */
void announce_active(const struct answers_view *view, const struct announce_timing *timing,
		     bool reloaded, const char *description);

/* Logs which backend it is, and why not a better one. */
void announce_backend(const struct answers_view *view);

/* Sets systemd's STATUS=, with @prefix before it in the same notification. */
void announce_status(const struct answers_view *view, const struct loader_history *found,
		     const char *prefix);

#endif
