// SPDX-License-Identifier: LGPL-2.1-or-later
#include "hog.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cgtree.h"

#define KIB 1024UL
#define MIB (1024 * KIB)
#define PAGE 4096UL
/* What one page table page maps on the machines that the tests know. */
#define PMD (2 * MIB)
/* Between two looks at the stop flag: small against any victim, so that nobody grows on. */
#define STEP (64 * KIB)

/* Shared by all processes of the program. */
static atomic_bool *stop_flag;

static void *map_memory(size_t size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_NORESERVE | flags,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int fill_memory(const struct hog_config *c)
{
	size_t size = c->fill_mib * MIB;
	char *p;

	if (c->flags & HOG_PGTABLES) {
		/* Each touched page needs a page table page of its own. */
		p = map_memory(size / PAGE / 2 * PMD, MAP_PRIVATE);
		if (!p || madvise(p, size / PAGE / 2 * PMD, MADV_NOHUGEPAGE) < 0)
			return -errno;
		for (size_t i = 0; i < size / PAGE / 2; i++)
			p[i * PMD] = 1;
		return 0;
	}
	p = map_memory(size + PMD, c->flags & HOG_SHMEM ? MAP_SHARED : MAP_PRIVATE);
	if (!p)
		return -errno;
	/* Aligned and whole, it is the same size in huge pages, which are much faster to fill, as
	 * in small ones. */
	p += -(uintptr_t)p % PMD;
	(void)madvise(p, size, MADV_HUGEPAGE);
	return madvise(p, size, MADV_POPULATE_WRITE) < 0 ? -errno : 0;
}

static int grow_memory(const struct hog_config *c)
{
	size_t size = c->grow_kib * KIB;
	char *p = map_memory(size, MAP_PRIVATE);

	/* The limit is to be met within a page. */
	if (!p || madvise(p, size, MADV_NOHUGEPAGE) < 0)
		return -errno;
	for (size_t done = 0; done < size && !atomic_load(stop_flag); done += STEP) {
		if (c->flags & HOG_POPULATE) {
			if (madvise(p + done, STEP, MADV_POPULATE_WRITE) < 0) {
				int r = -errno;

				/* The report needs memory of the same cgroup. */
				munmap(p, size);
				return r;
			}
			continue;
		}
		for (size_t i = 0; i < STEP; i += PAGE)
			p[done + i] = 1;
	}
	return 0;
}

static unsigned read_size_kib(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/status", "re");
	unsigned sum = 0, kib;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %u", &kib) == 1 || sscanf(line, "VmSwap: %u", &kib) == 1 ||
		    sscanf(line, "VmPTE: %u", &kib) == 1)
			sum += kib;
	return sum;
}

static int take_turn(enum hog_turn turn)
{
	const struct sched_param param = {.sched_priority = 1};
	cpu_set_t cpus;

	if (turn == HOG_ANYWHERE)
		return 0;
	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		return -errno;
	if (turn == HOG_FIRST && sched_setscheduler(0, SCHED_FIFO, &param) < 0)
		return -errno;
	return 0;
}

struct hog_life {
	const struct hog_config *config;
	int socket;
};

/* Everything after the cgroup is entered; never returns. */
static void *hog_live(void *arg)
{
	const struct hog_life *life = arg;
	const struct hog_config *c = life->config;
	struct hog_report report = {.error = fill_memory(c)};
	char order;

	if (report.error == 0)
		report.error = take_turn(c->turn);
	report.kib = read_size_kib();
	if (write(life->socket, &report, sizeof(report)) != sizeof(report))
		_exit(EXIT_FAILURE);
	while (read(life->socket, &order, 1) == 1) {
		report.error = 0;
		if (c->moves_to) {
			report.error = cgtree_create_one(c->moves_to);
			if (report.error == 0)
				report.error = cgtree_write(c->moves_to, "cgroup.procs", "0");
		}
		if (report.error == 0)
			report.error = grow_memory(c);
		report.kib = read_size_kib();
		if (write(life->socket, &report, sizeof(report)) != sizeof(report))
			break;
	}
	_exit(EXIT_SUCCESS);
}

static int write_oom_score_adj(int adj)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/oom_score_adj", "we");

	if (!f)
		return -errno;
	if (fprintf(f, "%d", adj) < 0 || fflush(f) != 0)
		return -errno;
	return 0;
}

static void __attribute__((noreturn)) hog_main(const struct hog_config *c, int socket)
{
	struct hog_life life = {.config = c, .socket = socket};
	struct hog_report report = {};
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	report.error = cgtree_write(c->cgroup, "cgroup.procs", "0");
	if (report.error == 0)
		report.error = write_oom_score_adj(c->oom_score_adj);
	if (report.error == 0 && (c->flags & HOG_LEADER_GONE)) {
		report.error = -pthread_create(&thread, NULL, hog_live, &life);
		if (report.error == 0)
			/* Only the thread: exit_group() would end the process. @life stays
			 * valid, the stack goes with the address space. */
			syscall(SYS_exit, 0);
	}
	if (report.error == 0)
		hog_live(&life);
	(void)!write(socket, &report, sizeof(report));
	_exit(EXIT_FAILURE);
}

int hog_start(const struct hog_config *config, struct hog *ret)
{
	_cleanup_close_ int parent = -EBADF, child = -EBADF;
	int pair[2], pidfd;
	pid_t pid;

	if (!stop_flag) {
		stop_flag = map_memory(PAGE, MAP_SHARED);
		if (!stop_flag)
			return -errno;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	parent = pair[0];
	child = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* A copy of the other end would hide the parent's death. */
		parent = safe_close(parent);
		hog_main(config, child);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		int r = -errno;

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	*ret = (struct hog){.pid = pid, .pidfd = pidfd, .socket = TAKE_FD(parent)};
	return 0;
}

static bool is_readable(int fd, int timeout_msec)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_msec) > 0;
}

int hog_wait_report(struct hog *h, unsigned timeout_msec, struct hog_report *ret)
{
	ssize_t n;

	if (!is_readable(h->socket, (int)timeout_msec))
		return -ETIMEDOUT;
	n = read(h->socket, ret, sizeof(*ret));
	if (n < 0)
		return -errno;
	return n == sizeof(*ret) ? 0 : -EPIPE;
}

bool hog_has_report(const struct hog *h)
{
	return h->pid > 0 && is_readable(h->socket, 0);
}

int hog_order_growth(struct hog *h)
{
	return write(h->socket, "g", 1) == 1 ? 0 : -errno;
}

void hog_stop_all(bool stop)
{
	if (stop_flag)
		atomic_store(stop_flag, stop);
}

bool hog_is_dead(struct hog *h)
{
	if (h->pid <= 0)
		return true;
	if (!is_readable(h->pidfd, 0))
		return false;
	if (waitpid(h->pid, &h->status, WNOHANG | __WALL) != h->pid || WIFSTOPPED(h->status))
		return false;
	h->pid = 0;
	return true;
}

void hog_done(struct hog *h)
{
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		/* A traced one reports its stops first. */
		while (waitpid(h->pid, &h->status, __WALL) == h->pid && WIFSTOPPED(h->status))
			;
		h->pid = 0;
	}
	h->pidfd = safe_close(h->pidfd);
	h->socket = safe_close(h->socket);
}
