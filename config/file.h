/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a file of the configuration, if it may be one. */
#ifndef OP_FILE_H
#define OP_FILE_H

#include <stddef.h>

struct diagnostics;

/* Largest file that is read, bytes: a bound for the memory that a wrong path can cost. */
#define FILE_SIZE_MAX (16 << 20)

/*
 * Reads all of @path. Refuses (-EPERM) what is not a regular file, and what others than root and
 * the calling user own or can write to, or can put something else in the place of: the file, the
 * directories it is in, and those it is in by way of a link. A directory with the sticky bit is
 * safe. A file over FILE_SIZE_MAX is -EFBIG. Every error but -ENOMEM is reported to @diag. The
 * caller frees @ret_text, which has no NUL at its end.
 */
int file_read(const char *path, struct diagnostics *diag, char **ret_text, size_t *ret_size);

/* Likewise refuses the directory @path for what may be added to it. The sticky bit does not help.
 */
int file_check_directory(const char *path, struct diagnostics *diag);

#endif
