/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ties the modules together: the order of starting and stopping, reloads, and what is told to
 * systemd. Knows what happens when, and leaves how to the others.
 *
 * Invariant: the configuration, the tracker's map and what is active in the kernel belong together.
 * All three are exchanged after the last step that can fail, which is loader_commit().
 *
 * Nothing here runs by a clock: the one-shot timers are set by records and reloads only.
 */
#include "manager.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "api/messages.h"
#include "attachments.h"
#include "config/policy.h"
#include "configuration.h"
#include "control.h"
#include "daemon/bus/bus.h"
#include "daemon/bus/provider.h"
#include "daemon/cgroups/cgroup.h"
#include "daemon/cgroups/mounts.h"
#include "daemon/cgroups/sync.h"
#include "daemon/cgroups/tracker.h"
#include "daemon/kernel/loader.h"
#include "declare.h"
#include "lifecycle.h"
#include "oomcontrol.h"
#include "record-log.h"
#include "reserve.h"
#include "trigger.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/log.h"
#include "view.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* STATUS= makes systemd send a bus signal: not for every cgroup that comes and goes. */
#define STATUS_DELAY_USEC USEC_PER_SEC

struct manager {
	char *config_path; /* NULL: the layered set */
	struct mounts mounts;
	struct config *config;
	uint32_t config_number; /* of the active one, counted from 1 */
	struct sync sync;
	struct loader *loader;
	struct record_log *record_log;
	struct declare *declare;
	struct triggers *triggers;
	struct oomcontrol *oomcontrol;
	char *memory_root; /* of cgroup v1; NULL: the memory controller is not there */

	sd_event *event;
	sd_event_source *status_timer, *expiry_timer;
	struct control *control;
	struct provider provider;
	struct attachments *attachments;

	struct loader_history found;		 /* as of the start */
	bool active;				 /* the policies are active */
	bool stopped;				 /* in good order */
	bool kept;				 /* they stay active after that */
	char reload_error[CONTROL_MESSAGE_SIZE]; /* of the last reload; empty when it worked */
};

/* --- what is told to systemd and people */

static struct view manager_view(const struct manager *m)
{
	return (struct view){
		.config = m->config,
		.tracker = &m->sync.tracker,
		.loader = m->loader,
		.attachments = m->attachments,
		.cgroup_root = m->mounts.root,
		.cgroups_lost = m->mounts.lost,
		.config_number = m->config_number,
		.reload_error = m->reload_error,
	};
}

static void describe(const struct manager *m, char *buf, size_t size)
{
	const struct view view = manager_view(m);

	lifecycle_describe(&view, buf, size);
}

static void notify_status(const struct manager *m, const char *prefix)
{
	const struct view view = manager_view(m);

	lifecycle_notify(&view, &m->found, prefix);
}

static int on_status_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	struct manager *m = userdata;

	notify_status(m, "");
	provider_note_cgroups(&m->provider);
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

/* --- records */

static void on_oom(const struct op_oom_record *e, const struct record_text *text, void *userdata)
{
	struct manager *m = userdata;

	declare_seen(m->declare, e);
	if (m->oomcontrol)
		oomcontrol_seen(m->oomcontrol, e);
	provider_note_oom(&m->provider, e, text);
	attachments_note_oom(m->attachments);
}

/* Not past an entry that waits for the journal: see record_log_consume(). */
static int consume_declared(void *userdata)
{
	const struct manager *m = userdata;

	return record_log_consume(m->record_log);
}

static void on_cgroup(const void *data, size_t size, void *userdata)
{
	const struct manager *m = userdata;

	triggers_apply(m->triggers, data, size);
}

static void on_cgroups_walked(void *userdata)
{
	const struct manager *m = userdata;

	triggers_retry(m->triggers);
}

static void on_cgroups_changed(void *userdata)
{
	schedule_status(userdata);
}

/* Has policies detached that no configuration uses any more, now and when more are due. */
static void manager_expire(struct manager *m)
{
	uint64_t due = loader_expire(m->loader);

	if (due != UINT64_MAX && sd_event_source_set_time(m->expiry_timer, due) >= 0)
		sd_event_source_set_enabled(m->expiry_timer, SD_EVENT_ONESHOT);
}

static int on_expiry_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	manager_expire(userdata);
	return 0;
}

/* --- what others do */

static void on_attachments_changed(void *userdata)
{
	struct manager *m = userdata;

	notify_status(m, "");
	provider_note_policies(&m->provider);
}

/* The tree is the same, but what is to be read in it may have failed meanwhile. */
static void on_mounts_changed(void *userdata)
{
	struct manager *m = userdata;

	if (!m->mounts.lost) {
		triggers_retry(m->triggers);
		sync_invalidate(&m->sync);
	}
	on_attachments_changed(m);
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

/* What is attached and staged, but not active yet. */
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
	r = sync_stage(&m->sync, c, slots, number, ret);
	if (r < 0) {
		loader_cancel(m->loader);
		snprintf(message, CONTROL_MESSAGE_SIZE,
			 "Cannot compile the rules of all cgroups: %s", sync_describe_error(r));
	}
	return r;
}

/*
 * Makes @c active. Nothing has changed when it fails: LOADER_E_* or a negative errno, both with a
 * sentence in @message. Takes @c over when it does not.
 */
static int apply_config(struct manager *m, struct config **c, struct lifecycle_timing *timing,
			char message[static CONTROL_MESSAGE_SIZE])
{
	_cleanup_(tracker_done) struct tracker staged = {.rules.fd = -EBADF};
	_cleanup_(triggers_freep) struct triggers *triggers = NULL;
	uint64_t n_lost = loader_count_cgroups_lost(m->loader);
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
		snprintf(message, CONTROL_MESSAGE_SIZE, "Cannot make the new policies active: %s",
			 why[0] ? why : strerror(-r));
		return r;
	}

	triggers_free(m->triggers);
	m->triggers = TAKE_PTR(triggers);
	triggers_enable(m->triggers);
	m->config_number++;
	sync_set(&m->sync, &staged, *c, n_lost);
	record_log_set_config(m->record_log, *c, m->config_number);
	config_free(m->config);
	m->config = TAKE_PTR(*c);
	provider_note_config(&m->provider);
	manager_expire(m);
	oomcontrol_set(&m->oomcontrol, m->event, m->memory_root, m->config);
	return 0;
}

/* --- reload */

/* Everything of a reload that can fail; nothing has changed when it does. */
static int reload_transaction(struct manager *m, struct lifecycle_timing *timing,
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

static int manager_reload(char message[static CONTROL_MESSAGE_SIZE], void *userdata)
{
	struct lifecycle_timing timing = {.begun_usec = clock_now_usec()};
	struct manager *m = userdata;
	struct view view;
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
		lifecycle_log_active(&view, &timing, true, message);
		lifecycle_warn_config(&view);
		sync_consume(&m->sync);
		attachments_retry(m->attachments);
	}
	notify_status(m, "READY=1\n");
	provider_note_reload(&m->provider);
	reserve_trim();
	return r;
}

static int on_hangup(sd_event_source *source _unused_, const struct signalfd_siginfo *info _unused_,
		     void *userdata)
{
	char message[CONTROL_MESSAGE_SIZE] = "";

	manager_reload(message, userdata);
	return 0;
}

/* --- declared OOMs */

static_assert(CONTROL_MESSAGE_SIZE >= DECLARE_MESSAGE_SIZE, "an outcome is an answer");

static int manager_declare(const char *path, char message[static CONTROL_MESSAGE_SIZE],
			   void *userdata)
{
	const struct manager *m = userdata;

	return declare_path(m->declare, m->mounts.root, path, "--declare", message);
}

/* --- the bus */

static_assert(BUS_MESSAGE_SIZE == CONTROL_MESSAGE_SIZE, "one sentence, two ways to ask for it");

static void manager_look(struct view *ret, void *userdata)
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
		log_error(loader_is_active()
				  ? "The configuration is not usable. The policies of the daemon "
				    "before are still active."
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
	record_log_set_loader(m->record_log, m->loader);
	m->config_number = m->found.config_number;
	if (m->config_number > 0 && m->found.rule_names_hash == loader_hash_rules(c))
		record_log_add_names(m->record_log, c, m->config_number);
}

static int start_policies(struct manager *m, struct config **config,
			  struct lifecycle_timing *timing)
{
	const struct loader_callbacks callbacks = {
		.oom = record_log_take,
		.oom_userdata = m->record_log,
		.cgroup = sync_take,
		.cgroup_userdata = &m->sync,
	};
	char message[CONTROL_MESSAGE_SIZE] = "", why[LOADER_WHY_SIZE] = "";
	struct view view;
	int r;

	/* The loader follows cgroups from here on: the walk after it cannot miss one. */
	r = loader_new((*config)->backend, &callbacks, why, &m->loader);
	if (r != 0) {
		log_error("%s", why[0] ? why : strerror(-r));
		return loader_failure(r);
	}
	m->sync.loader = m->loader;
	view = manager_view(m);
	lifecycle_log_backend(&view);
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
	return r < 0 ? r : add_timer(m, on_expiry_timer, &m->expiry_timer);
}

static int start_rings(struct manager *m)
{
	int r = record_log_watch(m->record_log, m->event);

	return r < 0 ? r : sync_watch(&m->sync, m->event);
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

/* What there is before anything is looked at; also what is needed while memory is short. */
static int manager_init(struct manager *m, const char *config_path)
{
	const struct sync_callbacks callbacks = {
		.record = on_cgroup,
		.walked = on_cgroups_walked,
		.changed = on_cgroups_changed,
		.userdata = m,
	};

	sync_init(&m->sync, &m->mounts, &callbacks);
	m->provider = (struct provider){
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
	return record_log_new(on_oom, m, &m->record_log);
}

/* All that can keep the daemon from starting, up to active policies whose records are read. */
static int start(struct manager *m, struct lifecycle_timing *timing)
{
	_cleanup_(config_freep) struct config *config = NULL;
	int r;

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
	r = start_policies(m, &config, timing);
	if (r != 0)
		return r;
	r = start_rings(m);
	if (r < 0)
		log_error("Cannot watch the ring buffers: %s", strerror(-r));
	return r;
}

/* What is said of a start, and what is served from here on. */
static int finish_start(struct manager *m, const struct lifecycle_timing *timing)
{
	struct view view;
	char status[LIFECYCLE_SIZE];
	int r;

	provider_start(&m->provider, m->event);
	r = sd_event_set_watchdog(m->event, true);
	if (r < 0)
		log_warning("Cannot serve systemd's watchdog: %s, ignoring.", strerror(-r));
	reserve_acquire();
	describe(m, status, sizeof(status));
	lifecycle_log_adopted(&m->found);
	view = manager_view(m);
	lifecycle_log_active(&view, timing, false, status);
	lifecycle_warn_config(&view);
	lifecycle_warn_kernel();
	/* Before the loop runs: the kernel may take seconds to have a function followed, and new
	 * cgroups would not be ruled meanwhile. */
	r = attachments_new(m->event, m->loader, on_attachments_changed, m, &m->attachments);
	if (r < 0)
		return r;
	attachments_watch_others(m->attachments, m->event);
	notify_status(m, "READY=1\n");
	mounts_watch(&m->mounts, m->event, on_mounts_changed, m);
	return 0;
}

int manager_new(const char *config_path, struct manager **ret)
{
	struct lifecycle_timing timing = {.begun_usec = clock_now_usec()};
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	r = manager_init(m, config_path);
	if (r == 0)
		r = start(m, &timing);
	if (r == 0)
		r = finish_start(m, &timing);
	if (r == 0)
		*ret = TAKE_PTR(m);
	return r;
}

int manager_run(struct manager *m)
{
	int r = sd_event_loop(m->event);

	if (r < 0)
		log_error("The event loop failed: %s", strerror(-r));
	m->stopped = r >= 0;
	m->kept = r < 0 || lifecycle_keeps(m->config, &m->found);
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s",
		   m->kept ? "Writing the last records" : "Taking the policy out of the kernel");
	return r;
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	provider_done(&m->provider);
	m->attachments = attachments_free(m->attachments);
	mounts_done(&m->mounts);
	control_free(m->control);
	triggers_free(m->triggers);
	m->oomcontrol = oomcontrol_free(m->oomcontrol);
	sd_event_source_disable_unref(m->expiry_timer);
	sd_event_source_disable_unref(m->status_timer);
	if (m->active)
		record_log_drain(m->record_log);
	sync_done(&m->sync);
	declare_free(m->declare);
	if (m->record_log)
		record_log_set_loader(m->record_log, NULL);
	if (m->stopped && !m->kept)
		loader_remove(m->loader);
	loader_free(m->loader);
	if (m->stopped)
		lifecycle_log_stop(m->config, m->kept);
	record_log_free(m->record_log);
	/* The last, as it unblocks the signals: a second one must not cut this short. */
	sd_event_unref(m->event);
	config_free(m->config);
	free(m->memory_root);
	free(m->config_path);
	free(m);
	return NULL;
}
