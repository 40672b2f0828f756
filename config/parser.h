/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * INI text to model: one text, one file, or the files of a layered set one after the other. Opens
 * no file but through file.h, and knows nothing of directories: that is layers.h.
 */
#ifndef OP_PARSER_H
#define OP_PARSER_H

#include <stddef.h>
#include <sys/types.h>

struct config;
struct diagnostics;
struct parser;

/*
 * Longest line that is accepted, bytes without the line end: room for the longest pattern beside
 * its key and a comment. (libinih's own limits, 199 bytes a line and 49 a section name, do not
 * apply: only short lines of our own making reach it.)
 */
#define PARSER_LINE_MAX 8192

/*
 * How User=name is looked up. Returns 0 and the uid, or a negative errno; -ESRCH: there is no such
 * user. What it calls may block; the parser is not for the path of an OOM.
 */
typedef int (*parser_resolve_user_t)(const char *name, uid_t *ret, void *userdata);

/* Where a parameter is a pointer to it, NULL means that no name is known. */
struct parser_users {
	parser_resolve_user_t resolve;
	void *userdata;
};

/*
 * A set of files, in the order of their precedence, the lowest first: parser_new(), then
 * parser_add_buffer() or parser_add_file() for each, then parser_finish(). A section that an
 * earlier file has goes on in a later one: there, values override, lists grow, and an empty value
 * goes back to the default or empties the list.
 *
 * Errors are reported to @diag, which must outlive the parser, as "file:line: what is wrong and
 * what was expected". parser_add_*() return 0 also when the text has errors, so that all files
 * are looked at; only -ENOMEM ends it.
 */
int parser_new(const struct parser_users *users, struct diagnostics *diag, struct parser **ret);
struct parser *parser_free(struct parser *p);

/*
 * Reads @size bytes of @text, which need not be NUL-terminated and may hold anything. @file is
 * used in messages only.
 */
int parser_add_buffer(struct parser *p, const char *file, const char *text, size_t size);

/* Likewise for the file @path, see file_read(). */
int parser_add_file(struct parser *p, const char *path);

/*
 * Checks each section as a whole. Returns 0 and a finished model that the caller owns in @ret;
 * -EINVAL when anything since parser_new() was an error (@ret is untouched, the diagnostics say
 * what); -ENOMEM. Where nothing but reading files went wrong, the errno of the last of those.
 * Once.
 */
int parser_finish(struct parser *p, struct config **ret);

/* All of that for one text or one file. */
int parser_parse_buffer(const char *file, const char *text, size_t size,
			const struct parser_users *users, struct diagnostics *diag,
			struct config **ret);
int parser_parse_file(const char *path, const struct parser_users *users, struct diagnostics *diag,
		      struct config **ret);

static inline void parser_freep(struct parser **p)
{
	parser_free(*p);
}

#endif
