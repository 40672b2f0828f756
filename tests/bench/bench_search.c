// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What it takes to find a victim among 10, 100 and 1000 cgroups with a process each, with and
 * without runners-up: the policy's own search, run on the kernel at hand, in which nobody dies.
 *
 * The rules: none, so that all have the same priority; three patterns, of a third of the cgroups
 * each; and one for every cgroup, with priorities without order. The last two are the usual cases,
 * the first is the worst.
 *
 * The least of many runs, since a busy machine only ever adds to a time. Needs root and a kernel
 * that lets such programs walk cgroups (6.7); is skipped without them.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench.h"
#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "daemon/cgroups/tracker.h"
#include "search.skel.h"
#include "util/basic.h"

#define DOMAIN "bench_search"
#define N_MAX 1000
#define RUNS 200
#define EXIT_SKIP 77
/* A prime, so that priorities and sizes have no order. */
#define STEP 7919
#define SIZES 97 /* pages that a process fills at most */

static const char *const layouts[] = {"equal", "patterns", "spread"};

static const char *root; /* where the unified hierarchy is mounted */
static pid_t pids[N_MAX];

static int skip(const char *why)
{
	printf("skip: %s\n", why);
	return EXIT_SKIP;
}

static bool find_hierarchy(void)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct statfs fs;

		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
			root = places[i];
			return true;
		}
	}
	return false;
}

static void cgroup_path(int i, char buf[static PATH_MAX])
{
	check(snprintf(buf, PATH_MAX, "%s/" DOMAIN "/%c%d", root, 'a' + i % 3, i) < PATH_MAX,
	      "a long path");
}

static void sleeper(int i)
{
	size_t size = (size_t)(i * STEP % SIZES + 1) * 4096;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory != MAP_FAILED)
		memset(memory, 1, size);
	for (;;)
		pause();
}

static void grow(int from, int to)
{
	for (int i = from; i < to; i++) {
		struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
		_cleanup_close_ int fd = -EBADF;
		char path[PATH_MAX];
		long pid;

		cgroup_path(i, path);
		check(mkdir(path, 0755) == 0, "cannot make a cgroup");
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		args.cgroup = (uint64_t)fd;
		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (pid == 0)
			sleeper(i);
		check(pid > 0, "cannot start a process");
		pids[i] = (pid_t)pid;
	}
}

static void shrink(void)
{
	char path[PATH_MAX];

	for (int i = 0; i < N_MAX; i++) {
		if (!pids[i])
			break;
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
		cgroup_path(i, path);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/" DOMAIN, root);
	rmdir(path);
}

static uint32_t spread_priority(int i)
{
	return (uint32_t)((500 + i * STEP) % (OP_PRIORITY_MAX + 1));
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of different priorities the runners-up are those that follow the victim. */
static void check_spread(const struct op_search *bpf, int n)
{
	uint32_t priorities[N_MAX] = {};

	for (int i = 0; i < n; i++)
		priorities[i] = spread_priority(i);
	qsort(priorities, (size_t)n, sizeof(priorities[0]), compare);
	for (uint32_t i = 0; i < bpf->bss->n_found; i++)
		check(bpf->bss->priorities[i] == priorities[i + 1], "others would be next");
}

static char *make_text(const char *layout, int n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	check(f, "out of memory");
	fputs("[Policy bench]\n", f);
	if (strcmp(layout, "patterns") == 0)
		fputs("[Rule a]\nCgroup=/" DOMAIN "/a*\nPriority=900\n"
		      "[Rule b]\nCgroup=/" DOMAIN "/b*\nPriority=10\n"
		      "[Rule c]\nCgroup=/" DOMAIN "/c*\nPriority=600\n",
		      f);
	for (int i = 0; i < n && strcmp(layout, "spread") == 0; i++)
		fprintf(f, "[Rule %d]\nCgroup=/" DOMAIN "/%c%d\nPriority=%u\n", i, 'a' + i % 3, i,
			spread_priority(i));
	check(fclose(f) == 0, "out of memory");
	return text;
}

/* Makes the rules of @layout those of the search. */
static void configure(struct op_search *bpf, const char *layout, int n)
{
	static const uint16_t slots[OP_POLICIES_MAX] = {1};
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_free_ char *text = make_text(layout, n);
	struct tracker tracker;
	struct config *c = NULL;
	uint32_t zero = 0;

	check(parser_parse_buffer("bench", text, strlen(text), NULL, &diag, &c) == 0,
	      "the rules are refused");
	check(tracker_init(root, c, slots, 1, &tracker) == 0, "cannot stage the rules");
	check(bpf_map_update_elem(bpf_map__fd(bpf->maps.op_configs), &zero, &tracker.rules.fd,
				  BPF_ANY) == 0,
	      "cannot hand over the rules");
	tracker_done(&tracker);
	config_free(c);
}

static void measure(struct op_search *bpf, const char *layout, int n, uint32_t n_runners)
{
	uint64_t search_nsec = UINT64_MAX, record_nsec = UINT64_MAX;

	bpf->bss->runners_max = n_runners;
	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, options);

		check(bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.run_search), &options) == 0,
		      "the search cannot be run");
		check(bpf->bss->reason == OP_REASON_NONE && bpf->bss->victim_pid > 0,
		      "no victim was found");
		check(bpf->bss->n_found == n_runners, "the runners-up are not complete");
		if (strcmp(layout, "spread") == 0)
			check_spread(bpf, n);
		if (bpf->bss->search_nsec < search_nsec)
			search_nsec = bpf->bss->search_nsec;
		if (bpf->bss->record_nsec < record_nsec)
			record_nsec = bpf->bss->record_nsec;
	}
	printf("figure native_search_%s_%d_runners_%u %llu ns, and %llu to name them, the least of "
	       "%d\n",
	       layout, n, n_runners, (unsigned long long)search_nsec,
	       (unsigned long long)record_nsec, RUNS);
}

static int print_nothing(enum libbpf_print_level level _unused_, const char *format _unused_,
			 va_list args _unused_)
{
	return 0;
}

int main(void)
{
	struct op_search *bpf;
	char path[PATH_MAX];
	struct stat domain;
	int made = 0;

	if (geteuid() != 0)
		return skip("needs root");
	if (!find_hierarchy())
		return skip("no unified hierarchy");
	if (!getenv("BENCH_VERBOSE"))
		libbpf_set_print(print_nothing);
	bpf = op_search__open_and_load();
	if (!bpf)
		return skip("the kernel does not take the search");

	snprintf(path, sizeof(path), "%s/" DOMAIN, root);
	check(mkdir(path, 0755) == 0 && stat(path, &domain) == 0, "cannot make a cgroup");
	check(atexit(shrink) == 0, "out of memory");
	bpf->bss->domain_id = domain.st_ino;
	for (int n = 10; n <= N_MAX; n *= 10) {
		grow(made, n);
		made = n;
		for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
			configure(bpf, layouts[i], n);
			measure(bpf, layouts[i], n, 0);
			measure(bpf, layouts[i], n, OP_RUNNERS_MAX);
		}
	}
	op_search__destroy(bpf);
	return EXIT_SUCCESS;
}
