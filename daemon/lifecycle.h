/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said and decided when the daemon starts, reloads and stops. */
#ifndef OP_LIFECYCLE_H
#define OP_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct loader_history;
struct view;

/* Room for a sentence about all that is active. */
#define LIFECYCLE_SIZE 512

/* How long a change took. */
struct lifecycle_timing {
	uint64_t begun_usec;
	uint64_t switch_nsec; /* the step that made it active */
};

/* The policies and what they are made of: "Policies 'a', 'b', 'c' (+7) active: 2 rules, ...". */
void lifecycle_describe(const struct view *view, char *buf, size_t size);

/* Logs where the policies come from, unless they were just loaded. */
void lifecycle_log_adopted(const struct loader_history *history);

/* Logs which backend it is, and why not a better one. */
void lifecycle_log_backend(const struct view *view);

/* Logs that the configuration is active, after a start or a reload. @description is what
 * lifecycle_describe() gave. */
void lifecycle_log_active(const struct view *view, const struct lifecycle_timing *timing,
			  bool reloaded, const char *description);

/* Warns of what the configuration asks for and the backend does not give. */
void lifecycle_warn_config(const struct view *view);

/* Warns of the sysctls that have somebody die before a policy is asked. */
void lifecycle_warn_kernel(void);

/* Sets systemd's STATUS=, with @prefix before it in the same notification. */
void lifecycle_notify(const struct view *view, const struct loader_history *found,
		      const char *prefix);

/* Whether the policies are to stay active when the daemon ends in good order. Takes a while, as
 * systemd is asked. */
bool lifecycle_keeps(const struct config *c, const struct loader_history *history);

/* Logs what came of it. */
void lifecycle_log_stop(const struct config *c, bool kept);

#endif
