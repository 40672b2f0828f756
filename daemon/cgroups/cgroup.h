/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cgroup2 hierarchy as files: where it is mounted, and which cgroups exist. */
#ifndef OP_CGROUP_H
#define OP_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"

/* A path of OP_DEPTH_MAX components, each "/" and a name, with the terminating NUL. */
#define CGROUP_PATH_SIZE (OP_DEPTH_MAX * (1 + OP_CGROUP_NAME_MAX) + 1)

/*
 * Finds the mount point of the unified hierarchy. Returns 0 and an absolute path that the caller
 * frees; -ENOENT where no cgroup2 is mounted; -EXDEV where the one that is mounted does not show
 * the hierarchy's root (a cgroup namespace), so that its paths are not the kernel's; another
 * negative errno.
 */
int cgroup_acquire_mount_point(char **ret);

/* Whether @path shows the root of the unified hierarchy. */
bool cgroup_is_mount_point(const char *path);

/*
 * Finds the mount point of the memory controller where that is of cgroup v1; to be called after
 * the other. Returns 0 and an absolute path that the caller frees; -ENOENT where it is not of
 * cgroup v1; another negative errno.
 */
int cgroup_acquire_memory_v1(char **ret);

/* Reads the first line of a file of the cgroup at @directory, without its end. Returns 0, or a
 * negative errno: -ENOENT where there is no such file. */
int cgroup_read_file(const char *directory, const char *name, char *buf, size_t size);

/*
 * Called once per cgroup, a parent before its children. @path is "/" for the root and "/a/b" below;
 * it is valid during the call. @id is the cgroup id. A negative return ends the walk.
 */
typedef int (*cgroup_visit_t)(const char *path, uint64_t id, void *userdata);

/*
 * Walks all cgroups of the tree at @root (any directory will do, for tests). Cgroups that vanish
 * meanwhile are skipped, and so is what lies deeper than OP_DEPTH_MAX, where the BPF side has no
 * opinion. Returns 0, what @visit returned, or a negative errno.
 */
int cgroup_walk(const char *root, cgroup_visit_t visit, void *userdata);

#endif
