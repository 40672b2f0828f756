/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the connection to the system bus and everything that is said on it. Refuses to know where
 * an answer comes from (the provider's) and who may change something (polkit's; root may always).
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
#include "properties.h"
#include "rank-reply.h"
#include "util/basic.h"
#include "util/bytes.h"
#include "util/log.h"
#include "util/path.h"

#define USEC_PER_SEC UINT64_C(1000000)

#define RECONNECT_MIN_USEC (USEC_PER_SEC / 4)
#define RECONNECT_MAX_USEC (64 * USEC_PER_SEC)

/* Requests that wait for polkit: more than the administrators of one machine ask at once. */
#define PENDING_MAX 16
/* polkit may have to ask for a password. */
#define POLKIT_TIMEOUT_USEC (120 * USEC_PER_SEC)
#define POLKIT_ALLOW_INTERACTION 1U /* CheckAuthorizationFlags of polkit's D-Bus API */

/* For what the bus itself is asked, such as who a sender is: it answers at once or is stuck, and
 * then must not keep us. */
#define BUS_TIMEOUT_USEC (5 * USEC_PER_SEC)

/* Messages that the bus has not taken yet, beyond which signals are dropped. A signal with all
 * fields is some 4 KiB, with all runners-up 10. */
#define QUEUED_MAX 128

/* Longest name of a journal field (journal_field_valid() in systemd). */
#define FIELD_NAME_MAX 64

/* A request that changes something. */
enum action {
	ACTION_RELOAD,
	ACTION_DECLARE,
};

static const char *const action_names[] = {
	[ACTION_RELOAD] = BUS_ACTION_RELOAD,
	[ACTION_DECLARE] = BUS_ACTION_DECLARE,
};

struct pending {
	struct bus *bus;
	enum action action;
	sd_bus_message *request; /* NULL: this place is free */
	sd_bus_slot *slot;	 /* the call of polkit */
	char *cgroup;
};

struct bus {
	sd_event *event;
	const struct bus_provider *provider;
	void *userdata;

	sd_bus *connection;
	sd_event_source *retry;
	uint64_t retry_usec; /* the next pause */
	struct pending pending[PENDING_MAX];
};

static void pending_done(struct pending *p)
{
	p->slot = sd_bus_slot_unref(p->slot);
	p->request = sd_bus_message_unref(p->request);
	free(TAKE_PTR(p->cgroup));
}

static void messagep(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}

/* --- properties */

static int on_get(sd_bus *connection _unused_, const char *path _unused_,
		  const char *interface _unused_, const char *name, sd_bus_message *reply,
		  void *userdata, sd_bus_error *error _unused_)
{
	struct bus *b = userdata;

	return bus_properties_append(reply, b->provider, b->userdata, name);
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

static int append_path(sd_bus_message *m, const char *path)
{
	_cleanup_free_ char *text = bytes_path_to_text(path);

	return text ? sd_bus_message_append_basic(m, 's', text) : -ENOMEM;
}

static int append_tree_row(const struct bus_tree_row *row, void *userdata)
{
	sd_bus_message *reply = userdata;
	int r;

	r = sd_bus_message_open_container(reply, 'r', "stussbs");
	if (r >= 0)
		r = append_path(reply, row->path);
	if (r >= 0)
		r = sd_bus_message_append(reply, "tus", row->id, row->priority, row->rule);
	if (r >= 0)
		r = append_path(reply, row->source);
	if (r >= 0)
		r = sd_bus_message_append(reply, "bs", (int)row->protect, row->kill);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int on_get_tree(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	_cleanup_free_ char *domain = NULL;
	struct bus *b = userdata;
	int r;

	r = read_cgroup(request, &domain, error);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(request, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "s",
					  b->provider->domain_policy(b->userdata, domain));
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', BUS_TYPE_TREE_ROW);
	if (r < 0)
		return r;
	r = b->provider->walk_tree(b->userdata, domain, append_tree_row, reply);
	if (r == -ENOENT)
		return sd_bus_error_set(error, BUS_ERROR_NO_SUCH_CGROUP,
					"There is no such cgroup.");
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int append_candidate(const struct bus_candidate *c, void *userdata)
{
	sd_bus_message *reply = userdata;
	int r;

	r = sd_bus_message_open_container(reply, 'r', "sssssub");
	if (r >= 0)
		r = append_path(reply, c->cgroup);
	if (r >= 0)
		r = sd_bus_message_append(reply, "ss", c->rule, c->kind);
	if (r >= 0)
		r = append_path(reply, c->pattern);
	if (r >= 0)
		r = append_path(reply, c->file);
	if (r >= 0)
		r = sd_bus_message_append(reply, "ub", c->line, (int)c->decides);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_effective(sd_bus_message *reply, const struct bus_effective *e)
{
	_cleanup_free_ char *source = bytes_path_to_text(e->source);

	if (!source)
		return -ENOMEM;
	return sd_bus_message_append(
		reply, "a{sv}", 9, "Exists", "b", (int)e->exists, "Priority", "u", e->priority,
		"PriorityIsDefault", "b", (int)e->priority_is_default, "Rule", "s", e->rule,
		"Source", "s", source, "Protect", "b", (int)e->protect, "Kill", "s", e->kill,
		"Policy", "s", e->policy_memcg, "SystemPolicy", "s", e->policy_system);
}

static int on_explain(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	_cleanup_free_ char *cgroup = NULL;
	struct bus_effective effective = {};
	struct bus *b = userdata;
	int r;

	r = read_cgroup(request, &cgroup, error);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_return(request, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', BUS_TYPE_CANDIDATE);
	if (r >= 0)
		r = b->provider->explain(b->userdata, cgroup, &effective, append_candidate, reply);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	if (r >= 0)
		r = append_effective(reply, &effective);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int on_rank(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	_cleanup_free_ char *domain = NULL;
	struct bus *b = userdata;
	int r;

	r = read_cgroup(request, &domain, error);
	if (r >= 0)
		r = sd_bus_message_new_method_return(request, &reply);
	if (r < 0)
		return r;
	r = bus_rank_append(reply, b->provider, b->userdata, domain);
	if (r == -ENOENT)
		return sd_bus_error_set(error, BUS_ERROR_NO_SUCH_CGROUP,
					"There is no such cgroup.");
	if (r == -ENODATA)
		return sd_bus_error_set(error, BUS_ERROR_FAILED,
					"The cgroup has no memory controller, so it has no OOM of "
					"its own: ask about one that it is in.");
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* --- methods that change something */

static int perform(struct bus *b, sd_bus_message *request, enum action action, const char *cgroup)
{
	char message[BUS_MESSAGE_SIZE] = "";
	const char *error;
	int r;

	/* Both hold the daemon up until they are done, as the control socket's do: the policy in
	 * the kernel needs nobody meanwhile. */
	r = action == ACTION_RELOAD ? b->provider->reload(b->userdata, message)
				    : b->provider->declare(b->userdata, cgroup, message);
	switch (r) {
	case 0:
		return sd_bus_reply_method_return(request, "s", message);
	case -EINVAL:
		error = action == ACTION_RELOAD ? BUS_ERROR_CONFIGURATION : BUS_ERROR_FAILED;
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

/* Answers a request that polkit has looked at. */
static int finish(struct pending *p, sd_bus_message *verdict)
{
	int authorized = 0, challenge = 0, r;

	if (sd_bus_message_is_method_error(verdict, NULL)) {
		log_debug("polkit gives no answer: %s", sd_bus_message_get_error(verdict)->message);
		return sd_bus_reply_method_errorf(
			p->request, SD_BUS_ERROR_ACCESS_DENIED,
			"Not permitted: only root may, as polkit gives no answer.");
	}
	r = sd_bus_message_enter_container(verdict, 'r', "bba{ss}");
	if (r >= 0)
		r = sd_bus_message_read(verdict, "bb", &authorized, &challenge);
	if (r < 0)
		authorized = challenge = 0;
	if (authorized)
		return perform(p->bus, p->request, p->action, p->cgroup);
	if (challenge)
		return sd_bus_reply_method_errorf(
			p->request, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
			"Not permitted: polkit asks for an administrator's password, and has no "
			"agent here to enter it in. Try as root.");
	return sd_bus_reply_method_errorf(p->request, SD_BUS_ERROR_ACCESS_DENIED,
					  "Not permitted by polkit's rules.");
}

static int on_verdict(sd_bus_message *verdict, void *userdata, sd_bus_error *error)
{
	struct pending *p = userdata;
	int r;

	(void)error;
	r = finish(p, verdict);
	if (r < 0)
		log_debug("Cannot answer on the bus: %s", strerror(-r));
	pending_done(p);
	return 1;
}

static int ask_polkit(struct pending *p)
{
	_cleanup_(messagep) sd_bus_message *m = NULL;
	bool interactive;
	int r;

	interactive = sd_bus_message_get_allow_interactive_authorization(p->request) > 0;
	r = sd_bus_message_new_method_call(p->bus->connection, &m, "org.freedesktop.PolicyKit1",
					   "/org/freedesktop/PolicyKit1/Authority",
					   "org.freedesktop.PolicyKit1.Authority",
					   "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
					  sd_bus_message_get_sender(p->request),
					  action_names[p->action], 0,
					  interactive ? POLKIT_ALLOW_INTERACTION : 0, "");
	return r < 0 ? r
		     : sd_bus_call_async(p->bus->connection, &p->slot, m, on_verdict, p,
					 POLKIT_TIMEOUT_USEC);
}

static bool sender_is_root(sd_bus_message *request)
{
	sd_bus_creds *creds = NULL;
	uid_t uid = (uid_t)-1;
	bool is_root;

	/* What the bus saw when the sender connected, so nobody can take another's place. */
	is_root = sd_bus_query_sender_creds(request, SD_BUS_CREDS_EUID, &creds) >= 0 &&
		  sd_bus_creds_get_euid(creds, &uid) >= 0 && uid == 0;
	sd_bus_creds_unref(creds);
	return is_root;
}

/* Takes @cgroup over. Root may always, others ask polkit, and wait without holding us up. */
static int authorize(struct bus *b, sd_bus_message *request, enum action action, char **cgroup,
		     sd_bus_error *error)
{
	struct pending *p = NULL;
	int r;

	if (sender_is_root(request))
		return perform(b, request, action, *cgroup);

	for (size_t i = 0; i < PENDING_MAX && !p; i++)
		if (!b->pending[i].request)
			p = &b->pending[i];
	if (!p)
		return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
					"Too many requests wait for an authorization.");
	*p = (struct pending){
		.bus = b,
		.action = action,
		.request = sd_bus_message_ref(request),
		.cgroup = TAKE_PTR(*cgroup),
	};
	r = ask_polkit(p);
	if (r < 0) {
		pending_done(p);
		return r;
	}
	return 1;
}

static int on_reload(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	char *none = NULL;

	return authorize(userdata, request, ACTION_RELOAD, &none, error);
}

static int on_declare(sd_bus_message *request, void *userdata, sd_bus_error *error)
{
	_cleanup_free_ char *cgroup = NULL;
	struct bus *b = userdata;
	int r;

	r = read_cgroup(request, &cgroup, error);
	if (r < 0)
		return r;
	if (!b->provider->declare)
		return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED,
					"This oompolicyd cannot declare an OOM.");
	return authorize(b, request, ACTION_DECLARE, &cgroup, error);
}

/* Unprivileged towards sd-bus, which would otherwise ask for capabilities: on_reload() and
 * on_declare() see to it themselves. */
#define METHOD_FLAGS SD_BUS_VTABLE_UNPRIVILEGED
#define PROPERTY(which, type, flags) SD_BUS_PROPERTY(which, type, on_get, 0, flags)

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	PROPERTY("Version", "s", SD_BUS_VTABLE_PROPERTY_CONST),
	PROPERTY("Backend", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("BackendWhy", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("Configuration", "u", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("ConfigurationUSec", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("Policies", "a" BUS_TYPE_POLICY, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("Rules", "u", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("CgroupsRuled", "u", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("FollowsCgroups", "b", SD_BUS_VTABLE_PROPERTY_CONST),
	PROPERTY("MapEntries", "u", SD_BUS_VTABLE_PROPERTY_EXPLICIT),
	PROPERTY("MapEntriesMax", "u", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("Pinned", "b", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("Origin", "s", SD_BUS_VTABLE_PROPERTY_CONST),
	PROPERTY("InForceUSec", "t", SD_BUS_VTABLE_PROPERTY_CONST),
	PROPERTY("Counters", "a{st}", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("LastOom", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("LastOomUSec", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("ReloadError", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	PROPERTY("Warnings", "as", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", outcome), on_reload,
				METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS("Declare", SD_BUS_ARGS("s", cgroup), SD_BUS_RESULT("s", outcome),
				on_declare, METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS(
		"Explain", SD_BUS_ARGS("s", cgroup),
		SD_BUS_RESULT("a" BUS_TYPE_CANDIDATE, candidates, "a{sv}", effective), on_explain,
		METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS("GetTree", SD_BUS_ARGS("s", cgroup),
				SD_BUS_RESULT("s", policy, "a" BUS_TYPE_TREE_ROW, cgroups),
				on_get_tree, METHOD_FLAGS),
	SD_BUS_METHOD_WITH_ARGS("Rank", SD_BUS_ARGS("s", cgroup),
				SD_BUS_RESULT("a" BUS_TYPE_RANK_ROW, processes, "a{sv}", outcome),
				on_rank, METHOD_FLAGS),
	SD_BUS_SIGNAL_WITH_ARGS("OomRecord", SD_BUS_ARGS("a{sv}", fields), 0),
	SD_BUS_VTABLE_END,
};

/* --- what is told without being asked */

/* Whether a signal can be sent and will not wait behind a long queue. */
static bool may_send(const struct bus *b)
{
	uint64_t n_queued;

	return b && b->connection && sd_bus_is_ready(b->connection) > 0 &&
	       sd_bus_get_n_queued_write(b->connection, &n_queued) >= 0 && n_queued < QUEUED_MAX;
}

static void send_changed(struct bus *b, const char *const *names)
{
	int r = sd_bus_emit_properties_changed_strv(b->connection, BUS_PATH, BUS_INTERFACE,
						    (char **)names);

	if (r < 0)
		log_debug("Cannot send a signal: %s", strerror(-r));
}

void bus_send_changed(struct bus *b, enum bus_change change)
{
	static const char *const config[] = {
		"Configuration", "ConfigurationUSec", "Policies",
		"Rules",	 "CgroupsRuled",      "MapEntriesMax",
		"Pinned",	 "ReloadError",	      NULL,
	};
	static const char *const cgroups[] = {"CgroupsRuled", NULL};
	static const char *const policies[] = {"Policies", "Pinned", "Warnings", NULL};

	if (!may_send(b))
		return;
	send_changed(b, change == BUS_CHANGE_CONFIG    ? config
			: change == BUS_CHANGE_CGROUPS ? cgroups
						       : policies);
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
		if (repeated || strcmp(name, "OOMPOLICY_MEMBER") == 0)
			continue;
		r = append_field(m, name, end + 1, fields[i].iov_len - length - 1);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

void bus_send_record(struct bus *b, const struct iovec *fields, size_t n_fields)
{
	static const char *const changed[] = {"Counters", "LastOom", "LastOomUSec", NULL};
	_cleanup_(messagep) sd_bus_message *m = NULL;
	int r;

	if (!may_send(b))
		return;
	r = sd_bus_message_new_signal(b->connection, &m, BUS_PATH, BUS_INTERFACE, "OomRecord");
	if (r >= 0)
		r = append_fields(m, fields, n_fields);
	if (r >= 0)
		r = sd_bus_send(b->connection, m, NULL);
	if (r < 0)
		log_debug("Cannot send the signal of a record: %s", strerror(-r));
	send_changed(b, changed);
}

/* --- the connection */

static int on_name(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;

	(void)error;
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

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;
	int r;

	(void)m;
	(void)error;
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

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;

	(void)m;
	(void)error;
	log_info("The system bus has closed the connection; connecting again when it is back.");
	schedule_retry(b);
	return 0;
}

static void disconnect(struct bus *b)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		pending_done(&b->pending[i]);
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
		r = sd_bus_add_object_vtable(b->connection, NULL, BUS_PATH, BUS_INTERFACE, vtable,
					     b);
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

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bus *b = userdata;
	int r;

	(void)source;
	(void)usec;
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
		.provider = provider,
		.userdata = userdata,
		.retry_usec = RECONNECT_MIN_USEC,
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
