/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths of cgroups: "/" is the root, and "/a/b" two components below it. */
#ifndef OP_PATH_H
#define OP_PATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether @path is absolute, has no "//", "." or "..", which would lead out of the tree, no name
 * longer than NAME_MAX, at most @depth_max components, and no slash at its end unless it is the
 * root.
 */
bool path_is_normalized(const char *path, size_t depth_max);

/* How many components a normalized path has; 0 for "/" and for "". */
size_t path_depth(const char *path);

/* The length of the first @depth components, of all where there are fewer; 0 for none. */
size_t path_prefix_length(const char *path, size_t depth);

/* Copies the first @depth components to @buf, "/" for none. What does not fit is cut. */
void path_ancestor(const char *path, size_t depth, char *buf, size_t size);

#endif
