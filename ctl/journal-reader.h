/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records that the journal keeps. */
#ifndef OP_JOURNAL_READER_H
#define OP_JOURNAL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry;
struct entry_filter;

/* A negative return ends the reading, which returns it. */
typedef int (*journal_reader_visit_t)(struct entry *e, void *userdata);

/*
 * Visits the records that @filter wants, oldest first; only the last @n_last of them, or all with
 * SIZE_MAX. With @follow goes on with new ones until it is interrupted. Reads the journal in
 * @directory, or with NULL that of this machine. Returns how many there were, or a negative errno.
 */
int journal_reader_read(const char *directory, const struct entry_filter *filter, size_t n_last,
			bool follow, journal_reader_visit_t visit, void *userdata);

/* Finds the record with this id. Returns 0 and @ret, to be given to entry_done(); -ENOENT; another
 * negative errno. */
int journal_reader_find(const char *directory, uint64_t real_usec, struct entry *ret);

/*
 * Adds the fields that say when the victim's memory was back, which an entry of its own has: with
 * the numbers of the record @e, and of the same boot. Returns 0, also where there is none, or a
 * negative errno.
 */
int journal_reader_add_freed(const char *directory, struct entry *e);

#endif
