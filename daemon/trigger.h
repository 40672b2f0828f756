/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The [Trigger] sections at work: pressure of a cgroup, as the kernel tells of it, becomes a
 * declared OOM. Knows nothing of how an OOM is declared.
 */
#ifndef OP_TRIGGER_H
#define OP_TRIGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct sd_event;
struct triggers;

/* Room for a sentence about a trigger, with the terminating NUL. */
#define TRIGGER_WHY_SIZE 512

/*
 * Declares an OOM of a cgroup, 0 being the system. Returns 0, or a negative errno and a sentence
 * in @why.
 */
typedef int (*trigger_declare_t)(uint64_t cgroup_id, const char *name,
				 char why[static TRIGGER_WHY_SIZE], void *userdata);

struct trigger_setup {
	struct sd_event *event;
	const char *cgroup_root;     /* the mount point; the result keeps the pointer */
	const char *system_pressure; /* likewise; NULL: /proc/pressure/memory */
	trigger_declare_t declare;
	void *userdata;
};

/*
 * Opens and arms the triggers of @config whose cgroup is there, in the kernel, but heeds none
 * before triggers_enable(). The caller owns the result, which is not tied to @config.
 *
 * Returns 0; 1 and a sentence, with the result, when a trigger could not be armed though its cgroup
 * is there; -ENOMEM, or an errno of the event loop, without a result. A kernel without pressure
 * accounting is no error; it is logged, once for all triggers.
 */
int triggers_new(const struct trigger_setup *setup, const struct config *config,
		 char why[static TRIGGER_WHY_SIZE], struct triggers **ret);

/* Disarms all. Takes NULL; returns NULL. */
struct triggers *triggers_free(struct triggers *t);

/* From here on they fire, and cgroups that come are armed. Logs what is armed and what waits. */
void triggers_enable(struct triggers *t);

/* Takes a record of a cgroup that came or went, untrusted as it is. */
void triggers_apply(struct triggers *t, const void *data, size_t size);

/* Looks for the cgroups that are missing: for when records were lost. */
void triggers_retry(struct triggers *t);

/* What the event loop calls: @revents as of epoll_ctl(2), for the trigger with this index. */
void triggers_dispatch(struct triggers *t, size_t i, uint32_t revents);

/* Whether the trigger with this index is armed. */
bool triggers_is_armed(const struct triggers *t, size_t i);

/* Of lines that repeat, one in this time is logged. */
#define TRIGGER_LOG_INTERVAL_USEC UINT64_C(10000000)

static inline void triggers_freep(struct triggers **t)
{
	triggers_free(*t);
}

#endif
