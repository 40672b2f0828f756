/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ties the modules together: the order of starting and stopping, reloads, and what is told to
 * systemd. Knows what happens when, and leaves how to the others.
 *
 * Invariant: the configuration, the tracker's map and what the kernel has in force belong together.
 * All three are exchanged after the last step that can fail, which is loader_commit().
 *
 * Nothing here runs by a clock: the one-shot timers are set by records and reloads only.
 */
#include "manager.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "announce.h"
#include "api/messages.h"
#include "caveats.h"
#include "config/policy.h"
#include "configuration.h"
#include "control.h"
#include "daemon/bus/bus.h"
#include "daemon/bus/provider.h"
#include "daemon/cgroups/cgroup.h"
#include "daemon/cgroups/mounts.h"
#include "daemon/cgroups/tracker.h"
#include "daemon/kernel/loader.h"
#include "daemon/record/journal-find.h"
#include "daemon/record/report.h"
#include "daemon/record/rule-names.h"
#include "declare.h"
#include "guard.h"
#include "handover.h"
#include "oomcontrol.h"
#include "reserve.h"
#include "trigger.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/log.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* STATUS= makes systemd send a bus signal: not for every cgroup that comes and goes. */
#define STATUS_DELAY_USEC USEC_PER_SEC
/* A storm of records that only a walk can answer gets one walk in this time. */
#define RESYNC_INTERVAL_USEC USEC_PER_SEC
/* Without the order a search takes longer, and finds the same. */
#define REORDER_INTERVAL_USEC (30 * USEC_PER_SEC)
/* After a walk that failed: the same cause is likely to be there still. */
#define RESYNC_RETRY_USEC (30 * USEC_PER_SEC)

/* While the journal takes no records. */
#define REPORT_RETRY_USEC (USEC_PER_SEC / 10)
/* Well below the time that systemd leaves a service to stop. */
#define REPORT_DRAIN_USEC (5 * USEC_PER_SEC)

struct manager {
	char *config_path; /* NULL: the layered set */
	struct mounts mounts;
	struct config *config;
	uint32_t config_number;	      /* of the one in force, counted from 1 */
	struct rule_names rule_names; /* of those before it */
	struct tracker tracker;
	struct loader *loader;
	struct report *report;
	struct declare *declare;
	struct triggers *triggers;
	struct oomcontrol *oomcontrol;
	char *memory_root; /* of cgroup v1; NULL: the memory controller is not there */

	sd_event *event;
	sd_event_source *status_timer, *resync_timer, *expiry_timer, *report_timer;
	sd_event_source *oom_source;
	struct control *control;
	struct answers answers;
	struct guard *guard;

	uint64_t cgroups_lost; /* as of the last walk */
	uint64_t resynced_usec;
	bool resync_failed;
	struct loader_history found;		 /* as of the start */
	bool active;				 /* the policies are in force */
	bool stopped;				 /* in good order */
	bool kept;				 /* they stay in force after that */
	char reload_error[CONTROL_MESSAGE_SIZE]; /* of the last reload; empty when it worked */
};

/* --- what is told to systemd and people */

static struct answers_view manager_view(const struct manager *m)
{
	return (struct answers_view){
		.config = m->config,
		.tracker = &m->tracker,
		.loader = m->loader,
		.guard = m->guard,
		.cgroup_root = m->mounts.root,
		.cgroups_lost = m->mounts.lost,
		.config_number = m->config_number,
		.reload_error = m->reload_error,
	};
}

static void describe(const struct manager *m, char *buf, size_t size)
{
	const struct answers_view view = manager_view(m);

	announce_describe(&view, buf, size);
}

static void notify_status(const struct manager *m, const char *prefix)
{
	const struct answers_view view = manager_view(m);

	announce_status(&view, &m->found, prefix);
}

static int on_status_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *m = userdata;

	(void)source;
	(void)usec;
	notify_status(m, "");
	answers_note_cgroups(&m->answers);
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

/* By the configuration that the record was made under. */
static struct record_rule find_rule(const struct op_oom_event *e, uint32_t rule_index,
				    void *userdata)
{
	const struct manager *m = userdata;
	const struct rule *rule;

	if (rule_index == OP_RULE_NONE)
		return (struct record_rule){};
	if (e->config != m->config_number)
		return (struct record_rule){
			.name = rule_names_find(&m->rule_names, e->config, rule_index)};
	if (rule_index >= m->config->n_rules)
		return (struct record_rule){};
	rule = &m->config->rules[rule_index];
	return (struct record_rule){.name = rule->name, .file = rule->file, .line = rule->line};
}

static void on_oom(const struct op_oom_event *e, const struct record_text *text, void *userdata)
{
	struct manager *m = userdata;

	declare_seen(m->declare, e);
	if (m->oomcontrol)
		oomcontrol_seen(m->oomcontrol, e);
	answers_note_oom(&m->answers, e, text);
	guard_note_oom(m->guard);
}

/* Asked once after a start, for the record that a daemon was killed over. */
static bool is_sent(uint64_t seq, uint64_t ktime_nsec, const char *message_id,
		    void *userdata _unused_)
{
	return journal_find_record(seq, ktime_nsec / 1000, message_id);
}

static int on_oom_record(const void *data, size_t size, void *userdata)
{
	struct manager *m = userdata;

	return report_apply(m->report, data, size);
}

/* Returns 0 when the ring is empty, or -EAGAIN when the journal takes no more for now. */
static int manager_consume_ooms(struct manager *m)
{
	int r = report_flush(m->report);

	if (r == 0)
		r = loader_consume_ooms(m->loader);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		log_warning("Cannot read the records of OOMs: %s, ignoring.", strerror(-r));
	return report_update_lost(m->report, loader_count_ooms_lost(m->loader));
}

/*
 * Until the journal takes records again they stay in the ring, and a timer looks after them. So it
 * does where the kernel has no memory to watch the ring again, which it charges to the daemon's own
 * cgroup (fs/eventpoll.c, ep_insert()).
 */
static int manager_follow_ooms(struct manager *m)
{
	bool waits = manager_consume_ooms(m) == -EAGAIN;
	int r;

	if (!waits && sd_event_source_set_enabled(m->oom_source, SD_EVENT_ON) >= 0)
		return sd_event_source_set_enabled(m->report_timer, SD_EVENT_OFF);
	r = sd_event_source_set_enabled(m->oom_source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_time_relative(m->report_timer, REPORT_RETRY_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(m->report_timer, SD_EVENT_ONESHOT);
	return r;
}

static int on_oom_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	return manager_follow_ooms(userdata);
}

static int on_report_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	return manager_follow_ooms(userdata);
}

/* Not past report_flush(): an entry that waits would be overwritten by the next. */
static int consume_declared(void *userdata)
{
	return manager_follow_ooms(userdata);
}

/* At the end: what the journal does not take within this time is lost. */
static void manager_drain_ooms(struct manager *m)
{
	const struct timespec pause = {.tv_nsec = REPORT_RETRY_USEC * 1000};

	for (uint64_t usec = 0; manager_consume_ooms(m) == -EAGAIN; usec += REPORT_RETRY_USEC) {
		if (usec >= REPORT_DRAIN_USEC) {
			log_warning("The journal takes no more records, the last ones are lost.");
			return;
		}
		nanosleep(&pause, NULL);
	}
}

/* --- cgroups that come and go */

static void on_cgroup_record(const void *data, size_t size, void *userdata)
{
	struct manager *m = userdata;

	tracker_apply(&m->tracker, m->config, data, size);
	triggers_apply(m->triggers, data, size);
}

/* Has policies detached that no configuration uses any more, now and when more are due. */
static void manager_expire(struct manager *m)
{
	uint64_t due = loader_expire(m->loader);

	if (due != UINT64_MAX && sd_event_source_set_time(m->expiry_timer, due) >= 0)
		sd_event_source_set_enabled(m->expiry_timer, SD_EVENT_ONESHOT);
}

static int on_expiry_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	manager_expire(userdata);
	return 0;
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
	if (loader_count_cgroups_lost(m->loader) != m->cgroups_lost)
		m->tracker.stale = true;
	if (!m->tracker.stale && !m->tracker.unordered)
		return;

	now = clock_now_usec();
	due = m->resynced_usec + (m->resync_failed   ? RESYNC_RETRY_USEC
				  : m->tracker.stale ? RESYNC_INTERVAL_USEC
						     : REORDER_INTERVAL_USEC);
	if (sd_event_source_set_time(m->resync_timer, due > now ? due : now) >= 0)
		sd_event_source_set_enabled(m->resync_timer, SD_EVENT_ONESHOT);
}

/* What is below the mount point while nothing is mounted there are no cgroups. */
static int manager_walk(const struct manager *m, const struct config *c, const uint16_t *slots,
			uint32_t number, struct tracker *ret)
{
	return cgroup_is_mount_point(m->mounts.root)
		       ? tracker_init(m->mounts.root, c, slots, number, ret)
		       : -ENODEV;
}

static const char *describe_tracker_error(int r)
{
	return r == -ENODEV  ? "the cgroup2 hierarchy is not mounted"
	       : r == -E2BIG ? "more cgroups have a rule than fit"
			     : strerror(-r);
}

static int resync(struct manager *m)
{
	_cleanup_(tracker_done) struct tracker t = {.rules.fd = -EBADF};
	uint64_t lost = loader_count_cgroups_lost(m->loader), switch_nsec;
	char why[LOADER_WHY_SIZE];
	int r;

	r = manager_walk(m, m->config, m->tracker.slots, m->config_number, &t);
	if (r < 0)
		return r;
	r = loader_commit(m->loader, &t.rules, &switch_nsec, why);
	if (r != 0)
		return r < 0 ? r : -EIO;
	manager_set_tracker(m, &t);
	triggers_retry(m->triggers);
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
	m->resynced_usec = clock_now_usec();
	m->resync_failed = r < 0;
	if (r < 0)
		log_error("Cannot walk the cgroups again: %s. Some new cgroups only inherit, "
			  "ignoring until more come.",
			  describe_tracker_error(r));
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

/* --- what others do */

static void on_guard_changed(void *userdata)
{
	struct manager *m = userdata;

	notify_status(m, "");
	answers_note_policies(&m->answers);
}

/* The tree is the same, but what is to be read in it may have failed meanwhile. */
static void on_mounts_changed(void *userdata)
{
	struct manager *m = userdata;

	if (!m->mounts.lost) {
		m->tracker.stale = true;
		triggers_retry(m->triggers);
		manager_consume_cgroups(m);
	}
	on_guard_changed(m);
}

/* --- configuration */

static int prepare_policies(struct loader *l, const struct config *c,
			    uint16_t slots[static OP_POLICIES_MAX],
			    char why[static LOADER_WHY_SIZE])
{
	const char *names[OP_POLICIES_MAX];

	for (size_t i = 0; i < c->n_policies; i++)
		names[i] = c->policies[i].name;
	return loader_prepare(l, names, c->n_policies, slots, why);
}

/* --- declared OOMs */

_Static_assert(CONTROL_MESSAGE_SIZE >= DECLARE_MESSAGE_SIZE, "an outcome is an answer");

static int manager_declare(const char *path, void *userdata,
			   char message[static CONTROL_MESSAGE_SIZE])
{
	const struct manager *m = userdata;

	return declare_path(m->declare, m->mounts.root, path, "--declare", message);
}

/* What is attached and staged, but not in force yet. */
static int stage(struct manager *m, const struct config *c, uint32_t number, struct tracker *ret,
		 char message[static CONTROL_MESSAGE_SIZE])
{
	uint16_t slots[OP_POLICIES_MAX];
	char why[LOADER_WHY_SIZE] = "";
	int r;

	r = prepare_policies(m->loader, c, slots, why);
	if (r != 0) {
		snprintf(message, CONTROL_MESSAGE_SIZE, "Cannot load the policies: %s",
			 why[0] ? why : strerror(-r));
		return r;
	}
	r = manager_walk(m, c, slots, number, ret);
	if (r < 0) {
		loader_cancel(m->loader);
		snprintf(message, CONTROL_MESSAGE_SIZE,
			 "Cannot compile the rules of all cgroups: %s", describe_tracker_error(r));
	}
	return r;
}

/*
 * Puts @c in force. Nothing has changed when it fails: LOADER_E_* or a negative errno, both with a
 * sentence in @message. Takes @c over when it does not.
 */
static int apply_config(struct manager *m, struct config **c, struct announce_timing *timing,
			char message[static CONTROL_MESSAGE_SIZE])
{
	_cleanup_(tracker_done) struct tracker staged = {.rules.fd = -EBADF};
	_cleanup_(triggers_freep) struct triggers *triggers = NULL;
	uint64_t lost = loader_count_cgroups_lost(m->loader);
	char why[LOADER_WHY_SIZE] = "";
	int r;

	r = declare_arm_triggers(m->declare, m->event, m->mounts.root, *c, m->active, &triggers,
				 message);
	if (r < 0)
		return r;
	r = stage(m, *c, m->config_number + 1, &staged, message);
	if (r != 0)
		return r;
	loader_note_config(m->loader, m->config_number + 1, loader_hash_rules(*c));
	r = loader_commit(m->loader, &staged.rules, &timing->switch_nsec, why);
	if (r != 0) {
		if (m->config)
			loader_note_config(m->loader, m->config_number,
					   loader_hash_rules(m->config));
		snprintf(message, CONTROL_MESSAGE_SIZE, "Cannot put the new policies in force: %s",
			 why[0] ? why : strerror(-r));
		return r;
	}

	manager_set_tracker(m, &staged);
	triggers_free(m->triggers);
	m->triggers = TAKE_PTR(triggers);
	triggers_enable(m->triggers);
	if (m->config && rule_names_add(&m->rule_names, m->config_number, m->config) < 0)
		log_debug("Records of the configuration before will not name their rules.");
	config_free(m->config);
	m->config = TAKE_PTR(*c);
	m->config_number++;
	answers_note_config(&m->answers);
	m->cgroups_lost = lost;
	m->resync_failed = false;
	manager_expire(m);
	oomcontrol_set(&m->oomcontrol, m->event, m->memory_root, m->config);
	return 0;
}

/* Everything of a reload that can fail; nothing has changed when it does. */
static int reload_transaction(struct manager *m, struct announce_timing *timing,
			      char message[static CONTROL_MESSAGE_SIZE])
{
	_cleanup_(config_freep) struct config *config = NULL;
	int r;

	r = configuration_load(m->config_path, &config, message);
	if (r < 0)
		return r;
	r = apply_config(m, &config, timing, message);
	return r > 0 ? -EIO : r;
}

static int manager_reload(void *userdata, char message[static CONTROL_MESSAGE_SIZE])
{
	struct announce_timing timing = {.begun_usec = clock_now_usec()};
	struct manager *m = userdata;
	struct answers_view view;
	int r;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading the configuration",
		   timing.begun_usec);

	r = reload_transaction(m, &timing, message);
	if (r < 0) {
		if (!message[0])
			snprintf(message, CONTROL_MESSAGE_SIZE, "%s", strerror(-r));
		snprintf(m->reload_error, sizeof(m->reload_error), "%s", message);
		log_message(LOG_ERR, MESSAGE_ID_RELOAD_FAILED,
			    "Reload failed, the running policy stays: %s", message);
	} else {
		m->reload_error[0] = '\0';
		describe(m, message, CONTROL_MESSAGE_SIZE);
		view = manager_view(m);
		announce_active(&view, &timing, true, message);
		caveats_log_backend(m->config, loader_backend(m->loader),
				    loader_honours_kill(m->loader));
		manager_consume_cgroups(m);
		guard_retry(m->guard);
	}
	notify_status(m, "READY=1\n");
	answers_note_reload(&m->answers);
	reserve_trim();
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

/* --- the bus */

_Static_assert(BUS_MESSAGE_SIZE == CONTROL_MESSAGE_SIZE, "one sentence, two ways to ask for it");

static void manager_look(void *userdata, struct answers_view *ret)
{
	*ret = manager_view(userdata);
}

/* --- start */

/* Translates a failure of the loader, which has been logged. */
static int loader_failure(int r)
{
	return r == LOADER_E_KERNEL	 ? MANAGER_E_KERNEL
	       : r == LOADER_E_PRIVILEGE ? MANAGER_E_PRIVILEGE
					 : r;
}

static int start_config(struct manager *m, struct config **ret)
{
	char message[CONTROL_MESSAGE_SIZE];
	int r;

	r = configuration_load(m->config_path, ret, message);
	if (r < 0)
		log_error(loader_is_in_force()
				  ? "The configuration is not usable. The policies of the daemon "
				    "before are still in force."
				  : "No policy is loaded: the configuration is not usable.");
	return r == -EINVAL ? MANAGER_E_CONFIG : r;
}

/* What the daemon cannot do without, looked at before anything is changed. */
static int start_requirements(struct manager *m)
{
	char why[LOADER_WHY_SIZE];
	int r;

	if (loader_permitted(why) != 0) {
		log_error("%s", why);
		return MANAGER_E_PRIVILEGE;
	}
	r = mounts_init(&m->mounts);
	if (r == -ENOENT || r == -EXDEV) {
		log_error(r == -ENOENT
				  ? "No cgroup2 hierarchy is mounted, and policies rule "
				    "cgroups: boot with systemd.unified_cgroup_hierarchy=1."
				  : "Only a part of the cgroup2 hierarchy is visible here: run "
				    "outside of containers and cgroup namespaces.");
		return MANAGER_E_KERNEL;
	}
	if (r < 0) {
		log_error("Cannot find the cgroup2 hierarchy: %s", strerror(-r));
		return r;
	}
	r = cgroup_acquire_memory_v1(&m->memory_root);
	if (r < 0 && r != -ENOENT)
		log_warning("Cannot find the memory controller: %s, ignoring.", strerror(-r));
	return 0;
}

/* Goes on where the daemon before was: its numbers, its place in the ring, and where the rules are
 * the same, their names in its records. */
static void manager_continue(struct manager *m, const struct config *c)
{
	loader_acquire_history(m->loader, &m->found);
	report_set_position(m->report, loader_position(m->loader));
	m->config_number = m->found.config_number;
	if (m->config_number > 0 && m->found.rule_names_hash == loader_hash_rules(c))
		(void)rule_names_add(&m->rule_names, m->config_number, c);
}

static int start_policies(struct manager *m, struct config **config, struct announce_timing *timing)
{
	const struct loader_callbacks callbacks = {
		.oom = on_oom_record,
		.cgroup = on_cgroup_record,
		.userdata = m,
	};
	char message[CONTROL_MESSAGE_SIZE] = "", why[LOADER_WHY_SIZE] = "";
	struct answers_view view;
	int r;

	/* The loader follows cgroups from here on: the walk after it cannot miss one. */
	r = loader_new((*config)->backend, &callbacks, why, &m->loader);
	if (r != 0) {
		log_error("%s", why[0] ? why : strerror(-r));
		return loader_failure(r);
	}
	view = manager_view(m);
	announce_backend(&view);
	report_set_gfp_bits(m->report, loader_gfp_bits(m->loader));
	manager_continue(m, *config);
	r = declare_new(m->loader, consume_declared, m, &m->declare);
	if (r < 0)
		return r;
	r = apply_config(m, config, timing, message);
	if (r != 0) {
		log_error("%s", message);
		return loader_failure(r);
	}
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
	r = add_timer(m, on_resync_timer, &m->resync_timer);
	if (r < 0)
		return r;
	r = add_timer(m, on_report_timer, &m->report_timer);
	return r < 0 ? r : add_timer(m, on_expiry_timer, &m->expiry_timer);
}

static int start_rings(struct manager *m)
{
	int r;

	r = sd_event_add_io(m->event, &m->oom_source, loader_oom_fd(m->loader), EPOLLIN,
			    on_oom_ready, m);
	if (r < 0 || loader_cgroup_fd(m->loader) < 0)
		return r;
	return sd_event_add_io(m->event, NULL, loader_cgroup_fd(m->loader), EPOLLIN,
			       on_cgroup_ready, m);
}

/* Comes before the policy, as only one daemon can be right about who is to die. */
static int start_control(struct manager *m)
{
	const struct control_handlers handlers = {
		.reload = manager_reload,
		.declare = manager_declare,
		.userdata = m,
	};
	int r = control_new(m->event, &handlers, &m->control);

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
	struct report_callbacks callbacks = {
		.find_rule = find_rule, .oom = on_oom, .is_sent = is_sent};
	struct announce_timing timing = {.begun_usec = clock_now_usec()};
	_cleanup_(manager_freep) struct manager *m = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	struct answers_view view;
	char status[ANNOUNCE_SIZE];
	int r;

	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->tracker.rules.fd = -EBADF;
	m->answers = (struct answers){
		.look = manager_look,
		.reload = manager_reload,
		.declare = manager_declare,
		.userdata = m,
	};
	if (config_path) {
		m->config_path = strdup(config_path);
		if (!m->config_path)
			return -ENOMEM;
	}
	callbacks.userdata = m;
	r = report_new(&callbacks, &m->report);
	if (r < 0)
		return r;
	r = start_config(m, &config);
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
	r = start_policies(m, &config, &timing);
	if (r != 0)
		return r;
	r = start_rings(m);
	if (r < 0) {
		log_error("Cannot watch the ring buffers: %s", strerror(-r));
		return r;
	}
	answers_start(&m->answers, m->event);
	r = sd_event_set_watchdog(m->event, true);
	if (r < 0)
		log_warning("Cannot serve systemd's watchdog: %s, ignoring.", strerror(-r));
	reserve_acquire();
	describe(m, status, sizeof(status));
	handover_log_start(&m->found);
	view = manager_view(m);
	announce_active(&view, &timing, false, status);
	caveats_log_backend(m->config, loader_backend(m->loader), loader_honours_kill(m->loader));
	caveats_log_preemption();
	/* Before the loop runs: the kernel may take seconds to have a function followed, and new
	 * cgroups would not be ruled meanwhile. */
	r = guard_new(m->event, m->loader, on_guard_changed, m, &m->guard);
	if (r < 0)
		return r;
	guard_watch_others(m->guard, m->event);
	notify_status(m, "READY=1\n");
	mounts_watch(&m->mounts, m->event, on_mounts_changed, m);
	*ret = TAKE_PTR(m);
	return 0;
}

int manager_run(struct manager *m)
{
	int r = sd_event_loop(m->event);

	if (r < 0)
		log_error("The event loop failed: %s", strerror(-r));
	m->stopped = r >= 0;
	m->kept = r < 0 || handover_keeps(m->config, &m->found);
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s",
		   m->kept ? "Writing the last records" : "Taking the policy out of the kernel");
	return r;
}

static void log_stop(const struct manager *m)
{
	char policies[ANNOUNCE_SIZE];

	announce_describe_policies(m->config, policies, sizeof(policies));
	handover_log_stop(m->config, m->kept, policies);
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	answers_done(&m->answers);
	m->guard = guard_free(m->guard);
	mounts_done(&m->mounts);
	control_free(m->control);
	triggers_free(m->triggers);
	m->oomcontrol = oomcontrol_free(m->oomcontrol);
	sd_event_source_disable_unref(m->expiry_timer);
	sd_event_source_disable_unref(m->resync_timer);
	sd_event_source_disable_unref(m->status_timer);
	sd_event_source_disable_unref(m->report_timer);
	sd_event_source_disable_unref(m->oom_source);
	sd_event_unref(m->event);
	if (m->active)
		manager_drain_ooms(m);
	declare_free(m->declare);
	report_set_position(m->report, NULL);
	if (m->stopped && !m->kept)
		loader_remove(m->loader);
	loader_free(m->loader);
	if (m->stopped)
		log_stop(m);
	report_free(m->report);
	tracker_done(&m->tracker);
	rule_names_done(&m->rule_names);
	config_free(m->config);
	free(m->memory_root);
	free(m->config_path);
	free(m);
	return NULL;
}
