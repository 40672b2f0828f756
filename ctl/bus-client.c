/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connects to the bus for each question, and turns replies into the structs of replies.h. Trusts
 * the daemon to be who has the name, as the bus's policy gives it to root alone, but no byte of
 * what it says: names in it were chosen by others.
 */
#include "bus-client.h"

#include <stdio.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "bus-values.h"
#include "replies.h"
#include "util/basic.h"
#include "util/bytes.h"

/* A reload walks all cgroups, a declaration kills; polkit may ask for a password first. */
#define CHANGE_TIMEOUT_USEC (150 * UINT64_C(1000000))

static void messagep(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}

static const struct {
	const char *name;
	int error;
} errors[] = {
	{SD_BUS_ERROR_SERVICE_UNKNOWN, -ENOTCONN},
	{SD_BUS_ERROR_NAME_HAS_NO_OWNER, -ENOTCONN},
	{SD_BUS_ERROR_DISCONNECTED, -ENOTCONN},
	{SD_BUS_ERROR_NO_REPLY, -ENOTCONN},
	{SD_BUS_ERROR_ACCESS_DENIED, -EACCES},
	{SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, -EACCES},
	{SD_BUS_ERROR_INVALID_ARGS, -EINVAL},
	{SD_BUS_ERROR_NOT_SUPPORTED, -EOPNOTSUPP},
	{BUS_ERROR_CONFIGURATION, -EBADMSG},
	{BUS_ERROR_NO_SUCH_CGROUP, -ENOENT},
};

static int translate(const sd_bus_error *error, int r, char why[static BUS_CLIENT_WHY_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (sd_bus_error_has_name(error, errors[i].name)) {
			r = errors[i].error;
			if (r == -ENOTCONN)
				snprintf(why, BUS_CLIENT_WHY_SIZE,
					 "oompolicyd is not running, or not on the bus; see "
					 "`systemctl status oompolicyd`");
			else
				snprintf(why, BUS_CLIENT_WHY_SIZE, "%s", error->message);
			return r;
		}
	snprintf(why, BUS_CLIENT_WHY_SIZE, "%s",
		 sd_bus_error_is_set(error) ? error->message : strerror(-r));
	return r == -ECONNRESET || r == -ENOTCONN ? -ENOTCONN : -EIO;
}

static int bad_reply(int r, char why[static BUS_CLIENT_WHY_SIZE])
{
	snprintf(why, BUS_CLIENT_WHY_SIZE, "Unexpected reply from oompolicyd: %s", strerror(-r));
	return -EIO;
}

static void busp(sd_bus **b)
{
	sd_bus_flush_close_unref(*b);
}

static int connect_bus(sd_bus **ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	int r = sd_bus_open_system(ret);

	if (r >= 0)
		return 0;
	snprintf(why, BUS_CLIENT_WHY_SIZE,
		 "Cannot reach the system bus: %s; see 'systemctl status dbus.socket'",
		 strerror(-r));
	return -ENOTCONN;
}

/* Calls @method with @cgroup, or without an argument where it is NULL. */
static int call(const char *method, const char *cgroup, bool changes, sd_bus_message **ret,
		char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(busp) sd_bus *bus = NULL;
	_cleanup_(messagep) sd_bus_message *m = NULL;
	_cleanup_free_ char *text = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = connect_bus(&bus, why);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE, method);
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0 && changes)
		r = sd_bus_message_set_allow_interactive_authorization(m, true);
	if (r >= 0 && cgroup) {
		text = bytes_path_to_text(cgroup);
		r = text ? sd_bus_message_append_basic(m, 's', text) : -ENOMEM;
	}
	if (r >= 0)
		r = sd_bus_call(bus, m, changes ? CHANGE_TIMEOUT_USEC : 0, &error, ret);
	if (r < 0)
		r = translate(&error, r, why);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

/* --- status */

/* Reads an array of strings, of which the first @n_max are kept. */
static int read_texts(sd_bus_message *m, const char **texts, size_t n_max, size_t *n)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', "s");
	if (r < 0)
		return r;
	for (;;) {
		const char *text;

		r = sd_bus_message_read(m, "s", &text);
		if (r <= 0)
			break;
		if (*n < n_max)
			texts[(*n)++] = text;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_warnings(sd_bus_message *m, struct status_report *s)
{
	return read_texts(m, s->warnings, ARRAY_SIZE(s->warnings), &s->n_warnings);
}

static int read_module_version(sd_bus_message *m, struct status_report *s)
{
	return sd_bus_message_read(m, "s", &s->module_version);
}

static int read_module_hooks(sd_bus_message *m, struct status_report *s)
{
	return read_texts(m, s->module_hooks, ARRAY_SIZE(s->module_hooks), &s->n_module_hooks);
}

static int read_policies(sd_bus_message *m, struct status_report *s)
{
	return values_read_rows(m, policy_row_fields, sizeof(*s->policies), (void **)&s->policies,
				&s->n_policies);
}

static int read_counters(sd_bus_message *m, struct status_report *s)
{
	int r = sd_bus_message_enter_container(m, 'a', "{st}");

	while (r >= 0) {
		const char *name;
		uint64_t value;

		r = sd_bus_message_read(m, "{st}", &name, &value);
		if (r <= 0)
			break;
		for (const struct api_field *f = status_counter_fields; f->name; f++)
			if (strcmp(f->property, name) == 0)
				*(uint64_t *)((char *)&s->status + f->offset) = value;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Reads the variant of the property @name; those of a later version are skipped. */
static int read_property(sd_bus_message *m, const char *name, struct status_report *s)
{
	static const struct {
		const char *name;
		int (*read)(sd_bus_message *m, struct status_report *s);
	} others[] = {
		{"Policies", read_policies},	    {"Counters", read_counters},
		{"Warnings", read_warnings},	    {"ModuleVersion", read_module_version},
		{"ModuleHooks", read_module_hooks},
	};
	int r = values_read_property(m, status_fields, name, &s->status);
	size_t i = 0;

	if (r != 0)
		return r;
	while (i < ARRAY_SIZE(others) && strcmp(name, others[i].name) != 0)
		i++;
	if (i == ARRAY_SIZE(others))
		return sd_bus_message_skip(m, "v");
	r = sd_bus_message_enter_container(m, 'v', NULL);
	if (r >= 0)
		r = others[i].read(m, s);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_status(sd_bus_message *m, struct status_report *s)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *name;

		r = sd_bus_message_read(m, "s", &name);
		if (r >= 0)
			r = read_property(m, name, s);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : values_complete(status_fields, &s->status);
}

static int get_all(sd_bus *bus, sd_bus_message **ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(messagep) sd_bus_message *m = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH,
					   "org.freedesktop.DBus.Properties", "GetAll");
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0)
		r = sd_bus_message_append(m, "s", BUS_INTERFACE);
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &error, ret);
	if (r < 0)
		r = translate(&error, r, why);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

/* Apart from the others, as it is dear for the daemon: GetAll leaves it out. */
static int get_map_entries(sd_bus *bus, uint32_t *ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(messagep) sd_bus_message *m = NULL, *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH,
					   "org.freedesktop.DBus.Properties", "Get");
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", BUS_INTERFACE, "MapEntries");
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &error, &reply);
	if (r < 0)
		r = translate(&error, r, why);
	sd_bus_error_free(&error);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "v", "u", ret);
	return r < 0 ? bad_reply(r, why) : 0;
}

/* Whether the bus is that of this machine: who has set its address may have that of another. */
static bool is_of_this_machine(sd_bus *bus)
{
	const char *address;

	return sd_bus_get_address(bus, &address) >= 0 &&
	       strcmp(address, "unix:path=" BUS_SYSTEM_SOCKET) == 0;
}

int bus_client_get_status(struct status_report *ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(busp) sd_bus *bus = NULL;
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct status_report){.module_version = ""};
	r = connect_bus(&bus, why);
	if (r == 0)
		r = get_all(bus, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = read_status(reply, ret);
	if (r < 0)
		return bad_reply(r, why);
	ret->is_of_this_machine = is_of_this_machine(bus);
	return get_map_entries(bus, &ret->map_entries, why);
}

void status_report_done(struct status_report *s)
{
	values_free_rows(policy_row_fields, sizeof(*s->policies), s->policies, s->n_policies);
	free(s->module_installed);
	sd_bus_message_unref(s->reply);
	*s = (struct status_report){};
}

/* --- questions about cgroups */

int bus_client_get_tree(const char *cgroup, struct tree *ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct tree){.domain = cgroup, .policy = ""};
	r = call("GetTree", cgroup, false, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = sd_bus_message_read(reply, "s", &ret->policy);
	if (r >= 0)
		r = values_read_rows(reply, tree_row_fields, sizeof(*ret->nodes),
				     (void **)&ret->nodes, &ret->n_nodes);
	return r < 0 ? bad_reply(r, why) : 0;
}

void tree_done(struct tree *t)
{
	values_free_rows(tree_row_fields, sizeof(*t->nodes), t->nodes, t->n_nodes);
	sd_bus_message_unref(t->reply);
	*t = (struct tree){};
}

int bus_client_explain(const char *cgroup, struct explanation *ret,
		       char why[static BUS_CLIENT_WHY_SIZE])
{
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct explanation){.cgroup = cgroup};
	r = call("Explain", cgroup, false, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = values_read_rows(reply, candidate_row_fields, sizeof(*ret->candidates),
			     (void **)&ret->candidates, &ret->n_candidates);
	if (r >= 0)
		r = values_read_dictionary(reply, effective_values_fields, &ret->effective);
	if (r >= 0)
		r = values_complete(effective_values_fields, &ret->effective);
	return r < 0 ? bad_reply(r, why) : 0;
}

void explanation_done(struct explanation *e)
{
	values_free_rows(candidate_row_fields, sizeof(*e->candidates), e->candidates,
			 e->n_candidates);
	values_free_paths(effective_values_fields, &e->effective);
	sd_bus_message_unref(e->reply);
	*e = (struct explanation){};
}

int bus_client_get_ranking(const char *cgroup, struct ranking *ret,
			   char why[static BUS_CLIENT_WHY_SIZE])
{
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct ranking){.domain = cgroup};
	r = call("Rank", cgroup, false, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = values_read_rows(reply, process_row_fields, sizeof(*ret->processes),
			     (void **)&ret->processes, &ret->n_processes);
	if (r >= 0)
		r = values_read_dictionary(reply, outcome_values_fields, &ret->outcome);
	if (r >= 0)
		r = values_complete(outcome_values_fields, &ret->outcome);
	return r < 0 ? bad_reply(r, why) : 0;
}

void ranking_done(struct ranking *l)
{
	values_free_rows(process_row_fields, sizeof(*l->processes), l->processes, l->n_processes);
	sd_bus_message_unref(l->reply);
	*l = (struct ranking){};
}

/* --- what changes something */

static int change(const char *method, const char *cgroup, char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	const char *outcome;
	int r;

	r = call(method, cgroup, true, &reply, why);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "s", &outcome);
	if (r < 0)
		return bad_reply(r, why);
	snprintf(why, BUS_CLIENT_WHY_SIZE, "%s", outcome);
	return 0;
}

int bus_client_reload(char why[static BUS_CLIENT_WHY_SIZE])
{
	return change("Reload", NULL, why);
}

int bus_client_declare(const char *cgroup, char why[static BUS_CLIENT_WHY_SIZE])
{
	return change("Declare", cgroup, why);
}
