/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows and dictionaries of org.oompolicyd1(5): what the daemon fills in, sends, and
 * oompolicyctl reads and shows. A new value is one line here, what fills it in, and what shows it.
 *
 * Strings are borrowed for the time of the call that gives them, where nothing else is said.
 */
#ifndef OP_API_ROWS_H
#define OP_API_ROWS_H

#include "api/value.h"

/*
 * A policy as the kernel has it. scope, cgroup and victim are "" for the recorder, which decides
 * nothing. link_id and program_id are 0 where there is none.
 */
#define POLICY_ROW(F)            \
	F(TEXT, name)            \
	F(TEXT, scope)           \
	F(PATH, cgroup)          \
	F(TEXT, victim)          \
	F(U32, default_priority) \
	F(U32, link_id)          \
	F(U32, program_id)       \
	F(FLAG, attached)

/*
 * A cgroup of a tree. The priority is the effective one; rule is "" where none applies, and source,
 * the cgroup that the rule matches, "" for a policy's default.
 */
#define TREE_ROW(F)      \
	F(PATH, cgroup)  \
	F(U64, id)       \
	F(U32, priority) \
	F(TEXT, rule)    \
	F(PATH, source)  \
	F(FLAG, protect) \
	F(TEXT, kill)

/* A pattern that matches a cgroup or an ancestor of it; cgroup is the one that it matches. */
#define CANDIDATE_ROW(F) \
	F(PATH, cgroup)  \
	F(TEXT, rule)    \
	F(TEXT, key)     \
	F(PATH, pattern) \
	F(PATH, file)    \
	F(U32, line)     \
	F(FLAG, decides)

/* What holds for a cgroup: policy answers when the cgroup itself runs out, system_policy when the
 * system does; "" for none. */
#define EFFECTIVE_VALUES(F)                             \
	F(FLAG, exists, Exists)                         \
	F(U32, priority, Priority)                      \
	F(FLAG, priority_is_default, PriorityIsDefault) \
	F(TEXT, rule, Rule)                             \
	F(PATH, source, Source)                         \
	F(FLAG, protect, Protect)                       \
	F(TEXT, kill, Kill)                             \
	F(TEXT, policy, Policy)                         \
	F(TEXT, system_policy, SystemPolicy)

/*
 * A process, and what makes it die or not. cgroup is "" where it is gone; never says why it is
 * never chosen, "" where it may be; with_pid is the process whose death takes it along, 0 for none;
 * group what takes others along with it.
 */
#define PROCESS_ROW(F)              \
	F(U32, pid)                 \
	F(U32, uid)                 \
	F(I32, oom_score_adj)       \
	F(BYTES, comm)              \
	F(U64, start_boottime_nsec) \
	F(U64, size_bytes)          \
	F(PATH, cgroup)             \
	F(U32, priority)            \
	F(TEXT, rule)               \
	F(PATH, source)             \
	F(TEXT, kill)               \
	F(TEXT, never)              \
	F(U32, with_pid)            \
	F(TEXT, group)

/*
 * What an OOM would come to. outcome is "kill", "wait" for dying_pid, or "kernel" for reason;
 * left_out counts the processes that are not among the rows.
 */
#define OUTCOME_VALUES(F)           \
	F(TEXT, policy, Policy)     \
	F(TEXT, victim, Victim)     \
	F(TEXT, outcome, Outcome)   \
	F(TEXT, reason, Reason)     \
	F(U32, dying_pid, DyingPid) \
	F(U32, left_out, LeftOut)   \
	F(U32, tasks, Tasks)        \
	F(U32, cgroups, Cgroups)    \
	F(U64, nsec, Nsec)

struct policy_row {
	POLICY_ROW(API_MEMBER)
};
struct tree_row {
	TREE_ROW(API_MEMBER)
};
struct candidate_row {
	CANDIDATE_ROW(API_MEMBER)
};
struct effective_values {
	EFFECTIVE_VALUES(API_MEMBER)
};
struct process_row {
	PROCESS_ROW(API_MEMBER)
};
struct outcome_values {
	OUTCOME_VALUES(API_MEMBER)
};

/* The types on the bus. */
#define POLICY_ROW_TYPE "(" POLICY_ROW(API_SIGNATURE) ")"
#define TREE_ROW_TYPE "(" TREE_ROW(API_SIGNATURE) ")"
#define CANDIDATE_ROW_TYPE "(" CANDIDATE_ROW(API_SIGNATURE) ")"
#define PROCESS_ROW_TYPE "(" PROCESS_ROW(API_SIGNATURE) ")"

/* The fields of each; the last has no name. */
extern const struct api_field policy_row_fields[], tree_row_fields[], candidate_row_fields[],
	effective_values_fields[], process_row_fields[], outcome_values_fields[];

#endif
