/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names of the journal's fields, which oompolicyd(8) describes. Programs match on them, so a
 * name never changes its meaning. A new field is one line here, what writes it, and what shows it.
 */
#ifndef OP_API_FIELDS_H
#define OP_API_FIELDS_H

#include <stdbool.h>

#define FIELD_PREFIX "OOMPOLICY_"

/* What is known of a process: of the victim and of what triggered the OOM. */
#define TASK_FIELDS(F, WHO)    \
	F(WHO##_PID)           \
	F(WHO##_TID)           \
	F(WHO##_COMM)          \
	F(WHO##_UID)           \
	F(WHO##_CGROUP)        \
	F(WHO##_CGROUP_ID)     \
	F(WHO##_UNIT)          \
	F(WHO##_USER_UNIT)     \
	F(WHO##_START_USEC)    \
	F(WHO##_OOM_SCORE_ADJ) \
	F(WHO##_ANON_BYTES)    \
	F(WHO##_FILE_BYTES)    \
	F(WHO##_SHMEM_BYTES)   \
	F(WHO##_SWAP_BYTES)    \
	F(WHO##_PGTABLES_BYTES)

/* Of the records. What is here `oompolicyctl info` does not show under "Also": give it a place in
 * ctl/show-record.c if people want to see it. */
#define RECORD_FIELDS(F)       \
	F(POLICY)              \
	F(BACKEND)             \
	F(DECISION)            \
	F(REASON)              \
	F(KILL_ERROR)          \
	F(RULE)                \
	F(EFFECTIVE_PRIORITY)  \
	F(PRIORITY_SOURCE)     \
	F(KILL)                \
	F(MEMBERS)             \
	F(MEMBER)              \
	F(CONFIG)              \
	F(DOMAIN)              \
	F(DOMAIN_ID)           \
	F(DOMAIN_TYPE)         \
	F(REMOTE)              \
	F(SYSRQ)               \
	F(DECLARED)            \
	F(CONSTRAINT)          \
	F(GFP_MASK)            \
	F(GFP_FLAGS)           \
	F(ORDER)               \
	F(LIMITS)              \
	F(TASKS)               \
	F(CGROUPS)             \
	F(SELECT_NSEC)         \
	F(HANDLER_NSEC)        \
	F(KTIME_USEC)          \
	F(SEQ)                 \
	F(LOST)                \
	F(SUPPRESSED)          \
	F(PATH_CUT)            \
	F(RUNNERS_UP)          \
	F(FREED_USEC)          \
	F(FREED_BY)            \
	F(LEFT_BYTES)          \
	TASK_FIELDS(F, VICTIM) \
	TASK_FIELDS(F, TRIGGER)

/* Of the daemon's other entries. */
#define LINE_FIELDS(F)      \
	F(ADOPTED_PID)      \
	F(ADOPTED_RECORDS)  \
	F(CGROUP)           \
	F(EVENTS)           \
	F(MARK)             \
	F(OOM_KILL_DISABLE) \
	F(OTHER_HOOK)       \
	F(OTHER_LINK)       \
	F(OTHER_NAME)       \
	F(OTHER_ORDER)      \
	F(OTHER_PROGRAM)    \
	F(RELOAD_USEC)      \
	F(SOURCE)           \
	F(START_USEC)       \
	F(SWITCH_USEC)

#define FIELD_ENUMERATOR(name) FIELD_##name,

enum field {
	RECORD_FIELDS(FIELD_ENUMERATOR) _FIELD_RECORD_MAX,
	_FIELD_LINE_MIN = _FIELD_RECORD_MAX - 1,
	LINE_FIELDS(FIELD_ENUMERATOR) _FIELD_MAX,
};

/* The fields of a process by the first of them, FIELD_VICTIM_PID or FIELD_TRIGGER_PID. */
#define FIELD_OF_TASK(first, name) \
	((enum field)((first) + (FIELD_VICTIM_##name - FIELD_VICTIM_PID)))

/* Room for "NAME=" of any, with the terminating NUL. */
#define FIELD_NAME_SIZE 64

/* "OOMPOLICY_POLICY". */
const char *field_name(enum field field);

/* Whether the field with this name is one of a record. */
bool field_is_of_record(const char *name);

#endif
