// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * linger PID STATE_FILE: lets a process take its time to die. From when STATE_FILE is there until
 * this program ends, PID stops at its exit with its memory, so a victim stays one. (The kernel's
 * reaper takes the memory away after two seconds: OOM_REAPER_DELAY of mm/oom_kill.c.)
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: linger PID STATE_FILE\n");
		return 64;
	}
	if (ptrace(PTRACE_SEIZE, (pid_t)atoi(argv[1]), NULL, PTRACE_O_TRACEEXIT) < 0) {
		perror("linger: ptrace");
		return 1;
	}
	fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		perror("linger: open");
		return 1;
	}
	close(fd);
	for (;;)
		pause();
}
