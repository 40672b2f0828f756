/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events of memory.oom_control: that there was an OOM, of the system or of a cgroup that
 * RootOomControl= names, as programs for cgroup v1 learn of it. Logs each, joined to the OOM's
 * record by its number when there is one.
 */
#ifndef OP_OOMCONTROL_H
#define OP_OOMCONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct oomcontrol;
struct op_oom_record;
struct sd_event;

/*
 * Listens as @config says: on files of the cgroup v1 memory hierarchy mounted at @memory_root, or
 * with NULL, where there is none, to the records alone. What cannot be listened to is logged, and
 * so is the source in use. Returns 0 and a listener that the caller owns; -ENOMEM, or an errno of
 * the event loop.
 */
int oomcontrol_new(struct sd_event *event, const char *memory_root, const struct config *config,
		   struct oomcontrol **ret);

/* Whether it does already what @config says, all of it. */
bool oomcontrol_is_for(const struct oomcontrol *o, const struct config *config);

/*
 * Replaces *@o, which may be NULL, by a listener for @config, if it is not one already. Without one
 * *@o is NULL afterwards, and the log says why: nothing else depends on it.
 */
void oomcontrol_set(struct oomcontrol **o, struct sd_event *event, const char *memory_root,
		    const struct config *config);

/* Takes NULL; returns NULL. */
struct oomcontrol *oomcontrol_free(struct oomcontrol *o);

/* To be called with each record. */
void oomcontrol_seen(struct oomcontrol *o, const struct op_oom_record *e);

/* The content of a memory.oom_control. */
struct oomcontrol_state {
	bool kill_disabled; /* processes wait for memory where others would be killed */
	bool under_oom;
};

/* Reads what mem_cgroup_oom_control_read() of mm/memcontrol-v1.c writes; lines it does not know are
 * passed over. Returns 0 or -EBADMSG. */
int oomcontrol_parse(const char *text, struct oomcontrol_state *ret);

/*
 * Events and records come about the same time, in any order. Each event takes one record, the
 * oldest first; what stays alone for OOMCONTROL_WAIT_USEC is given up. Zero at first.
 */
#define OOMCONTROL_WAIT_USEC UINT64_C(1000000)
#define OOMCONTROL_RECORDS_MAX 16 /* more of them in a second, and the oldest are forgotten */

struct oomcontrol_join {
	uint64_t n_events;
	uint64_t event_usec; /* when the newest of them came */
	size_t n_records;
	struct {
		uint64_t seq, usec;
	} records[OOMCONTROL_RECORDS_MAX];
};

void oomcontrol_join_event(struct oomcontrol_join *j, uint64_t n_events, uint64_t now_usec);
void oomcontrol_join_record(struct oomcontrol_join *j, uint64_t seq, uint64_t now_usec);

/* Returns whether there is a pair, and takes it off. */
bool oomcontrol_join_next(struct oomcontrol_join *j, uint64_t now_usec, uint64_t *ret_seq);

/* Takes off the events that waited long enough, and returns how many. */
uint64_t oomcontrol_join_expire(struct oomcontrol_join *j, uint64_t now_usec);

static inline void oomcontrol_freep(struct oomcontrol **o)
{
	oomcontrol_free(*o);
}

#endif
