/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what is said on the bus. Refuses to know where an answer comes from (the provider's), who
 * may change something (polkit's), and when there is a connection (bus.c's).
 */
#include "object.h"

#include <assert.h>
#include <string.h>
#include <sys/uio.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "api/fields.h"
#include "api/rows.h"
#include "bus.h"
#include "daemon/warnings.h"
#include "loaded-module.h"
#include "util/basic.h"
#include "util/bytes.h"
#include "util/log.h"
#include "util/path.h"
#include "values.h"

/* Longest name of a journal field (journal_field_valid() in systemd). */
#define FIELD_NAME_MAX 64

static void messagep(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}

/* --- properties */

/*
 * Called when the bus is about to ask for properties or to call a method, once for all of them: the
 * state is acquired here, and sd-bus reads the properties from it by their offsets.
 */
static int find_object(sd_bus *connection _unused_, const char *path,
		       const char *interface _unused_, void *userdata, void **ret_found,
		       sd_bus_error *error _unused_)
{
	struct object *o = userdata;

	if (strcmp(path, BUS_PATH) != 0)
		return 0;
	if (o->provider)
		o->provider->acquire_status(&o->status, o->userdata);
	*ret_found = o;
	return 1;
}

static int get_policies(sd_bus *connection _unused_, const char *path _unused_,
			const char *interface _unused_, const char *name _unused_,
			sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	const struct object *o = userdata;
	struct bus_policies policies = {};
	int r;

	o->provider->acquire_policies(&policies, o->userdata);
	r = values_open_rows(reply, policy_row_fields);
	for (size_t i = 0; r >= 0 && i < policies.n; i++)
		r = values_append_row(reply, policy_row_fields, &policies.items[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Both properties of the module are apart from the state, as each record of an OOM acquires that.
 */
static int get_module_version(sd_bus *connection _unused_, const char *path _unused_,
			      const char *interface _unused_, const char *name _unused_,
			      sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	const struct object *o = userdata;
	struct loaded_module module;

	o->provider->acquire_module(&module, o->userdata);
	return sd_bus_message_append(reply, "s", module.version);
}

static int get_module_hooks(sd_bus *connection _unused_, const char *path _unused_,
			    const char *interface _unused_, const char *name _unused_,
			    sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	const struct object *o = userdata;
	struct loaded_module module;
	int r;

	o->provider->acquire_module(&module, o->userdata);
	r = sd_bus_message_open_container(reply, 'a', "s");
	for (size_t i = 0; r >= 0 && i < module.n_hooks; i++)
		r = sd_bus_message_append(reply, "s", module.hooks[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_warnings(sd_bus *connection _unused_, const char *path _unused_,
			const char *interface _unused_, const char *name _unused_,
			sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	const struct object *o = userdata;
	struct warnings warnings;
	int r;

	o->provider->acquire_warnings(&warnings, o->userdata);
	r = sd_bus_message_open_container(reply, 'a', "s");
	for (size_t i = 0; r >= 0 && i < warnings.n; i++)
		r = sd_bus_message_append(reply, "s", warnings.items[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_counters(sd_bus *connection _unused_, const char *path _unused_,
			const char *interface _unused_, const char *name _unused_,
			sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	const struct object *o = userdata;
	int r = sd_bus_message_open_container(reply, 'a', "{st}");

	for (const struct api_field *f = status_counter_fields; r >= 0 && f->name; f++)
		r = sd_bus_message_append(
			reply, "{st}", f->property,
			*(const uint64_t *)((const char *)&o->status + f->offset));
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Not in the state, as it is dear: the bus asks for it by its name alone. */
static int get_map_entries(sd_bus *connection _unused_, const char *path _unused_,
			   const char *interface _unused_, const char *name _unused_,
			   sd_bus_message *reply, void *userdata, sd_bus_error *error _unused_)
{
	const struct object *o = userdata;
	uint32_t n_entries = 0;
	int r = o->provider->count_entries(&n_entries, o->userdata);

	return r < 0 ? r : sd_bus_message_append(reply, "u", n_entries);
}

/* --- methods that only look */

/* The cgroup that a request names. Returns 0 and a path that the caller frees, or a negative errno
 * with @error set. */
static int read_cgroup(sd_bus_message *request, char **ret, sd_bus_error *error)
{
	_cleanup_free_ char *path = NULL;
	const char *text;
	int r;

	r = sd_bus_message_read(request, "s", &text);
	if (r < 0)
		return r;
	r = bytes_path_from_text(text, &path);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !path_is_normalized(path, OP_DEPTH_MAX))
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
					"Expected the path of a cgroup from the root of the tree, "
					"like /system.slice, or / for the root.");
	*ret = TAKE_PTR(path);
	return 0;
}

static int append_tree_row(const struct tree_row *row, void *userdata)
{
	return values_append_row(userdata, tree_row_fields, row);
}

static int on_get_tree(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	_cleanup_free_ char *domain = NULL;
	const struct object *o = userdata;
	int r;

	r = read_cgroup(request, &domain, error);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(request, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "s",
					  o->provider->domain_policy(domain, o->userdata));
	if (r >= 0)
		r = values_open_rows(reply, tree_row_fields);
	if (r < 0)
		return r;
	r = o->provider->walk_tree(domain, append_tree_row, reply, o->userdata);
	if (r == -ENOENT)
		return sd_bus_error_set(error, BUS_ERROR_NO_SUCH_CGROUP,
					"There is no such cgroup.");
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int append_candidate(const struct candidate_row *row, void *userdata)
{
	return values_append_row(userdata, candidate_row_fields, row);
}

static int on_explain(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	_cleanup_free_ char *cgroup = NULL;
	struct effective_values effective = {};
	const struct object *o = userdata;
	int r;

	r = read_cgroup(request, &cgroup, error);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(request, &reply);
	if (r >= 0)
		r = values_open_rows(reply, candidate_row_fields);
	if (r >= 0)
		r = o->provider->explain(cgroup, &effective, append_candidate, reply, o->userdata);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = values_append_dictionary(reply, effective_values_fields, &effective);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int append_process(const struct process_row *row, void *userdata)
{
	return values_append_row(userdata, process_row_fields, row);
}

static int on_rank(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	_cleanup_free_ char *domain = NULL;
	struct outcome_values outcome = {};
	const struct object *o = userdata;
	int r;

	r = read_cgroup(request, &domain, error);
	if (r >= 0)
		r = sd_bus_message_new_method_return(request, &reply);
	if (r >= 0)
		r = values_open_rows(reply, process_row_fields);
	if (r < 0)
		return r;
	r = o->provider->rank(domain, &outcome, append_process, reply, o->userdata);
	if (r == -ENOENT)
		return sd_bus_error_set(error, BUS_ERROR_NO_SUCH_CGROUP,
					"There is no such cgroup.");
	if (r == -ENODATA)
		return sd_bus_error_set(error, BUS_ERROR_FAILED,
					"The cgroup has no memory controller, so it has no OOM of "
					"its own: ask about one that it is in.");
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = values_append_dictionary(reply, outcome_values_fields, &outcome);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* --- methods that change something */

/* Both hold the daemon up until they are done, as the control socket's do: the policy in the kernel
 * needs nobody meanwhile. */
static int reply_outcome(sd_bus_message *request, int r, const char *invalid_error,
			 const char *message)
{
	const char *error;

	switch (r) {
	case 0:
		return sd_bus_reply_method_return(request, "s", message);
	case -EINVAL:
		error = invalid_error;
		break;
	case -EBUSY:
		error = BUS_ERROR_BUSY;
		break;
	case -ENOENT:
		error = BUS_ERROR_NO_SUCH_CGROUP;
		break;
	case -EOPNOTSUPP:
		error = SD_BUS_ERROR_NOT_SUPPORTED;
		break;
	default:
		error = BUS_ERROR_FAILED;
	}
	return sd_bus_reply_method_errorf(request, error, "%s",
					  message[0] ? message : strerror(-r));
}

static int perform_reload(sd_bus_message *request, const char *argument _unused_, void *userdata)
{
	const struct object *o = userdata;
	char message[BUS_MESSAGE_SIZE] = "";
	int r = o->provider->reload(message, o->userdata);

	return reply_outcome(request, r, BUS_ERROR_CONFIGURATION, message);
}

static int perform_declare(sd_bus_message *request, const char *cgroup, void *userdata)
{
	const struct object *o = userdata;
	char message[BUS_MESSAGE_SIZE] = "";
	int r = o->provider->declare(cgroup, message, o->userdata);

	return reply_outcome(request, r, BUS_ERROR_FAILED, message);
}

static int on_reload(sd_bus_message *request, void *userdata, sd_bus_error *error _unused_)
{
	struct object *o = userdata;
	char *none = NULL;

	return polkit_authorize(&o->polkit, request, BUS_ACTION_RELOAD, &none, perform_reload, o);
}

static int on_declare(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_free_ char *cgroup = NULL;
	struct object *o = userdata;
	int r;

	r = read_cgroup(request, &cgroup, error);
	if (r < 0)
		return r;
	return polkit_authorize(&o->polkit, request, BUS_ACTION_DECLARE, &cgroup, perform_declare,
				o);
}

/* Unprivileged towards sd-bus, which would otherwise ask for capabilities: on_reload() and
 * on_declare() see to it themselves. */
#define METHOD_FLAGS SD_BUS_VTABLE_UNPRIVILEGED

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define PROPERTY_OF_STATUS(kind, member, property, change)                                       \
	SD_BUS_PROPERTY(#property, API_BUS_##kind, NULL, offsetof(struct object, status.member), \
			(change) == STATUS_CONST ? SD_BUS_VTABLE_PROPERTY_CONST : CHANGES),

/* sd-bus reads the others by itself. */
#define ASSERT_PLAIN(kind, member, property, change)                                       \
	static_assert(API_##kind != API_PATH && API_##kind != API_BYTES,                   \
		      "a path or bytes in the status need a getter here, and an owner in " \
		      "ctl/bus-client.c");
STATUS_VALUES(ASSERT_PLAIN)

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	STATUS_VALUES(PROPERTY_OF_STATUS)
		SD_BUS_PROPERTY("Policies", "a" POLICY_ROW_TYPE, get_policies, 0, CHANGES),
	SD_BUS_PROPERTY("Counters", "a{st}", get_counters, 0, CHANGES),
	SD_BUS_PROPERTY("Warnings", "as", get_warnings, 0, CHANGES),
	/* That another is loaded is not sent: nothing tells the daemon. */
	SD_BUS_PROPERTY("ModuleVersion", "s", get_module_version, 0, 0),
	SD_BUS_PROPERTY("ModuleHooks", "as", get_module_hooks, 0, 0),
	SD_BUS_PROPERTY("MapEntries", "u", get_map_entries, 0, SD_BUS_VTABLE_PROPERTY_EXPLICIT),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", outcome), on_reload,
				METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS("Declare", SD_BUS_ARGS("s", cgroup), SD_BUS_RESULT("s", outcome),
				on_declare, METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS(
		"Explain", SD_BUS_ARGS("s", cgroup),
		SD_BUS_RESULT("a" CANDIDATE_ROW_TYPE, candidates, "a{sv}", effective), on_explain,
		METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS("GetTree", SD_BUS_ARGS("s", cgroup),
				SD_BUS_RESULT("s", policy, "a" TREE_ROW_TYPE, cgroups), on_get_tree,
				METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS("Rank", SD_BUS_ARGS("s", cgroup),
				SD_BUS_RESULT("a" PROCESS_ROW_TYPE, processes, "a{sv}", outcome),
				on_rank, METHOD_FLAGS),
	SD_BUS_SIGNAL_WITH_ARGS("OomRecord", SD_BUS_ARGS("a{sv}", fields), 0),
	SD_BUS_VTABLE_END,
};

int object_add(struct object *o, sd_bus *connection)
{
	return sd_bus_add_fallback_vtable(connection, NULL, BUS_PATH, BUS_INTERFACE, vtable,
					  find_object, o);
}

/* --- what is told without being asked */

void object_send_changed(sd_bus *connection, enum status_change change)
{
	/* Those that have a type of their own. */
	static const struct {
		const char *property;
		int change;
	} others[] = {
		{"Policies", STATUS_CONFIG | STATUS_POLICIES},
		{"Counters", STATUS_RECORD},
		{"Warnings", STATUS_POLICIES},
	};
	const char *names[STATUS_VALUES_N + ARRAY_SIZE(others) + 1];
	size_t n = 0;
	int r;

	for (size_t i = 0; status_fields[i].name; i++)
		if (status_changes[i] != STATUS_CONST && status_changes[i] & change)
			names[n++] = status_fields[i].property;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i].change & change)
			names[n++] = others[i].property;
	names[n] = NULL;
	r = sd_bus_emit_properties_changed_strv(connection, BUS_PATH, BUS_INTERFACE,
						(char **)names);
	if (r < 0)
		log_debug("Cannot send a signal: %s", strerror(-r));
}

/* Appends the entry "NAME=value" of a dictionary: a string, or bytes where the value is none. */
static int append_field(sd_bus_message *m, const char *name, const char *value, size_t size)
{
	_cleanup_free_ char *copy = NULL;
	bool text = bytes_are_text(value, size);
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r >= 0)
		r = sd_bus_message_append_basic(m, 's', name);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', text ? "s" : "ay");
	if (r >= 0 && text) {
		copy = strndup(value, size);
		r = copy ? sd_bus_message_append_basic(m, 's', copy) : -ENOMEM;
	} else if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', value, size);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/*
 * A dictionary has each name once. Of the fields that a journal entry may have several of (names
 * of group members, hundreds of kilobytes) none is sent: who wants them finds them in the journal
 * by OOMPOLICY_SEQ.
 */
static int append_fields(sd_bus_message *m, const struct iovec *fields, size_t n_fields)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	for (size_t i = 0; r >= 0 && i < n_fields; i++) {
		const char *field = fields[i].iov_base;
		const char *end = memchr(field, '=', fields[i].iov_len);
		char name[FIELD_NAME_MAX + 1];
		size_t length;
		bool repeated = false;

		if (!end || end - field > FIELD_NAME_MAX)
			continue;
		length = (size_t)(end - field);
		memcpy(name, field, length);
		name[length] = '\0';
		for (size_t j = 0; j < n_fields && !repeated; j++)
			repeated = j != i && fields[j].iov_len > length &&
				   memcmp(fields[j].iov_base, field, length + 1) == 0;
		if (repeated || strcmp(name, field_name(FIELD_MEMBER)) == 0)
			continue;
		r = append_field(m, name, end + 1, fields[i].iov_len - length - 1);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

void object_send_record(sd_bus *connection, const struct iovec *fields, size_t n_fields)
{
	_cleanup_(messagep) sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_signal(connection, &m, BUS_PATH, BUS_INTERFACE, "OomRecord");
	if (r >= 0)
		r = append_fields(m, fields, n_fields);
	if (r >= 0)
		r = sd_bus_send(connection, m, NULL);
	if (r < 0)
		log_debug("Cannot send the signal of a record: %s", strerror(-r));
}
