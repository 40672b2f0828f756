/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config/glob.h once more, as slow and obvious as can be: every way that a wildcard could take is
 * tried. For short inputs only, its time is exponential.
 */
#ifndef OP_GLOB_REFERENCE_H
#define OP_GLOB_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool reference_match_component(const char *p, size_t p_size, const char *s,
					     size_t s_size)
{
	if (p_size == 0)
		return s_size == 0;
	if (*p == '*') {
		for (size_t n = 0; n <= s_size; n++)
			if (reference_match_component(p + 1, p_size - 1, s + n, s_size - n))
				return true;
		return false;
	}
	if (s_size == 0)
		return false;
	if (*p == '?')
		return reference_match_component(p + 1, p_size - 1, s + 1, s_size - 1);
	if (*p == '\\' && p_size > 1 && strchr("*?\\", p[1])) {
		p++;
		p_size--;
	}
	return *p == *s && reference_match_component(p + 1, p_size - 1, s + 1, s_size - 1);
}

static inline bool reference_match_components(const char *p, const char *s)
{
	size_t p_size = strcspn(p, "/"), s_size = strcspn(s, "/");
	const char *p_next = p + p_size + (p[p_size] == '/');
	const char *s_next = s + s_size + (s[s_size] == '/');

	if (!*p)
		return !*s;
	if (p_size == 2 && strncmp(p, "**", 2) == 0) {
		if (!*p_next)
			return *s;
		return reference_match_components(p_next, s) ||
		       (*s && reference_match_components(p, s_next));
	}
	return *s && reference_match_component(p, p_size, s, s_size) &&
	       reference_match_components(p_next, s_next);
}

static inline bool reference_match(const char *pattern, const char *path)
{
	bool absolute = *pattern == '/';

	if (absolute != (*path == '/'))
		return false;
	return reference_match_components(pattern + absolute, path + absolute);
}

#endif
