/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Knows the types of the properties. */
#include "properties.h"

#include <stddef.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "bus.h"
#include "daemon/guard.h"
#include "util/basic.h"

static int append_policies(sd_bus_message *reply, const struct bus_provider *provider,
			   void *userdata)
{
	struct bus_policies policies = {};
	int r;

	provider->acquire_policies(userdata, &policies);
	r = sd_bus_message_open_container(reply, 'a', BUS_TYPE_POLICY);
	for (size_t i = 0; r >= 0 && i < policies.n; i++) {
		const struct bus_policy *p = &policies.items[i];

		r = sd_bus_message_append(reply, BUS_TYPE_POLICY, p->name, p->scope, p->cgroup,
					  p->victim, p->default_priority, p->link_id, p->program_id,
					  (int)p->attached);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_warnings(sd_bus_message *reply, const struct bus_provider *provider,
			   void *userdata)
{
	struct guard_warnings warnings;
	int r;

	provider->acquire_warnings(userdata, &warnings);
	r = sd_bus_message_open_container(reply, 'a', "s");
	for (size_t i = 0; r >= 0 && i < warnings.n; i++)
		r = sd_bus_message_append(reply, "s", warnings.items[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_counters(sd_bus_message *reply, const struct bus_status *status)
{
	return sd_bus_message_append(
		reply, "a{st}", 6, "ooms", status->n_ooms, "kills", status->n_kills, "records_lost",
		status->n_lost, "cgroup_records_lost", status->n_cgroups_lost, "handler_nsec",
		status->handler_nsec, "handler_max_nsec", status->handler_max_nsec);
}

/* Those that are a member of struct bus_status. */
static const struct {
	const char *name;
	char type; /* of the bus: 's' const char *, 'u' uint32_t, 't' uint64_t, 'b' bool */
	size_t offset;
} plain[] = {
	{"Version", 's', offsetof(struct bus_status, version)},
	{"Backend", 's', offsetof(struct bus_status, backend)},
	{"BackendWhy", 's', offsetof(struct bus_status, backend_why)},
	{"Configuration", 'u', offsetof(struct bus_status, config_number)},
	{"ConfigurationUSec", 't', offsetof(struct bus_status, config_real_usec)},
	{"Rules", 'u', offsetof(struct bus_status, n_rules)},
	{"CgroupsRuled", 'u', offsetof(struct bus_status, n_cgroups_ruled)},
	{"FollowsCgroups", 'b', offsetof(struct bus_status, follows_cgroups)},
	{"MapEntriesMax", 'u', offsetof(struct bus_status, map_entries_max)},
	{"Pinned", 'b', offsetof(struct bus_status, is_pinned)},
	{"Origin", 's', offsetof(struct bus_status, origin)},
	{"InForceUSec", 't', offsetof(struct bus_status, since_real_usec)},
	{"LastOom", 't', offsetof(struct bus_status, last_oom_seq)},
	{"LastOomUSec", 't', offsetof(struct bus_status, last_oom_real_usec)},
	{"ReloadError", 's', offsetof(struct bus_status, reload_error)},
};

static int append_plain(sd_bus_message *reply, char type, const void *member)
{
	int boolean;

	switch (type) {
	case 's':
		return sd_bus_message_append_basic(reply, type, *(const char *const *)member);
	case 'b':
		boolean = *(const bool *)member;
		return sd_bus_message_append_basic(reply, type, &boolean);
	default:
		return sd_bus_message_append_basic(reply, type, member);
	}
}

int bus_properties_append(sd_bus_message *reply, const struct bus_provider *provider,
			  void *userdata, const char *name)
{
	struct bus_status status = {};
	uint32_t n_entries = 0;
	int r;

	if (strcmp(name, "Policies") == 0)
		return append_policies(reply, provider, userdata);
	if (strcmp(name, "Warnings") == 0)
		return append_warnings(reply, provider, userdata);
	/* Apart from the others, as it is dear: sd-bus asks for each property by itself. */
	if (strcmp(name, "MapEntries") == 0) {
		r = provider->count_entries(userdata, &n_entries);
		return r < 0 ? r : sd_bus_message_append(reply, "u", n_entries);
	}
	provider->acquire_status(userdata, &status);
	if (strcmp(name, "Counters") == 0)
		return append_counters(reply, &status);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (strcmp(name, plain[i].name) == 0)
			return append_plain(reply, plain[i].type,
					    (const char *)&status + plain[i].offset);
	return -EINVAL;
}
