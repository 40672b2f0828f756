/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cgroups of the tests: a tree under /oomtest on the unified hierarchy. Knows cgroup files
 * and nothing of processes or OOMs. Every path is relative to /oomtest, "" is /oomtest itself.
 */
#ifndef CGTREE_H
#define CGTREE_H

#include <stdint.h>

#define CGTREE_ROOT "/sys/fs/cgroup/oomtest"
/* As the kernel and the policy name it. */
#define CGTREE_PREFIX "/oomtest"
/* Longest path, with its NUL. */
#define CGTREE_PATH_MAX 1024

/* Makes the cgroup and those above it, each with the memory controller, and lets its children
 * have that controller too where they are made by a later call. A cgroup that exists is fine. */
int cgtree_create(const char *path);

/* Makes one cgroup below a parent that exists already, as an ordinary program would. */
int cgtree_create_one(const char *path);

/* Kills what is left in the cgroup, waits until it is empty, and removes it with its children. */
int cgtree_remove(const char *path);

int cgtree_write(const char *path, const char *file, const char *value);

/* Reads the number in @file, or with a @key the number behind that key. */
int cgtree_read_u64(const char *path, const char *file, const char *key, uint64_t *ret);

#endif
