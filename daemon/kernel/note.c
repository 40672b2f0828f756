/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Invariant: what is not known to be ours is never taken over, changed or removed; and what is in
 * force is not removed before something else is.
 */
#include "note.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/basic.h"

/* What all versions have in common. */
#define NOTE_HEADER_SIZE offsetof(struct pins_note, size)

enum pins_state pins_judge(const void *data, size_t size)
{
	const struct pins_note *note = data;

	if (size < NOTE_HEADER_SIZE || note->magic != PINS_MAGIC)
		return PINS_STATE_FOREIGN;
	if (note->complete != 1)
		return PINS_STATE_HALF;
	if (note->version != PINS_NOTE_VERSION || size != sizeof(*note) ||
	    note->size != sizeof(*note) || note->abi != OP_ABI_VERSION)
		return PINS_STATE_OTHER;
	if (note->backend == BACKEND_AUTO || note->backend >= _BACKEND_MAX)
		return PINS_STATE_OTHER;
	for (uint32_t i = 0; i < OP_SLOTS_MAX; i++) {
		const struct pins_slot *slot = &note->slots[i];

		if (strnlen(slot->name, sizeof(slot->name)) == sizeof(slot->name) ||
		    (slot->name[0] && config_check_policy_name(slot->name)))
			return PINS_STATE_OTHER;
		for (uint32_t j = 0; slot->name[0] && j < i; j++)
			if (strcmp(slot->name, note->slots[j].name) == 0)
				return PINS_STATE_OTHER;
	}
	return PINS_STATE_GOOD;
}

enum pins_action pins_decide(enum pins_state state, const struct pins_note *note, uint64_t build_id,
			     enum backend backend)
{
	switch (state) {
	case PINS_STATE_NONE:
	case PINS_STATE_HALF:
		return PINS_LOAD;
	case PINS_STATE_OTHER:
		return PINS_REPLACE;
	case PINS_STATE_GOOD:
		if (note->backend != backend)
			return PINS_REPLACE;
		return note->build_id == build_id ? PINS_ADOPT : PINS_UPDATE;
	default:
		return PINS_LEAVE;
	}
}

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

int pins_check_directory(const char *path, char *why, size_t size)
{
	_cleanup_(closedirp) DIR *directory = NULL;
	const struct dirent *entry;
	char reached[PINS_PATH_SIZE];
	struct stat st;
	int n = 0;

	if (pins_make_path(reached, path, "") < 0) {
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

int pins_make_path(char ret[static PINS_PATH_SIZE], const char *directory, const char *name)
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

int pins_make_name(char ret[static PINS_NAME_SIZE], const char *prefix, const char *name)
{
	int n = snprintf(ret, PINS_NAME_SIZE, "%s%s", prefix, name);

	if (n >= 0 && n < PINS_NAME_SIZE)
		return 0;
	ret[0] = '\0';
	return -ENAMETOOLONG;
}

int pins_check_root(char *why, size_t size)
{
	if (is_bpf(PINS_ROOT))
		return 0;
	snprintf(why, size, "The BPF file system is not mounted on " PINS_ROOT ".");
	return -ENODEV;
}

uint64_t pins_hash(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

uint64_t pins_hash_rules(const struct config *c)
{
	uint64_t hash = PINS_HASH_INIT;

	/* With the NUL, which no name has in it. */
	for (size_t i = 0; i < c->n_rules; i++)
		hash = pins_hash(hash, c->rules[i].name, strlen(c->rules[i].name) + 1);
	return hash;
}
