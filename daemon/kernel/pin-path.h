/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory in the BPF file system in which a policy is pinned so that it outlives its daemon,
 * and the names in it. How a pin is made and opened is pins.c's.
 */
#ifndef OP_KERNEL_PIN_PATH_H
#define OP_KERNEL_PIN_PATH_H

#include <stddef.h>

#include "types.h"

/* PINS_ROOT, where the unit's sandbox lets us write to it. */
#define PINS_ROOT_BOUND "/run/oompolicyd/bpf"
/* Where another set is made while that in PINS_DIRECTORY is active; renamed when it takes its
 * place. The kernel takes no name with a dot in it (kernel/bpf/inode.c, bpf_lookup()). */
#define PINS_NEXT_DIRECTORY PINS_DIRECTORY "-next"

/* The names in it: the note, the maps, the links. No other is ours. */
#define PINS_NOTE "meta"
#define PINS_MAP_PREFIX "map-"
#define PINS_LINK_PREFIX "link-"
#define PINS_NAME_SIZE 64

/*
 * Whether the directory @path may hold pins of ours: it is root's alone, and so is each name in it.
 * Returns how many entries it has, -ENOENT, or -EPERM with a sentence in @why.
 */
int pin_check_directory(const char *path, char *why, size_t size);

/*
 * Gives the path by which we reach the pin @name in @directory, which is below PINS_ROOT; of the
 * directory itself where @name is empty. Returns 0, or -ENAMETOOLONG with an empty path: no call
 * finds anything by that, where it may by one that was cut.
 */
int pin_make_path(char ret[static PINS_PATH_SIZE], const char *directory, const char *name);

/* Gives the name of a pin. Returns 0, or -ENAMETOOLONG with an empty name. */
int pin_make_name(char ret[static PINS_NAME_SIZE], const char *prefix, const char *name);

/* Whether the BPF file system is mounted at PINS_ROOT. Returns 0, or a negative errno with a
 * sentence. */
int pin_check_root(char *why, size_t size);

#endif
