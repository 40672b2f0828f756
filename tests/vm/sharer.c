// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sharer STATE_FILE BYTES: fills as much memory and makes another process that has the same address
 * space, as clone(2) with CLONE_VM does. STATE_FILE gets the pid of that one. Both sleep until they
 * are killed.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_BYTES (64U << 10)

static int sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

int main(int argc, char **argv)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));
	size_t size = argc == 3 ? (size_t)strtoull(argv[2], NULL, 10) : 0;
	char *memory;
	FILE *f;
	int pid;

	if (size == 0) {
		fprintf(stderr, "usage: sharer STATE_FILE BYTES\n");
		return 64;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("sharer: mmap");
		return 1;
	}
	memset(memory, 1, size);
	pid = clone(sleep_for_ever, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	f = pid < 0 ? NULL : fopen(argv[1], "we");
	if (!f || fprintf(f, "%d\n", pid) < 0 || fclose(f) != 0) {
		perror("sharer");
		return 1;
	}
	return sleep_for_ever(NULL);
}
