/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests do with trees of plain files, which stand for the kernel's, and with expected output.
 */
#ifndef OP_FILES_H
#define OP_FILES_H

#include <ftw.h>
#include <stdint.h>
#include <sys/stat.h>

#include "test.h"

static inline int files_remove_entry(const char *path, const struct stat *st, int type,
				     struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* With all below it. Returns 0 or -1. */
static inline int files_remove(const char *directory)
{
	return nftw(directory, files_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void files_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* As with a cgroup's id. @path begins with a slash, or is empty. */
static inline uint64_t files_inode(const char *root, const char *path)
{
	char full[512];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", root, path);
	CHECK(stat(full, &st) == 0);
	return st.st_ino;
}

/* @seen is what the file has; with OP_UPDATE_EXPECTED=1 in the environment it is written instead.
 */
static inline void files_compare(const char *path, const char *seen)
{
	char expected[16384];
	FILE *f;
	size_t n;

	if (getenv("OP_UPDATE_EXPECTED")) {
		files_write(path, seen);
		return;
	}
	f = fopen(path, "re");
	if (!f)
		FAIL("cannot open %s", path);
	n = fread(expected, 1, sizeof(expected) - 1, f);
	expected[n] = '\0';
	fclose(f);
	if (strcmp(seen, expected) != 0)
		FAIL("%s has\n%s---\nand this was seen:\n%s---", path, expected, seen);
}

#endif
