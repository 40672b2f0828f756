/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the decision which files may say who is killed. Knows nothing of what is in them.
 *
 * Invariant: what was checked is what is read, because both go through one descriptor.
 */
#include "config/file.h"

#include "config/basic.h"
#include "config/diagnostics.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Whether the file may decide who is killed. Reports why not. */
static int check_file(const char *path, const struct stat *st, struct diagnostics *diag)
{
	const char *wrong = NULL;

	if (!S_ISREG(st->st_mode))
		wrong = "not a regular file, refused";
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		wrong = "owned by another user, expected root or the calling user";
	else if (st->st_mode & S_IWOTH)
		wrong = "everybody can write to it, expected no more than mode 0644";
	else if (st->st_mode & S_IWGRP && st->st_gid != 0 && st->st_gid != getegid())
		wrong = "another group can write to it, expected no more than mode 0644";
	if (!wrong)
		return 0;
	diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "%s", wrong);
	return -EPERM;
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
