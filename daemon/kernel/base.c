/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns what the BPF programs are told about this process. */
#include "base.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/oompolicy.h"
#include "util/basic.h"

/* The 22nd field of proc(5)'s stat, of which the 2nd may have any bytes in it. 0: not known, which
 * spares nobody: oom_score_adj is there, too. */
static uint32_t read_start_ticks(void)
{
	_cleanup_close_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	unsigned long long ticks = 0;
	char line[1024];
	const char *rest;
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return 0;
	line[n] = '\0';
	rest = strrchr(line, ')');
	if (!rest || sscanf(rest + 1,
			    " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%*s %*s %llu",
			    &ticks) != 1)
		return 0;
	return (uint32_t)ticks;
}

void base_note_self(struct op_switch *s)
{
	static uint32_t ticks;

	if (!ticks)
		ticks = read_start_ticks();
	s->daemon_tgid = (uint32_t)getpid();
	s->daemon_start_ticks = ticks;
}
