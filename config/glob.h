/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Patterns for cgroup paths and unit names. Fewer wildcards than glob(7), and one more:
 *
 *   *    any bytes, also none, within a component
 *   ?    one byte, not a slash
 *   **   as a whole component: any number of components, also none; as the last component at
 *        least one, so that /a followed by it means "everything below /a"
 *   \    makes a following * or ? or \ an ordinary character
 *
 * There are no brackets. A ** that is not a whole component means the same as *.
 */
#ifndef OP_GLOB_H
#define OP_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether @pattern matches all of @path. An absolute pattern matches only absolute paths, and the
 * other way round. Takes at most about strlen(pattern) * strlen(path) steps, whatever they hold,
 * and no memory.
 */
bool glob_match(const char *pattern, const char *path);

/* Whether @pattern has a wildcard that is not escaped. */
bool glob_has_wildcard(const char *pattern);

/* How many bytes of a matching path @pattern spells out; slashes count, wildcards do not. */
size_t glob_count_literals(const char *pattern);

/* The only text that a @pattern without wildcards matches. The caller frees it; NULL: no memory. */
char *glob_unescape(const char *pattern);

#endif
