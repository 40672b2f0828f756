/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the tracker, and when the tree is walked again: after records were lost, and after so many
 * cgroups that the order in the kernel is full. Leaves the entries to the tracker.
 *
 * Nothing here runs by a clock: the one-shot timer is set by records only.
 */
#include "sync.h"

#include <string.h>
#include <sys/epoll.h>

#include <systemd/sd-event.h>

#include "cgroup.h"
#include "config/policy.h"
#include "daemon/kernel/loader.h"
#include "mounts.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/log.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* A storm of records that only a walk can answer gets one walk in this time. */
#define WALK_INTERVAL_USEC USEC_PER_SEC
/* Without the order a search takes longer, and finds the same. */
#define REORDER_INTERVAL_USEC (30 * USEC_PER_SEC)
/* After a walk that failed: the same cause is likely to be there still. */
#define RETRY_USEC (30 * USEC_PER_SEC)

void sync_init(struct sync *s, const struct mounts *mounts, const struct sync_callbacks *callbacks)
{
	*s = (struct sync){
		.callbacks = *callbacks,
		.mounts = mounts,
		.tracker.rules.fd = -EBADF,
	};
}

void sync_done(struct sync *s)
{
	s->source = sd_event_source_disable_unref(s->source);
	s->timer = sd_event_source_disable_unref(s->timer);
	tracker_done(&s->tracker);
}

void sync_take(const void *data, size_t size, void *userdata)
{
	struct sync *s = userdata;

	tracker_apply(&s->tracker, s->config, data, size);
	s->callbacks.record(data, size, s->callbacks.userdata);
}

/* While nothing is mounted there, the directories below the mount point are not cgroups. */
int sync_stage(const struct sync *s, const struct config *config, const uint16_t *slots,
	       uint32_t number, struct tracker *ret)
{
	return cgroup_is_mount_point(s->mounts->root)
		       ? tracker_init(s->mounts->root, config, slots, number, ret)
		       : -ENODEV;
}

const char *sync_describe_error(int r)
{
	return r == -ENODEV  ? "the cgroup2 hierarchy is not mounted"
	       : r == -E2BIG ? "more cgroups have a rule than fit"
			     : strerror(-r);
}

void sync_set(struct sync *s, struct tracker *staged, const struct config *config, uint64_t n_lost)
{
	staged->last_seq = s->tracker.last_seq;
	tracker_done(&s->tracker);
	s->tracker = *staged;
	staged->rules.fd = -EBADF;
	s->config = config;
	s->n_lost = n_lost;
	s->failed = false;
}

void sync_consume(struct sync *s)
{
	size_t n_ruled = s->tracker.n_ruled;
	uint64_t now, due;
	int r;

	r = loader_consume_cgroups(s->loader);
	if (r < 0)
		log_warning("Cannot read the records of cgroups: %s, ignoring.", strerror(-r));
	if (n_ruled != s->tracker.n_ruled)
		s->callbacks.changed(s->callbacks.userdata);
	if (loader_count_cgroups_lost(s->loader) != s->n_lost)
		s->tracker.stale = true;
	if (!s->tracker.stale && !s->tracker.unordered)
		return;

	now = clock_now_usec();
	due = s->walked_usec + (s->failed	   ? RETRY_USEC
				: s->tracker.stale ? WALK_INTERVAL_USEC
						   : REORDER_INTERVAL_USEC);
	if (sd_event_source_set_time(s->timer, due > now ? due : now) >= 0)
		sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

void sync_invalidate(struct sync *s)
{
	s->tracker.stale = true;
	sync_consume(s);
}

static int walk(struct sync *s)
{
	_cleanup_(tracker_done) struct tracker t = {.rules.fd = -EBADF};
	uint64_t n_lost = loader_count_cgroups_lost(s->loader), switch_nsec;
	char why[LOADER_WHY_SIZE];
	int r;

	r = sync_stage(s, s->config, s->tracker.slots, s->tracker.number, &t);
	if (r < 0)
		return r;
	r = loader_commit(s->loader, &t.rules, &switch_nsec, why);
	if (r != 0)
		return r < 0 ? r : -EIO;
	sync_set(s, &t, s->config, n_lost);
	s->callbacks.walked(s->callbacks.userdata);
	return 0;
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	struct sync *s = userdata;
	int r = walk(s);

	s->walked_usec = clock_now_usec();
	s->failed = r < 0;
	if (r < 0)
		log_error("Cannot walk the cgroups again: %s. Some new cgroups only inherit, "
			  "ignoring until more come.",
			  sync_describe_error(r));
	else
		log_debug("Walked the cgroups again: %zu ruled.", s->tracker.n_ruled);
	s->callbacks.changed(s->callbacks.userdata);
	sync_consume(s);
	return 0;
}

static int on_ready(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_,
		    void *userdata)
{
	sync_consume(userdata);
	return 0;
}

int sync_watch(struct sync *s, struct sd_event *event)
{
	int r = sd_event_add_time(event, &s->timer, CLOCK_MONOTONIC, 0, 1, on_timer, s);

	if (r >= 0)
		r = sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	if (r < 0 || loader_cgroup_fd(s->loader) < 0)
		return r;
	return sd_event_add_io(event, &s->source, loader_cgroup_fd(s->loader), EPOLLIN, on_ready,
			       s);
}
