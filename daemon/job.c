/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks systemd by the bus, on a connection of its own: the daemon's may be busy with others, and
 * this comes when the daemon answers nobody any more. Owns nothing after it returns.
 */
#include "job.h"

#include <string.h>

#include <systemd/sd-bus.h>

#include "util/basic.h"
#include "util/log.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"

/* For each of the three questions. */
#define TIMEOUT_USEC 1000000

bool job_type_restarts(const char *type)
{
	/* The types of systemd's src/core/job.c that stop and start. */
	return strcmp(type, "restart") == 0 || strcmp(type, "try-restart") == 0;
}

static void bus_closep(sd_bus **bus)
{
	sd_bus_flush_close_unref(*bus);
}

static void message_unrefp(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}

static int acquire_job_type(sd_bus *bus, char **ret)
{
	_cleanup_(message_unrefp) sd_bus_message *unit = NULL, *job = NULL;
	const char *unit_path, *job_path;
	uint32_t id;
	int r;

	/* 0 is whoever asks. */
	r = sd_bus_call_method(bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD ".Manager", "GetUnitByPID", NULL,
			       &unit, "u", 0U);
	if (r >= 0)
		r = sd_bus_message_read(unit, "o", &unit_path);
	if (r >= 0)
		r = sd_bus_get_property(bus, SYSTEMD, unit_path, SYSTEMD ".Unit", "Job", NULL, &job,
					"(uo)");
	if (r >= 0)
		r = sd_bus_message_read(job, "(uo)", &id, &job_path);
	if (r < 0)
		return r;
	if (id == 0)
		return -ENOENT;
	return sd_bus_get_property_string(bus, SYSTEMD, job_path, SYSTEMD ".Job", "JobType", NULL,
					  ret);
}

bool job_restarts(void)
{
	_cleanup_(bus_closep) sd_bus *bus = NULL;
	_cleanup_free_ char *type = NULL;
	int r;

	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, TIMEOUT_USEC);
	if (r >= 0)
		r = acquire_job_type(bus, &type);
	if (r < 0) {
		log_debug("Cannot ask systemd why the daemon is to end: %s. Taking it for a stop.",
			  strerror(-r));
		return false;
	}
	log_debug("systemd's job is '%s'.", type);
	return job_type_restarts(type);
}
