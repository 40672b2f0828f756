/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cgroup path to systemd unit, by the layout that systemd documents in CONTROL_GROUP_INTERFACE and
 * org.freedesktop.systemd1(5): slices nest on the outside, the first component that is not a slice
 * is the unit, all below it is the unit's own affair (Delegate=). Below user@UID.service the same
 * holds once more for the user's manager. Looks at the text alone and asks nobody, as the victim
 * may be gone.
 */
#include "unit.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "util/basic.h"

#define VALID_CHARS                  \
	"0123456789"                 \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	":-_.\\@"

static bool has_suffix(const char *name, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);

	return length > n && memcmp(name + length - n, suffix, n) == 0;
}

/* Unit names by systemd.unit(5), of the types that have a cgroup. */
static bool name_is_valid(const char *name, size_t length)
{
	static const char *const types[] = {".service", ".scope", ".socket",
					    ".mount",	".swap",  ".slice"};
	bool known = false;

	if (length >= UNIT_NAME_SIZE || name[0] == '@')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!name[i] || !strchr(VALID_CHARS, name[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(types) && !known; i++)
		known = has_suffix(name, length, types[i]);
	/* "foo@.service" is a template and never runs. */
	return known && !memmem(name, length, "@.", 2);
}

/*
 * Copies the first component after the slices of *@path to @ret and moves *@path behind it; @ret is
 * empty where there is no such component or it is no unit.
 */
static void take_unit(const char **path, char ret[static UNIT_NAME_SIZE])
{
	const char *p = *path;

	ret[0] = '\0';
	for (;;) {
		const char *name;
		size_t length;

		p += strspn(p, "/");
		name = p;
		length = strcspn(p, "/");
		p += length;
		*path = p;

		/* systemd prefixes "_" to a name that would collide with the kernel's files. */
		if (length > 0 && name[0] == '_') {
			name++;
			length--;
		}
		if (length == 0 || !name_is_valid(name, length))
			return;
		if (has_suffix(name, length, ".slice"))
			continue;

		memcpy(ret, name, length);
		ret[length] = '\0';
		return;
	}
}

static bool is_user_manager(const char *unit)
{
	size_t digits;

	if (strncmp(unit, "user@", 5) != 0)
		return false;
	digits = strspn(unit + 5, "0123456789");
	return digits > 0 && strcmp(unit + 5 + digits, ".service") == 0;
}

void unit_parse_cgroup(const char *path, char ret_unit[static UNIT_NAME_SIZE],
		       char ret_user[static UNIT_NAME_SIZE])
{
	ret_user[0] = '\0';
	take_unit(&path, ret_unit);
	if (is_user_manager(ret_unit))
		take_unit(&path, ret_user);
}
