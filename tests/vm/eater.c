// SPDX-License-Identifier: LGPL-2.1-or-later
#include "eater.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgtree.h"
#include "util/basic.h"

/* The whole ring of the kernel's log, 256 KiB on Debian's kernels. */
#define LOG_SIZE (256 * 1024)

static char kernel_log[LOG_SIZE];
static size_t kernel_log_used;
static int kmsg_fd = -EBADF;

static bool fill(size_t bytes)
{
	char *memory;

	if (bytes == 0)
		return true;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	memset(memory, 1, bytes);
	return true;
}

static bool set_oom_score_adj(int value)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", value);

	return fd >= 0 && write(fd, text, n) == n;
}

static void eater_run(const char *cgroup, int oom_score_adj, int orders, int done)
{
	uint64_t bytes;

	prctl(PR_SET_NAME, "eater");
	/* Not to outlive a test that fails. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!set_oom_score_adj(oom_score_adj) ||
	    (cgroup && cgtree_write(cgroup, "cgroup.procs", "0") < 0))
		_exit(1);
	while (read(orders, &bytes, sizeof(bytes)) == sizeof(bytes)) {
		if (!fill(bytes) || write(done, "", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

int eater_start(struct eater *ret, const char *cgroup, size_t bytes, int oom_score_adj)
{
	int orders[2], done[2];
	struct eater e;

	*ret = (struct eater){.orders = -EBADF, .done = -EBADF};
	if (pipe2(orders, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(done, O_CLOEXEC) < 0) {
		int err = -errno;

		close(orders[0]);
		close(orders[1]);
		return err;
	}
	e = (struct eater){.pid = fork(), .orders = orders[1], .done = done[0]};
	if (e.pid == 0) {
		close(orders[1]);
		close(done[0]);
		eater_run(cgroup, oom_score_adj, orders[0], done[1]);
	}
	close(orders[0]);
	close(done[1]);
	*ret = e;
	if (e.pid < 0 || eater_grow(ret, bytes) != 1) {
		eater_stop(ret);
		return -ECHILD;
	}
	return 0;
}

int eater_order(struct eater *e, size_t bytes)
{
	uint64_t order = bytes;

	return write(e->orders, &order, sizeof(order)) == sizeof(order) ? 0 : -EPIPE;
}

int eater_settle(struct eater *e)
{
	char byte;
	ssize_t n = read(e->done, &byte, 1);

	return n < 0 ? -errno : (int)n;
}

int eater_grow(struct eater *e, size_t bytes)
{
	int err = eater_order(e, bytes);

	return err < 0 ? err : eater_settle(e);
}

bool eater_lives(const struct eater *e)
{
	siginfo_t info = {0};

	return e->pid > 0 && waitid(P_PID, e->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

static void forget(struct eater *e)
{
	if (e->orders >= 0)
		close(e->orders);
	if (e->done >= 0)
		close(e->done);
	*e = (struct eater){.orders = -EBADF, .done = -EBADF};
}

int eater_wait(struct eater *e)
{
	int status;

	close(e->orders);
	e->orders = -EBADF;
	if (waitpid(e->pid, &status, 0) < 0)
		return -errno;
	forget(e);
	return status;
}

void eater_stop(struct eater *e)
{
	if (e->pid > 0) {
		kill(e->pid, SIGKILL);
		waitpid(e->pid, NULL, 0);
		forget(e);
	}
}

bool eater_was_killed(int status)
{
	return status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int kernel_log_mark(void)
{
	if (kmsg_fd < 0)
		kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg_fd < 0 || lseek(kmsg_fd, 0, SEEK_END) < 0)
		return -errno;
	kernel_log_used = 0;
	kernel_log[0] = '\0';
	return 0;
}

int kernel_log_read(void)
{
	while (kernel_log_used < sizeof(kernel_log) - 1) {
		ssize_t n = read(kmsg_fd, kernel_log + kernel_log_used,
				 sizeof(kernel_log) - 1 - kernel_log_used);

		if (n < 0 && errno == EPIPE)
			continue; /* overwritten meanwhile: the next read starts at the oldest */
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		kernel_log_used += n;
	}
	kernel_log[kernel_log_used] = '\0';
	return 0;
}

bool kernel_logged(const char *text)
{
	return kernel_log_count(text) > 0;
}

size_t kernel_log_count(const char *text)
{
	size_t n = 0;

	for (const char *p = kernel_log; (p = strstr(p, text)) != NULL; p += strlen(text))
		n++;
	return n;
}
