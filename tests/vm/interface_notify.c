// SPDX-License-Identifier: LGPL-2.1-or-later
/* The root's memory.oom_control. Needs a kernel with cgroup v1 and its memory controller mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interface.h"

#define V1_ROOT "/sys/fs/cgroup/memory"
#define V1_CHILD V1_ROOT "/oomtest-v1"

/* Returns an eventfd that the cgroup's memory.oom_control wakes. */
static int listen_on(const char *cgroup)
{
	_cleanup_close_ int control = -EBADF;
	char path[PATH_MAX], line[64];
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	snprintf(path, sizeof(path), "%s/memory.oom_control", cgroup);
	control = open(path, O_RDONLY | O_CLOEXEC);
	if (event < 0 || control < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/cgroup.event_control", cgroup);
	snprintf(line, sizeof(line), "%d %d", event, control);
	return write_file(path, line) ? event : -EIO;
}

/* How often it was woken since it was asked last. */
static uint64_t woken(int event)
{
	uint64_t count = 0;

	return read(event, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static bool listen_on_both(int *ret_root, int *ret_child)
{
	if (mkdir(V1_CHILD, 0755) < 0 && errno != EEXIST)
		return false;
	*ret_root = listen_on(V1_ROOT);
	*ret_child = listen_on(V1_CHILD);
	return *ret_root >= 0 && *ret_child >= 0;
}

static bool start_victim(void)
{
	return eater_start(&large, NULL, LARGE_BYTES, 0) == 0 &&
	       eater_start(&small, NULL, SMALL_BYTES, 0) == 0 && kernel_log_mark() == 0 &&
	       attach_evaluation() && answer(&small, BPF_EVAL_SELECT);
}

static bool test_declared(void)
{
	int root, child;

	CHECK(listen_on_both(&root, &child) && start_victim());
	CHECK(declare_system() == 1);
	CHECK(only_dead(&small));
	CHECK(woken(root) == 1);
	CHECK(woken(child) == 0);
	return true;
}

static bool test_sysrq(void)
{
	int root, child;

	CHECK(listen_on_both(&root, &child) && start_victim());
	bss->other_answer = BPF_EVAL_NEXT;
	CHECK(write_file("/proc/sysrq-trigger", "f"));
	CHECK(only_dead(&small));
	CHECK(woken(root) == 0);
	CHECK(woken(child) == 0);
	return true;
}

/* An OOM of a memcg is the kernel's to tell, and not to the root. */
static bool test_child(void)
{
	int root, child, status;
	pid_t pid;

	CHECK(listen_on_both(&root, &child));
	CHECK(write_file(V1_CHILD "/memory.limit_in_bytes", "16777216"));
	pid = fork();
	if (pid == 0) {
		char *memory = mmap(NULL, LARGE_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED || !write_file(V1_CHILD "/memory.swappiness", "0") ||
		    !write_file(V1_CHILD "/cgroup.procs", "0"))
			_exit(1);
		memset(memory, 1, LARGE_BYTES);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && eater_was_killed(status));
	CHECK(woken(child) >= 1);
	CHECK(woken(root) == 0);
	return true;
}

const struct interface_test notify_tests[] = {
	{"notify-declared", test_declared},
	{"notify-sysrq", test_sysrq},
	{"notify-child", test_child},
	{NULL, NULL},
};
