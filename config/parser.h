/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * INI text to policy model. The only module that knows inih, and the only one in config/ that
 * opens a file.
 */
#ifndef OP_PARSER_H
#define OP_PARSER_H

#include <stddef.h>

struct diagnostics;
struct policy;

/*
 * Longest line that is accepted, bytes without the line end: room for the longest pattern beside
 * its key and a comment. (libinih's own limits, 199 bytes a line and 49 a section name, do not
 * apply: only short lines of our own making reach it.)
 */
#define PARSER_LINE_MAX 8192

/* Largest file that is read, bytes: a bound for the memory that a wrong path can cost. */
#define PARSER_FILE_MAX (16 << 20)

/*
 * Parses @size bytes of @text, which need not be NUL-terminated and may hold anything. @file is
 * used in messages only. Every error of the text is reported to @diag as "file:line: what is
 * wrong and what was expected".
 *
 * Returns 0 and a validated model that the caller owns in @ret; -EINVAL when the text has an
 * error (@ret is untouched, @diag says what); -ENOMEM.
 */
int parser_parse_buffer(const char *file, const char *text, size_t size, struct diagnostics *diag,
			struct policy **ret);

/*
 * Reads @path and parses it. Refuses (-EPERM, reported to @diag) what is not a regular file, is
 * not owned by root or the calling user, or is writable by everybody or by a group that is
 * neither root's nor the caller's. A file over PARSER_FILE_MAX is -EFBIG. Other errors as
 * parser_parse_buffer(), or the negative errno of reading the file, also reported to @diag.
 */
int parser_parse_file(const char *path, struct diagnostics *diag, struct policy **ret);

#endif
