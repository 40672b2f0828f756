/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the connection to the bus, and turns replies into the structs of model.h. Trusts the daemon
 * to be who has the name, as the bus's policy gives it to root alone, but no byte of what it says:
 * names in it were chosen by others.
 */
#include "bus-client.h"

#include <stdio.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "api/bus-names.h"
#include "model.h"
#include "util/basic.h"
#include "util/bytes.h"
#include "util/grow.h"

/* A reload walks all cgroups, a declaration kills; polkit may ask for a password first. */
#define CHANGE_TIMEOUT_USEC (150 * UINT64_C(1000000))

struct bus_client {
	sd_bus *bus;
};

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
	snprintf(why, BUS_CLIENT_WHY_SIZE, "oompolicyd gave an answer of another kind: %s",
		 strerror(-r));
	return -EIO;
}

int bus_client_new(struct bus_client **ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(bus_client_freep) struct bus_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		snprintf(why, BUS_CLIENT_WHY_SIZE, "%s", strerror(ENOMEM));
		return -EIO;
	}
	r = sd_bus_open_system(&c->bus);
	if (r < 0) {
		snprintf(why, BUS_CLIENT_WHY_SIZE,
			 "Cannot reach the system bus: %s; see 'systemctl status dbus.socket'",
			 strerror(-r));
		return -ENOTCONN;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

struct bus_client *bus_client_free(struct bus_client *c)
{
	if (!c)
		return NULL;
	sd_bus_flush_close_unref(c->bus);
	free(c);
	return NULL;
}

/* Calls @method with @cgroup, or without an argument where it is NULL. */
static int call(struct bus_client *c, const char *interface, const char *method, const char *cgroup,
		bool changes, sd_bus_message **ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(messagep) sd_bus_message *m = NULL;
	_cleanup_free_ char *text = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH, interface, method);
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0 && changes)
		r = sd_bus_message_set_allow_interactive_authorization(m, true);
	if (r >= 0 && cgroup) {
		text = bytes_path_to_text(cgroup);
		r = text ? sd_bus_message_append_basic(m, 's', text) : -ENOMEM;
	}
	if (r >= 0)
		r = sd_bus_call(c->bus, m, changes ? CHANGE_TIMEOUT_USEC : 0, &error, ret);
	if (r < 0)
		r = translate(&error, r, why);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

/* --- status */

static int read_policies(sd_bus_message *m, struct status *s)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', BUS_TYPE_POLICY);
	if (r < 0)
		return r;
	for (;;) {
		struct status_policy p = {};

		r = sd_bus_message_read(m, BUS_TYPE_POLICY, &p.name, &p.scope, &p.cgroup, &p.victim,
					&p.default_priority, &p.link_id, &p.program_id,
					&p.attached);
		if (r <= 0)
			break;
		if (GROW(s->policies, s->n_policies) < 0)
			return -ENOMEM;
		s->policies[s->n_policies++] = p;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_counters(sd_bus_message *m, struct status *s)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', "{st}");
	if (r < 0)
		return r;
	for (;;) {
		struct status_counter counter;

		r = sd_bus_message_read(m, "{st}", &counter.name, &counter.value);
		if (r <= 0)
			break;
		if (s->n_counters < STATUS_COUNTERS_MAX)
			s->counters[s->n_counters++] = counter;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_warnings(sd_bus_message *m, struct status *s)
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
		if (s->n_warnings < STATUS_WARNINGS_MAX)
			s->warnings[s->n_warnings++] = text;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Reads the variant of the property @name; those of a later version are skipped. */
static int read_property(sd_bus_message *m, const char *name, struct status *s)
{
	const struct {
		const char *name;
		const char *type;
		void *value;
	} plain[] = {
		{"Version", "s", &s->version},
		{"Backend", "s", &s->backend},
		{"BackendWhy", "s", &s->backend_why},
		{"Configuration", "u", &s->config_number},
		{"ConfigurationUSec", "t", &s->config_real_usec},
		{"Pinned", "b", &s->is_pinned},
		{"Origin", "s", &s->origin},
		{"InForceUSec", "t", &s->in_force_real_usec},
		{"Rules", "u", &s->n_rules},
		{"CgroupsRuled", "u", &s->n_cgroups_ruled},
		{"FollowsCgroups", "b", &s->follows_cgroups},
		{"MapEntries", "u", &s->map_entries},
		{"MapEntriesMax", "u", &s->map_entries_max},
		{"LastOom", "t", &s->last_oom_seq},
		{"LastOomUSec", "t", &s->last_oom_real_usec},
		{"ReloadError", "s", &s->reload_error},
	};
	static const struct {
		const char *name;
		int (*read)(sd_bus_message *m, struct status *s);
	} lists[] = {
		{"Policies", read_policies},
		{"Counters", read_counters},
		{"Warnings", read_warnings},
	};
	size_t i = 0;
	int r;

	for (size_t j = 0; j < ARRAY_SIZE(plain); j++)
		if (strcmp(name, plain[j].name) == 0)
			return sd_bus_message_read(m, "v", plain[j].type, plain[j].value);
	while (i < ARRAY_SIZE(lists) && strcmp(name, lists[i].name) != 0)
		i++;
	if (i == ARRAY_SIZE(lists))
		return sd_bus_message_skip(m, "v");
	r = sd_bus_message_enter_container(m, 'v', NULL);
	if (r >= 0)
		r = lists[i].read(m, s);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_status(sd_bus_message *m, struct status *s)
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
	return r;
}

static int get_all(struct bus_client *c, sd_bus_message **ret, char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(messagep) sd_bus_message *m = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH,
					   "org.freedesktop.DBus.Properties", "GetAll");
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0)
		r = sd_bus_message_append(m, "s", BUS_INTERFACE);
	if (r >= 0)
		r = sd_bus_call(c->bus, m, 0, &error, ret);
	if (r < 0)
		r = translate(&error, r, why);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

/* Apart from the others, as it is dear for the daemon: GetAll leaves it out. */
static int get_map_entries(struct bus_client *c, uint32_t *ret,
			   char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(messagep) sd_bus_message *m = NULL, *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH,
					   "org.freedesktop.DBus.Properties", "Get");
	if (r >= 0)
		r = sd_bus_message_set_auto_start(m, false);
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", BUS_INTERFACE, "MapEntries");
	if (r >= 0)
		r = sd_bus_call(c->bus, m, 0, &error, &reply);
	if (r < 0)
		r = translate(&error, r, why);
	sd_bus_error_free(&error);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "v", "u", ret);
	return r < 0 ? bad_reply(r, why) : 0;
}

int bus_client_get_status(struct bus_client *c, struct status *ret,
			  char why[static BUS_CLIENT_WHY_SIZE])
{
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct status){
		.version = "", .backend = "", .backend_why = "", .origin = "", .reload_error = ""};
	r = get_all(c, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = read_status(reply, ret);
	if (r < 0)
		return bad_reply(r, why);
	return get_map_entries(c, &ret->map_entries, why);
}

void status_done(struct status *s)
{
	free(s->policies);
	sd_bus_message_unref(s->reply);
	*s = (struct status){};
}

/* --- tree */

static int read_rows(sd_bus_message *m, struct tree *t)
{
	int r;

	r = sd_bus_message_read(m, "s", &t->policy);
	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', BUS_TYPE_TREE_ROW);
	while (r >= 0) {
		const char *path, *source;
		struct tree_row row = {};

		r = sd_bus_message_read(m, BUS_TYPE_TREE_ROW, &path, &row.id, &row.priority,
					&row.rule, &source, &row.protect, &row.kill);
		if (r <= 0)
			break;
		if (GROW(t->rows, t->n_rows) < 0)
			return -ENOMEM;
		r = bytes_path_from_text(path, &row.path);
		if (r == 0)
			r = bytes_path_from_text(source, &row.source);
		t->rows[t->n_rows++] = row;
	}
	return r;
}

int bus_client_get_tree(struct bus_client *c, const char *cgroup, struct tree *ret,
			char why[static BUS_CLIENT_WHY_SIZE])
{
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct tree){.domain = cgroup, .policy = ""};
	r = call(c, BUS_INTERFACE, "GetTree", cgroup, false, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = read_rows(reply, ret);
	return r < 0 ? bad_reply(r, why) : 0;
}

void tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->n_rows; i++) {
		free(t->rows[i].path);
		free(t->rows[i].source);
	}
	free(t->rows);
	sd_bus_message_unref(t->reply);
	*t = (struct tree){};
}

/* --- explain */

/* Where the value of a key goes. */
struct dict_entry {
	const char *name;
	const char *type;
	void *value;
};

/* Reads a dictionary; keys of a later version are skipped. */
static int read_dict(sd_bus_message *m, const struct dict_entry *entries, size_t n)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *name;
		size_t i = 0;

		r = sd_bus_message_read(m, "s", &name);
		if (r < 0)
			return r;
		while (i < n && strcmp(name, entries[i].name) != 0)
			i++;
		r = i < n ? sd_bus_message_read(m, "v", entries[i].type, entries[i].value)
			  : sd_bus_message_skip(m, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

static int read_candidates(sd_bus_message *m, struct explanation *e)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', BUS_TYPE_CANDIDATE);
	while (r >= 0) {
		const char *cgroup, *pattern, *file;
		struct candidate c = {};

		r = sd_bus_message_read(m, BUS_TYPE_CANDIDATE, &cgroup, &c.rule, &c.kind, &pattern,
					&file, &c.line, &c.decides);
		if (r <= 0)
			break;
		if (GROW(e->candidates, e->n_candidates) < 0)
			return -ENOMEM;
		r = bytes_path_from_text(cgroup, &c.cgroup);
		if (r == 0)
			r = bytes_path_from_text(pattern, &c.pattern);
		if (r == 0)
			r = bytes_path_from_text(file, &c.file);
		e->candidates[e->n_candidates++] = c;
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_effective(sd_bus_message *m, struct explanation *e)
{
	const char *source = "";
	const struct dict_entry entries[] = {
		{"Exists", "b", &e->exists},
		{"Priority", "u", &e->priority},
		{"PriorityIsDefault", "b", &e->priority_is_default},
		{"Rule", "s", &e->rule},
		{"Source", "s", &source},
		{"Protect", "b", &e->protect},
		{"Kill", "s", &e->kill},
		{"Policy", "s", &e->policy},
		{"SystemPolicy", "s", &e->system_policy},
	};
	int r = read_dict(m, entries, ARRAY_SIZE(entries));

	return r < 0 ? r : bytes_path_from_text(source, &e->source);
}

int bus_client_explain(struct bus_client *c, const char *cgroup, struct explanation *ret,
		       char why[static BUS_CLIENT_WHY_SIZE])
{
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct explanation){
		.cgroup = cgroup,
		.rule = "",
		.kill = "",
		.policy = "",
		.system_policy = "",
	};
	r = call(c, BUS_INTERFACE, "Explain", cgroup, false, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = read_candidates(reply, ret);
	if (r >= 0)
		r = read_effective(reply, ret);
	return r < 0 ? bad_reply(r, why) : 0;
}

void explanation_done(struct explanation *e)
{
	for (size_t i = 0; i < e->n_candidates; i++) {
		free(e->candidates[i].cgroup);
		free(e->candidates[i].pattern);
		free(e->candidates[i].file);
	}
	free(e->candidates);
	free(e->source);
	sd_bus_message_unref(e->reply);
	*e = (struct explanation){};
}

/* --- rank */

static int read_rank_row(sd_bus_message *m, struct rank_row *row)
{
	const char *cgroup, *source;
	const void *comm;
	int r;

	r = sd_bus_message_read(m, "uui", &row->pid, &row->uid, &row->oom_score_adj);
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', &comm, &row->comm_size);
	if (r < 0)
		return r;
	row->comm = comm;
	r = sd_bus_message_read(m, "ttsussssus", &row->start_boottime_nsec, &row->size_bytes,
				&cgroup, &row->priority, &row->rule, &source, &row->kill,
				&row->never, &row->with_pid, &row->group);
	if (r >= 0)
		r = bytes_path_from_text(cgroup, &row->cgroup);
	if (r >= 0)
		r = bytes_path_from_text(source, &row->source);
	return r;
}

static int read_rank_rows(sd_bus_message *m, struct rank_list *l)
{
	int r;

	r = sd_bus_message_enter_container(m, 'a', BUS_TYPE_RANK_ROW);
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', BUS_RANK_ROW)) > 0) {
		if (GROW(l->rows, l->n_rows) < 0)
			return -ENOMEM;
		l->rows[l->n_rows] = (struct rank_row){};
		r = read_rank_row(m, &l->rows[l->n_rows++]);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_outcome(sd_bus_message *m, struct rank_list *l)
{
	const struct dict_entry entries[] = {
		{"Policy", "s", &l->policy},	  {"Victim", "s", &l->victim},
		{"Outcome", "s", &l->outcome},	  {"Reason", "s", &l->reason},
		{"DyingPid", "u", &l->dying_pid}, {"LeftOut", "u", &l->n_left_out},
		{"Tasks", "u", &l->n_tasks},	  {"Cgroups", "u", &l->n_cgroups},
		{"Nsec", "t", &l->nsec},
	};

	return read_dict(m, entries, ARRAY_SIZE(entries));
}

int bus_client_get_rank(struct bus_client *c, const char *cgroup, struct rank_list *ret,
			char why[static BUS_CLIENT_WHY_SIZE])
{
	sd_bus_message *reply = NULL;
	int r;

	*ret = (struct rank_list){
		.domain = cgroup,
		.policy = "",
		.victim = "",
		.outcome = "",
		.reason = "",
	};
	r = call(c, BUS_INTERFACE, "Rank", cgroup, false, &reply, why);
	if (r < 0)
		return r;
	ret->reply = reply;
	r = read_rank_rows(reply, ret);
	if (r >= 0)
		r = read_outcome(reply, ret);
	return r < 0 ? bad_reply(r, why) : 0;
}

void rank_list_done(struct rank_list *l)
{
	for (size_t i = 0; i < l->n_rows; i++) {
		free(l->rows[i].cgroup);
		free(l->rows[i].source);
	}
	free(l->rows);
	sd_bus_message_unref(l->reply);
	*l = (struct rank_list){};
}

/* --- what changes something */

static int change(struct bus_client *c, const char *method, const char *cgroup,
		  char why[static BUS_CLIENT_WHY_SIZE])
{
	_cleanup_(messagep) sd_bus_message *reply = NULL;
	const char *outcome;
	int r;

	r = call(c, BUS_INTERFACE, method, cgroup, true, &reply, why);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "s", &outcome);
	if (r < 0)
		return bad_reply(r, why);
	snprintf(why, BUS_CLIENT_WHY_SIZE, "%s", outcome);
	return 0;
}

int bus_client_reload(struct bus_client *c, char why[static BUS_CLIENT_WHY_SIZE])
{
	return change(c, "Reload", NULL, why);
}

int bus_client_declare(struct bus_client *c, const char *cgroup,
		       char why[static BUS_CLIENT_WHY_SIZE])
{
	return change(c, "Declare", cgroup, why);
}
