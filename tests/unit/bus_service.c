/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus_service.h"

#include <signal.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "api/bus-names.h"
#include "daemon/bus/bus.h"
#include "daemon/bus/loaded-module.h"
#include "daemon/warnings.h"
#include "test.h"
#include "util/basic.h"

static struct {
	struct bus *bus;
	unsigned n_reloads;
	bool detached;
} service;

static void fake_status(struct status *ret, void *userdata)
{
	(void)userdata;
	*ret = (struct status){
		.version = "9.9",
		.backend = "struct_ops",
		.backend_why = "",
		.configuration = 1 + service.n_reloads,
		.configuration_usec = 1700000000000000,
		.rules = 3,
		.cgroups_ruled = 4,
		.map_entries_max = 1024,
		.follows_cgroups = true,
		.pinned = true,
		.origin = "updated",
		.in_force_usec = 1700000000000000,
		.ooms = 7,
		.kills = 5,
		.records_lost = 1,
		.cgroup_records_lost = 2,
		.handler_nsec = 7000000123,
		.handler_max_nsec = 2000000000,
		.last_oom = 7 + service.n_reloads,
		.last_oom_usec = 1700000100000000,
		.reload_error = "",
	};
}

static void fake_policies(struct bus_policies *ret, void *userdata)
{
	(void)userdata;
	*ret = (struct bus_policies){
		.items =
			{
				{"oompolicyd", "", "", "", 0, 11, 21, true},
				{"default", "any", "/", "largest", 500, 12, 22, !service.detached},
			},
		.n = 2,
	};
}

static void fake_module(struct loaded_module *ret, void *userdata)
{
	(void)userdata;
	*ret = (struct loaded_module){
		.version = "9.8",
		.hooks = {"dump_header", "out_of_memory"},
		.n_hooks = 2,
	};
}

static void fake_warnings(struct warnings *ret, void *userdata)
{
	(void)userdata;
	*ret = (struct warnings){.items = {"Another is asked first.", "It is gone."}, .n = 2};
}

static int fake_entries(uint32_t *ret, void *userdata)
{
	(void)userdata;
	*ret = 6;
	return 0;
}

static const char *fake_domain_policy(const char *domain, void *userdata)
{
	(void)userdata;
	(void)domain;
	return "default";
}

static const struct tree_row rows[] = {
	{"/", 1, 500, "", "", false, ""},
	{"/system.slice", 2, 500, "", "", false, ""},
	{"/system.slice/ssh.service", 3, 500, "shell", "/system.slice/ssh.service", true, ""},
	{"/system.slice/db.service", 4, 900, "database", "/system.slice/db.service", false, ""},
	{"/batch.slice", 5, 10, "batch", "/batch.slice", false, "cgroup"},
	{"/batch.slice/small", 6, 10, "batch", "/batch.slice", false, "cgroup"},
	{"/batch.slice/large", 7, 10, "batch", "/batch.slice", false, "cgroup"},
	{"/batch.slice/e\033[31mvil\xff\"%n", 8, 10, "batch", "/batch.slice", false, "cgroup"},
	{"/empty.slice", 9, 5, "", "", false, ""},
};

static int fake_tree(const char *domain, bus_tree_visit_t visit, void *visit_userdata,
		     void *userdata)
{
	int r = 0;

	(void)userdata;
	if (strcmp(domain, "/gone") == 0)
		return -ENOENT;
	/* A path that is not UTF-8 comes here as the bytes that were asked for. */
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rows); i++)
		if (strcmp(domain, "/") == 0 || strcmp(domain, rows[i].cgroup) == 0)
			r = visit(&rows[i], visit_userdata);
	return r;
}

static int fake_explain(const char *cgroup, struct effective_values *ret,
			bus_candidate_visit_t visit, void *visit_userdata, void *userdata)
{
	const struct candidate_row candidates[] = {
		{cgroup, "database", "Unit", "db*.service", "/etc/oompolicy.conf", 12, true},
		{cgroup, "all", "Cgroup", "/system.slice/**", "/etc/oompolicy.conf.d/\xff.conf", 3,
		 false},
		{"/", "root", "Cgroup", "/", "/usr/lib/oompolicy.conf", 1, false},
	};

	(void)userdata;
	*ret = (struct effective_values){
		.priority = 900,
		.rule = "database",
		.source = cgroup,
		.kill = "",
		.policy = "default",
		.system_policy = "default",
		.exists = true,
	};
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (visit(&candidates[i], visit_userdata) < 0)
			return -EIO;
	return 0;
}

static const struct process_row ranked[] = {
	{4194304,
	 1000,
	 -500,
	 {"e\n\033[31m\xff\"%n", 11},
	 12345678901,
	 73400320,
	 "/batch.slice/e\033[31mvil\xff",
	 10,
	 "batch",
	 "/batch.slice",
	 "cgroup",
	 "",
	 0,
	 "kill-cgroup"},
	{1,
	 0,
	 0,
	 {"systemd", 7},
	 4,
	 12582912,
	 "/init.scope",
	 500,
	 "",
	 "",
	 "",
	 "init",
	 4194304,
	 "oom-group"},
};

static int fake_rank(const char *domain, struct outcome_values *ret, bus_process_visit_t visit,
		     void *visit_userdata, void *userdata)
{
	int r = 0;

	(void)userdata;
	*ret = (struct outcome_values){"default", "largest", "kill", "", 0, 7, 123, 45, 678901};
	if (strcmp(domain, "/gone") == 0)
		return -ENOENT;
	if (strcmp(domain, "/uncontrolled") == 0)
		return -ENODATA;
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(ranked); i++)
		r = visit(&ranked[i], visit_userdata);
	return r;
}

#define FIELD(text) {(char *)(text), sizeof(text) - 1}

/* Changes every property that a reload changes, and has an OOM besides. */
static int fake_reload(char message[static BUS_MESSAGE_SIZE], void *userdata)
{
	static const struct iovec fields[] = {
		FIELD("MESSAGE=OOM in /batch.slice: killed hog"),
		FIELD("OOMPOLICY_DECISION=killed"),
		FIELD("OOMPOLICY_SEQ=8"),
		FIELD("OOMPOLICY_VICTIM_COMM=e\033[31m\n=%n"),
		FIELD("OOMPOLICY_VICTIM_CGROUP=/\xff\xfe"),
		FIELD("OOMPOLICY_EMPTY="),
		FIELD("OOMPOLICY_MEMBER=1 a 0 /a"),
		FIELD("OOMPOLICY_TWICE=1"),
		FIELD("OOMPOLICY_TWICE=2"),
		FIELD("no field"),
	};

	(void)userdata;
	service.n_reloads++;
	service.detached = service.n_reloads % 2;
	bus_send_record(service.bus, fields, ARRAY_SIZE(fields));
	bus_send_changed(service.bus, STATUS_CONFIG);
	bus_send_changed(service.bus, STATUS_CGROUPS);
	if (service.n_reloads == 3) {
		snprintf(message, BUS_MESSAGE_SIZE, "/etc/oompolicy.conf:1: what is wrong");
		return -EINVAL;
	}
	snprintf(message, BUS_MESSAGE_SIZE, "Reload number %u.", service.n_reloads);
	return 0;
}

static int fake_declare(const char *cgroup, char message[static BUS_MESSAGE_SIZE], void *userdata)
{
	(void)userdata;
	snprintf(message, BUS_MESSAGE_SIZE, "Declared for %.100s.", cgroup);
	if (strcmp(cgroup, "/busy") == 0)
		return -EBUSY;
	return strcmp(cgroup, "/gone") == 0 ? -ENOENT : 0;
}

static const struct bus_provider provider = {
	.acquire_status = fake_status,
	.acquire_policies = fake_policies,
	.acquire_module = fake_module,
	.acquire_warnings = fake_warnings,
	.count_entries = fake_entries,
	.domain_policy = fake_domain_policy,
	.walk_tree = fake_tree,
	.explain = fake_explain,
	.rank = fake_rank,
	.reload = fake_reload,
	.declare = fake_declare,
};

static sd_event *new_event(void)
{
	sd_event *event = NULL;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK(sd_event_new(&event) >= 0);
	CHECK(sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL) >= 0);
	return event;
}

int bus_service_run(void)
{
	sd_event *event = new_event();
	int r;

	CHECK_INT(bus_new(event, &provider, NULL, &service.bus), 0);
	r = sd_event_loop(event);
	bus_free(service.bus);
	sd_event_unref(event);
	return r < 0;
}

/* --- polkit */

static int on_check(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *kind, *key, *name, *action;
	uint32_t flags;
	bool asked_well;

	(void)userdata;
	(void)error;
	CHECK(sd_bus_message_enter_container(m, 'r', "sa{sv}") >= 0);
	CHECK(sd_bus_message_read(m, "s", &kind) >= 0);
	CHECK(sd_bus_message_read(m, "a{sv}", 1, &key, "s", &name) >= 0);
	CHECK(sd_bus_message_exit_container(m) >= 0);
	CHECK(sd_bus_message_read(m, "s", &action) >= 0);
	CHECK(sd_bus_message_skip(m, "a{ss}") >= 0);
	CHECK(sd_bus_message_read(m, "u", &flags) >= 0);
	/* oompolicyctl lets polkit ask. */
	asked_well = strcmp(kind, "system-bus-name") == 0 && strcmp(key, "name") == 0 &&
		     name[0] == ':' && flags == 1;
	if (asked_well && strcmp(action, BUS_ACTION_RELOAD) == 0)
		return sd_bus_reply_method_return(m, "(bba{ss})", true, false, 0);
	return sd_bus_reply_method_return(m, "(bba{ss})", false,
					  asked_well && strcmp(action, BUS_ACTION_DECLARE) == 0, 0);
}

int bus_service_run_polkit(void)
{
	static const sd_bus_vtable vtable[] = {
		SD_BUS_VTABLE_START(0),
		SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
			      SD_BUS_VTABLE_UNPRIVILEGED),
		SD_BUS_VTABLE_END,
	};
	sd_event *event = new_event();
	sd_bus *bus = NULL;
	int r;

	CHECK(sd_bus_open_system(&bus) >= 0);
	CHECK(sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/PolicyKit1/Authority",
				       "org.freedesktop.PolicyKit1.Authority", vtable, NULL) >= 0);
	CHECK(sd_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0) >= 0);
	CHECK(sd_bus_attach_event(bus, event, 0) >= 0);
	r = sd_event_loop(event);
	sd_bus_flush_close_unref(bus);
	sd_event_unref(event);
	return r < 0;
}
