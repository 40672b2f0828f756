/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Matches a pattern with a path. Knows nothing of rules or their order.
 *
 * Why it cannot explode. Where a star has matched too little, only the *last* star needs to take
 * more: whatever an earlier star could give up, the later one could have taken as well, because
 * the text between them was found at its first place. So one point to go back to is enough, and
 * no pair of a pattern position and a path position is looked at twice for the same star. The
 * argument holds on two levels: for * with bytes within a component, and for ** with components
 * within a path.
 */
#include "config/glob.h"

#include <stdlib.h>
#include <string.h>

/* The unit test counts the steps here, to hold the bound that glob.h promises. */
#ifndef GLOB_STEP
#define GLOB_STEP() ((void)0)
#endif

/* A backslash before anything else is an ordinary character; the parser refuses it. */
static bool is_escape(const char *p)
{
	return p[0] == '\\' && (p[1] == '*' || p[1] == '?' || p[1] == '\\');
}

static const char *component_end(const char *s)
{
	while (*s && *s != '/') {
		GLOB_STEP();
		s++;
	}
	return s;
}

static const char *next_component(const char *end)
{
	return *end ? end + 1 : end;
}

static bool is_globstar(const char *p, const char *p_end)
{
	return p_end - p == 2 && p[0] == '*' && p[1] == '*';
}

static bool component_match(const char *p, const char *p_end, const char *s, const char *s_end)
{
	const char *retry_p = NULL, *retry_s = NULL;

	while (s < s_end) {
		GLOB_STEP();
		if (p < p_end) {
			bool escaped = is_escape(p);

			if (*p == '*') {
				retry_p = ++p;
				retry_s = s;
				continue;
			}
			if (*p == '?' || p[escaped] == *s) {
				p += 1 + escaped;
				s++;
				continue;
			}
		}
		if (!retry_p)
			return false;
		p = retry_p;
		s = ++retry_s;
	}
	while (p < p_end && *p == '*') {
		GLOB_STEP();
		p++;
	}
	return p == p_end;
}

bool glob_match(const char *pattern, const char *path)
{
	const char *p = pattern, *s = path, *retry_p = NULL, *retry_s = NULL;

	if ((*p == '/') != (*s == '/'))
		return false;
	if (*p == '/') {
		p++;
		s++;
	}

	while (*s) {
		const char *s_end = component_end(s);

		if (*p) {
			const char *p_end = component_end(p);

			if (is_globstar(p, p_end)) {
				p = next_component(p_end);
				if (!*p)
					return true; /* the last one takes what is left */
				retry_p = p;
				retry_s = s;
				continue;
			}
			if (component_match(p, p_end, s, s_end)) {
				p = next_component(p_end);
				s = next_component(s_end);
				continue;
			}
		}
		if (!retry_p)
			return false;
		retry_s = next_component(component_end(retry_s));
		p = retry_p;
		s = retry_s;
	}
	return !*p;
}

bool glob_has_wildcard(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p == '*' || *p == '?')
			return true;
		if (is_escape(p))
			p++;
	}
	return false;
}

size_t glob_count_literals(const char *pattern)
{
	size_t n = 0;

	for (const char *p = pattern; *p; p++) {
		if (*p == '*' || *p == '?')
			continue;
		if (is_escape(p))
			p++;
		n++;
	}
	return n;
}

char *glob_unescape(const char *pattern)
{
	char *text = malloc(strlen(pattern) + 1), *out = text;

	if (!text)
		return NULL;
	for (const char *p = pattern; *p; p++) {
		if (is_escape(p))
			p++;
		*out++ = *p;
	}
	*out = '\0';
	return text;
}
