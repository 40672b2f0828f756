/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which files make up the configuration, in which order, and which of them are masked. Knows
 * nothing of what is in them.
 *
 * Of the main files DIRECTORY/oompolicy.conf only the one in the highest directory is read. Then
 * DIRECTORY/oompolicy.conf.d/NAME.conf of all directories, sorted by name; of several with the
 * same name only the one in the highest directory. An empty file, or a link to /dev/null, masks
 * those below it and is not read itself.
 */
#ifndef OP_LAYERS_H
#define OP_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config;
struct diagnostics;
struct parser_users;

/* Drop-in files that are looked at, masked ones too: a bound for what a directory that is filled
 * by a runaway program can cost. */
#define LAYERS_DROPINS_MAX 1000

#define LAYERS_MAIN "oompolicy.conf"
#define LAYERS_DROPINS "oompolicy.conf.d"

#define LAYERS_DIRECTORIES 4
/* Of the vendor, of what was installed by hand, of the running system, of the administrator: the
 * lowest first, as systemd orders its own. */
extern const char *const layers_directories[LAYERS_DIRECTORIES];

struct layer_file {
	char *path; /* with the root directory before it */
	bool mask;  /* empty or a link to /dev/null */
	/* Of the file that masks it, or NULL: borrowed from another entry. */
	const char *masked_by;
};

struct layers {
	struct layer_file *files; /* main files first, then drop-ins by name; lower before higher */
	size_t n_files;
};

/*
 * Finds the files below @root ("" for the real one). Returns 0 and fills @ret, which the caller
 * gives to layers_done(); -E2BIG, or the negative errno of reading a directory, both reported to
 * @diag; -ENOMEM. No file at all is no error.
 */
int layers_acquire(const char *root, struct diagnostics *diag, struct layers *ret);
void layers_done(struct layers *layers);

/* Whether the file's text counts. */
static inline bool layer_file_applies(const struct layer_file *file)
{
	return !file->mask && !file->masked_by;
}

/*
 * Finds, reads and parses them all. Returns as parser_finish(); errors, also of reading a file,
 * are reported to @diag.
 */
int layers_load(const char *root, const struct parser_users *users, struct diagnostics *diag,
		struct config **ret);

/*
 * What the daemon takes, or would take: the file @path alone, or with NULL all files that apply,
 * with users as the system knows them. Returns and reports as above.
 */
int layers_load_system(const char *path, struct diagnostics *diag, struct config **ret);

/*
 * Writes every file that applies to @out, each after a line "# PATH", in the order of reading, and
 * a comment for each that is masked. Returns 0, or the negative errno of the last file that could
 * not be read (reported to @diag; the others are written nevertheless) or of writing.
 */
int layers_print(const struct layers *layers, struct diagnostics *diag, FILE *out);

#endif
