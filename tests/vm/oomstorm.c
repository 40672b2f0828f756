// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * oomstorm: many memcg OOMs in a short time, each with a choice that can be told right from wrong.
 *
 *     oomstorm duel DOMAIN SMALL LARGE TRIGGER ROUNDS
 *         In each round a small and a large process wait while a third one allocates over the
 *         limit. One word a round is printed: which of the three died. The kernel alone would
 *         take the large one. It is several where nobody waits for a victim's last pages, as
 *         the kernel without the module does not. Ends early, with status 0, on SIGTERM.
 *     oomstorm burst DOMAIN KEEP HOG ROUNDS
 *         In each round a hog runs over the limit, next to a larger process that has to live. The
 *         hog is trigger and victim at once, so nobody ever waits for a victim that is dying.
 *     oomstorm storm ROOT DOMAINS WORKERS ROUNDS
 *         Bursts in many domains, ROOT/d0, ROOT/d1, ..., each with the cgroups keep and mark, that
 *         are made for it: every worker has domains of its own and goes through them in turn. The
 *         rounds are those of all workers. Prints how many hogs were killed, how many hogs lived
 *         and how many of the others died.
 *     oomstorm paced ROOT DOMAINS WORKERS ROUNDS PAUSE_MSEC
 *         The same, and each worker pauses after each round.
 *     oomstorm fresh ROOT WORKERS ROUNDS SETTLE_MSEC
 *         As storm, in a domain ROOT/f0, ROOT/f1, ... that is made for each round, SETTLE_MSEC
 *         before the first process begins in it, and removed after.
 *     oomstorm churn ROOT PER_MINUTE
 *         Makes and removes cgroups ROOT/c0, ROOT/c1, ..., until SIGTERM; prints how many.
 *
 * The arguments are cgroup directories, those of a duel or burst below DOMAIN, where only DOMAIN's
 * memory.max is changed; ROOT hands the memory controller on. Sizes are such that one death always
 * makes room enough: what the kernel keeps aside for each processor (64 pages) counts as used.
 * Nothing waits for longer than ROUND_MSEC.
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "util/basic.h"

#define KIB 1024UL
#define MIB (1024 * KIB)
#define ROUND_MSEC 10000

#define SLACK (256 * KIB)
#define SMALL_SIZE (2 * MIB)
#define LARGE_SIZE (3 * MIB)
#define DUEL_SIZE (3 * MIB / 2) /* over SLACK and two processors' pages, below SMALL_SIZE */
#define KEEP_SIZE (8 * MIB)
#define BURST_SIZE (4 * MIB)

#define WORKERS_MAX 64
/* How many of the cgroups that come and go are there at a time. */
#define CHURN_ALIVE 16

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

/* --- many domains, several workers */

struct domain {
	int fd, keep_fd, mark_fd;
	struct process keep;
};

/* Of one worker. */
struct tally {
	long killed, lived, lost; /* hogs, hogs, those to be kept */
};

static int cgroup_new(int parent_fd, const char *name)
{
	int fd;

	if (mkdirat(parent_fd, name, 0755) < 0)
		die(name);
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(name);
	return fd;
}

/* A cgroup whose last process has just been reaped may be busy for a moment more. */
static void cgroup_remove(int parent_fd, const char *name)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < ROUND_MSEC; i++) {
		if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0)
			return;
		if (errno != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	die(name);
}

static void controller_enable(int cgroup_fd)
{
	static const char word[] = "+memory";
	int fd = openat(cgroup_fd, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, word, strlen(word)) < 0)
		die("cgroup.subtree_control");
	close(fd);
}

static void pause_msec(long msec)
{
	const struct timespec t = {.tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static void domain_init(struct domain *d, int root_fd, const char *name, long settle_msec)
{
	d->fd = cgroup_new(root_fd, name);
	controller_enable(d->fd);
	d->keep_fd = cgroup_new(d->fd, "keep");
	d->mark_fd = cgroup_new(d->fd, "mark");
	pause_msec(settle_msec);
	d->keep = process_new(d->keep_fd, LARGE_SIZE, true);
	limit_tighten(d->fd);
}

static void domain_round(struct domain *d, struct tally *t)
{
	struct process hog = process_new(d->mark_fd, SMALL_SIZE, false);

	processes_wait(&hog, 1);
	if (process_done(&hog))
		t->killed++;
	else
		t->lived++;
}

static void domain_done(struct domain *d, int root_fd, const char *name, struct tally *t)
{
	t->lost += process_done(&d->keep);
	cgroup_remove(d->fd, "mark");
	cgroup_remove(d->fd, "keep");
	close(d->mark_fd);
	close(d->keep_fd);
	close(d->fd);
	cgroup_remove(root_fd, name);
}

/* The worker @first of @step has the domains @first, @first + @step, ... */
static void storm_worker(int root_fd, long n_domains, long rounds, long round_pause_msec,
			 long first, long step, struct tally *t)
{
	struct domain *domains = calloc((size_t)n_domains, sizeof(*domains));
	char name[32];

	if (!domains)
		die("domains");
	for (long i = first; i < n_domains; i += step) {
		snprintf(name, sizeof(name), "d%ld", i);
		domain_init(&domains[i], root_fd, name, 0);
	}
	for (long n = 0, i = first; n < rounds && !stopped; n++) {
		domain_round(&domains[i], t);
		pause_msec(round_pause_msec);
		i = i + step < n_domains ? i + step : first;
	}
	for (long i = first; i < n_domains; i += step) {
		snprintf(name, sizeof(name), "d%ld", i);
		domain_done(&domains[i], root_fd, name, t);
	}
	free(domains);
}

static void fresh_worker(int root_fd, long rounds, long settle_msec, long first, long step,
			 struct tally *t)
{
	for (long n = 0; n < rounds && !stopped; n++) {
		struct domain d;
		char name[32];

		snprintf(name, sizeof(name), "f%ld", n * step + first);
		domain_init(&d, root_fd, name, settle_msec);
		domain_round(&d, t);
		domain_done(&d, root_fd, name, t);
	}
}

/* @n_domains is 0 for fresh ones, with a pause in each before its round; else it is after it. */
static int run_workers(int root_fd, long n_domains, long n_workers, long rounds, long msec)
{
	struct tally *tallies, sum = {};
	pid_t workers[WORKERS_MAX];
	bool failed = false;

	tallies = mmap(NULL, WORKERS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		die("mmap");
	for (long w = 0; w < n_workers; w++) {
		long share = rounds / n_workers + (w < rounds % n_workers);

		workers[w] = fork();
		if (workers[w] < 0)
			die("fork");
		if (workers[w] > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (n_domains > 0)
			storm_worker(root_fd, n_domains, share, msec, w, n_workers, &tallies[w]);
		else
			fresh_worker(root_fd, share, msec, w, n_workers, &tallies[w]);
		_exit(EXIT_SUCCESS);
	}
	for (long w = 0; w < n_workers; w++) {
		int status;

		failed |= waitpid(workers[w], &status, 0) < 0 || status != 0;
		sum.killed += tallies[w].killed;
		sum.lived += tallies[w].lived;
		sum.lost += tallies[w].lost;
	}
	printf("%ld %ld %ld\n", sum.killed, sum.lived, sum.lost);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_churn(int root_fd, long per_minute)
{
	const struct timespec pause = {
		.tv_sec = 60 / per_minute,
		.tv_nsec = 60 * 1000000000LL / per_minute % 1000000000,
	};
	struct timespec next;
	char name[32];
	long made = 0;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (; !stopped; made++) {
		snprintf(name, sizeof(name), "c%ld", made);
		close(cgroup_new(root_fd, name));
		if (made >= CHURN_ALIVE) {
			snprintf(name, sizeof(name), "c%ld", made - CHURN_ALIVE);
			cgroup_remove(root_fd, name);
		}
		next.tv_sec += pause.tv_sec + (next.tv_nsec + pause.tv_nsec) / 1000000000;
		next.tv_nsec = (next.tv_nsec + pause.tv_nsec) % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	for (long i = made > CHURN_ALIVE ? made - CHURN_ALIVE : 0; i < made; i++) {
		snprintf(name, sizeof(name), "c%ld", i);
		cgroup_remove(root_fd, name);
	}
	printf("%ld\n", made);
	return EXIT_SUCCESS;
}

/* --- the command line */

enum { MODE_DUEL, MODE_BURST, MODE_STORM, MODE_PACED, MODE_FRESH, MODE_CHURN };

#define NUMBERS_MAX 4

static const struct {
	const char *name;
	int n_paths, n_numbers;
	const char *arguments;
} modes[] = {
	[MODE_DUEL] = {"duel", 4, 1, "DOMAIN SMALL LARGE TRIGGER ROUNDS"},
	[MODE_BURST] = {"burst", 3, 1, "DOMAIN KEEP HOG ROUNDS"},
	[MODE_STORM] = {"storm", 1, 3, "ROOT DOMAINS WORKERS ROUNDS"},
	[MODE_PACED] = {"paced", 1, 4, "ROOT DOMAINS WORKERS ROUNDS PAUSE_MSEC"},
	[MODE_FRESH] = {"fresh", 1, 3, "ROOT WORKERS ROUNDS SETTLE_MSEC"},
	[MODE_CHURN] = {"churn", 1, 1, "ROOT PER_MINUTE"},
};

static int usage(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		fprintf(stderr, "usage: oomstorm %s %s\n", modes[i].name, modes[i].arguments);
	return 64;
}

static int run(size_t mode, const int paths[4], const long numbers[NUMBERS_MAX])
{
	switch (mode) {
	case MODE_DUEL:
		return run_duels(paths[0], paths + 1, numbers[0]);
	case MODE_BURST:
		return run_burst(paths[0], paths + 1, numbers[0]);
	case MODE_STORM:
	case MODE_PACED:
		if (numbers[1] > WORKERS_MAX || numbers[0] < numbers[1])
			return usage();
		return run_workers(paths[0], numbers[0], numbers[1], numbers[2], numbers[3]);
	case MODE_FRESH:
		if (numbers[0] > WORKERS_MAX)
			return usage();
		return run_workers(paths[0], 0, numbers[0], numbers[1], numbers[2]);
	default:
		return run_churn(paths[0], numbers[0]);
	}
}

int main(int argc, char **argv)
{
	const struct sigaction term = {.sa_handler = on_term, .sa_flags = SA_RESTART};
	size_t mode = 0;
	int paths[4];
	long numbers[NUMBERS_MAX] = {};

	while (argc > 1 && mode < ARRAY_SIZE(modes) && strcmp(argv[1], modes[mode].name) != 0)
		mode++;
	if (argc < 2 || mode == ARRAY_SIZE(modes) ||
	    argc != 2 + modes[mode].n_paths + modes[mode].n_numbers)
		return usage();

	setlinebuf(stdout);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGTERM, &term, NULL);
	argv += 2;
	for (int i = 0; i < modes[mode].n_paths; i++)
		paths[i] = cgroup_open(*argv++);
	for (int i = 0; i < modes[mode].n_numbers; i++) {
		numbers[i] = strtol(*argv++, NULL, 10);
		if (numbers[i] < (mode == MODE_FRESH && i == 2 ? 0 : 1))
			return usage();
	}
	return run(mode, paths, numbers);
}
