/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of cgroups and processes where only UTF-8 may go: the strings of D-Bus. */
#ifndef OP_BYTES_H
#define OP_BYTES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether @size bytes at @bytes are a string of D-Bus: UTF-8, and no NUL or noncharacter in it. */
bool bytes_are_text(const char *bytes, size_t size);

/*
 * A path as text. One that is text already stays as it is; any other becomes a backslash and the
 * bytes escaped as escape_text() does. As a path begins with a slash, the two cannot be mistaken
 * for each other. Returns a string that the caller frees, or NULL when memory is out.
 */
char *bytes_path_to_text(const char *path);

/* The reverse. Returns 0 and a path that the caller frees; -EINVAL for a bad escape; -ENOMEM. */
int bytes_path_from_text(const char *text, char **ret);

#endif
