// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * oomstorm: many memcg OOMs in a short time, each with a choice that can be told right from wrong.
 *
 *     oomstorm duel DOMAIN SMALL LARGE TRIGGER ROUNDS
 *         In each round a small and a large process wait while a third one allocates over the
 *         limit. One word a round is printed: which of the three died. The kernel alone would
 *         take the large one. Now and then it is several, with any killer: a victim counts as
 *         gone just before its last pages are free (exit_mmap() sets MMF_OOM_SKIP before
 *         tlb_finish_mmu()), and the trigger does not wait. Ends early, with status 0, on SIGTERM.
 *     oomstorm burst DOMAIN KEEP HOG ROUNDS
 *         In each round a hog runs over the limit, next to a larger process that has to live. The
 *         hog is trigger and victim at once, so nobody ever waits for a victim that is dying.
 *
 * The arguments are cgroup directories, the last three below DOMAIN; only DOMAIN's memory.max is
 * changed. Sizes are such that one death always makes room enough: what the kernel keeps aside for
 * each processor (64 pages) counts as used. Nothing waits for longer than ROUND_MSEC.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "config/basic.h"

#define KIB 1024UL
#define MIB (1024 * KIB)
#define ROUND_MSEC 10000

#define SLACK (256 * KIB)
#define SMALL_SIZE (2 * MIB)
#define LARGE_SIZE (3 * MIB)
#define DUEL_SIZE (3 * MIB / 2) /* over SLACK and two processors' pages, below SMALL_SIZE */
#define KEEP_SIZE (8 * MIB)
#define BURST_SIZE (4 * MIB)

struct process {
	pid_t pid; /* 0: none */
	int fd;	   /* pidfd */
};

static volatile sig_atomic_t stopped;

static void on_term(int sig)
{
	(void)sig;
	stopped = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "oomstorm: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void fill(size_t size)
{
	volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		_exit(EXIT_FAILURE);
	/* Huge pages would overrun the limit in steps of 2 MiB. */
	(void)madvise((void *)memory, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4 * KIB)
		memory[i] = 1;
}

static void life(size_t size, bool stays, int ready_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fill(size);
	if (stays) {
		if (write(ready_fd, "", 1) != 1)
			_exit(EXIT_FAILURE);
		for (;;)
			pause();
	}
	_exit(EXIT_SUCCESS);
}

/* In the cgroup from its first page on. One that stays has filled its memory on return. */
static struct process process_new(int cgroup_fd, size_t size, bool stays)
{
	struct process p = {.fd = -EBADF};
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_PIDFD,
		.pidfd = (uintptr_t)&p.fd,
		.exit_signal = SIGCHLD,
		.cgroup = (unsigned)cgroup_fd,
	};
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		die("pipe");
	p.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (p.pid < 0)
		die("clone3");
	if (p.pid == 0)
		life(size, stays, ready[1]);
	close(ready[1]);
	if (stays && read(ready[0], &byte, 1) != 1) {
		errno = ECHILD;
		die("a process died before its time");
	}
	close(ready[0]);
	return p;
}

/* Waits for the end of one of @n processes. Returns whether one came before the time was up. */
static bool processes_wait(const struct process *p, nfds_t n)
{
	struct pollfd fds[3] = {};
	int r;

	for (nfds_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = p[i].fd, .events = POLLIN};
	do
		r = poll(fds, n, ROUND_MSEC);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

/* Ends the process if it has not ended yet. Returns whether something else had killed it. */
static bool process_done(struct process *p)
{
	siginfo_t info = {};
	bool ended = waitid(P_PIDFD, (id_t)p->fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid;

	if (!ended) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	close(p->fd);
	return ended && info.si_code == CLD_KILLED && info.si_status == SIGKILL;
}

static int cgroup_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

static void limit_write(int domain_fd, const char *value)
{
	int fd = openat(domain_fd, "memory.max", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("memory.max");
	close(fd);
}

/* Sets the limit to what is used now and SLACK. */
static void limit_tighten(int domain_fd)
{
	char text[32] = "";
	int fd = openat(domain_fd, "memory.current", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die("memory.current");
	close(fd);
	snprintf(text, sizeof(text), "%lu", strtoul(text, NULL, 10) + SLACK);
	limit_write(domain_fd, text);
}

static const char *duel(int domain_fd, const int cgroup_fds[3])
{
	struct process p[3];
	bool killed[3];

	p[0] = process_new(cgroup_fds[0], SMALL_SIZE, true);
	p[1] = process_new(cgroup_fds[1], LARGE_SIZE, true);
	limit_tighten(domain_fd);
	p[2] = process_new(cgroup_fds[2], DUEL_SIZE, false);
	/* The trigger ends once there is room; the victim may take a moment more. */
	if (!processes_wait(p + 2, 1) || !processes_wait(p, 2))
		return "nobody";
	limit_write(domain_fd, "max");
	for (int i = 0; i < 3; i++)
		killed[i] = process_done(&p[i]);
	if (killed[0] + killed[1] + killed[2] != 1)
		return "several";
	return killed[0] ? "small" : killed[1] ? "large" : "trigger";
}

static int run_duels(int domain_fd, const int cgroup_fds[3], long rounds)
{
	for (long i = 0; i < rounds && !stopped; i++) {
		const char *victim = duel(domain_fd, cgroup_fds);

		printf("%s\n", victim);
		if (strcmp(victim, "nobody") == 0)
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int run_burst(int domain_fd, const int cgroup_fds[2], long rounds)
{
	struct process keep = process_new(cgroup_fds[0], KEEP_SIZE, true);
	long killed = 0;

	limit_tighten(domain_fd);
	for (long i = 0; i < rounds && !stopped; i++) {
		struct process hog = process_new(cgroup_fds[1], BURST_SIZE, false);

		processes_wait(&hog, 1);
		killed += process_done(&hog);
	}
	limit_write(domain_fd, "max");
	printf("%ld %s\n", killed, process_done(&keep) ? "killed" : "kept");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct sigaction term = {.sa_handler = on_term, .sa_flags = SA_RESTART};
	bool is_duel = argc == 7 && strcmp(argv[1], "duel") == 0;
	int domain_fd, cgroup_fds[3];
	long rounds;

	if (!is_duel && !(argc == 6 && strcmp(argv[1], "burst") == 0)) {
		fprintf(stderr, "usage: oomstorm duel DOMAIN SMALL LARGE TRIGGER ROUNDS\n"
				"       oomstorm burst DOMAIN KEEP HOG ROUNDS\n");
		return 64;
	}
	rounds = strtol(argv[argc - 1], NULL, 10);
	setlinebuf(stdout);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGTERM, &term, NULL);
	domain_fd = cgroup_open(argv[2]);
	for (int i = 3; i < argc - 1; i++)
		cgroup_fds[i - 3] = cgroup_open(argv[i]);
	return is_duel ? run_duels(domain_fd, cgroup_fds, rounds)
		       : run_burst(domain_fd, cgroup_fds, rounds);
}
