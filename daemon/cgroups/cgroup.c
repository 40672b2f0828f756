/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The only module that knows libcgroup, and the only one that reads the cgroup file system.
 *
 * libcgroup finds the mount point. The walk is our own: cgroup_walk_tree_next() of libcgroup 2.0.2
 * stats every control file as well, about 60 a cgroup with all controllers on, and each of these
 * stats leaves a dentry and an inode behind in kernel memory: hundreds of megabytes for 10,000
 * cgroups, from a daemon that is there to save memory. Reading directories alone makes none of
 * them.
 */
#include "cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util/basic.h"
#include "util/format.h"
#include "util/log.h"

/* kernfs numbers the root directory of each hierarchy 1 (fs/kernfs/dir.c, kernfs_create_root()). */
#define ROOT_CGROUP_ID 1

static void log_from_library(void *userdata _unused_, int level _unused_, const char *format,
			     va_list ap)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libcgroup: %s", line);
}

/* libcgroup's errors are positive and its own; only the errno behind ECGOTHER says more. */
static int errno_from_library(int error)
{
	switch (error) {
	case ECGEOF:
	case ECGROUPNOTMOUNTED:
	case ECGROUPSUBSYSNOTMOUNTED:
	case ECGROUPNOTEXIST:
		return -ENOENT;
	case ECGROUPNOTALLOWED:
		return -EPERM;
	case ECGOTHER:
		return cgroup_get_last_errno() == EPERM ? -EPERM : -EIO;
	default:
		return -EIO;
	}
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) >= 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/*
 * Makes libcgroup read what is mounted, and asks it for the mount point of each controller until
 * one is on the unified hierarchy. With none enabled there (a hybrid machine may have all of them
 * on v1) libcgroup names nothing, and the place where systemd mounts it in that case is tried.
 */
static int find_mount_point(char **ret)
{
	static const char *const fallbacks[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct cgroup_mount_point controller;
	const char *found = NULL;
	void *handle = NULL;
	int error;

	error = cgroup_init();
	if (error)
		log_debug("libcgroup: %s", cgroup_strerror(error));
	else
		error = cgroup_get_controller_begin(&handle, &controller);
	for (; !error; error = cgroup_get_controller_next(&handle, &controller))
		if (is_cgroup2(controller.path)) {
			found = controller.path;
			break;
		}
	if (handle)
		cgroup_get_controller_end(&handle);

	for (size_t i = 0; i < ARRAY_SIZE(fallbacks) && !found; i++)
		if (is_cgroup2(fallbacks[i]))
			found = fallbacks[i];
	if (!found)
		return errno_from_library(error);

	*ret = strdup(found);
	return *ret ? 0 : -ENOMEM;
}

bool cgroup_is_mount_point(const char *path)
{
	struct stat st;

	return is_cgroup2(path) && stat(path, &st) == 0 && st.st_ino == ROOT_CGROUP_ID;
}

int cgroup_acquire_mount_point(char **ret)
{
	_cleanup_free_ char *path = NULL;
	int r;

	cgroup_set_logger(log_from_library, CGROUP_LOG_WARNING, NULL);
	r = find_mount_point(&path);
	if (r < 0)
		return r;
	if (!cgroup_is_mount_point(path))
		return -EXDEV;
	*ret = TAKE_PTR(path);
	return 0;
}

int cgroup_acquire_memory_v1(char **ret)
{
	struct cgroup_mount_point controller;
	void *handle = NULL;
	char *path = NULL;
	int error;

	error = cgroup_get_controller_begin(&handle, &controller);
	for (; !error; error = cgroup_get_controller_next(&handle, &controller))
		if (strcmp(controller.name, "memory") == 0 && !is_cgroup2(controller.path))
			break;
	if (!error)
		path = strdup(controller.path);
	if (handle)
		cgroup_get_controller_end(&handle);
	if (error)
		return errno_from_library(error);
	if (!path)
		return -ENOMEM;
	*ret = path;
	return 0;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Gone, or no directory: not an error of the walk. */
static bool is_gone(int error)
{
	return error == ENOENT || error == ENODEV || error == ENOTDIR || error == ELOOP;
}

/* Opens @name below @parent_fd. Returns 0 and no directory where it is gone or is none. */
static int open_directory(int parent_fd, const char *name, DIR **ret)
{
	_cleanup_close_ int fd = -EBADF;

	*ret = NULL;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return is_gone(errno) ? 0 : -errno;
	*ret = fdopendir(fd);
	if (!*ret)
		return -errno;
	TAKE_FD(fd);
	return 0;
}

/* The next entry that may be a cgroup, or NULL at the end (@ret_error 0) or on an error. */
static const struct dirent *next_directory(DIR *d, int *ret_error)
{
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(d);
		if (!entry) {
			/* Removed while it was read: its children are gone too. */
			*ret_error = errno == ENOENT || errno == ENODEV ? 0 : -errno;
			return NULL;
		}
		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
			continue;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry;
	}
}

struct walk {
	cgroup_visit_t visit;
	void *userdata;
	size_t depth;
	char path[CGROUP_PATH_SIZE]; /* of the current directory; empty for the root */
};

static int walk_children(struct walk *w, DIR *d);

/*
 * Visits the directory @name below @parent_fd, whose path is in @w, and all below. Most cgroups
 * have no children, which kernfs tells by the number of links (fs/kernfs/inode.c,
 * kernfs_refresh_inode()): these cost one call and are not opened.
 */
static int walk_directory(struct walk *w, int parent_fd, const char *name)
{
	_cleanup_(closedirp) DIR *d = NULL;
	struct stat st;
	int r;

	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return is_gone(errno) ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return 0;
	r = w->visit(w->path[0] ? w->path : "/", st.st_ino, w->userdata);
	if (r < 0 || w->depth >= OP_DEPTH_MAX || st.st_nlink == 2)
		return r;
	r = open_directory(parent_fd, name, &d);
	return r < 0 || !d ? r : walk_children(w, d);
}

/* Recurses at most OP_DEPTH_MAX deep, one descriptor open per level. */
static int walk_children(struct walk *w, DIR *d)
{
	size_t length = strlen(w->path);
	const struct dirent *entry;
	int error = 0;

	while ((entry = next_directory(d, &error))) {
		size_t name_length = strlen(entry->d_name);
		int r;

		if (length + 1 + name_length >= sizeof(w->path))
			return -ENAMETOOLONG;
		w->path[length] = '/';
		memcpy(w->path + length + 1, entry->d_name, name_length + 1);
		w->depth++;
		r = walk_directory(w, dirfd(d), w->path + length + 1);
		w->depth--;
		w->path[length] = '\0';
		if (r < 0)
			return r;
	}
	return error;
}

int cgroup_read_file(const char *directory, const char *name, char *buf, size_t size)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -EBADF;
	ssize_t n;

	path = format_string("%s/%s", directory, name);
	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return is_gone(errno) ? -ENOENT : -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return is_gone(errno) ? -ENOENT : -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int cgroup_walk(const char *root, cgroup_visit_t visit, void *userdata)
{
	struct walk w = {.visit = visit, .userdata = userdata};
	struct stat st;

	if (lstat(root, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return walk_directory(&w, AT_FDCWD, root);
}
