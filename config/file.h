/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a file of the configuration, if it may be one. */
#ifndef OP_FILE_H
#define OP_FILE_H

#include <stddef.h>

struct diagnostics;

/* Largest file that is read, bytes: a bound for the memory that a wrong path can cost. */
#define FILE_SIZE_MAX (16 << 20)

/*
 * Reads all of @path. Refuses (-EPERM) what is not a regular file, is not owned by root or the
 * calling user, or is writable by everybody or by a group that is neither root's nor the caller's.
 * A file over FILE_SIZE_MAX is -EFBIG. Every error but -ENOMEM is reported to @diag. The caller
 * frees @ret_text, which has no NUL at its end.
 */
int file_read(const char *path, struct diagnostics *diag, char **ret_text, size_t *ret_size);

#endif
