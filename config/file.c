/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the decision which files may say who is killed. Knows nothing of what is in them.
 *
 * Invariant: what was checked is what is read, because both go through one descriptor. The
 * directories are looked at by their paths after that: were one of them another's to change
 * meanwhile, it would be refused.
 */
#include "config/file.h"

#include "config/diagnostics.h"
#include "util/basic.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Refuses what others than root and the caller can write to, who would decide who is killed. Of an
 * access control list the mode has the mask in the place of the group, so that one that lets
 * anybody else write is refused as well. The caller's own group is let pass for who checks a file
 * of theirs, but not for root, who runs the daemon.
 */
static int check_writers(const char *path, const struct stat *st, const char *mode,
			 struct diagnostics *diag)
{
	const char *who = NULL;

	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0,
				"owned by another user, expected root or the calling user");
		return -EPERM;
	}
	if (st->st_mode & S_IWOTH)
		who = "everybody";
	else if (st->st_mode & S_IWGRP && (geteuid() == 0 || st->st_gid != getegid()))
		who = "a group";
	if (!who)
		return 0;
	diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0,
			"%s can write to it, expected no more than mode %s", who, mode);
	return -EPERM;
}

static int check_file(const char *path, const struct stat *st, struct diagnostics *diag)
{
	if (S_ISREG(st->st_mode))
		return check_writers(path, st, "0644", diag);
	diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "not a regular file, refused");
	return -EPERM;
}

static int check_directory(const char *path, bool sticky_is_safe, struct diagnostics *diag)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		int r = -errno;

		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot look at it: %s",
				strerror(-r));
		return r;
	}
	if (sticky_is_safe && st.st_mode & S_ISVTX)
		st.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
	return check_writers(path, &st, "0755", diag);
}

/* Checks the directories that the real path of @path is in, up to the root. In one that has the
 * sticky bit nobody can replace what is another's. */
static int check_parents(const char *path, struct diagnostics *diag)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	char *slash;
	int r = 0;

	if (!real) {
		r = -errno;
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot tell where it is: %s",
				strerror(-r));
		return r;
	}
	while (r == 0 && (slash = strrchr(real, '/'))) {
		*slash = '\0';
		r = check_directory(slash == real ? "/" : real, true, diag);
	}
	return r;
}

/* Where @path is, and where it leads to when it is a link. */
static int check_place(const char *path, struct diagnostics *diag)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory = !slash		 ? strdup(".")
					 : slash == path ? strdup("/")
							 : strndup(path, (size_t)(slash - path));
	int r;

	if (!directory)
		return -ENOMEM;
	r = check_directory(directory, true, diag);
	if (r == 0)
		r = check_parents(directory, diag);
	return r < 0 ? r : check_parents(path, diag);
}

int file_check_directory(const char *path, struct diagnostics *diag)
{
	/* Who may add a file here needs not replace one. */
	int r = check_directory(path, false, diag);

	return r < 0 ? r : check_place(path, diag);
}

/* Reads all of @fd, at most FILE_SIZE_MAX bytes. The caller frees @ret_text. */
static int read_all(int fd, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0, capacity = 0;

	for (;;) {
		ssize_t n;

		/* One byte more than allowed, to see that there is one. */
		if (size > FILE_SIZE_MAX)
			return -EFBIG;
		if (size == capacity) {
			size_t bigger = capacity ? 2 * capacity : 4096;
			char *moved = realloc(text, bigger);

			if (!moved)
				return -ENOMEM;
			text = moved;
			capacity = bigger;
		}
		n = read(fd, text + size, capacity - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

int file_read(const char *path, struct diagnostics *diag, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	int r;

	/* O_NONBLOCK: a FIFO must not stop the daemon before check_file() refuses it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot open: %s", strerror(-r));
		return r;
	}
	r = check_file(path, &st, diag);
	if (r == 0)
		r = check_place(path, diag);
	if (r < 0)
		return r;
	r = read_all(fd, ret_text, ret_size);
	if (r == -EFBIG)
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0,
				"larger than %d bytes, expected less", FILE_SIZE_MAX);
	else if (r < 0 && r != -ENOMEM)
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot read: %s", strerror(-r));
	return r;
}
