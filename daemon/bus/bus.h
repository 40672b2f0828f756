/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon on the system bus: org.oompolicyd1(5). Knows sd-bus and polkit; what it tells comes
 * from a provider, so that it can be tested without a kernel, and knows nothing of the manager.
 */
#ifndef OP_BUS_H
#define OP_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "bpf/oompolicy.h"

struct bus;
struct guard_warnings;
struct sd_event;

/* Longest sentence of a provider, with the terminating NUL. */
#define BUS_MESSAGE_SIZE 1024

/* All strings here and below are borrowed for the time of the call that gives them. */
struct bus_policy {
	const char *name;
	const char *scope;
	const char *cgroup;
	const char *victim;
	uint32_t default_priority;
	uint32_t link_id;    /* 0: there is none */
	uint32_t program_id; /* likewise */
	bool attached;	     /* as the kernel has it */
};

struct bus_policies {
	struct bus_policy items[OP_POLICIES_MAX + 1]; /* the director first */
	size_t n;
};

struct bus_status {
	const char *version;
	const char *backend;
	const char *backend_why;   /* why a better one was not possible; "" where none is better */
	uint32_t config_number;	   /* of the one in force, counted from 1 */
	uint64_t config_real_usec; /* CLOCK_REALTIME when it was put in force */
	uint32_t n_rules;
	uint32_t n_cgroups_ruled;
	uint32_t map_entries_max;
	bool follows_cgroups;
	bool is_pinned;		  /* the policies outlive the daemon */
	const char *origin;	  /* where they come from: loaded, adopted, updated, replaced */
	uint64_t since_real_usec; /* CLOCK_REALTIME when they were first in force */
	uint64_t n_ooms;	  /* asked about */
	uint64_t n_kills;	  /* victims of the policies */
	uint64_t n_lost;	  /* records of OOMs that could not be stored */
	uint64_t n_cgroups_lost;
	uint64_t handler_nsec; /* spent in the handlers, in all */
	uint64_t handler_max_nsec;
	uint64_t last_oom_seq;	     /* 0: none yet */
	uint64_t last_oom_real_usec; /* CLOCK_REALTIME of its entry */
	const char *reload_error;    /* "": the last reload worked */
};

/* One cgroup of a tree. Any bytes may be in the paths. */
struct bus_tree_row {
	const char *path;
	uint64_t id;
	uint32_t priority;  /* effective */
	const char *rule;   /* "": none */
	const char *source; /* the cgroup that the rule matches; "" for a policy's default */
	bool protect;
	const char *kill; /* "process", "cgroup" or "" */
};

/* What holds for a cgroup. */
struct bus_effective {
	uint32_t priority;
	bool priority_is_default; /* of the policy, as no rule sets one */
	const char *rule;
	const char *source;
	bool protect;
	const char *kill;
	const char *policy_memcg;  /* answers when the cgroup itself runs out; "": none */
	const char *policy_system; /* answers when the system does; likewise */
	bool exists;
};

/* A pattern that matches a cgroup or an ancestor of it. */
struct bus_candidate {
	const char *cgroup; /* the one that it matches */
	const char *rule;
	const char *kind; /* the key: "Cgroup", "Unit", "User" */
	const char *pattern;
	const char *file;
	uint32_t line;
	bool decides;
};

/* A process, and what makes it die or not. Names are as of struct bus_tree_row. */
struct bus_rank_row {
	uint32_t pid, uid;
	int32_t oom_score_adj;
	const char *comm; /* any bytes */
	uint64_t start_boottime_nsec;
	uint64_t size_bytes;
	const char *cgroup; /* "": gone meanwhile */
	uint32_t priority;
	const char *rule;
	const char *source;
	const char *kill;
	const char *never; /* "": it may be chosen; else why not, as org.oompolicyd1(5) has it */
	uint32_t with_pid; /* whose death takes it along; 0: it dies by itself */
	const char *group; /* what takes others along: "kill-cgroup", "oom-group" or "" */
};

/* What an OOM would come to. */
struct bus_rank {
	const char *policy;  /* "": none answers */
	const char *victim;  /* its Victim= */
	const char *outcome; /* "kill", "wait" for a victim that is dying, or "kernel" */
	const char *reason;  /* why it is left to the kernel */
	uint32_t dying_pid;  /* 0: there is none */
	uint32_t n_left_out; /* processes that were looked at and are not in the list */
	uint32_t n_tasks;
	uint32_t n_cgroups;
	uint64_t nsec; /* that the selection took */
};

/* A negative return ends the walk, which returns it. */
typedef int (*bus_tree_visit_t)(const struct bus_tree_row *row, void *userdata);
typedef int (*bus_candidate_visit_t)(const struct bus_candidate *candidate, void *userdata);
typedef int (*bus_rank_visit_t)(const struct bus_rank_row *row, void *userdata);

/*
 * Paths that a provider gets are absolute and normalized. Each function returns 0 or a negative
 * errno; -ENOENT: there is no such cgroup.
 */
struct bus_provider {
	/* Is asked for each record of an OOM: has to be cheap. */
	void (*acquire_status)(void *userdata, struct bus_status *ret);
	void (*acquire_policies)(void *userdata, struct bus_policies *ret);
	/* What is not as it should be. */
	void (*acquire_warnings)(void *userdata, struct guard_warnings *ret);
	/* Counts the entries of the rules map in force: takes a while where they are many. */
	int (*count_entries)(void *userdata, uint32_t *ret);
	/* The policy that answers for OOMs of @domain, "/" being the system. "": none. */
	const char *(*domain_policy)(void *userdata, const char *domain);
	/* Visits @domain and all below it, a parent before its children, with what would hold for
	 * an OOM there. */
	int (*walk_tree)(void *userdata, const char *domain, bus_tree_visit_t visit,
			 void *visit_userdata);
	/* Visits the candidates of the cgroup, nearest first and the winner of each before those
	 * that lost. The cgroup need not exist. */
	int (*explain)(void *userdata, const char *cgroup, struct bus_effective *ret,
		       bus_candidate_visit_t visit, void *visit_userdata);
	/* Visits the processes in the order in which OOMs of @domain would kill them, "/" being the
	 * system, and those last that none would. -ENODATA: it has no OOM of its own. */
	int (*rank)(void *userdata, const char *domain, struct bus_rank *ret,
		    bus_rank_visit_t visit, void *visit_userdata);
	/* Both give a sentence in any case. -EINVAL: the configuration has errors. */
	int (*reload)(void *userdata, char message[static BUS_MESSAGE_SIZE]);
	/* -EBUSY: another OOM is in hand. NULL: cannot be done. */
	int (*declare)(void *userdata, const char *cgroup, char message[static BUS_MESSAGE_SIZE]);
};

/*
 * Connects, now or when there is a bus to connect to, and again whenever it comes back. @provider
 * must outlive the result. Returns 0 and what the caller owns, or a negative errno; that there is
 * no bus is none.
 */
int bus_new(struct sd_event *event, const struct bus_provider *provider, void *userdata,
	    struct bus **ret);
struct bus *bus_free(struct bus *b);

/* What properties belong together. */
enum bus_change {
	BUS_CHANGE_CONFIG,   /* after a reload, also one that failed */
	BUS_CHANGE_CGROUPS,  /* how many are ruled */
	BUS_CHANGE_POLICIES, /* and the warnings */
};

/* Tells that properties have changed. Takes NULL, and does nothing while there is no bus. */
void bus_send_changed(struct bus *b, enum bus_change change);

/* Sends the signal of an OOM record, "NAME=value" each, and that its properties have changed.
 * Likewise. */
void bus_send_record(struct bus *b, const struct iovec *fields, size_t n_fields);

static inline void bus_freep(struct bus **b)
{
	bus_free(*b);
}

#endif
