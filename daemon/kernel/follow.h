/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs that follow what the kernel does by itself: whom it kills, when the memory of victims is
 * back, which cgroups come and go. All are optional. For daemon/kernel/ alone.
 */
#ifndef OP_KERNEL_FOLLOW_H
#define OP_KERNEL_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct base;
struct kernel_types;
struct op_cgroups;
struct ring_buffer;

/* Tracepoints by which the memory of victims is followed. */
#define FOLLOW_FREED_MAX 2

/* The links that follow victims, and whether the kernel has their tracepoints. Embedded; -EBADF:
 * that is not followed. */
struct follow_victims {
	int victims_fd;
	int selection_end_fd;
	bool has_selection_end;
	int oom_end_fd;
	bool has_oom_end;
	int freed_fds[FOLLOW_FREED_MAX];
	bool has_freed[FOLLOW_FREED_MAX];
};

/* Nothing is followed, and nothing known of the kernel. */
void follow_victims_init(struct follow_victims *f);
void follow_victims_done(struct follow_victims *f);

/* Finds out which tracepoints the kernel has. */
void follow_victims_check(struct follow_victims *f, const struct kernel_types *types);

/* Follows, by programs of this build in place of those that do so already. What fails is logged.
 * The shared maps must be there. */
void follow_victims_start(struct follow_victims *f, struct base *b);

/* Takes over the pinned links. Returns false if programs that follow victims are missing. */
bool follow_victims_adopt(struct follow_victims *f, struct base *b);

/* The hash of the programs behind @hash. */
uint64_t follow_victims_hash(uint64_t hash);

/* The program that follows cgroups, with its ring. Embedded; empty when zero. */
struct follow_cgroups {
	struct op_cgroups *skeleton; /* NULL: cgroups are not followed */
	struct ring_buffer *ring;
	void (*take)(const void *data, size_t size, void *userdata);
	void *userdata;
};

/* Follows. @take is called for each record, whose bytes are untrusted and valid during the call.
 * Returns 0, or a negative errno, and then nothing is followed. */
int follow_cgroups_start(struct follow_cgroups *f,
			 void (*take)(const void *data, size_t size, void *userdata),
			 void *userdata);
void follow_cgroups_done(struct follow_cgroups *f);

/* As loader_cgroup_fd(), loader_consume_cgroups() and loader_count_cgroups_lost(). */
int follow_cgroups_fd(const struct follow_cgroups *f);
int follow_cgroups_consume(struct follow_cgroups *f);
uint64_t follow_cgroups_count_lost(const struct follow_cgroups *f);

#endif
