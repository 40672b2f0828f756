/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of the daemon: the properties of org.oompolicyd1(5). A new one is one line here, what
 * fills it in (daemon/bus/provider.c), and where people shall see it, what shows it
 * (ctl/show-status.c); bus, client and JSON have it by themselves.
 */
#ifndef OP_API_STATUS_H
#define OP_API_STATUS_H

#include "api/value.h"

/* When properties change; the daemon sends those of an occasion together. */
enum status_change {
	STATUS_CONFIG = 1 << 0,	  /* a reload, also one that failed */
	STATUS_CGROUPS = 1 << 1,  /* another number of them is ruled */
	STATUS_POLICIES = 1 << 2, /* policies come and go, and warnings */
	STATUS_RECORD = 1 << 3,	  /* an OOM */
};

/* Of a property that stays as it is, and of one that may change and is not sent by itself. */
#define STATUS_CONST (-1)
#define STATUS_QUIET 0

/*
 * F(kind, member, Property, when it changes). Times are CLOCK_REALTIME.
 *   backend_why         why a better one was not possible; "" where none is better
 *   origin              where the policies come from: loaded, adopted, updated, replaced
 *   in_force_usec       when they were first active
 *   configuration       its number, counted from 1
 *   configuration_usec  when it became the active one
 *   last_oom            OOMPOLICY_SEQ= of the last record; 0: none yet
 *   reload_error        "": the last reload worked
 */
#define STATUS_VALUES(F)                                                    \
	F(TEXT, version, Version, STATUS_CONST)                             \
	F(TEXT, backend, Backend, STATUS_QUIET)                             \
	F(TEXT, backend_why, BackendWhy, STATUS_QUIET)                      \
	F(FLAG, pinned, Pinned, STATUS_CONFIG | STATUS_POLICIES)            \
	F(TEXT, origin, Origin, STATUS_CONST)                               \
	F(U64, in_force_usec, InForceUSec, STATUS_CONST)                    \
	F(U32, configuration, Configuration, STATUS_CONFIG)                 \
	F(U64, configuration_usec, ConfigurationUSec, STATUS_CONFIG)        \
	F(U32, rules, Rules, STATUS_CONFIG)                                 \
	F(U32, cgroups_ruled, CgroupsRuled, STATUS_CONFIG | STATUS_CGROUPS) \
	F(FLAG, follows_cgroups, FollowsCgroups, STATUS_CONST)              \
	F(U32, map_entries_max, MapEntriesMax, STATUS_CONFIG)               \
	F(U64, last_oom, LastOom, STATUS_RECORD)                            \
	F(U64, last_oom_usec, LastOomUSec, STATUS_RECORD)                   \
	F(TEXT, reload_error, ReloadError, STATUS_CONFIG)

/*
 * F(name): what the property Counters has, each a uint64_t.
 *   ooms                 asked about
 *   kills                victims of the policies
 *   records_lost         that could not be stored, of OOMs and of cgroups
 *   handler_nsec         time spent in the handlers, in all and for one OOM at most
 */
#define STATUS_COUNTERS(F)     \
	F(ooms)                \
	F(kills)               \
	F(records_lost)        \
	F(cgroup_records_lost) \
	F(handler_nsec)        \
	F(handler_max_nsec)

#define STATUS_COUNTER_MEMBER(name) uint64_t name;

struct status {
	STATUS_VALUES(API_MEMBER)
	STATUS_COUNTERS(STATUS_COUNTER_MEMBER)
};

enum {
	STATUS_VALUES_N = 0 STATUS_VALUES(API_COUNT),
};

/* The fields of both lists; the last has no name. The property of a counter is its name. */
extern const struct api_field status_fields[], status_counter_fields[];

/* Of each of status_fields. */
extern const int status_changes[];

#endif
