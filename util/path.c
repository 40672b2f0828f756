/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes paths as text, and asks no file system. */
#include "path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

bool path_is_normalized(const char *path, size_t depth_max)
{
	size_t depth = 0;

	if (path[0] != '/')
		return false;
	if (path[1] == '\0')
		return true;
	for (const char *p = path; *p;) {
		const char *name = ++p;
		size_t length = strcspn(name, "/");

		if (length == 0 || length > NAME_MAX || ++depth > depth_max ||
		    (length == 1 && name[0] == '.') || (length == 2 && strncmp(name, "..", 2) == 0))
			return false;
		p += length;
	}
	return true;
}

size_t path_depth(const char *path)
{
	size_t depth = 0;

	for (; path[0] && path[1]; path += 1 + strcspn(path + 1, "/"))
		depth++;
	return depth;
}

size_t path_prefix_length(const char *path, size_t depth)
{
	size_t length = 0;

	for (; depth > 0 && path[length]; depth--)
		length += 1 + strcspn(path + length + 1, "/");
	return length;
}

void path_ancestor(const char *path, size_t depth, char *buf, size_t size)
{
	size_t length = path_prefix_length(path, depth);

	if (length == 0)
		snprintf(buf, size, "/");
	else
		snprintf(buf, size, "%.*s", (int)length, path);
}
