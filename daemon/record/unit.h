/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which systemd unit a cgroup path belongs to. */
#ifndef OP_UNIT_H
#define OP_UNIT_H

/* UNIT_NAME_MAX of systemd: 256 with the terminating NUL. */
#define UNIT_NAME_SIZE 256

/*
 * Finds the units of the cgroup @path, "/" being the root. @ret_unit is the system unit, @ret_user
 * the unit of a user's manager within it; each is empty where there is none. Anything may be in
 * @path: what is not a valid unit name yields none.
 */
void unit_parse_cgroup(const char *path, char ret_unit[static UNIT_NAME_SIZE],
		       char ret_user[static UNIT_NAME_SIZE]);

#endif
