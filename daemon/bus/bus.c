/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the connection to the system bus. What is said on it is object.c's.
 *
 * Connecting needs no polling: sd-bus watches the socket's directory with inotify until somebody
 * listens there. A bus that closes the connection is connected to again after a pause that doubles,
 * by a one-shot timer; with a bus that works nothing here runs by a clock.
 *
 * Invariant: the bus can neither hold the daemon up nor fill its memory. What it does not take is
 * dropped, the number of requests that wait for polkit is bounded, and every failure is survived.
 */
#include "bus.h"

#include <string.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "api/bus-names.h"
#include "object.h"
#include "util/basic.h"
#include "util/log.h"

#define USEC_PER_SEC UINT64_C(1000000)

#define RECONNECT_MIN_USEC (USEC_PER_SEC / 4)
#define RECONNECT_MAX_USEC (64 * USEC_PER_SEC)

/* For what the bus itself is asked, such as who a sender is: it answers at once or is stuck, and
 * then must not keep us. */
#define BUS_TIMEOUT_USEC (5 * USEC_PER_SEC)

/* Messages that the bus has not taken yet, beyond which signals are dropped. A signal with all
 * fields is some 4 KiB, with all runners-up 10. */
#define QUEUED_MAX 128

struct bus {
	sd_event *event;
	sd_bus *connection;
	sd_event_source *retry;
	uint64_t retry_usec; /* the next pause */
	struct object object;
};

/* --- what is told without being asked */

/* Whether a signal can be sent and will not wait behind a long queue. */
static bool may_send(const struct bus *b)
{
	uint64_t n_queued;

	return b && b->connection && sd_bus_is_ready(b->connection) > 0 &&
	       sd_bus_get_n_queued_write(b->connection, &n_queued) >= 0 && n_queued < QUEUED_MAX;
}

void bus_send_changed(struct bus *b, enum status_change change)
{
	if (may_send(b))
		object_send_changed(b->connection, change);
}

void bus_send_record(struct bus *b, const struct iovec *fields, size_t n_fields)
{
	if (!may_send(b))
		return;
	object_send_record(b->connection, fields, n_fields);
	object_send_changed(b->connection, STATUS_RECORD);
}

/* --- the connection */

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	struct bus *b = userdata;

	if (sd_bus_message_is_method_error(reply, NULL)) {
		log_warning("Cannot have the name " BUS_NAME
			    " on the system bus: %s. oompolicyctl does not find this daemon, "
			    "ignoring.",
			    sd_bus_message_get_error(reply)->message);
		return 0;
	}
	b->retry_usec = RECONNECT_MIN_USEC;
	log_debug("On the system bus as " BUS_NAME ".");
	return 0;
}

static int on_connected(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_)
{
	struct bus *b = userdata;
	int r;

	r = sd_bus_request_name_async(b->connection, NULL, BUS_NAME, 0, on_name, b);
	if (r < 0)
		log_warning("Cannot ask for a name on the system bus: %s, ignoring.", strerror(-r));
	return 0;
}

static void schedule_retry(struct bus *b)
{
	if (sd_event_source_set_time_relative(b->retry, b->retry_usec) >= 0)
		sd_event_source_set_enabled(b->retry, SD_EVENT_ONESHOT);
	b->retry_usec =
		b->retry_usec < RECONNECT_MAX_USEC / 2 ? 2 * b->retry_usec : RECONNECT_MAX_USEC;
}

static int on_disconnected(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_)
{
	struct bus *b = userdata;

	log_info("The system bus has closed the connection; connecting again when it is back.");
	schedule_retry(b);
	return 0;
}

static void disconnect(struct bus *b)
{
	polkit_done(&b->object.polkit);
	b->connection = sd_bus_close_unref(b->connection);
}

/* The address as DBUS_SYSTEM_BUS_ADDRESS has it, for tests; secure_getenv() as sd-bus does. */
static const char *bus_address(void)
{
	const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");

	return address ?: "unix:path=" BUS_SYSTEM_SOCKET;
}

/* Everything that happens before there is an answer of the bus. */
static int connect_bus(struct bus *b)
{
	int r;

	r = sd_bus_new(&b->connection);
	if (r >= 0)
		r = sd_bus_set_address(b->connection, bus_address());
	if (r >= 0)
		r = sd_bus_set_bus_client(b->connection, true);
	if (r >= 0)
		r = sd_bus_set_watch_bind(b->connection, true);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(b->connection, BUS_TIMEOUT_USEC);
	if (r >= 0)
		r = sd_bus_set_connected_signal(b->connection, true);
	if (r >= 0)
		r = object_add(&b->object, b->connection);
	if (r >= 0)
		r = sd_bus_match_signal_async(b->connection, NULL, "org.freedesktop.DBus.Local",
					      NULL, "org.freedesktop.DBus.Local", "Connected",
					      on_connected, NULL, b);
	if (r >= 0)
		r = sd_bus_match_signal_async(b->connection, NULL, "org.freedesktop.DBus.Local",
					      NULL, "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, b);
	if (r >= 0)
		r = sd_bus_attach_event(b->connection, b->event, SD_EVENT_PRIORITY_NORMAL);
	return r < 0 ? r : sd_bus_start(b->connection);
}

static int on_retry(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	struct bus *b = userdata;
	int r;

	disconnect(b);
	r = connect_bus(b);
	if (r < 0) {
		log_debug("Cannot connect to the system bus: %s", strerror(-r));
		schedule_retry(b);
	}
	return 0;
}

int bus_new(struct sd_event *event, const struct bus_provider *provider, void *userdata,
	    struct bus **ret)
{
	_cleanup_(bus_freep) struct bus *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	*b = (struct bus){
		.event = sd_event_ref(event),
		.retry_usec = RECONNECT_MIN_USEC,
		.object = {.provider = provider, .userdata = userdata},
	};
	r = sd_event_add_time(event, &b->retry, CLOCK_MONOTONIC, 0, 0, on_retry, b);
	if (r >= 0)
		r = sd_event_source_set_enabled(b->retry, SD_EVENT_OFF);
	if (r < 0)
		return r;

	if (!secure_getenv("DBUS_SYSTEM_BUS_ADDRESS") && access(BUS_SYSTEM_SOCKET, F_OK) < 0)
		log_info("There is no system bus: oompolicyctl cannot ask this daemon before "
			 "there is one.");
	r = connect_bus(b);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b);
	return 0;
}

struct bus *bus_free(struct bus *b)
{
	if (!b)
		return NULL;
	disconnect(b);
	sd_event_source_disable_unref(b->retry);
	sd_event_unref(b->event);
	free(b);
	return NULL;
}
