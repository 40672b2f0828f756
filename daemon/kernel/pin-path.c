/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the path by which this process reaches the directory of the pins, and the judgement of what
 * lies there. Refuses to know what is pinned.
 *
 * Invariant: what is not known to be ours is reported as foreign.
 */
#include "pin-path.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/basic.h"

static bool name_is_ours(const char *name)
{
	return strcmp(name, PINS_NOTE) == 0 ||
	       strncmp(name, PINS_MAP_PREFIX, strlen(PINS_MAP_PREFIX)) == 0 ||
	       strncmp(name, PINS_LINK_PREFIX, strlen(PINS_LINK_PREFIX)) == 0;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int pin_check_directory(const char *path, char *why, size_t size)
{
	_cleanup_(closedirp) DIR *directory = NULL;
	const struct dirent *entry;
	char reached[PINS_PATH_SIZE];
	struct stat st;
	int n = 0;

	if (pin_make_path(reached, path, "") < 0) {
		snprintf(why, size, "The path of a directory of pins is too long.");
		return -EPERM;
	}
	if (lstat(reached, &st) < 0) {
		if (errno == ENOENT)
			return -ENOENT;
		snprintf(why, size, "%s cannot be looked at: %s.", path, strerror(errno));
		return -EPERM;
	}
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077)) {
		snprintf(why, size, "%s is not a directory of root alone (mode %04o, uid %u).",
			 path, (unsigned)st.st_mode & 07777, (unsigned)st.st_uid);
		return -EPERM;
	}
	directory = opendir(reached);
	if (!directory) {
		snprintf(why, size, "%s cannot be read: %s.", path, strerror(errno));
		return -EPERM;
	}
	while ((entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!name_is_ours(entry->d_name) ||
		    fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || st.st_uid != 0) {
			snprintf(why, size, "There is something in %s that is not oompolicyd's.",
				 path);
			return -EPERM;
		}
		n++;
	}
	return n;
}

static bool is_bpf(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

int pin_make_path(char ret[static PINS_PATH_SIZE], const char *directory, const char *name)
{
	bool is_bound = strncmp(directory, PINS_ROOT "/", strlen(PINS_ROOT "/")) == 0 &&
			is_bpf(PINS_ROOT_BOUND);
	int n = snprintf(ret, PINS_PATH_SIZE, "%s%s%s%s", is_bound ? PINS_ROOT_BOUND : "",
			 is_bound ? directory + strlen(PINS_ROOT) : directory, *name ? "/" : "",
			 name);

	if (n >= 0 && n < PINS_PATH_SIZE)
		return 0;
	ret[0] = '\0';
	return -ENAMETOOLONG;
}

int pin_make_name(char ret[static PINS_NAME_SIZE], const char *prefix, const char *name)
{
	int n = snprintf(ret, PINS_NAME_SIZE, "%s%s", prefix, name);

	if (n >= 0 && n < PINS_NAME_SIZE)
		return 0;
	ret[0] = '\0';
	return -ENAMETOOLONG;
}

int pin_check_root(char *why, size_t size)
{
	if (is_bpf(PINS_ROOT))
		return 0;
	snprintf(why, size, "The BPF file system is not mounted on " PINS_ROOT ".");
	return -ENODEV;
}
