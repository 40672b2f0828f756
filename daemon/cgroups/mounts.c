/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel tells of each change of the mounts that we see, by poll() on our mountinfo
 * (fs/proc_namespace.c, mounts_poll()); a look at the one place that matters tells whether it is
 * of interest. The unit has a mount namespace of its own, which what is mounted and unmounted
 * outside reaches (systemd.exec(5), PrivateMounts=).
 *
 * The policies and their rules go by cgroup ids and need no mount: what is at stake is the daemon's
 * own look at the tree.
 */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include <systemd/sd-event.h>

#include "api/messages.h"
#include "cgroup.h"
#include "util/basic.h"
#include "util/log.h"

#define MOUNTINFO "/proc/self/mountinfo"

static int find(char root[static PATH_MAX])
{
	_cleanup_free_ char *path = NULL;
	int r = cgroup_acquire_mount_point(&path);

	if (r < 0)
		return r;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(root, path, strlen(path) + 1);
	return 0;
}

int mounts_init(struct mounts *m)
{
	return find(m->root);
}

static int on_mounts(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_,
		     void *userdata)
{
	struct mounts *m = userdata;
	char root[PATH_MAX];
	bool lost;

	if (!m->lost && cgroup_is_mount_point(m->root))
		return 0;
	lost = find(root) < 0;
	if (lost && m->lost)
		return 0;
	if (lost) {
		log_message(LOG_ERR, MESSAGE_ID_CGROUPS_LOST,
			    "The cgroup2 hierarchy is no longer mounted on %s, nor anywhere else. "
			    "The policies stay active and new cgroups are ruled; the "
			    "configuration cannot be reloaded, and no new trigger be armed, "
			    "before it is mounted again.",
			    m->root);
	} else {
		log_message(LOG_NOTICE, MESSAGE_ID_CGROUPS_FOUND,
			    "The cgroup2 hierarchy is mounted on %s%s.", root,
			    m->lost ? " again" : " now");
		memcpy(m->root, root, sizeof(m->root));
	}
	m->lost = lost;
	m->changed(m->userdata);
	return 0;
}

void mounts_watch(struct mounts *m, struct sd_event *event, mounts_changed_t changed,
		  void *userdata)
{
	_cleanup_close_ int fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	m->changed = changed;
	m->userdata = userdata;
	if (r == 0)
		r = sd_event_add_io(event, &m->source, fd, EPOLLPRI, on_mounts, m);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(m->source, true);
	if (r < 0) {
		log_warning("Cannot watch " MOUNTINFO ": %s. It will not be seen when the cgroup2 "
			    "hierarchy is mounted elsewhere, ignoring.",
			    strerror(-r));
		m->source = sd_event_source_unref(m->source);
		return;
	}
	TAKE_FD(fd);
}

void mounts_done(struct mounts *m)
{
	m->source = sd_event_source_disable_unref(m->source);
}
