/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the files by which the kernel watches the pressure (Documentation/accounting/psi.rst): one
 * for each trigger whose cgroup exists. Closing it disarms.
 *
 * Nothing here polls or waits. The kernel tells of pressure at most once a window, of a cgroup that
 * went by EPOLLERR or by a record, of one that came by a record. One event is one declaration,
 * whatever comes of it: if the pressure stays there is another event in the next window.
 *
 * Invariant: an armed trigger has the file and the id of the same cgroup, so that pressure in one
 * never becomes an OOM of another that came after it under the same path.
 */
#include "trigger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include <systemd/sd-event.h>

#include "config/policy.h"
#include "daemon/record/record.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/escape.h"
#include "util/log.h"
#include "util/ratelimit.h"

#define SYSTEM_PRESSURE "/proc/pressure/memory"
#define PRESSURE_FILE "memory.pressure"

/*
 * A record of a new cgroup is made just before its directory can be seen (kernel/cgroup/cgroup.c,
 * cgroup_mkdir()), so a cgroup that is not there yet is looked for again, so often and no more.
 */
#define LOOK_AGAIN_USEC 50000
#define LOOKS_MAX 10

/* Beside 0 and a negative errno. */
#define OPEN_E_NO_CGROUP 1
#define OPEN_E_NO_PRESSURE 2 /* the kernel does no such accounting at all */

/* Parts of sentences: names and paths are untrusted as for what may be printed. */
#define SHOWN_NAME_SIZE 128
#define SHOWN_PATH_SIZE 256

struct watch {
	struct triggers *owner;
	char *name, *cgroup;
	char text[64]; /* what the kernel is told, with its NUL */
	uint64_t cgroup_id;
	int fd;		/* -EBADF: not armed */
	unsigned looks; /* that are left */
	sd_event_source *source;
	struct ratelimit limit;
};

struct triggers {
	struct trigger_setup setup;
	bool enabled;
	bool no_pressure; /* the kernel does no accounting, which was said */
	sd_event_source *timer;
	size_t n_watches;
	struct watch watches[];
};

struct shown {
	char name[SHOWN_NAME_SIZE], cgroup[SHOWN_PATH_SIZE];
};

static struct shown show(const struct watch *w)
{
	struct shown s = {};

	escape_text(w->name, strlen(w->name), s.name, sizeof(s.name));
	escape_text(w->cgroup, strlen(w->cgroup), s.cgroup, sizeof(s.cgroup));
	return s;
}

/* --- arming */

static int open_pressure(const struct triggers *t, const struct watch *w, uint64_t *ret_id,
			 int *ret_fd)
{
	const char *system = t->setup.system_pressure ?: SYSTEM_PRESSURE;
	_cleanup_close_ int root = -EBADF, directory = -EBADF;
	struct stat st = {};
	int fd;

	if (strcmp(w->cgroup, "/") == 0) {
		/* Neither file is there without accounting (kernel/sched/psi.c, psi_proc_init()).
		 */
		fd = open(system, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return errno == ENOENT ? OPEN_E_NO_PRESSURE : -errno;
		*ret_id = 0;
		*ret_fd = fd;
		return 0;
	}
	root = open(t->setup.cgroup_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	directory = openat(root, w->cgroup + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return errno == ENOENT || errno == ENODEV ? OPEN_E_NO_CGROUP : -errno;
	if (fstat(directory, &st) < 0)
		return -errno;
	fd = openat(directory, PRESSURE_FILE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENODEV)
		return OPEN_E_NO_CGROUP;
	if (fd < 0 && errno == ENOENT && access(system, F_OK) < 0)
		return OPEN_E_NO_PRESSURE;
	if (fd < 0)
		return -errno;
	*ret_id = st.st_ino;
	*ret_fd = fd;
	return 0;
}

static int on_pressure(sd_event_source *source _unused_, int fd _unused_, uint32_t revents,
		       void *userdata)
{
	struct watch *w = userdata;

	triggers_dispatch(w->owner, (size_t)(w - w->owner->watches), revents);
	return 0;
}

/* Returns 0, OPEN_E_* or a negative errno. */
static int arm(struct watch *w)
{
	const struct triggers *t = w->owner;
	_cleanup_close_ int fd = -EBADF;
	uint64_t id = 0;
	int r;

	r = open_pressure(t, w, &id, &fd);
	if (r != 0)
		return r;
	/* The kernel puts its NUL over the last byte that it is given, so that must be ours. */
	if (write(fd, w->text, strlen(w->text) + 1) < 0)
		return errno == EOPNOTSUPP ? OPEN_E_NO_PRESSURE
		       : errno == ENODEV   ? OPEN_E_NO_CGROUP
					   : -errno;

	r = sd_event_add_io(t->setup.event, &w->source, fd, EPOLLPRI, on_pressure, w);
	if (r < 0)
		return r;
	if (!t->enabled) {
		r = sd_event_source_set_enabled(w->source, SD_EVENT_OFF);
		if (r < 0) {
			w->source = sd_event_source_disable_unref(w->source);
			return r;
		}
	}
	w->cgroup_id = id;
	w->fd = TAKE_FD(fd);
	w->looks = 0;
	return 0;
}

static void disarm(struct watch *w)
{
	w->source = sd_event_source_disable_unref(w->source);
	w->fd = safe_close(w->fd);
	w->cgroup_id = 0;
}

static void say_no_pressure(struct triggers *t)
{
	if (!t->no_pressure)
		log_warning("The kernel does no pressure accounting (psi=0, or built without): "
			    "[Trigger] sections have no effect.");
	t->no_pressure = true;
}

static void describe_error(const struct watch *w, int r, char why[static TRIGGER_WHY_SIZE])
{
	const struct shown s = show(w);

	snprintf(why, TRIGGER_WHY_SIZE, "Cannot watch the pressure of %s for [Trigger %s]: %s%s.",
		 s.cgroup, s.name, strerror(-r),
		 r == -ENOENT	? " (is it turned off by cgroup.pressure?)"
		 : r == -EINVAL ? " (without CAP_SYS_RESOURCE a window must be of 2, 4, 6, 8 or "
				  "10 s)"
				: "");
}

/* Arms while the daemon runs, when the cgroup may have come. */
static void arm_late(struct watch *w)
{
	const struct shown s = show(w);
	char why[TRIGGER_WHY_SIZE];
	int r = arm(w);

	if (r == 0) {
		log_info("[Trigger %s] is armed: %s is there.", s.name, s.cgroup);
	} else if (r == OPEN_E_NO_PRESSURE) {
		say_no_pressure(w->owner);
	} else if (r < 0) {
		w->looks = 0;
		describe_error(w, r, why);
		log_warning("%s It is not armed, ignoring.", why);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec _unused_, void *userdata)
{
	struct triggers *t = userdata;
	bool again = false;

	for (size_t i = 0; i < t->n_watches; i++) {
		struct watch *w = &t->watches[i];

		if (w->fd >= 0 || w->looks == 0)
			continue;
		w->looks--;
		arm_late(w);
		again = again || w->looks > 0;
	}
	if (again && sd_event_source_set_time_relative(source, LOOK_AGAIN_USEC) >= 0)
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* --- from start to end */

static int add_watch(struct triggers *t, const struct trigger *config)
{
	struct watch *w = &t->watches[t->n_watches++];

	*w = (struct watch){
		.owner = t,
		.fd = -EBADF,
		.limit = {.interval_usec = TRIGGER_LOG_INTERVAL_USEC, .burst = 1},
	};
	w->name = strdup(config->name);
	w->cgroup = strdup(config->cgroup);
	if (!w->name || !w->cgroup)
		return -ENOMEM;
	snprintf(w->text, sizeof(w->text), "%s %" PRIu64 " %" PRIu64,
		 config->full ? "full" : "some", config->threshold_usec, config->window_usec);
	return 0;
}

int triggers_new(const struct trigger_setup *setup, const struct config *config,
		 char why[static TRIGGER_WHY_SIZE], struct triggers **ret)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	int r, outcome = 0;

	why[0] = '\0';
	t = calloc(1, sizeof(*t) + config->n_triggers * sizeof(t->watches[0]));
	if (!t)
		return -ENOMEM;
	t->setup = *setup;
	sd_event_ref(t->setup.event);
	r = sd_event_add_time(setup->event, &t->timer, CLOCK_MONOTONIC, 0, 1, on_timer, t);
	if (r >= 0)
		r = sd_event_source_set_enabled(t->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;

	for (size_t i = 0; i < config->n_triggers; i++) {
		struct watch *w = &t->watches[i];

		r = add_watch(t, &config->triggers[i]);
		if (r < 0)
			return r;
		r = arm(w);
		if (r == -ENOMEM)
			return r;
		if (r == OPEN_E_NO_PRESSURE)
			say_no_pressure(t);
		else if (r < 0 && outcome == 0) {
			describe_error(w, r, why);
			outcome = 1;
		}
	}
	*ret = TAKE_PTR(t);
	return outcome;
}

struct triggers *triggers_free(struct triggers *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_watches; i++) {
		disarm(&t->watches[i]);
		free(t->watches[i].name);
		free(t->watches[i].cgroup);
	}
	sd_event_source_disable_unref(t->timer);
	sd_event_unref(t->setup.event);
	free(t);
	return NULL;
}

void triggers_enable(struct triggers *t)
{
	t->enabled = true;
	for (size_t i = 0; i < t->n_watches; i++) {
		const struct watch *w = &t->watches[i];
		const struct shown s = show(w);

		if (w->fd >= 0) {
			sd_event_source_set_enabled(w->source, SD_EVENT_ON);
			log_info("[Trigger %s] is armed: %s.", s.name, s.cgroup);
		} else if (!t->no_pressure) {
			log_info("[Trigger %s] waits for %s.", s.name, s.cgroup);
		}
	}
}

/* --- what happens meanwhile */

void triggers_retry(struct triggers *t)
{
	for (size_t i = 0; i < t->n_watches; i++)
		if (t->watches[i].fd < 0)
			arm_late(&t->watches[i]);
}

static void lose(struct watch *w)
{
	const struct shown s = show(w);

	disarm(w);
	log_info("[Trigger %s] waits for %s, which is gone.", s.name, s.cgroup);
}

static void find(struct watch *w)
{
	struct triggers *t = w->owner;

	w->looks = LOOKS_MAX;
	arm_late(w);
	if (w->looks > 0 && sd_event_source_set_time_relative(t->timer, LOOK_AGAIN_USEC) >= 0)
		sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

void triggers_apply(struct triggers *t, const void *data, size_t size)
{
	struct op_cgroup_record e;

	if (t->n_watches == 0 || record_decode_cgroup(data, size, &e) < 0 || e.hierarchy_id != 0)
		return;
	for (size_t i = 0; i < t->n_watches; i++) {
		struct watch *w = &t->watches[i];

		if (e.header.type == OP_RECORD_CGROUP_RMDIR) {
			if (w->fd >= 0 && w->cgroup_id == e.id)
				lose(w);
		} else if (w->fd < 0 && strcmp(w->cgroup, e.path) == 0) {
			find(w);
		}
	}
}

void triggers_dispatch(struct triggers *t, size_t i, uint32_t revents)
{
	struct watch *w = &t->watches[i];
	char why[TRIGGER_WHY_SIZE];
	char others[64] = "";
	int r;

	/* The cgroup was removed; the kernel sets EPOLLPRI as well then. It may be there again, and
	 * its record may have come before. */
	if (revents & (EPOLLERR | EPOLLHUP)) {
		lose(w);
		arm_late(w);
		return;
	}
	if (!(revents & EPOLLPRI))
		return;
	r = t->setup.declare(w->cgroup_id, w->name, why, t->setup.userdata);
	if (r >= 0 || !ratelimit_pass(&w->limit, clock_now_usec()))
		return;
	if (w->limit.n_suppressed)
		snprintf(others, sizeof(others), " (%" PRIu64 " more such lines were left out)",
			 TAKE(w->limit.n_suppressed, 0));
	log_notice("[Trigger %s] fired, but nothing was killed. %s%s", show(w).name, why, others);
}

bool triggers_is_armed(const struct triggers *t, size_t i)
{
	return t->watches[i].fd >= 0;
}
