/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ties the modules together: the order of starting and stopping, reloads, and what is told to
 * systemd. Knows what happens when, and leaves how to the others.
 *
 * Invariant: the policy, the tracker's map and what the kernel has in force belong together. All
 * three are exchanged after the last step that can fail, which is loader_commit().
 *
 * Nothing here runs by a clock: the two one-shot timers are set by records only.
 */
#include "manager.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "cgroup.h"
#include "config/basic.h"
#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "control.h"
#include "journal.h"
#include "loader.h"
#include "log.h"
#include "messages.h"
#include "record.h"
#include "tracker.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* STATUS= makes systemd send a bus signal: not for every cgroup that comes and goes. */
#define STATUS_DELAY_USEC USEC_PER_SEC
/* A storm of records that only a walk can answer gets one walk in this time. */
#define RESYNC_INTERVAL_USEC USEC_PER_SEC
/* After a walk that failed: the same cause is likely to be there still. */
#define RESYNC_RETRY_USEC (30 * USEC_PER_SEC)

struct manager {
	char *config_path;
	char *cgroup_root;
	struct policy *policy;
	struct tracker tracker;
	struct loader *loader;

	sd_event *event;
	sd_event_source *status_timer, *resync_timer;
	struct control *control;

	uint64_t page_size_bytes;
	uint64_t last_oom_seq;
	uint64_t ooms_lost;    /* as said last */
	uint64_t cgroups_lost; /* as of the last walk */
	uint64_t resynced_usec;
	bool resync_failed;
	bool active;				 /* the policy is in force */
	char reload_error[CONTROL_MESSAGE_SIZE]; /* of the last reload; empty when it worked */

	/* Made before memory is short. */
	struct op_oom_event oom;
	struct record_text text;
};

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* --- what is told to systemd and people */

static void describe(const struct manager *m, char *buf, size_t size)
{
	snprintf(buf, size, "Policy '%s' active: %zu rules, %zu cgroups ruled, backend %s",
		 m->policy->policy_name, m->policy->n_rules, m->tracker.n_ruled,
		 backend_to_string(BACKEND_STRUCT_OPS));
}

static void notify_status(const struct manager *m, const char *prefix)
{
	char status[256];

	describe(m, status, sizeof(status));
	if (m->reload_error[0])
		sd_notifyf(0, "%sSTATUS=%s; the last reload failed: %s", prefix, status,
			   m->reload_error);
	else
		sd_notifyf(0, "%sSTATUS=%s", prefix, status);
}

static int on_status_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	notify_status(userdata, "");
	return 0;
}

static void schedule_status(struct manager *m)
{
	int enabled;

	if (!m->status_timer || sd_event_source_get_enabled(m->status_timer, &enabled) != 0)
		return;
	if (sd_event_source_set_time_relative(m->status_timer, STATUS_DELAY_USEC) >= 0)
		sd_event_source_set_enabled(m->status_timer, SD_EVENT_ONESHOT);
}

/* --- OOM records */

/*
 * The rule behind a record. A record may have been made under the policy before this one, so its
 * index is believed only if that rule is what the cgroup has now.
 */
static const char *rule_name(const struct policy *p, const struct op_oom_event *e)
{
	struct op_rule rule = {};

	if (e->decision != OP_DECISION_KILLED || e->source_id == 0 || e->rule_index >= p->n_rules)
		return NULL;
	if (strlen(e->source_path) < sizeof(e->source_path) - 1 &&
	    (!policy_compile_cgroup(p, e->source_path, &rule) || rule.index != e->rule_index ||
	     rule.priority != e->priority))
		return NULL;
	return p->rules[e->rule_index].name;
}

static void on_oom_record(const void *data, size_t size, void *userdata)
{
	struct manager *m = userdata;
	struct record_context context = {.page_size_bytes = m->page_size_bytes};
	int r;

	if (record_decode_oom(data, size, &m->oom) < 0) {
		log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
			    "A record of an OOM is not valid (%zu bytes), ignoring it.", size);
		return;
	}
	context.n_lost = record_count_lost(m->last_oom_seq, m->oom.header.seq);
	context.rule_name = rule_name(m->policy, &m->oom);
	m->last_oom_seq = m->oom.header.seq;

	record_format(&m->oom, &context, &m->text);
	r = journal_send_record(&m->text);
	if (r < 0)
		log_warning("Cannot send a record to the journal: %s. Its message follows.",
			    strerror(-r));
	if (r < 0 || !log_is_journal())
		log_message(m->text.priority, m->text.message_id, "%s", m->text.message);
}

static int on_oom_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct manager *m = userdata;
	uint64_t lost;
	int r;

	(void)source;
	(void)fd;
	(void)revents;
	r = loader_consume_ooms(m->loader);
	if (r < 0)
		log_warning("Cannot read the records of OOMs: %s, ignoring.", strerror(-r));

	/* Said now: the gap in the numbers shows only with the next OOM. */
	lost = loader_count_ooms_lost(m->loader);
	if (lost > m->ooms_lost)
		log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
			    "%" PRIu64 " records of OOMs were lost, as they came faster than they "
			    "could be logged.",
			    lost - m->ooms_lost);
	m->ooms_lost = lost;
	return 0;
}

/* --- cgroups that come and go */

static void on_cgroup_record(const void *data, size_t size, void *userdata)
{
	struct manager *m = userdata;

	tracker_apply(&m->tracker, m->policy, data, size);
}

/* Takes over a tracker whose map has just been put in force. */
static void manager_set_tracker(struct manager *m, struct tracker *t)
{
	t->last_seq = m->tracker.last_seq;
	tracker_done(&m->tracker);
	m->tracker = *t;
	t->rules.fd = -EBADF;
}

static void manager_consume_cgroups(struct manager *m)
{
	size_t n_ruled = m->tracker.n_ruled;
	uint64_t now, due;
	int r;

	r = loader_consume_cgroups(m->loader);
	if (r < 0)
		log_warning("Cannot read the records of cgroups: %s, ignoring.", strerror(-r));
	if (n_ruled != m->tracker.n_ruled)
		schedule_status(m);
	if (!m->tracker.stale && loader_count_cgroups_lost(m->loader) == m->cgroups_lost)
		return;

	m->tracker.stale = true;
	now = now_usec();
	due = m->resynced_usec + (m->resync_failed ? RESYNC_RETRY_USEC : RESYNC_INTERVAL_USEC);
	if (sd_event_source_set_time(m->resync_timer, due > now ? due : now) >= 0)
		sd_event_source_set_enabled(m->resync_timer, SD_EVENT_ONESHOT);
}

static int resync(struct manager *m)
{
	_cleanup_(tracker_done) struct tracker t = {.rules.fd = -EBADF};
	uint64_t lost = loader_count_cgroups_lost(m->loader);
	char why[LOADER_WHY_SIZE];
	int r;

	r = tracker_init(m->cgroup_root, m->policy, &t);
	if (r < 0)
		return r;
	r = loader_commit(m->loader, m->policy->policy_name, &t.rules, why);
	if (r != 0)
		return r < 0 ? r : -EIO;
	manager_set_tracker(m, &t);
	m->cgroups_lost = lost;
	return 0;
}

static int on_resync_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *m = userdata;
	int r;

	(void)source;
	(void)usec;
	r = resync(m);
	m->resynced_usec = now_usec();
	m->resync_failed = r < 0;
	if (r < 0)
		log_error("Cannot walk the cgroups again: %s. Some new cgroups only inherit, "
			  "ignoring until more come.",
			  r == -E2BIG ? "more cgroups have a rule than fit" : strerror(-r));
	else
		log_debug("Walked the cgroups again: %zu ruled.", m->tracker.n_ruled);
	schedule_status(m);
	manager_consume_cgroups(m);
	return 0;
}

static int on_cgroup_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	manager_consume_cgroups(userdata);
	return 0;
}

/* --- configuration */

/*
 * Reads and validates the configuration, and logs every diagnostic. Returns 0, -ENOMEM, or -EINVAL
 * with a summary in @message.
 */
static int load_config(const char *path, struct policy **ret,
		       char message[static CONTROL_MESSAGE_SIZE])
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	const char *first = NULL;
	int r;

	r = parser_parse_file(path, &diag, ret);
	for (size_t i = 0; i < diag.n_items; i++) {
		const struct diagnostic *d = &diag.items[i];

		if (!first && d->level == DIAGNOSTIC_ERROR)
			first = d->message;
		log_message(d->level == DIAGNOSTIC_ERROR ? LOG_ERR : LOG_WARNING, NULL, "%s",
			    d->message);
	}
	if (r >= 0)
		return 0;

	if (!first)
		snprintf(message, CONTROL_MESSAGE_SIZE, "%s: %s", path, strerror(-r));
	else if (diag.n_errors > 1)
		snprintf(message, CONTROL_MESSAGE_SIZE, "%.900s (and %zu more)", first,
			 diag.n_errors - 1);
	else
		snprintf(message, CONTROL_MESSAGE_SIZE, "%.1000s", first);
	return r == -ENOMEM ? r : -EINVAL;
}

/* Everything of a reload that can fail; nothing has changed when it does. */
static int reload_transaction(struct manager *m, char message[static CONTROL_MESSAGE_SIZE])
{
	_cleanup_(tracker_done) struct tracker staged = {.rules.fd = -EBADF};
	_cleanup_(policy_freep) struct policy *policy = NULL;
	uint64_t lost = loader_count_cgroups_lost(m->loader);
	char why[LOADER_WHY_SIZE] = "";
	int r;

	r = load_config(m->config_path, &policy, message);
	if (r < 0)
		return r;
	r = tracker_init(m->cgroup_root, policy, &staged);
	if (r < 0) {
		snprintf(message, CONTROL_MESSAGE_SIZE,
			 "Cannot compile the rules of all cgroups: %s",
			 r == -E2BIG ? "more cgroups have a rule than fit" : strerror(-r));
		return r;
	}

	/* Records made so far are explained by the policy that made them. */
	loader_consume_ooms(m->loader);

	r = loader_commit(m->loader, policy->policy_name, &staged.rules, why);
	if (r != 0) {
		snprintf(message, CONTROL_MESSAGE_SIZE, "Cannot put the new policy in force: %s",
			 why[0] ? why : strerror(-r));
		return r < 0 ? r : -EIO;
	}

	manager_set_tracker(m, &staged);
	policy_free(m->policy);
	m->policy = TAKE_PTR(policy);
	m->cgroups_lost = lost;
	m->resync_failed = false;
	return 0;
}

static int manager_reload(void *userdata, char message[static CONTROL_MESSAGE_SIZE])
{
	struct manager *m = userdata;
	int r;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading the configuration",
		   now_usec());

	r = reload_transaction(m, message);
	if (r < 0) {
		if (!message[0])
			snprintf(message, CONTROL_MESSAGE_SIZE, "%s", strerror(-r));
		snprintf(m->reload_error, sizeof(m->reload_error), "%s", message);
		log_message(LOG_ERR, MESSAGE_ID_RELOAD_FAILED,
			    "Reload failed, the running policy stays: %s", message);
	} else {
		m->reload_error[0] = '\0';
		manager_consume_cgroups(m);
		describe(m, message, CONTROL_MESSAGE_SIZE);
		log_message(LOG_INFO, MESSAGE_ID_POLICY_ACTIVE, "Reloaded. %s.", message);
	}
	notify_status(m, "READY=1\n");
	return r;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	char message[CONTROL_MESSAGE_SIZE] = "";

	(void)source;
	(void)info;
	manager_reload(userdata, message);
	return 0;
}

/* --- start */

static unsigned long read_sysctl(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value[32];
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, value, sizeof(value) - 1);
	if (n <= 0)
		return 0;
	value[n] = '\0';
	return strtoul(value, NULL, 10);
}

/* Both are looked at before a policy is asked (mm/oom_kill.c, out_of_memory()). */
static void warn_of_preemption(void)
{
	unsigned long panic = read_sysctl("/proc/sys/vm/panic_on_oom");

	if (panic)
		log_warning(
			"vm.panic_on_oom=%lu: %s panics the machine before the policy is asked.",
			panic, panic == 1 ? "an OOM of the system" : "every OOM, of cgroups too,");
	if (read_sysctl("/proc/sys/vm/oom_kill_allocating_task"))
		log_warning("vm.oom_kill_allocating_task=1: the task that allocates is killed "
			    "before the policy is asked.");
}

/* Logs and translates a failure of the loader. */
static int loader_failure(int r, const char *why)
{
	log_error("%s", why[0] ? why : strerror(-r));
	return r == LOADER_E_KERNEL	 ? MANAGER_E_KERNEL
	       : r == LOADER_E_PRIVILEGE ? MANAGER_E_PRIVILEGE
					 : r;
}

static int start_config(struct manager *m)
{
	char message[CONTROL_MESSAGE_SIZE];
	int r;

	r = load_config(m->config_path, &m->policy, message);
	if (r < 0)
		log_error("No policy is loaded: the configuration is not usable.");
	return r == -EINVAL ? MANAGER_E_CONFIG : r;
}

/* What the daemon cannot do without, looked at before anything is changed. */
static int start_requirements(struct manager *m)
{
	char why[LOADER_WHY_SIZE] = "";
	int r;

	r = loader_supported(why);
	if (r != 0)
		return loader_failure(r, why);

	r = cgroup_acquire_mount_point(&m->cgroup_root);
	if (r == -ENOENT || r == -EXDEV) {
		log_error(r == -ENOENT
				  ? "No cgroup2 hierarchy is mounted: policies rule cgroups."
				  : "Only a part of the cgroup2 hierarchy is visible here: run "
				    "outside of containers and cgroup namespaces.");
		return MANAGER_E_KERNEL;
	}
	if (r < 0)
		log_error("Cannot find the cgroup2 hierarchy: %s", strerror(-r));
	return r;
}

static int start_policy(struct manager *m)
{
	const struct loader_callbacks callbacks = {
		.oom = on_oom_record,
		.cgroup = on_cgroup_record,
		.userdata = m,
	};
	char why[LOADER_WHY_SIZE] = "";
	int r;

	/* The loader follows cgroups from here on: the walk after it cannot miss one. */
	r = loader_new(m->policy->policy_name, &callbacks, why, &m->loader);
	if (r != 0)
		return loader_failure(r, why);
	r = tracker_init(m->cgroup_root, m->policy, &m->tracker);
	if (r < 0) {
		log_error("Cannot compile the rules of all cgroups: %s", strerror(-r));
		return r;
	}
	r = loader_commit(m->loader, m->policy->policy_name, &m->tracker.rules, why);
	if (r != 0)
		return loader_failure(r, why);
	m->active = true;
	return 0;
}

static int add_timer(struct manager *m, sd_event_time_handler_t handler, sd_event_source **ret)
{
	int r = sd_event_add_time(m->event, ret, CLOCK_MONOTONIC, 0, 1, handler, m);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int start_events(struct manager *m)
{
	int r;

	/* A handler of NULL ends the loop with the userdata as its result. */
	r = sd_event_add_signal(m->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
	if (r < 0)
		return r;
	r = sd_event_add_signal(m->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
	if (r < 0)
		return r;
	r = sd_event_add_signal(m->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_hangup, m);
	if (r < 0)
		return r;
	r = add_timer(m, on_status_timer, &m->status_timer);
	if (r < 0)
		return r;
	return add_timer(m, on_resync_timer, &m->resync_timer);
}

static int start_rings(struct manager *m)
{
	int r;

	r = sd_event_add_io(m->event, NULL, loader_oom_fd(m->loader), EPOLLIN, on_oom_ready, m);
	if (r < 0 || loader_cgroup_fd(m->loader) < 0)
		return r;
	return sd_event_add_io(m->event, NULL, loader_cgroup_fd(m->loader), EPOLLIN,
			       on_cgroup_ready, m);
}

/* Comes before the policy, as only one daemon can be right about who is to die. */
static int start_control(struct manager *m)
{
	int r = control_new(m->event, manager_reload, m, &m->control);

	if (r == -EADDRINUSE) {
		log_error("Another oompolicyd is running already.");
		return r;
	}
	if (r < 0)
		log_warning("Cannot listen for `oompolicyd --reload`: %s. SIGHUP still reloads, "
			    "ignoring.",
			    strerror(-r));
	return 0;
}

int manager_new(const char *config_path, struct manager **ret)
{
	_cleanup_(manager_freep) struct manager *m = NULL;
	char status[256];
	int r;

	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->tracker.rules.fd = -EBADF;
	m->page_size_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	m->config_path = strdup(config_path);
	r = m->config_path ? start_config(m) : -ENOMEM;
	if (r != 0)
		return r;
	r = sd_event_default(&m->event);
	if (r >= 0)
		r = start_events(m);
	if (r < 0) {
		log_error("Cannot set up the event loop: %s", strerror(-r));
		return r;
	}
	r = start_requirements(m);
	if (r != 0)
		return r;
	r = start_control(m);
	if (r < 0)
		return r;
	r = start_policy(m);
	if (r != 0)
		return r;
	r = start_rings(m);
	if (r < 0) {
		log_error("Cannot watch the ring buffers: %s", strerror(-r));
		return r;
	}
	r = sd_event_set_watchdog(m->event, true);
	if (r < 0)
		log_warning("Cannot serve systemd's watchdog: %s, ignoring.", strerror(-r));
	warn_of_preemption();

	describe(m, status, sizeof(status));
	log_message(LOG_INFO, MESSAGE_ID_POLICY_ACTIVE, "%s.", status);
	notify_status(m, "READY=1\n");
	*ret = TAKE_PTR(m);
	return 0;
}

int manager_run(struct manager *m)
{
	int r = sd_event_loop(m->event);

	if (r < 0)
		log_error("The event loop failed: %s", strerror(-r));
	sd_notify(0, "STOPPING=1\nSTATUS=Taking the policy out of the kernel");
	return r;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	control_free(m->control);
	sd_event_source_disable_unref(m->resync_timer);
	sd_event_source_disable_unref(m->status_timer);
	sd_event_unref(m->event);
	if (m->loader)
		loader_consume_ooms(m->loader);
	loader_free(m->loader);
	if (m->active)
		log_message(LOG_INFO, MESSAGE_ID_POLICY_INACTIVE,
			    "Policy '%s' is no longer active: the kernel decides alone.",
			    m->policy->policy_name);
	tracker_done(&m->tracker);
	policy_free(m->policy);
	free(m->cgroup_root);
	free(m->config_path);
	free(m);
	return NULL;
}
