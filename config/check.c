/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What names, paths and patterns may hold. Each text is judged by itself, without the model. */
#include "config/policy.h"

#include "bpf/oompolicy.h"
#include "config/glob.h"
#include "util/basic.h"
#include "util/escape.h"

#include <assert.h>
#include <string.h>

static_assert(CONFIG_DEPTH_MAX == OP_DEPTH_MAX, "as deep as the BPF side looks");

static const char *check_escapes(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p != '\\')
			continue;
		p++;
		if (*p != '*' && *p != '?' && *p != '\\')
			return "a backslash must be followed by *, ? or another backslash; "
			       "write \\\\ for a backslash in the name";
	}
	return NULL;
}

static const char *check_cgroup_pattern(const char *pattern)
{
	size_t depth = 0;

	if (pattern[0] != '/')
		return "expected a path that starts with /, the root of the cgroup tree";
	if (strlen(pattern) > CONFIG_PATTERN_LEN_MAX)
		return "path too long, expected at most 4095 bytes";
	static_assert(CONFIG_PATTERN_LEN_MAX == 4095, "the limit in the message above");
	if (pattern[1] == '\0')
		return NULL;

	for (const char *p = pattern; *p;) {
		const char *component = ++p;
		size_t length = strcspn(component, "/");

		p += length;
		/* A globstar may be nothing at all. */
		if (length != 2 || strncmp(component, "**", 2) != 0)
			depth++;
		if (depth > CONFIG_DEPTH_MAX)
			return "too deep, expected at most 64 path components";
		if (length == 0)
			return "empty path component, expected no // and no / at the end";
		if ((length == 1 && component[0] == '.') ||
		    (length == 2 && component[0] == '.' && component[1] == '.'))
			return "path component \".\" or \"..\", expected a normalized path";
		for (size_t i = 0; i < length; i++) {
			if ((unsigned char)component[i] < 0x20 || component[i] == 0x7f)
				return "control byte in the path, expected printable characters; "
				       "? matches any byte";
			if (component[i] == '\\' && i + 1 < length)
				i++;
			else if (component[i] == '*' && i + 1 < length && component[i + 1] == '*' &&
				 length > 2)
				return "** beside other characters, expected it to be a whole path "
				       "component";
		}
	}
	static_assert(CONFIG_DEPTH_MAX == 64, "the limit in the message above");
	return check_escapes(pattern);
}

static const char *check_unit_pattern(const char *pattern)
{
	/* The unit types that systemd gives a cgroup to. */
	static const char *const suffixes[] = {".service", ".scope", ".slice",
					       ".socket",  ".mount", ".swap"};
	/* VALID_CHARS of systemd's basic/unit-name.c, and the wildcards. */
	static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789:-_.@\\*?";
	size_t length = strlen(pattern);

	if (length > CONFIG_UNIT_LEN_MAX)
		return "unit name too long, expected at most 255 bytes";
	static_assert(CONFIG_UNIT_LEN_MAX == 255, "the limit in the message above");
	if (strchr(pattern, '/'))
		return "a slash in a unit name, expected a name like sshd.service; "
		       "Cgroup= takes paths";
	if (strspn(pattern, valid) != length)
		return "a character that no unit name has, expected letters, digits and : - _ . @ "
		       "\\\\ * ?";
	if (strstr(pattern, "**"))
		return "** in a unit name, expected * or ?";
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t suffix_length = strlen(suffixes[i]);

		if (length > suffix_length &&
		    strcmp(pattern + length - suffix_length, suffixes[i]) == 0)
			return check_escapes(pattern);
	}
	return "expected a unit name that ends in .service, .scope, .slice, .socket, .mount or "
	       ".swap";
}

const char *config_check_pattern(enum pattern_kind kind, const char *pattern)
{
	if (kind == PATTERN_CGROUP)
		return check_cgroup_pattern(pattern);
	return check_unit_pattern(pattern);
}

const char *config_check_path(const char *path)
{
	const char *wrong = check_cgroup_pattern(path);

	if (!wrong && glob_has_wildcard(path))
		wrong = "wildcard in an exact path, expected \\* or \\? for the character itself";
	return wrong;
}

const char *config_check_possible(const char *pattern)
{
	for (const char *p = pattern; *p;) {
		size_t n_bytes = 0;

		for (p++; *p && *p != '/'; p++) {
			if (*p == '*')
				continue;
			if (*p == '\\' && p[1] && p[1] != '/')
				p++;
			n_bytes++;
		}
		if (n_bytes > OP_CGROUP_NAME_MAX)
			return "a path component of more than 255 bytes, which no cgroup's name "
			       "has";
		static_assert(OP_CGROUP_NAME_MAX == 255, "the limit in the message above");
	}
	return NULL;
}

const char *config_check_policy_name(const char *name)
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.:-";
	size_t length = strlen(name);

	if (length == 0 || length >= OP_POLICY_NAME_LEN || strspn(name, valid) != length)
		return "expected 1 to 63 letters, digits and _ . : -";
	static_assert(OP_POLICY_NAME_LEN == 64, "the limit in the message above");
	return NULL;
}

const char *config_check_rule_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > CONFIG_RULE_NAME_MAX)
		return "expected 1 to 255 bytes";
	static_assert(CONFIG_RULE_NAME_MAX == 255, "the limit in the message above");
	for (size_t i = 0; i < length;) {
		size_t n = escape_printable_length(name + i, length - i);

		if (n == 0)
			return "expected printable UTF-8";
		i += n;
	}
	return NULL;
}
