// SPDX-License-Identifier: LGPL-2.1-or-later
/* Declared OOMs, memory cgroups, and remote OOMs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgtree.h"
#include "interface.h"

/* enum oom_constraint, include/linux/oom.h */
#define CONSTRAINT_MEMCG 3
/* MAX_PAGE_ORDER on x86, include/linux/mmzone.h */
#define ORDER_MAX 10

/* As in interface.bpf.c. */
struct numbers {
	uint64_t cgroup_id;
	int64_t css_id;
	uint64_t usage_pages;
	uint64_t anon_pages;
	uint64_t not_counted;
	uint64_t negative;
	uint64_t beyond;
};

/* A process in the middle of a system call that declares an OOM. */
static pid_t declare_in_child(struct declaration d)
{
	pid_t pid = fork();

	if (pid == 0) {
		int r = declare_with(d);

		_exit(r < 0 ? 100 - r : r);
	}
	return pid;
}

/* --- bpf_out_of_memory */

static bool test_declare_memcg(void)
{
	CHECK(start_eaters());
	CHECK(declare(cgroup_id(CGROUP), NULL) == 1);
	CHECK(only_dead(&large));
	CHECK(logged("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask="));
	CHECK(logged("Memory cgroup out of memory: Killed process"));
	return true;
}

/* Without a process of the test's that may die. */
static bool start_unkillable(void)
{
	return prepare_cgroup() && eater_start(&large, CGROUP, LARGE_BYTES, -1000) == 0 &&
	       eater_start(&small, CGROUP, SMALL_BYTES, -1000) == 0 && kernel_log_mark() == 0;
}

static bool test_declare_memcg_nobody(void)
{
	CHECK(start_unkillable() && attach(skel->progs.test_end));
	CHECK(declare(cgroup_id(CGROUP), NULL) == 0);
	CHECK(both_live());
	CHECK(bss->ended == 1);
	CHECK(!logged("invoked oom-killer") && !logged("no killable processes"));
	return true;
}

static bool test_declare_system(void)
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(answer(&small, BPF_EVAL_SELECT));
	CHECK(declare_system() == 1);
	CHECK(only_dead(&small));
	CHECK(logged("oom-kill:constraint=CONSTRAINT_NONE,nodemask="));
	CHECK(logged(",global_oom,"));
	CHECK(logged("Out of memory: Killed process"));
	return true;
}

/* The kernel panics when it finds nobody for a system OOM. This one is nobody's emergency. */
static bool test_declare_system_nobody(void)
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(declare_system() == 0);
	CHECK(both_live());
	CHECK(bss->ended == 1);
	CHECK(!logged("invoked oom-killer") && !logged("no killable processes"));
	return true;
}

static bool test_declare_root_is_system(void)
{
	struct stat st;

	CHECK(stat("/sys/fs/cgroup", &st) == 0);
	CHECK(start_eaters() && attach_evaluation());
	CHECK(answer(&small, BPF_EVAL_SELECT));
	bss->other_answer = BPF_EVAL_NEXT;
	CHECK(declare(st.st_ino, NULL) == 1);
	CHECK(only_dead(&small));
	CHECK(logged(",global_oom,"));
	return true;
}

static bool set_allocating_task(const char *value)
{
	_cleanup_close_ int fd =
		open("/proc/sys/vm/oom_kill_allocating_task", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, value, 1) == 1;
}

/* The task that allocates, which the sysctl means, is the one that declares. No handler is asked.
 */
static bool test_declare_system_allocating_task(void)
{
	struct stat st;
	pid_t pid, ended;
	int status;

	CHECK(stat("/sys/fs/cgroup", &st) == 0);
	CHECK(start_eaters() && attach_handler());
	CHECK(set_allocating_task("1"));
	pid = declare_in_child((struct declaration){.cgroup_id = st.st_ino});
	ended = waitpid(pid, &status, 0);
	CHECK(set_allocating_task("0"));
	CHECK(ended == pid && eater_was_killed(status));
	CHECK(bss->handled == 0);
	CHECK(both_live());
	CHECK(logged("Out of memory (oom_kill_allocating_task): Killed process"));
	return true;
}

static bool test_declare_bad_order(void)
{
	uint64_t id;

	CHECK(start_eaters());
	id = cgroup_id(CGROUP);
	CHECK(declare_with((struct declaration){.cgroup_id = id, .order = -1}) == -EINVAL);
	CHECK(declare_with((struct declaration){.cgroup_id = id, .order = ORDER_MAX + 1}) ==
	      -EINVAL);
	CHECK(both_live());
	CHECK(declare_with((struct declaration){.cgroup_id = id, .order = ORDER_MAX}) == 1);
	CHECK(only_dead(&large));
	CHECK(logged(", order=10,"));
	return true;
}

/* A handler holds oom_lock. Returns the process whose OOM that is. */
static pid_t occupy(void)
{
	pid_t pid;

	bss->hold = true;
	if (!attach_handler())
		return -1;
	pid = declare_in_child((struct declaration){.cgroup_id = cgroup_id(CGROUP)});
	return wait_until(&bss->holding, true) ? pid : -1;
}

static bool test_declare_busy(void)
{
	int status;
	pid_t pid;

	CHECK(start_eaters());
	pid = occupy();
	CHECK(pid > 0);
	CHECK(declare_memcg() == -EBUSY);
	CHECK(both_live());
	bss->hold = false;
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 1);
	CHECK(only_dead(&large));
	CHECK(bss->handled == 1);
	return true;
}

/* @ret_first is held with oom_lock, and @ret_second waits for it. */
static bool occupy_and_wait(pid_t *ret_first, pid_t *ret_second)
{
	int status;

	CHECK(start_eaters());
	*ret_first = occupy();
	CHECK(*ret_first > 0);
	*ret_second = declare_in_child(
		(struct declaration){.cgroup_id = cgroup_id(CGROUP), .wait = true});
	usleep(300 * 1000);
	CHECK(waitpid(*ret_second, &status, WNOHANG) == 0);
	CHECK(bss->handled == 1);
	return true;
}

static bool test_declare_wait(void)
{
	int status;
	pid_t first, second;

	if (!occupy_and_wait(&first, &second))
		return false;
	bss->hold = false;
	CHECK(waitpid(first, &status, 0) == first && WEXITSTATUS(status) == 1);
	/* The first one's victim may be leaving still, for which no handler is asked. */
	CHECK(waitpid(second, &status, 0) == second && WEXITSTATUS(status) == 1);
	return true;
}

/* One that waits for the lock can be killed meanwhile. */
static bool test_declare_wait_killed(void)
{
	int status;
	pid_t first, second;

	if (!occupy_and_wait(&first, &second))
		return false;
	CHECK(kill(second, SIGKILL) == 0);
	CHECK(waitpid(second, &status, 0) == second && eater_was_killed(status));
	CHECK(bss->holding);
	bss->hold = false;
	CHECK(waitpid(first, &status, 0) == first && WEXITSTATUS(status) == 1);
	CHECK(bss->handled == 1);
	return true;
}

/* The cgroup is removed while the program has a reference to its memcg. */
static bool test_declare_dying_memcg(void)
{
	int status;
	pid_t pid;

	CHECK(cgtree_create(CGROUP "-gone") == 0);
	bss->hold = true;
	pid = declare_in_child(
		(struct declaration){.cgroup_id = cgroup_id(CGROUP "-gone"), .with_hold = true});
	CHECK(wait_until(&bss->holding, true));
	CHECK(cgtree_remove(CGROUP "-gone") == 0);
	bss->hold = false;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WEXITSTATUS(status) == 100 + ENODEV);
	return true;
}

static bool test_declare_inside_handler(void)
{
	CHECK(start_eaters() && attach_handler());
	bss->declare_inside = true;
	CHECK(declare_memcg() == 1);
	CHECK(bss->handled == 1);
	CHECK(bss->inside_result == -EDEADLK);
	CHECK(only_dead(&large));
	return true;
}

/* A handler decides over a declared OOM as over any other, and the text is in a line of its own.
 * The next OOM has none. */
static bool test_declare_text(void)
{
	char line[256];

	CHECK(start_eaters() && attach_handler());
	bss->kill_pid = small.pid;
	bss->kill_constraint = -1;
	CHECK(declare(cgroup_id(CGROUP), "trigger batch") == 1);
	CHECK(only_dead(&small));
	CHECK(bss->kill_constraint == CONSTRAINT_MEMCG);
	CHECK(kernel_log_read() == 0);
	CHECK(kernel_logged("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset="));
	CHECK(kernel_logged("oom_declared=trigger batch\n"));
	snprintf(line, sizeof(line),
		 ",oom_memcg=%s/%s,task_memcg=%s/%s,task=eater,pid=", CGTREE_PREFIX, CGROUP,
		 CGTREE_PREFIX, CGROUP);
	CHECK(kernel_logged(line));
	CHECK(kernel_logged("oom_policy=interface\n"));

	CHECK(kernel_log_mark() == 0);
	bss->kill_pid = 0;
	CHECK(declare(cgroup_id(CGROUP), NULL) == 1);
	CHECK(wait_gone(&large));
	CHECK(logged("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=") && !logged("oom_declared="));
	return true;
}

static bool check_text(const char *text, const char *printed)
{
	char line[256];

	CHECK(start_eaters());
	CHECK(declare(cgroup_id(CGROUP), text) == 1);
	CHECK(only_dead(&large));
	snprintf(line, sizeof(line), "oom_declared=%s\n", printed);
	CHECK(logged(line));
	return true;
}

static bool test_declare_text_escaped(void)
{
	return check_text("a\nb\033[1m\303\244", "a?b?[1m??");
}

static bool test_declare_text_too_long(void)
{
	return check_text("0123456789012345678901234567890123456789012345678901234567890123456789",
			  "012345678901234567890123456789012345678901234567890123456789012");
}

/* One that is held up for too long has no say any more, and the kernel goes on. */
static bool test_handler_overdue(void)
{
	int status;
	pid_t pid;

	CHECK(start_eaters());
	bss->kill_pid = small.pid;
	pid = occupy();
	CHECK(pid > 0);
	usleep(5500 * 1000);
	bss->hold = false;
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 1);
	CHECK(bss->kill_result == -ETIME);
	CHECK(only_dead(&large));
	CHECK(logged("bpf_oom: the policy interface took") && logged("oom_policy=default\n"));
	return true;
}

/* A process that the OOM is not about is nobody's to kill. */
static bool test_handler_outside(void)
{
	struct eater outside;

	CHECK(start_eaters() && attach_handler());
	CHECK(cgtree_create(CGROUP "-outside") == 0);
	CHECK(eater_start(&outside, CGROUP "-outside", SMALL_BYTES, 0) == 0);
	bss->kill_pid = outside.pid;
	CHECK(declare_memcg() == 1);
	CHECK(bss->kill_result == -EPERM);
	CHECK(eater_lives(&outside));
	CHECK(only_dead(&large));
	eater_stop(&outside);
	return true;
}

/* --- memory cgroups */

static bool near(uint64_t a, uint64_t b)
{
	/* The charges that each processor keeps in stock, MEMCG_CHARGE_BATCH in mm/memcontrol.c,
	 * and the statistics that it has not handed in. */
	const uint64_t slack_pages = 64 * 4;

	return a <= b + slack_pages && b <= a + slack_pages;
}

/* The posted kfuncs count pages, those of the kernel since 7.0 bytes. */
static uint64_t numbers_unit_bytes(void)
{
	struct utsname name;

	return uname(&name) == 0 && atoi(name.release) >= 7 ? 1 : 4096;
}

static bool test_memcg_numbers(void)
{
	struct numbers n = {0};
	uint64_t current_bytes, anon_bytes;

	CHECK(start_eaters());
	usleep(2500 * 1000); /* the kernel's own flush of the statistics comes every two seconds */
	n.cgroup_id = cgroup_id(CGROUP);
	CHECK(run_syscall_program(skel->progs.test_numbers, &n, sizeof(n)) == 0);
	CHECK(cgtree_read_u64(CGROUP, "memory.current", NULL, &current_bytes) == 0);
	CHECK(cgtree_read_u64(CGROUP, "memory.stat", "anon", &anon_bytes) == 0);
	CHECK(n.css_id > 0);
	n.usage_pages = n.usage_pages * numbers_unit_bytes() / 4096;
	n.anon_pages = n.anon_pages * numbers_unit_bytes() / 4096;
	CHECK(n.usage_pages > LARGE_BYTES / 4096 && near(n.usage_pages, current_bytes / 4096));
	CHECK(n.anon_pages > LARGE_BYTES / 4096 && near(n.anon_pages, anon_bytes / 4096));
	CHECK(n.not_counted == UINT64_MAX);
	CHECK(n.negative == UINT64_MAX && n.beyond == UINT64_MAX);
	return true;
}

static bool test_memcg_root(void)
{
	struct numbers n = {0};
	struct stat st;

	CHECK(stat("/sys/fs/cgroup", &st) == 0);
	n.cgroup_id = st.st_ino;
	CHECK(run_syscall_program(skel->progs.test_numbers, &n, sizeof(n)) == 0);
	CHECK(n.css_id > 0 && n.anon_pages > 0 && n.anon_pages != UINT64_MAX);
	return true;
}

static bool test_memcg_without_controller(void)
{
	struct numbers n = {0};

	/* A parent that does not hand the controller on. */
	CHECK(cgtree_create(CGROUP "-plain") == 0);
	CHECK(cgtree_create_one(CGROUP "-plain/below") == 0);
	n.cgroup_id = cgroup_id(CGROUP "-plain/below");
	CHECK(n.cgroup_id != 0);
	CHECK(run_syscall_program(skel->progs.test_numbers, &n, sizeof(n)) == 0);
	CHECK(n.css_id == 0);
	return true;
}

/* --- remote OOMs: this process writes to memory of another that is charged to that one's cgroup */

/* The region is mapped before the other process is forked and never touched by it. */
static char *region;

static bool start_target(int oom_score_adj)
{
	region =
		mmap(NULL, LARGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return region != MAP_FAILED && prepare_cgroup() &&
	       cgtree_write(CGROUP, "memory.max", "16777216") == 0 &&
	       eater_start(&large, CGROUP, SMALL_BYTES, oom_score_adj) == 0 &&
	       kill(large.pid, SIGSTOP) == 0 && kernel_log_mark() == 0;
}

/* Returns how many bytes of the region could be written, or what was wrong. */
static ssize_t write_by_syscall(void)
{
	_cleanup_free_ char *source = calloc(1, LARGE_BYTES);
	struct iovec local = {source, LARGE_BYTES}, remote = {region, LARGE_BYTES};
	ssize_t n = source ? process_vm_writev(large.pid, &local, 1, &remote, 1, 0) : -1;

	return n < 0 ? -errno : n;
}

static ssize_t write_by_file(void)
{
	_cleanup_free_ char *source = calloc(1, LARGE_BYTES);
	_cleanup_close_ int fd = -EBADF;
	char path[64];
	size_t written = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", large.pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || !source)
		return -errno;
	while (written < LARGE_BYTES) {
		ssize_t n = pwrite(fd, source + written, LARGE_BYTES - written,
				   (off_t)(uintptr_t)region + (off_t)written);

		if (n <= 0) /* 0: its address space is gone */
			return written > 0 ? (ssize_t)written : -errno;
		written += n;
	}
	return (ssize_t)written;
}

static bool check_remote_nobody(ssize_t (*write_region)(void))
{
	ssize_t n;

	CHECK(start_target(-1000) && attach(skel->progs.test_end));
	n = write_region();
	CHECK(n < (ssize_t)LARGE_BYTES);
	CHECK(eater_lives(&large));
	CHECK(bss->ended >= 1 && bss->end_memcg);
	CHECK(!logged("invoked oom-killer") && !logged("no killable processes"));
	return true;
}

static bool check_remote_victim(ssize_t (*write_region)(void))
{
	/* With its owner dead the region is charged to nobody's limit, and the rest of it can be
	 * written, to no avail. */
	CHECK(start_target(0));
	write_region();
	CHECK(wait_gone(&large));
	CHECK(logged("interface invoked oom-killer"));
	CHECK(kernel_log_count("Killed process") == 1);
	return true;
}

static bool test_remote_nobody_syscall(void)
{
	return check_remote_nobody(write_by_syscall);
}

static bool test_remote_nobody_file(void)
{
	return check_remote_nobody(write_by_file);
}

static bool test_remote_victim_syscall(void)
{
	return check_remote_victim(write_by_syscall);
}

static bool test_remote_victim_file(void)
{
	return check_remote_victim(write_by_file);
}

/* A policy that would kill the writer itself is refused. */
static bool test_remote_policy_refused(void)
{
	CHECK(start_target(0) && attach_handler());
	bss->kill_pid = getpid();
	write_by_syscall();
	CHECK(bss->handled >= 1);
	CHECK(bss->kill_result == -EPERM);
	CHECK(wait_gone(&large));
	return true;
}

const struct interface_test declare_tests[] = {
	{"declare-memcg", test_declare_memcg},
	{"declare-memcg-nobody", test_declare_memcg_nobody},
	{"declare-system", test_declare_system},
	{"declare-system-nobody", test_declare_system_nobody},
	{"declare-root-is-system", test_declare_root_is_system},
	{"declare-system-allocating-task", test_declare_system_allocating_task},
	{"declare-bad-order", test_declare_bad_order},
	{"declare-busy", test_declare_busy},
	{"declare-wait", test_declare_wait},
	{"declare-wait-killed", test_declare_wait_killed},
	{"declare-dying-memcg", test_declare_dying_memcg},
	{"declare-inside-handler", test_declare_inside_handler},
	{"declare-text", test_declare_text},
	{"declare-text-escaped", test_declare_text_escaped},
	{"declare-text-too-long", test_declare_text_too_long},
	{"handler-overdue", test_handler_overdue},
	{"handler-outside", test_handler_outside},
	{"memcg-numbers", test_memcg_numbers},
	{"memcg-root", test_memcg_root},
	{"memcg-without-controller", test_memcg_without_controller},
	{"remote-nobody-syscall", test_remote_nobody_syscall},
	{"remote-nobody-file", test_remote_nobody_file},
	{"remote-victim-syscall", test_remote_victim_syscall},
	{"remote-victim-file", test_remote_victim_file},
	{"remote-policy-refused", test_remote_policy_refused},
	{NULL, NULL},
};
