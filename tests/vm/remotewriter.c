// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Charges a cgroup that it is no member of: writes into untouched pages of another process, by
 * process_vm_writev(2), until it is stopped by an error.
 *
 * remotewriter CGROUP MIB SCORE: starts the other process in the directory CGROUP with the
 * oom_score_adj SCORE. Prints "PID STATE ERRNO": the other process, whether it is "dead" or "alive"
 * after the write, and the error that ended the write, 0 for none.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "util/basic.h"

#define CHUNK_BYTES ((size_t)1 << 20)

static void die(const char *what)
{
	fprintf(stderr, "remotewriter: %s: %m\n", what);
	exit(2);
}

static void write_file(const char *directory, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fflush(f) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	static char chunk[CHUNK_BYTES];
	size_t size, done = 0;
	int error = 0, status;
	char *memory;
	pid_t pid;

	if (argc != 4) {
		fprintf(stderr, "Usage: remotewriter CGROUP MIB SCORE\n");
		return 2;
	}
	size = strtoul(argv[2], NULL, 10) << 20;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");

	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_file("/proc/self", "oom_score_adj", argv[3]);
		write_file(argv[1], "cgroup.procs", "0");
		raise(SIGSTOP);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		die("the other process");

	while (error == 0 && done < size) {
		struct iovec local = {chunk, sizeof(chunk)};
		struct iovec remote = {memory + done, sizeof(chunk)};
		ssize_t n = process_vm_writev(pid, &local, 1, &remote, 1, 0);

		if (n < 0)
			error = errno;
		else if (n == 0)
			break;
		else
			done += (size_t)n;
	}
	/* A victim that is stopped still dies; give it a moment. */
	for (int i = 0; i < 20 && waitpid(pid, &status, WNOHANG) == 0; i++)
		usleep(100000);
	printf("%d %s %d\n", pid, kill(pid, 0) < 0 ? "dead" : "alive", error);
	kill(pid, SIGKILL);
	return 0;
}
