/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pattern and a path, a line each: the matcher and the slow one agree. */
#include "config/glob.h"

#include "tests/unit/glob_reference.h"

#include <stdint.h>
#include <stdlib.h>

/* The slow one's time grows exponentially with these. */
#define PATTERN_MAX 10
#define PATH_MAX_SHORT 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *unescaped;
	const char *pattern, *path = "";

	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	pattern = text;
	for (char *c = text; *c; c++)
		if (*c == '\n') {
			*c = '\0';
			path = c + 1;
			break;
		}

	if (strlen(pattern) <= PATTERN_MAX && strlen(path) <= PATH_MAX_SHORT)
		check(glob_match(pattern, path) == reference_match(pattern, path));
	else if (size < 10000)
		glob_match(pattern, path); /* must return, and stay within the text */

	check(glob_count_literals(pattern) <= strlen(pattern));
	unescaped = glob_unescape(pattern);
	check(unescaped);
	if (!glob_has_wildcard(pattern)) {
		check(glob_count_literals(pattern) == strlen(unescaped));
		check(glob_match(pattern, unescaped));
		/* Only a slash at the end matches more than itself, and no rule may have one. */
		if (glob_match(pattern, path) && !strstr(pattern, "//"))
			check(strncmp(path, unescaped, strlen(path)) == 0 ||
			      strncmp(path, unescaped, strlen(unescaped)) == 0);
	}
	free(unescaped);
	free(text);
	return 0;
}
