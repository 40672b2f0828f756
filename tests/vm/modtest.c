// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tests of bpf_oom.ko by itself, without the daemon: what may attach, what an attached handler
 * can do, what the kernel prints. Each test provokes an OOM in a small cgroup of its own and
 * reads the kernel's log of just that OOM.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <bpf/libbpf.h>

#include "cgtree.h"
#include "eater.h"
#include "handler.skel.h"
#include "modtest.h"
#include "util/basic.h"

#define CGROUP "modtest"
#define LIMIT_BYTES "16777216"
#define EATER_BYTES (32U << 20)
#define KTHREADD_PID 2

/* For the victim that leaves its memory: what it has is page tables, one for each of these, or a
 * file. */
#define TABLE_SPAN_BYTES (2UL << 20)
#define N_TABLES 1024UL /* 4 MiB */
#define FILE_BYTES (4UL << 20)
#define BESIDE_BYTES (2U << 20)
/* More than the slack and what two processors keep aside (64 pages each), less than one death
 * gives. */
#define TRIGGER_BYTES (1U << 20)
#define SLACK_BYTES (256U << 10)
#define LEAVING_ROUNDS 10

char reason[REASON_SIZE];

/* One that will exceed its cgroup's limit when it is told to. */
static int start_eater(struct eater *ret)
{
	return eater_start(ret, CGROUP, 0, 0);
}

/* Lets it run into the limit. Returns its wait status; the kernel's log is that of just then. */
static int finish_eater(struct eater *e)
{
	int status;

	if (kernel_log_mark() < 0 || eater_order(e, EATER_BYTES) < 0)
		return -EIO;
	status = eater_wait(e);
	return kernel_log_read() < 0 ? -EIO : status;
}

static struct op_handler *handler_open(const char *name, pid_t victim, int result)
{
	struct op_handler *h = op_handler__open();
	struct {
		void *handle_out_of_memory;
		char name[64];
	} *value;
	size_t size;

	if (!h)
		return NULL;
	value = bpf_map__initial_value(h->maps.test_ops, &size);
	memset(value->name, 0, sizeof(value->name));
	strncpy(value->name, name, sizeof(value->name) - 1);
	h->rodata->victim_pid = victim;
	h->rodata->result = result;
	return h;
}

static void handler_freep(struct op_handler **h)
{
	op_handler__destroy(*h);
}

static void link_freep(struct bpf_link **link)
{
	bpf_link__destroy(*link);
}

#define _cleanup_handler_ _cleanup_(handler_freep)
#define _cleanup_link_ _cleanup_(link_freep)

/* Loads it too. */
static bool attach(struct op_handler *h, struct bpf_link **ret)
{
	CHECK(h && op_handler__load(h) == 0);
	*ret = bpf_map__attach_struct_ops(h->maps.test_ops);
	CHECK(*ret);
	return true;
}

/* A new process runs into the limit and is killed. */
static bool overrun(void)
{
	struct eater e;

	CHECK(start_eater(&e) == 0);
	CHECK(eater_was_killed(finish_eater(&e)));
	return true;
}

static bool test_kill_and_report(void)
{
	_cleanup_handler_ struct op_handler *h = NULL;
	_cleanup_link_ struct bpf_link *link = NULL;
	struct eater e;

	CHECK(start_eater(&e) == 0);
	h = handler_open("alpha", e.pid, 1);
	TRY(attach(h, &link));
	CHECK(eater_was_killed(finish_eater(&e)));
	CHECK(h->bss->calls == 1);
	CHECK(h->bss->kill_result == 0);
	CHECK(h->bss->victim_before == 0);
	CHECK(h->bss->victim_after == 1);
	CHECK(kernel_logged("oom_policy=alpha\n"));
	CHECK(kernel_logged("killed by a test: Killed process"));
	CHECK(kernel_logged("oom-kill:constraint=CONSTRAINT_MEMCG"));
	return true;
}

static bool test_unnamed_policy(void)
{
	_cleanup_handler_ struct op_handler *h = NULL;
	_cleanup_link_ struct bpf_link *link = NULL;
	struct eater e;

	CHECK(start_eater(&e) == 0);
	h = handler_open("", e.pid, 1);
	TRY(attach(h, &link));
	CHECK(eater_was_killed(finish_eater(&e)));
	CHECK(kernel_logged("oom_policy=bpf_defined_policy\n"));
	return true;
}

static bool test_no_policy(void)
{
	TRY(overrun());
	CHECK(!kernel_logged("oom_policy="));
	CHECK(kernel_logged("Memory cgroup out of memory: Killed process"));
	return true;
}

/* One that claims to have freed memory and did nothing must not stop the kernel's killer. */
static bool test_lie(void)
{
	_cleanup_handler_ struct op_handler *h = handler_open("liar", 0, 1);
	_cleanup_link_ struct bpf_link *link = NULL;

	TRY(attach(h, &link));
	TRY(overrun());
	CHECK(h->bss->calls == 1);
	CHECK(kernel_logged("oom_policy=default\n"));
	CHECK(kernel_logged("Memory cgroup out of memory: Killed process"));
	return true;
}

/* In load order, up to the one that kills: the first lies, the third is not asked. */
static bool test_load_order(void)
{
	_cleanup_handler_ struct op_handler *first = handler_open("first", 0, 1), *second = NULL,
					    *third = NULL;
	_cleanup_link_ struct bpf_link *first_link = NULL, *second_link = NULL, *third_link = NULL;
	struct eater e;

	CHECK(start_eater(&e) == 0);
	second = handler_open("second", e.pid, 1);
	third = handler_open("third", e.pid, 1);
	TRY(attach(first, &first_link));
	TRY(attach(second, &second_link));
	TRY(attach(third, &third_link));
	CHECK(eater_was_killed(finish_eater(&e)));
	CHECK(first->bss->calls == 1);
	CHECK(second->bss->calls == 1);
	CHECK(third->bss->calls == 0);
	CHECK(kernel_logged("oom_policy=second\n"));
	return true;
}

/* Lets a handler decide over an OOM of @e in which @beside lives too. Both have to die. */
static bool check_both_die(struct op_handler *h, struct eater *e, struct eater *beside)
{
	_cleanup_link_ struct bpf_link *link = NULL;

	TRY(attach(h, &link));
	CHECK(eater_was_killed(finish_eater(e)));
	CHECK(eater_was_killed(eater_wait(beside)));
	CHECK(h->bss->calls == 1);
	CHECK(kernel_log_read() == 0);
	return true;
}

static void populate_run(int go)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cgtree_write(CGROUP, "cgroup.procs", "0") < 0 || read(go, &byte, 1) != 1)
		_exit(1);
	mmap(NULL, EATER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
	     -1, 0);
	_exit(0);
}

/* The victim's own mmap_lock is held when the policy is asked: where locks are validated, the
 * kernel's log must not say that the policy could want it again. */
static bool test_under_mmap_lock(void)
{
	_cleanup_handler_ struct op_handler *h = NULL;
	_cleanup_link_ struct bpf_link *link = NULL;
	int go[2], status;
	pid_t pid;

	CHECK(pipe2(go, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0)
		populate_run(go[0]);
	CHECK(pid > 0);
	h = handler_open("populate", pid, 1);
	TRY(attach(h, &link));
	CHECK(kernel_log_mark() == 0);
	CHECK(write(go[1], "", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	close(go[0]);
	close(go[1]);
	CHECK(eater_was_killed(status));
	CHECK(h->bss->calls == 1);
	CHECK(kernel_log_read() == 0);
	CHECK(kernel_logged("oom_policy=populate\n"));
	return true;
}

/* A whole cgroup, one by one, for one OOM. */
static bool test_kill_several(void)
{
	_cleanup_handler_ struct op_handler *h = NULL;
	struct eater e, beside;

	CHECK(start_eater(&e) == 0 && start_eater(&beside) == 0);
	h = handler_open("several", e.pid, 1);
	CHECK(h);
	h->rodata->second_pid = beside.pid;
	TRY(check_both_die(h, &e, &beside));
	CHECK(kernel_log_count("Killed process") == 2);
	CHECK(kernel_logged("killed as well: Killed process"));
	return true;
}

static bool test_kill_group(void)
{
	_cleanup_handler_ struct op_handler *h = NULL;
	struct eater e, beside;
	uint64_t before = 0, after = 0;

	CHECK(cgtree_write(CGROUP, "memory.oom.group", "1") == 0);
	CHECK(cgtree_read_u64(CGROUP, "memory.events", "oom_group_kill", &before) == 0);
	CHECK(start_eater(&e) == 0 && start_eater(&beside) == 0);
	h = handler_open("group", e.pid, 1);
	TRY(check_both_die(h, &e, &beside));
	CHECK(cgtree_read_u64(CGROUP, "memory.events", "oom_group_kill", &after) == 0);
	CHECK(after - before == 1);
	CHECK(kernel_logged("are going to be killed due to memory.oom.group set"));
	return true;
}

/* An OOM of the system, as SysRq makes one: the policies are asked for it too. */
static bool test_system_oom(void)
{
	_cleanup_close_ int sysrq = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	_cleanup_handler_ struct op_handler *h = NULL;
	_cleanup_link_ struct bpf_link *link = NULL;
	struct eater e;

	CHECK(start_eater(&e) == 0);
	h = handler_open("system", e.pid, 1);
	TRY(attach(h, &link));
	CHECK(kernel_log_mark() == 0);
	/* A worker of the kernel's does it. The eater has no orders, and only death ends it. */
	CHECK(write(sysrq, "f", 1) == 1);
	CHECK(eater_settle(&e) == 0);
	CHECK(eater_was_killed(eater_wait(&e)));
	CHECK(h->bss->calls == 1 && h->bss->last_order == -1);
	CHECK(kernel_log_read() == 0);
	CHECK(kernel_logged("oom_policy=system\n"));
	CHECK(kernel_logged("oom-kill:constraint=CONSTRAINT_NONE"));
	CHECK(kernel_logged(",global_oom,"));
	return true;
}

/* Tries to kill @victim, is refused with @error, and lies about it: the kernel kills the eater. */
static bool check_refused(pid_t victim, int error)
{
	_cleanup_handler_ struct op_handler *h = handler_open("refused", victim, 1);
	_cleanup_link_ struct bpf_link *link = NULL;

	TRY(attach(h, &link));
	TRY(overrun());
	CHECK(h->bss->kill_result == error);
	CHECK(kernel_logged("oom_policy=default\n"));
	CHECK(kill(victim, 0) == 0);
	return true;
}

static bool test_init_refused(void)
{
	return check_refused(1, -EPERM);
}

static bool test_kernel_thread_refused(void)
{
	return check_refused(KTHREADD_PID, -EPERM);
}

static bool test_score_adj_min_refused(void)
{
	pid_t pid = fork();
	bool ok;

	if (pid == 0) {
		_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

		if (write(fd, "-1000", 5) != 5)
			_exit(1);
		pause();
		_exit(0);
	}
	usleep(200 * 1000);
	ok = check_refused(pid, -EINVAL);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	return ok;
}

static bool test_zombie_refused(void)
{
	siginfo_t info;
	pid_t pid = fork();
	bool ok;

	if (pid == 0)
		_exit(0);
	CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
	ok = check_refused(pid, -EINVAL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	return ok;
}

static bool test_detach(void)
{
	_cleanup_handler_ struct op_handler *h = handler_open("gone", 0, 0);
	_cleanup_link_ struct bpf_link *link = NULL;

	TRY(attach(h, &link));
	CHECK(bpf_link__detach(link) == 0);
	TRY(overrun());
	CHECK(h->bss->calls == 0);
	return true;
}

static bool test_update_map(void)
{
	_cleanup_handler_ struct op_handler *first = handler_open("first", 0, 0), *second = NULL;
	_cleanup_link_ struct bpf_link *link = NULL;
	struct eater e;

	CHECK(start_eater(&e) == 0);
	second = handler_open("second", e.pid, 1);
	CHECK(second && op_handler__load(second) == 0);
	TRY(attach(first, &link));
	CHECK(bpf_link__update_map(link, second->maps.test_ops) == 0);
	CHECK(eater_was_killed(finish_eater(&e)));
	CHECK(first->bss->calls == 0);
	CHECK(second->bss->calls == 1);
	CHECK(kernel_logged("oom_policy=second\n"));

	/* And back: what was taken out can be put in again. */
	CHECK(bpf_link__update_map(link, first->maps.test_ops) == 0);
	TRY(overrun());
	CHECK(first->bss->calls == 1);
	CHECK(second->bss->calls == 1);
	return true;
}

static bool test_same_map_twice(void)
{
	_cleanup_handler_ struct op_handler *h = handler_open("twice", 0, 0);
	_cleanup_link_ struct bpf_link *link = NULL, *second = NULL;

	TRY(attach(h, &link));
	second = bpf_map__attach_struct_ops(h->maps.test_ops);
	CHECK(!second && errno == EEXIST);
	TRY(overrun());
	CHECK(h->bss->calls == 1);
	return true;
}

/* As before there were links: it is attached for as long as its map has the value. */
static bool test_without_link(void)
{
	_cleanup_handler_ struct op_handler *h = NULL;
	_cleanup_link_ struct bpf_link *attached = NULL;
	struct eater e;

	CHECK(start_eater(&e) == 0);
	h = handler_open("plain", e.pid, 1);
	CHECK(h && bpf_map__set_map_flags(h->maps.test_ops, 0) == 0);
	TRY(attach(h, &attached));
	CHECK(eater_was_killed(finish_eater(&e)));
	CHECK(h->bss->calls == 1);
	CHECK(kernel_logged("oom_policy=plain\n"));
	link_freep(&attached);
	attached = NULL;
	TRY(overrun());
	CHECK(h->bss->calls == 1);
	CHECK(!kernel_logged("oom_policy="));
	return true;
}

/* The name goes to the kernel log, where a newline would forge a line. */
static bool test_bad_name_refused(void)
{
	static const char *const names[] = {"a b", "a\nb", "a\033[1m", "\303\244"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_handler_ struct op_handler *h = handler_open(names[i], 0, 0);
		_cleanup_link_ struct bpf_link *link = NULL;

		CHECK(h && op_handler__load(h) == 0);
		link = bpf_map__attach_struct_ops(h->maps.test_ops);
		CHECK(!link && errno == EINVAL);
	}
	return true;
}

/* Hardly any memory but page tables. */
static bool fill_tables(void)
{
	volatile char *memory = mmap(NULL, N_TABLES * TABLE_SPAN_BYTES, PROT_READ,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	/* A kernel that has no huge pages, as one with PREEMPT_RT, does not know the advice. */
	if (madvise((void *)memory, N_TABLES * TABLE_SPAN_BYTES, MADV_NOHUGEPAGE) < 0 &&
	    errno != EINVAL)
		return false;
	for (size_t i = 0; i < N_TABLES; i++)
		(void)memory[i * TABLE_SPAN_BYTES];
	return true;
}

/* A file in memory that nobody else has open, and none of it is mapped. */
static bool fill_file(void)
{
	static const char block[64 << 10];
	int fd = memfd_create("modtest", MFD_CLOEXEC);

	for (size_t done = 0; done < FILE_BYTES; done += sizeof(block))
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			return false;
	return true;
}

static void holder_run(bool (*fill)(void), int ready)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || write(fd, "500", 3) != 3 || cgtree_write(CGROUP, "cgroup.procs", "0") < 0 ||
	    !fill() || write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* One that the kernel takes first. */
static pid_t start_holder(bool (*fill)(void))
{
	int ready[2];
	pid_t pid;
	char byte;
	ssize_t n;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		holder_run(fill, ready[1]);
	close(ready[1]);
	n = read(ready[0], &byte, 1);
	close(ready[0]);
	return pid > 0 && n == 1 ? pid : -ECHILD;
}

static bool leaving_round(bool (*fill)(void))
{
	struct eater beside, trigger;
	uint64_t used, before, after;
	char limit[32];
	int grown;
	pid_t pid;

	CHECK(cgtree_write(CGROUP, "memory.max", "max") == 0);
	pid = start_holder(fill);
	CHECK(pid > 0);
	CHECK(eater_start(&beside, CGROUP, BESIDE_BYTES, 0) == 0);
	CHECK(eater_start(&trigger, CGROUP, 0, 0) == 0);
	CHECK(cgtree_read_u64(CGROUP, "memory.events", "oom_kill", &before) == 0);
	CHECK(cgtree_read_u64(CGROUP, "memory.current", NULL, &used) == 0);
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)used + SLACK_BYTES);
	CHECK(cgtree_write(CGROUP, "memory.max", limit) == 0);
	grown = eater_grow(&trigger, TRIGGER_BYTES);
	CHECK(cgtree_read_u64(CGROUP, "memory.events", "oom_kill", &after) == 0);
	eater_stop(&trigger);
	eater_stop(&beside);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(grown == 1);
	CHECK(after - before == 1);
	return true;
}

/*
 * A victim is nobody to wait for any more, says the kernel, while what it had is still to be freed.
 * The trigger, on another processor, asks again just then: it must not get a second one, where a
 * policy has a say. This one has no opinion.
 */
static bool check_leaving(bool (*fill)(void))
{
	_cleanup_handler_ struct op_handler *h = handler_open("leaving", 0, 0);
	_cleanup_link_ struct bpf_link *link = NULL;

	TRY(attach(h, &link));
	for (int i = 0; i < LEAVING_ROUNDS; i++)
		TRY(leaving_round(fill));
	return true;
}

static bool test_leaving_victim(void)
{
	return check_leaving(fill_tables);
}

/* Files are closed after the address space is gone. */
static bool test_leaving_files(void)
{
	return check_leaving(fill_file);
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{"no-policy", test_no_policy},
	{"kill-and-report", test_kill_and_report},
	{"unnamed-policy", test_unnamed_policy},
	{"lie", test_lie},
	{"load-order", test_load_order},
	{"under-mmap-lock", test_under_mmap_lock},
	{"kill-several", test_kill_several},
	{"kill-group", test_kill_group},
	{"system-oom", test_system_oom},
	{"init-refused", test_init_refused},
	{"kernel-thread-refused", test_kernel_thread_refused},
	{"oom-score-adj-min-refused", test_score_adj_min_refused},
	{"zombie-refused", test_zombie_refused},
	{"detach", test_detach},
	{"update-map", test_update_map},
	{"same-map-twice", test_same_map_twice},
	{"without-link", test_without_link},
	{"nonsleepable-refused", test_nonsleepable_refused},
	{"forbidden-kfunc-refused", test_forbidden_kfunc_refused},
	{"locking-kfunc-refused", test_locking_kfunc_refused},
	{"bad-name-refused", test_bad_name_refused},
	{"leaving-victim", test_leaving_victim},
	{"leaving-files", test_leaving_files},
};

static int print_nothing(enum libbpf_print_level level _unused_, const char *format _unused_,
			 va_list args _unused_)
{
	return 0;
}

/* modtest list | modtest NAME: runs one test; says why on standard error when it fails. */
int main(int argc, char **argv)
{
	if (argc != 2)
		return 64;
	libbpf_set_print(print_nothing);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		bool ok;

		if (strcmp(argv[1], "list") == 0) {
			puts(tests[i].name);
			continue;
		}
		if (strcmp(argv[1], tests[i].name) != 0)
			continue;
		if (cgtree_create(CGROUP) < 0 ||
		    cgtree_write(CGROUP, "memory.max", LIMIT_BYTES) < 0 ||
		    cgtree_write(CGROUP, "memory.swap.max", "0") < 0) {
			fprintf(stderr, "cannot make the cgroup\n");
			return 1;
		}
		ok = tests[i].run();
		cgtree_remove(CGROUP);
		if (!ok)
			fprintf(stderr, "%s\n", reason);
		return ok ? 0 : 1;
	}
	return strcmp(argv[1], "list") == 0 ? 0 : 64;
}
