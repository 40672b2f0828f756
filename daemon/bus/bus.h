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

#include "api/rows.h"
#include "api/status.h"
#include "bpf/oompolicy.h"

struct bus;
struct loaded_module;
struct warnings;
struct sd_event;

/* Longest sentence of a provider, with the terminating NUL. */
#define BUS_MESSAGE_SIZE 1024

struct bus_policies {
	struct policy_row items[OP_POLICIES_MAX + 1]; /* the recorder first */
	size_t n;
};

/* A negative return ends the walk, which returns it. */
typedef int (*bus_tree_visit_t)(const struct tree_row *row, void *userdata);
typedef int (*bus_candidate_visit_t)(const struct candidate_row *row, void *userdata);
typedef int (*bus_process_visit_t)(const struct process_row *row, void *userdata);

/*
 * Paths that a provider gets are absolute and normalized. Each function returns 0 or a negative
 * errno; -ENOENT: there is no such cgroup.
 */
struct bus_provider {
	/* Is asked for each record of an OOM and each request: has to be cheap. */
	void (*acquire_status)(struct status *ret, void *userdata);
	void (*acquire_policies)(struct bus_policies *ret, void *userdata);
	void (*acquire_module)(struct loaded_module *ret, void *userdata);
	/* What is not as it should be. */
	void (*acquire_warnings)(struct warnings *ret, void *userdata);
	/* Counts the entries of the active rules map: takes a while where they are many. */
	int (*count_entries)(uint32_t *ret, void *userdata);
	/* The policy that answers for OOMs of @domain, "/" being the system. "": none. */
	const char *(*domain_policy)(const char *domain, void *userdata);
	/* Visits @domain and all below it, a parent before its children, with what would hold for
	 * an OOM there. */
	int (*walk_tree)(const char *domain, bus_tree_visit_t visit, void *visit_userdata,
			 void *userdata);
	/* Visits the candidates of the cgroup, nearest first and the winner of each before those
	 * that lost. The cgroup need not exist. */
	int (*explain)(const char *cgroup, struct effective_values *ret,
		       bus_candidate_visit_t visit, void *visit_userdata, void *userdata);
	/* Visits the processes in the order in which OOMs of @domain would kill them, "/" being the
	 * system, and those last that none would. -ENODATA: it has no OOM of its own. */
	int (*rank)(const char *domain, struct outcome_values *ret, bus_process_visit_t visit,
		    void *visit_userdata, void *userdata);
	/* Both give a sentence in any case. -EINVAL: the configuration has errors. */
	int (*reload)(char message[static BUS_MESSAGE_SIZE], void *userdata);
	/* -EBUSY: another OOM is current. -EOPNOTSUPP: it cannot be done. */
	int (*declare)(const char *cgroup, char message[static BUS_MESSAGE_SIZE], void *userdata);
};

/*
 * Connects, now or when there is a bus to connect to, and again whenever it comes back. @provider
 * must outlive the result. Returns 0 and what the caller owns, or a negative errno; that there is
 * no bus is none.
 */
int bus_new(struct sd_event *event, const struct bus_provider *provider, void *userdata,
	    struct bus **ret);
struct bus *bus_free(struct bus *b);

/* Tells that properties have changed. Takes NULL, and does nothing while there is no bus. */
void bus_send_changed(struct bus *b, enum status_change change);

/* Sends the signal of an OOM record, "NAME=value" each, and that its properties have changed.
 * Likewise. */
void bus_send_record(struct bus *b, const struct iovec *fields, size_t n_fields);

static inline void bus_freep(struct bus **b)
{
	bus_free(*b);
}

#endif
