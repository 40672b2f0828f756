/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a module logs, which without the journal goes to standard error. */
#ifndef OP_CAPTURE_H
#define OP_CAPTURE_H

#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

static int capture_fd = -1, capture_saved = -1;

static inline void capture_begin(void)
{
	fflush(stderr);
	capture_fd = memfd_create("log", MFD_CLOEXEC);
	capture_saved = dup(STDERR_FILENO);
	CHECK(capture_fd >= 0 && capture_saved >= 0);
	CHECK(dup2(capture_fd, STDERR_FILENO) >= 0);
}

/* All lines since capture_begin(); valid until the next call. */
static inline const char *capture_end(void)
{
	static char text[4096];
	ssize_t n;

	fflush(stderr);
	CHECK(dup2(capture_saved, STDERR_FILENO) >= 0);
	n = pread(capture_fd, text, sizeof(text) - 1, 0);
	CHECK(n >= 0);
	text[n] = '\0';
	close(capture_saved);
	close(capture_fd);
	return text;
}

#endif
