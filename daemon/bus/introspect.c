/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks the object over a connection to ourselves, as sd-bus makes the XML of its own table only. */
#include "introspect.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "object.h"
#include "util/basic.h"

static const char head[] =
	"<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
	"\"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
	"<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n"
	"<!-- What oompolicyd says of itself; see org.oompolicyd1(5). -->\n"
	"<node>\n";

struct ends {
	sd_bus *server, *client;
};

static void ends_done(struct ends *e)
{
	sd_bus_close_unref(e->server);
	sd_bus_close_unref(e->client);
}

/* Takes @fd over. */
static int open_end(int fd, bool is_server, sd_bus **ret)
{
	int r;

	r = sd_bus_new(ret);
	if (r < 0) {
		safe_close(fd);
		return r;
	}
	r = sd_bus_set_fd(*ret, fd, fd);
	if (r >= 0)
		r = sd_bus_set_anonymous(*ret, true);
	if (r >= 0 && is_server)
		r = sd_bus_set_server(*ret, true,
				      SD_ID128_MAKE(1c, 4d, 2f, 0e, 5a, 6b, 47, 38, 92, 0f, 7d, 11,
						    c3, 5e, 84, a6));
	return r < 0 ? r : sd_bus_start(*ret);
}

static int open_ends(struct object *o, struct ends *ret)
{
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	r = open_end(fds[0], true, &ret->server);
	if (r < 0) {
		safe_close(fds[1]);
		return r;
	}
	r = open_end(fds[1], false, &ret->client);
	return r < 0 ? r : object_add(o, ret->server);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	*(sd_bus_message **)userdata = sd_bus_message_ref(reply);
	return 1;
}

/* More than the two take, as neither waits for anybody else. */
#define ROUNDS_MAX 10000

/* Lets both ends work until the answer is there. */
static int exchange(const struct ends *e, sd_bus_message *const *reply)
{
	for (unsigned i = 0; i < ROUNDS_MAX && !*reply; i++) {
		int server = sd_bus_process(e->server, NULL);
		int client = server < 0 ? server : sd_bus_process(e->client, NULL);

		if (client < 0)
			return client;
	}
	return *reply ? 0 : -ETIMEDOUT;
}

static int print_xml(sd_bus_message *reply, FILE *out)
{
	static const char end_tag[] = " </interface>\n";
	const char *xml, *begin, *end;
	int r;

	if (sd_bus_message_is_method_error(reply, NULL))
		return -sd_bus_message_get_errno(reply);
	r = sd_bus_message_read(reply, "s", &xml);
	if (r < 0)
		return r;
	/* Without the interfaces that every object has. */
	begin = strstr(xml, " <interface name=\"" BUS_INTERFACE "\">");
	end = begin ? strstr(begin, end_tag) : NULL;
	if (!end)
		return -EBADMSG;
	fprintf(out, "%s%.*s</node>\n", head, (int)(end - begin) + (int)strlen(end_tag), begin);
	return ferror(out) ? -EIO : 0;
}

int introspect_print(FILE *out)
{
	struct object object = {};
	_cleanup_(ends_done) struct ends ends = {};
	sd_bus_message *reply = NULL;
	sd_bus_slot *slot = NULL;
	int r;

	r = open_ends(&object, &ends);
	if (r >= 0)
		r = sd_bus_call_method_async(ends.client, &slot, NULL, BUS_PATH,
					     "org.freedesktop.DBus.Introspectable", "Introspect",
					     on_reply, &reply, NULL);
	if (r >= 0)
		r = exchange(&ends, &reply);
	if (r >= 0)
		r = print_xml(reply, out);
	sd_bus_slot_unref(slot);
	sd_bus_message_unref(reply);
	return r;
}
