/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ownership macros and the few one-liners that every user-space module needs. Nothing here does
 * I/O, allocates, or knows what an OOM is.
 */
#ifndef OP_BASIC_H
#define OP_BASIC_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))

/* Hands an owned value on and leaves the owner empty. */
#define TAKE(var, empty)                        \
	({                                      \
		__typeof__(var) _taken = (var); \
		(var) = (empty);                \
		_taken;                         \
	})
#define TAKE_PTR(ptr) TAKE(ptr, NULL)
#define TAKE_FD(fd) TAKE(fd, -EBADF)

/* Closes fd if it is one, keeps errno, and returns -EBADF for the owner to store. */
static inline int safe_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -EBADF;
}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void safe_closep(const int *fd)
{
	safe_close(*fd);
}

static inline void safe_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(safe_closep)
#define _cleanup_fclose_ _cleanup_(safe_fclosep)

#endif
