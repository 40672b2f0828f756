/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cgroup path to systemd unit, one row a path; the hostile ones yield nothing. */
#include "daemon/record/unit.h"

#include "test.h"
#include "util/basic.h"

#define NAME_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *path, *unit, *user;
} table[] = {
	{"/", "", ""},
	{"", "", ""},
	{"/system.slice", "", ""},
	{"/init.scope", "init.scope", ""},
	{"/system.slice/ssh.service", "ssh.service", ""},
	{"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", ""},
	/* What is below a unit is its own. */
	{"/system.slice/docker.service/payload.service", "docker.service", ""},
	{"/machine.slice/libpod-12.scope/container/x.service", "libpod-12.scope", ""},
	{"/foo.service/supervise", "foo.service", ""},
	/* A user's manager has units of its own. */
	{"/user.slice/user-1000.slice/session-3.scope", "session-3.scope", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/firefox.service",
	 "user@1000.service", "firefox.service"},
	{"/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service",
	 "init.scope"},
	{"/user.slice/user-1000.slice/user@1000.service", "user@1000.service", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice", "user@1000.service", ""},
	{"/system.slice/user@.service/x.service", "", ""},
	{"/system.slice/user@1x.service/x.service", "user@1x.service", ""},
	{"/system.slice/user@1.service.d/x.service", "", ""},
	/* systemd's escape of names that the kernel has taken. */
	{"/system.slice/_cpu.service", "cpu.service", ""},
	/* Escaped names stay as they are. */
	{"/system.slice/dev-disk\\x2dby.swap", "dev-disk\\x2dby.swap", ""},
	/* No unit at all. */
	{"/docker/0123456789abcdef", "", ""},
	{"/kubepods/besteffort/ssh.service", "", ""},
	{"/system.slice/.service", "", ""},
	{"/system.slice/_.service", "", ""},
	{"/system.slice/@x.service", "", ""},
	{"/system.slice/x.timer", "", ""},
	{"/system.slice/a b.service", "", ""},
	{"/system.slice/a\nUNIT=evil.service", "", ""},
	{"/system.slice/\xc3\xa4.service", "", ""},
	{"/evil\xff.slice/x.service", "", ""},
	{"relative.slice/x.service", "x.service", ""},
	{"//system.slice//x.service//", "x.service", ""},
	/* 255 bytes is the longest, 256 too long. */
	{"/" NAME_64 NAME_64 NAME_64
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.service",
	 NAME_64 NAME_64 NAME_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.service",
	 ""},
	{"/" NAME_64 NAME_64 NAME_64
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.service",
	 "", ""},
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char unit[UNIT_NAME_SIZE] = "unset", user[UNIT_NAME_SIZE] = "unset";

		unit_parse_cgroup(table[i].path, unit, user);
		if (strcmp(unit, table[i].unit) != 0 || strcmp(user, table[i].user) != 0)
			FAIL("%s gives \"%s\", \"%s\", expected \"%s\", \"%s\"", table[i].path,
			     unit, user, table[i].unit, table[i].user);
	}
}

static const struct test_case cases[] = {
	TEST_CASE(table),
};
TEST_MAIN(cases)
