/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Knows the types of this one reply. */
#include "rank-reply.h"

#include <string.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "bus.h"
#include "util/basic.h"
#include "util/bytes.h"

static int append_path(sd_bus_message *m, const char *path)
{
	_cleanup_free_ char *text = bytes_path_to_text(path);

	return text ? sd_bus_message_append_basic(m, 's', text) : -ENOMEM;
}

static int append_row(const struct bus_rank_row *row, void *userdata)
{
	sd_bus_message *reply = userdata;
	int r;

	r = sd_bus_message_open_container(reply, 'r', BUS_RANK_ROW);
	if (r >= 0)
		r = sd_bus_message_append(reply, "uui", row->pid, row->uid, row->oom_score_adj);
	if (r >= 0)
		r = sd_bus_message_append_array(reply, 'y', row->comm, strlen(row->comm));
	if (r >= 0)
		r = sd_bus_message_append(reply, "tt", row->start_boottime_nsec, row->size_bytes);
	if (r >= 0)
		r = append_path(reply, row->cgroup);
	if (r >= 0)
		r = sd_bus_message_append(reply, "us", row->priority, row->rule);
	if (r >= 0)
		r = append_path(reply, row->source);
	if (r >= 0)
		r = sd_bus_message_append(reply, "ssus", row->kill, row->never, row->with_pid,
					  row->group);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

int bus_rank_append(sd_bus_message *reply, const struct bus_provider *provider, void *userdata,
		    const char *domain)
{
	struct bus_rank rank = {};
	int r;

	r = sd_bus_message_open_container(reply, 'a', BUS_TYPE_RANK_ROW);
	if (r >= 0)
		r = provider->rank(userdata, domain, &rank, append_row, reply);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r
		     : sd_bus_message_append(reply, "a{sv}", 9, "Policy", "s", rank.policy,
					     "Victim", "s", rank.victim, "Outcome", "s",
					     rank.outcome, "Reason", "s", rank.reason, "DyingPid",
					     "u", rank.dying_pid, "LeftOut", "u", rank.n_left_out,
					     "Tasks", "u", rank.n_tasks, "Cgroups", "u",
					     rank.n_cgroups, "Nsec", "t", rank.nsec);
}
