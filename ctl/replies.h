/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon told, before it is shown. Texts belong to the struct's reply, paths
 * are owned; every *_done() takes an empty one.
 */
#ifndef OP_REPLIES_H
#define OP_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/rows.h"
#include "api/status.h"

/* More than a daemon has, and a module. */
#define STATUS_WARNINGS_MAX 32
#define STATUS_HOOKS_MAX 32

struct status_report {
	struct status status;
	uint32_t map_entries;
	struct policy_row *policies; /* owned */
	size_t n_policies;
	const char *warnings[STATUS_WARNINGS_MAX];
	size_t n_warnings;
	const char *module_version; /* that is loaded; "": none is */
	const char *module_hooks[STATUS_HOOKS_MAX];
	size_t n_module_hooks;
	bool is_of_this_machine;
	char *module_installed; /* its version, owned; "": there is none; NULL: not known */
	void *reply;
};

/* Whether all policies are in the kernel. */
bool status_is_good(const struct status_report *s);

struct tree_node {
	struct tree_row row; /* the first, as the client reads it */
	/* Read from the cgroup's files. */
	uint64_t memory_bytes; /* UINT64_MAX: not known */
	bool has_processes;    /* in the cgroup itself */
	/* Made by tree_sort(). */
	size_t parent; /* index of a node, SIZE_MAX for the first */
	size_t depth;  /* below the first */
	size_t next;   /* the node to show after this one, SIZE_MAX at the end */
	bool shown;
	bool last_child; /* of those that are shown */
};

struct tree {
	const char *domain;	 /* "/" is the system */
	const char *policy;	 /* "": none answers */
	struct tree_node *nodes; /* owned; a parent before its children */
	size_t n_nodes;
	void *reply;
};

/* Reads memory use and whether there are processes from the cgroup tree at @root. */
void tree_acquire(struct tree *t, const char *root);

/*
 * Brings the nodes into the order in which processes die: of siblings that one first which has the
 * lowest priority in it or below, and of those the one that uses most memory. Without @all, cgroups
 * with no process in them and below are not shown. Returns 0 or -ENOMEM.
 */
int tree_sort(struct tree *t, bool all);

struct ranking {
	const char *domain;
	struct outcome_values outcome;
	struct process_row *processes; /* owned */
	size_t n_processes;
	void *reply;
};

struct explanation {
	const char *cgroup;
	struct candidate_row *candidates; /* owned */
	size_t n_candidates;
	struct effective_values effective;
	void *reply;
};

#endif
