// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many cgroups with a small process each, and OOMs among them with a clock: what benchmarks of the
 * selection need, and a shell is too slow for.
 *
 *     scaletest grow FROM TO             cgroups FROM to TO - 1, each with a sleeping process
 *     scaletest rules N PRIORITY         prints N rules: one for each of them, one for the hog
 *     scaletest select system|memcg N    N OOMs with the hog as the victim; prints, a line for
 * each, nanoseconds from the beginning of the OOM to the kill
 *
 * The hog is the largest process, and in the cgroup that a walk comes to last. PRIORITY is that of
 * all rules, or "spread": of the hog 0, of the others anything above, without order.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/libbpf.h>

#include "bpf/oompolicy.h"
#include "cgtree.h"
#include "selection.skel.h"
#include "util/basic.h"

#define HOG "hog"
/* More than any process of the machine itself has. */
#define HOG_BYTES (96U << 20)
/* What a memcg OOM's hog asks for beyond the limit. */
#define GROW_BYTES (32U << 20)
#define MARGIN_BYTES (4U << 20)
/* A prime, so that all priorities occur, and the next cgroup's is anywhere. */
#define PRIORITY_STEP 7919

/* A third each: ruled by its exact path, as a unit, by a pattern. */
static const struct shape {
	const char *prefix, *suffix;
	const char *rule_begin, *rule_end;
} shapes[] = {
	{"t", ".slice", "Cgroup=" CGTREE_PREFIX "/t", ".slice"},
	{"app-", ".service", "Unit=app-", ".service"},
	{"worker-", "-x", "Cgroup=" CGTREE_PREFIX "/**/worker-", "-*"},
};

static void fail(const char *what)
{
	fprintf(stderr, "scaletest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const struct shape *shape_of(int i)
{
	return &shapes[i % (int)ARRAY_SIZE(shapes)];
}

/* --- cgroups and their processes */

/* In its cgroup from its first instruction on: moving a process waits for all processors. */
static void start_sleeper(const char *cgroup)
{
	_cleanup_close_ int fd = -EBADF;
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	char path[PATH_MAX];
	long pid;

	snprintf(path, sizeof(path), "%s/%s", CGTREE_ROOT, cgroup);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	args.cgroup = (uint64_t)fd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		fail("cannot start a process");
	if (pid == 0) {
		/* The output must not stay open. */
		syscall(SYS_close_range, 0, ~0U, 0);
		for (;;)
			pause();
	}
}

static void grow(int from, int to)
{
	if (cgtree_remove(HOG) < 0 || cgtree_create(HOG) < 0 || cgtree_remove(HOG) < 0)
		fail("cannot make the tree");
	for (int i = from; i < to; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%d%s", shape_of(i)->prefix, i, shape_of(i)->suffix);
		if (cgtree_create_one(name) < 0)
			fail("cannot make a cgroup");
		start_sleeper(name);
	}
	/* Children are walked in the order in which they were made. */
	if (cgtree_create_one(HOG) < 0)
		fail("cannot make the hog's cgroup");
}

static void print_rules(int n, const char *priority)
{
	bool spread = strcmp(priority, "spread") == 0;

	for (int i = 0; i < n - 1; i++) {
		printf("[Rule %d]\n%s%d%s\n", i, shape_of(i)->rule_begin, i, shape_of(i)->rule_end);
		if (spread)
			printf("Priority=%d\n", 1 + (500 + i * PRIORITY_STEP) % OP_PRIORITY_MAX);
		else
			printf("Priority=%s\n", priority);
	}
	printf("[Rule hog]\nCgroup=%s/%s\nPriority=%s\n", CGTREE_PREFIX, HOG,
	       spread ? "0" : priority);
}

/* --- OOMs */

struct hog {
	pid_t pid;
	int ready, go;
};

static void fill(size_t bytes)
{
	char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, bytes, MADV_NOHUGEPAGE) < 0)
		_exit(1);
	memset(memory, 1, bytes);
}

static void hog_run(int ready, int go)
{
	char byte = 0;

	if (cgtree_write(HOG, "cgroup.procs", "0") < 0)
		_exit(1);
	fill(HOG_BYTES);
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	fill(GROW_BYTES);
	/* Whoever was killed instead: this is no victim. */
	_exit(2);
}

static struct hog hog_start(void)
{
	int ready[2], go[2];
	struct hog hog;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		fail("cannot make a pipe");
	hog.pid = fork();
	if (hog.pid < 0)
		fail("cannot start the hog");
	if (hog.pid == 0) {
		close(ready[0]);
		close(go[1]);
		hog_run(ready[1], go[0]);
	}
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &byte, 1) != 1)
		fail("the hog does not run");
	close(ready[0]);
	hog.go = go[1];
	return hog;
}

static void oom_system(struct hog *hog _unused_)
{
	_cleanup_close_ int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "f", 1) != 1)
		fail("cannot ask for an OOM");
}

static void oom_memcg(struct hog *hog)
{
	uint64_t bytes;
	char limit[32];

	if (cgtree_read_u64("", "memory.current", NULL, &bytes) < 0)
		fail("cannot read what the cgroup uses");
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)bytes + MARGIN_BYTES);
	if (cgtree_write("", "memory.swap.max", "0") < 0 ||
	    cgtree_write("", "memory.max", limit) < 0 || write(hog->go, "g", 1) != 1)
		fail("cannot make the hog grow");
}

static int print_nothing(enum libbpf_print_level level _unused_, const char *format _unused_,
			 va_list args _unused_)
{
	return 0;
}

static void select_victims(bool memcg, int n)
{
	struct op_selection *clock;

	libbpf_set_print(print_nothing);
	clock = op_selection__open_and_load();
	if (!clock || op_selection__attach(clock) < 0)
		fail("cannot clock the kernel");
	for (int i = 0; i < n; i++) {
		struct hog hog = hog_start();
		int status;

		clock->bss->kills = 0;
		__atomic_store_n(&clock->bss->begun_nsec, 0, __ATOMIC_SEQ_CST);
		if (memcg)
			oom_memcg(&hog);
		else
			oom_system(&hog);
		if (waitpid(hog.pid, &status, 0) < 0)
			fail("cannot wait for the hog");
		close(hog.go);
		cgtree_write("", "memory.max", "max");
		if (!WIFSIGNALED(status) || clock->bss->kills != 1) {
			fprintf(stderr,
				"scaletest: the hog was not the victim (status %d, %llu kills)\n",
				status, (unsigned long long)clock->bss->kills);
			exit(1);
		}
		printf("%llu\n", (unsigned long long)clock->bss->selection_nsec);
		fflush(stdout);
	}
	op_selection__destroy(clock);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc != 4)
		return 64;
	if (strcmp(argv[1], "grow") == 0)
		grow(atoi(argv[2]), atoi(argv[3]));
	else if (strcmp(argv[1], "rules") == 0)
		print_rules(atoi(argv[2]), argv[3]);
	else if (strcmp(argv[1], "select") == 0)
		select_victims(strcmp(argv[2], "memcg") == 0, atoi(argv[3]));
	else
		return 64;
	return 0;
}
