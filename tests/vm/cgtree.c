// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cgtree.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "util/basic.h"

static void cgtree_absolute(const char *path, const char *file, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s%s%s%s%s", CGTREE_ROOT, *path ? "/" : "", path, *file ? "/" : "",
		 file);
}

static int cgtree_write_absolute(const char *file, const char *value)
{
	_cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}

int cgtree_write(const char *path, const char *file, const char *value)
{
	char absolute[PATH_MAX];

	cgtree_absolute(path, file, absolute);
	return cgtree_write_absolute(absolute, value);
}

int cgtree_create_one(const char *path)
{
	char absolute[PATH_MAX];

	cgtree_absolute(path, "", absolute);
	if (mkdir(absolute, 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

int cgtree_create(const char *path)
{
	char upper[CGTREE_PATH_MAX];
	int r;

	r = cgtree_write_absolute("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (r < 0)
		return r;
	r = cgtree_create_one("");
	if (r < 0)
		return r;
	for (const char *end = path; *end; end += strspn(end, "/")) {
		snprintf(upper, sizeof(upper), "%.*s", (int)(end - path - (end > path)), path);
		r = cgtree_write(upper, "cgroup.subtree_control", "+memory");
		if (r < 0)
			return r;
		end += strcspn(end, "/");
		snprintf(upper, sizeof(upper), "%.*s", (int)(end - path), path);
		r = cgtree_create_one(upper);
		if (r < 0)
			return r;
	}
	return 0;
}

static int cgtree_remove_absolute(const char *absolute)
{
	DIR *dir = opendir(absolute);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		char child[PATH_MAX];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(child, sizeof(child), "%s/%s", absolute, entry->d_name) >=
		    (int)sizeof(child)) {
			r = -ENAMETOOLONG;
			break;
		}
		r = cgtree_remove_absolute(child);
		if (r < 0)
			break;
	}
	closedir(dir);
	if (r < 0)
		return r;
	return rmdir(absolute) < 0 && errno != ENOENT ? -errno : 0;
}

int cgtree_remove(const char *path)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	char absolute[PATH_MAX];
	int r;

	r = cgtree_write(path, "cgroup.kill", "1");
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* A task leaves its cgroup some time after its parent has seen it dead. */
	cgtree_absolute(path, "", absolute);
	for (unsigned i = 0; i < 500; i++) {
		r = cgtree_remove_absolute(absolute);
		if (r != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return r;
}

int cgtree_read_u64(const char *path, const char *file, const char *key, uint64_t *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	char absolute[PATH_MAX], name[64];

	cgtree_absolute(path, file, absolute);
	f = fopen(absolute, "re");
	if (!f)
		return -errno;
	if (!key)
		return fscanf(f, "%" SCNu64, ret) == 1 ? 0 : -EBADMSG;
	while (fscanf(f, "%63s %" SCNu64, name, ret) == 2)
		if (strcmp(name, key) == 0)
			return 0;
	return -ENODATA;
}
