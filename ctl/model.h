/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon told, before it is shown. Strings belong to the struct's reply or are owned where
 * said; every *_done() takes an empty one.
 */
#ifndef OP_MODEL_H
#define OP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct status_policy {
	const char *name;
	const char *scope;
	const char *cgroup;
	const char *victim;
	uint32_t default_priority;
	uint32_t link_id; /* 0: none */
	uint32_t program_id;
	int attached;
};

struct status_counter {
	const char *name;
	uint64_t value;
};

#define STATUS_COUNTERS_MAX 32
/* More than a daemon has. */
#define STATUS_WARNINGS_MAX 32

struct status {
	const char *version;
	const char *backend;
	const char *backend_why;
	const char *origin; /* "": an older daemon */
	uint64_t in_force_real_usec;
	int is_pinned;
	uint32_t config_number;
	uint64_t config_real_usec;
	struct status_policy *policies; /* owned */
	size_t n_policies;
	uint32_t n_rules;
	uint32_t n_cgroups_ruled;
	uint32_t map_entries;
	uint32_t map_entries_max;
	int follows_cgroups;
	struct status_counter counters[STATUS_COUNTERS_MAX];
	size_t n_counters;
	uint64_t last_oom_seq; /* 0: none */
	uint64_t last_oom_real_usec;
	const char *reload_error;
	const char *warnings[STATUS_WARNINGS_MAX];
	size_t n_warnings;
	void *reply;
};

/* Whether all policies are in the kernel. */
bool status_is_good(const struct status *s);

struct tree_row {
	char *path; /* owned; any bytes */
	uint64_t id;
	uint32_t priority;
	const char *rule;
	char *source; /* owned; "": a policy's default */
	int protect;
	const char *kill;
	/* Read from the cgroup's files. */
	uint64_t memory_bytes; /* UINT64_MAX: not known */
	bool has_processes;    /* in the cgroup itself */
	/* Made by tree_sort(). */
	size_t parent; /* index of a row, SIZE_MAX for the first */
	size_t depth;  /* below the first */
	size_t next;   /* the row to show after this one, SIZE_MAX at the end */
	bool shown;
	bool last_child; /* of those that are shown */
};

struct tree {
	const char *domain;    /* "/" is the system */
	const char *policy;    /* "": none answers */
	struct tree_row *rows; /* owned; a parent before its children */
	size_t n_rows;
	void *reply;
};

/* Reads memory use and whether there are processes from the cgroup tree at @root. */
void tree_acquire(struct tree *t, const char *root);

/*
 * Brings the rows into the order in which processes die: of siblings that one first which has the
 * lowest priority in it or below, and of those the one that uses most memory. Without @all, cgroups
 * with no process in them and below are not shown. Returns 0 or -ENOMEM.
 */
int tree_sort(struct tree *t, bool all);

struct rank_row {
	uint32_t pid;
	uint32_t uid;
	int32_t oom_score_adj;
	const char *comm; /* any bytes, no NUL at the end */
	size_t comm_size;
	uint64_t start_boottime_nsec;
	uint64_t size_bytes;
	char *cgroup; /* owned; any bytes */
	uint32_t priority;
	const char *rule;
	char *source; /* owned */
	const char *kill;
	const char *never; /* "": it may be chosen */
	uint32_t with_pid; /* whose death takes it along; 0: it dies by itself */
	const char *group;
};

struct rank_list {
	const char *domain;
	const char *policy;
	const char *victim;
	const char *outcome;
	const char *reason;
	uint32_t dying_pid;
	uint32_t n_left_out;
	uint32_t n_tasks;
	uint32_t n_cgroups;
	uint64_t nsec;
	struct rank_row *rows; /* owned */
	size_t n_rows;
	void *reply;
};

struct candidate {
	char *cgroup; /* owned */
	const char *rule;
	const char *kind;
	char *pattern; /* owned */
	char *file;    /* owned */
	uint32_t line;
	int decides;
};

struct explanation {
	const char *cgroup;
	struct candidate *candidates; /* owned */
	size_t n_candidates;
	uint32_t priority;
	int priority_is_default;
	const char *rule;
	char *source; /* owned */
	int protect;
	const char *kill;
	const char *policy;
	const char *system_policy;
	int exists;
	void *reply;
};

#endif
