/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parser's parts among themselves: parser.c has the files, section.c the sections and what
 * they must hold as a whole, key.c the keys and their values. Nobody else includes this.
 */
#ifndef OP_SECTION_H
#define OP_SECTION_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct diagnostics;
struct parser_users;

enum section_kind {
	SECTION_DAEMON,
	SECTION_POLICY,
	SECTION_RULE,
	SECTION_TRIGGER,
	_SECTION_MAX,
};

/* At most this many keys; key.c asserts it. */
#define SECTION_KEYS_MAX 32

/* One section, of however many files. */
struct section {
	enum section_kind kind;
	size_t index;	 /* in the model's array of its kind */
	unsigned n_file; /* of the file that had it last */
	unsigned line;	 /* of its header there */
	/* A line of it was refused, or a value of a list, or another value: do not complain that
	 * what it may have meant is missing. */
	bool damaged, bad_list, bad_value;
	char name[];
};

struct section_list {
	struct section **items; /* by index */
	size_t n_items;
	bool full; /* and it was said */
};

struct sections {
	const struct parser_users *users; /* or NULL */
	struct diagnostics *diag;
	struct config *config;

	const char *file; /* that is being read; the model's */
	unsigned n_file;  /* counted from 1 */
	unsigned line;	  /* of what is being handled */

	/* The section that the line is in; NULL before the first and where the header was refused,
	 * so that its keys are not looked at. */
	struct section *current;
	bool before_first;
	/* In the current file's part of the section, 0: not seen. */
	unsigned key_lines[SECTION_KEYS_MAX];

	struct section_list lists[_SECTION_MAX];
	void *by_name; /* tsearch(3) tree of struct section */
};

#define report_at(s, at_file, at_line, ...) \
	diagnostics_add((s)->diag, DIAGNOSTIC_ERROR, at_file, at_line, __VA_ARGS__)
#define report(s, ...) report_at(s, (s)->file, (s)->line, __VA_ARGS__)
#define warn_at(s, at_file, at_line, ...) \
	diagnostics_add((s)->diag, DIAGNOSTIC_WARNING, at_file, at_line, __VA_ARGS__)

/* "Daemon", ... */
const char *section_kind_to_string(enum section_kind kind);

/* A new file begins. Returns 0 or -ENOMEM, like all that follow. */
int sections_begin_file(struct sections *s, const char *file);

/* [@kind @name] in line s->line. */
int sections_begin(struct sections *s, const char *kind, const char *name);

/* A line was refused and reported. @header: it began another section, whose keys are not looked at;
 * else it is one of the current section. */
void sections_damage(struct sections *s, bool header);

/* All files were read: reports what each section as a whole lacks, and what will hardly be meant.
 */
int sections_check(struct sections *s);

void sections_done(struct sections *s);

/* @key=@value in line s->line. */
int key_assign(struct sections *s, const char *key, const char *value);

#endif
