/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a cgroup to an OOM of it, and from the kernel's answer to a sentence. Decides neither when
 * an OOM is declared nor who dies.
 *
 * Invariant: one declaration at a time, and none from within a record's callback.
 */
#include "declare.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "config/policy.h"
#include "daemon/kernel/loader.h"
#include "trigger.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/escape.h"
#include "util/log.h"
#include "util/path.h"

/* How much of a path is shown; the record has all of it. */
#define SHOWN_PATH_SIZE 512

struct declare {
	int (*consume)(void *userdata);
	void *userdata;
	struct loader *loader;
	bool is_loaded; /* false: the kernel cannot */
	char why[LOADER_WHY_SIZE];

	/* The current declaration, or the last one. */
	uint64_t begun_nsec;
	bool seen; /* its record was */
	uint32_t decision, victim_pid;
	char victim[ESCAPE_SIZE(OP_COMM_LEN)];
	char victim_path[SHOWN_PATH_SIZE];
};

int declare_new(struct loader *l, int (*consume)(void *userdata), void *userdata,
		struct declare **ret)
{
	_cleanup_(declare_freep) struct declare *d = NULL;
	int r;

	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->consume = consume;
	d->userdata = userdata;
	d->loader = l;
	r = loader_load_declare(l, d->why);
	d->is_loaded = r == 0;
	if (r != 0) {
		if (!d->why[0])
			snprintf(d->why, sizeof(d->why), "the kernel refused it: %s", strerror(-r));
		log_info("OOMs cannot be declared: %s.", d->why);
	}
	*ret = TAKE_PTR(d);
	return 0;
}

struct declare *declare_free(struct declare *d)
{
	if (!d)
		return NULL;
	free(d);
	return NULL;
}

void declare_text(const char *name, char ret[static OP_DECLARED_LEN])
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.:-";
	size_t i;

	for (i = 0; i < OP_DECLARED_LEN - 1 && name[i]; i++)
		ret[i] = strchr(valid, name[i]) ? name[i] : '_';
	memset(ret + i, 0, OP_DECLARED_LEN - i);
}

void declare_seen(struct declare *d, const struct op_oom_record *e)
{
	/* The task that declares is, to the kernel, the one that allocates. */
	if (!d->begun_nsec || e->header.ktime_nsec < d->begun_nsec ||
	    e->trigger.pid != (uint32_t)getpid())
		return;
	d->seen = true;
	d->decision = e->decision;
	d->victim_pid = e->victim.pid;
	escape_text(e->victim.comm, sizeof(e->victim.comm), d->victim, sizeof(d->victim));
	escape_text(e->victim_path, sizeof(e->victim_path), d->victim_path, sizeof(d->victim_path));
}

static int progress(const struct declare *d, char message[static DECLARE_MESSAGE_SIZE])
{
	if (!d->seen || d->decision == OP_DECISION_WAITING) {
		/* Of those that wait there is one record a second. */
		snprintf(message, DECLARE_MESSAGE_SIZE,
			 "Nobody else was killed: a victim of an earlier OOM is still dying.");
		return -EINPROGRESS;
	}
	if (d->victim_pid)
		snprintf(message, DECLARE_MESSAGE_SIZE, "Killed %s (pid %u, %s).", d->victim,
			 d->victim_pid, d->victim_path);
	else
		snprintf(message, DECLARE_MESSAGE_SIZE,
			 "The choice was left to the kernel, whose log has it.");
	return 0;
}

static void describe_error(int r, char message[static DECLARE_MESSAGE_SIZE])
{
	const char *text;

	switch (r) {
	case -EBUSY:
		text = "Another OOM is being handled, and will free memory: none was declared.";
		break;
	case -ESRCH:
		text = "Nobody was killed: there is nobody who may be.";
		break;
	case -ENOENT:
		text = "There is no such cgroup.";
		break;
	case -ENODATA:
		text = "The cgroup has no memory controller: without +memory in "
		       "cgroup.subtree_control of its parent it has no OOM of its own.";
		break;
	case -ENODEV:
		text = "The cgroup is being removed.";
		break;
	default:
		text = NULL;
		break;
	}
	if (text)
		snprintf(message, DECLARE_MESSAGE_SIZE, "%s", text);
	else
		snprintf(message, DECLARE_MESSAGE_SIZE, "The kernel refused to declare an OOM: %s",
			 strerror(-r));
}

int declare_id(struct declare *d, uint64_t cgroup_id, const char *name,
	       char message[static DECLARE_MESSAGE_SIZE])
{
	char text[OP_DECLARED_LEN];
	int r;

	if (!d->is_loaded) {
		snprintf(message, DECLARE_MESSAGE_SIZE, "OOMs cannot be declared: %s.", d->why);
		return -EOPNOTSUPP;
	}
	declare_text(name, text);
	d->begun_nsec = clock_now_nsec();
	d->seen = false;
	r = loader_declare(d->loader, cgroup_id, text);
	/* A journal that takes no entries keeps the record back: see progress(). */
	(void)d->consume(d->userdata);
	d->begun_nsec = 0;
	if (r > 0)
		return progress(d, message);
	if (r == 0)
		r = -ESRCH;
	describe_error(r, message);
	return r;
}

int declare_path(struct declare *d, const char *root, const char *path, const char *name,
		 char message[static DECLARE_MESSAGE_SIZE])
{
	_cleanup_close_ int root_fd = -EBADF;
	struct stat st;

	if (!path_is_normalized(path, SIZE_MAX)) {
		snprintf(message, DECLARE_MESSAGE_SIZE,
			 "Expected the path of a cgroup from the root of the cgroup tree, or /.");
		return -EINVAL;
	}
	if (!path[1])
		return declare_id(d, 0, name, message);

	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0 || fstatat(root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		int r = errno == ENOTDIR ? -ENOENT : -errno;

		describe_error(r, message);
		return r;
	}
	if (!S_ISDIR(st.st_mode)) {
		describe_error(-ENOENT, message);
		return -ENOENT;
	}
	return declare_id(d, st.st_ino, name, message);
}

static int on_trigger(uint64_t cgroup_id, const char *name, char why[static TRIGGER_WHY_SIZE],
		      void *userdata)
{
	char message[DECLARE_MESSAGE_SIZE];
	int r = declare_id(userdata, cgroup_id, name, message);

	snprintf(why, TRIGGER_WHY_SIZE, "%.500s", message);
	return r;
}

int declare_arm_triggers(struct declare *d, struct sd_event *event, const char *cgroup_root,
			 const struct config *config, bool strict, struct triggers **ret,
			 char message[static DECLARE_MESSAGE_SIZE])
{
	const struct trigger_setup setup = {
		.event = event,
		.cgroup_root = cgroup_root,
		.declare = on_trigger,
		.userdata = d,
	};
	static const struct config none;
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];
	int r;

	if (config->n_triggers > 0 && !d->is_loaded)
		log_warning("[Trigger] sections have no effect: %s.", d->why);
	r = triggers_new(&setup, d->is_loaded ? config : &none, why, &t);
	if (r < 0 || (r > 0 && strict)) {
		snprintf(message, DECLARE_MESSAGE_SIZE, "%s", r < 0 ? strerror(-r) : why);
		return r < 0 ? r : -EIO;
	}
	if (r > 0)
		log_warning("%s It is not armed, ignoring.", why);
	*ret = TAKE_PTR(t);
	return 0;
}
