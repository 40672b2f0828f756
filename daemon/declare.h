/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Declares OOMs for triggers and for the administrator, and says what came of each. Knows what the
 * kernel's answers mean; leaves how it is asked to daemon/kernel/loader.h.
 */
#ifndef OP_DECLARE_H
#define OP_DECLARE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/oompolicy.h"

struct config;
struct declare;
struct loader;
struct op_oom_record;
struct sd_event;
struct triggers;

/* Longest sentence about an outcome, with the terminating NUL. */
#define DECLARE_MESSAGE_SIZE 1024

/*
 * Gets ready, so that nothing is allocated when memory is short. A kernel that cannot declare OOMs
 * is no error: the log says so, and whatever is asked for then is refused. @consume reads the ring
 * of OOMs and returns a negative errno where it did not come to its end. @l must outlive the
 * result, which the caller owns. Returns 0 or -ENOMEM.
 */
int declare_new(struct loader *l, int (*consume)(void *userdata), void *userdata,
		struct declare **ret);
struct declare *declare_free(struct declare *d);

/*
 * Declares an OOM of the cgroup with the id, or with 0 of the system, and passes the records that
 * it left to the loader's callback. Blocks while the kernel selects, kills and reports, so for
 * milliseconds, or for as long as a slow console takes its report; it never waits for another OOM.
 *
 * @name becomes the text of the constraint in the kernel's report. Returns 0 when somebody was
 * killed; -EINPROGRESS when nobody was, as an earlier victim is dying; -EBUSY when another OOM is
 * being handled; -ESRCH when nobody may be killed; -ENOENT, -ENODATA, -ENODEV as loader_declare();
 * -EOPNOTSUPP when the kernel cannot; another negative errno. A sentence in any case.
 */
int declare_id(struct declare *d, uint64_t cgroup_id, const char *name,
	       char message[static DECLARE_MESSAGE_SIZE]);

/* The same for the cgroup @path ("/" for the system) of the tree at @root. -EINVAL for a path that
 * is not absolute and normalized. */
int declare_path(struct declare *d, const char *root, const char *path, const char *name,
		 char message[static DECLARE_MESSAGE_SIZE]);

/*
 * Makes the triggers of @config, not enabled yet; @cgroup_root must outlive them. Where OOMs cannot
 * be declared there are none, and the log says so. One that ought to work and does not is an error
 * (-EIO) if @strict, as there is a configuration to stay with; else it is logged, so that the
 * daemon starts all the same. Returns 0, or a negative errno and a sentence.
 */
int declare_arm_triggers(struct declare *d, struct sd_event *event, const char *cgroup_root,
			 const struct config *config, bool strict, struct triggers **ret,
			 char message[static DECLARE_MESSAGE_SIZE]);

/* To be called with each record: the one that is being declared tells who died. */
void declare_seen(struct declare *d, const struct op_oom_record *e);

/*
 * @name as the kernel's report can take it: what reads the report splits it at commas, spaces and
 * equals signs. Anything but letters, digits and _ . : - becomes _, and the end is cut off.
 */
void declare_text(const char *name, char ret[static OP_DECLARED_LEN]);

static inline void declare_freep(struct declare **d)
{
	declare_free(*d);
}

#endif
