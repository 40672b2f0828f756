// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Loads an object that was written against the posted patches, in tests/vm/conformance, as any
 * loader would: from its file, everything in it attached. Then there is an OOM between a large and
 * a small process, of which the kernel would take the large one, and each object the small one; but
 * for the one that takes a whole cgroup, where the kernel would take one of two processes.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "cgtree.h"
#include "eater.h"
#include "util/basic.h"

#define CGROUP "conformance"
#define LARGE_CGROUP CGROUP "/large"
#define SMALL_CGROUP CGROUP "/small"
#define LARGE_BYTES (24U << 20)
#define SMALL_BYTES (8U << 20)
#define OTHER_BYTES (4U << 20)
#define LIMIT_BYTES "50331648"
#define LIMIT_PAGES (50331648 / sysconf(_SC_PAGESIZE))
/* More than the limit leaves, and less than that and the small one. */
#define EXCESS_BYTES (18U << 20)

static struct bpf_object *object;
/* The other one is the large one's neighbour, of the test that starts it. */
static struct eater large, small, other;

static int say(const char *what)
{
	fprintf(stderr, "%s (errno %s)\n", what, strerror(errno));
	return 1;
}

static uint64_t cgroup_id(const char *path)
{
	char absolute[PATH_MAX];
	struct stat st;

	snprintf(absolute, sizeof(absolute), "%s/%s", CGTREE_ROOT, path);
	return stat(absolute, &st) == 0 ? st.st_ino : 0;
}

/* A global variable of the object in .bss, a u64 or a struct that begins with one; all bits set if
 * there is none. */
static uint64_t global(const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".bss");
	int id = btf__find_by_name_kind(btf, ".bss", BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, id);
	uint64_t value = UINT64_MAX;
	size_t size = map ? bpf_map__value_size(map) : 0;
	char values[4096] = "";
	uint32_t zero = 0;

	/* Asked for: what older libraries have of it in memory is as it was when it was loaded. */
	if (size > sizeof(values) || !map ||
	    bpf_map_lookup_elem(bpf_map__fd(map), &zero, values) < 0)
		return value;
	for (uint16_t i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *var = btf_var_secinfos(section) + i;
		const struct btf_type *type = btf__type_by_id(btf, var->type);

		if (strcmp(btf__name_by_offset(btf, type->name_off), name) == 0 &&
		    var->offset + sizeof(value) <= size)
			memcpy(&value, values + var->offset, sizeof(value));
	}
	return value;
}

static bool attach_all(void)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS &&
		    !bpf_map__attach_struct_ops(map))
			return false;
	}
	bpf_object__for_each_program(program, object)
	{
		if (bpf_program__type(program) == BPF_PROG_TYPE_TRACING &&
		    !bpf_program__attach(program))
			return false;
	}
	return true;
}

/* @domain is the cgroup with the limit; the others are it or below it. */
static bool start(const char *domain, const char *large_cgroup, const char *small_cgroup)
{
	/* The small one is the more willing to die, and yet the less bad. */
	return cgtree_create(large_cgroup) == 0 && cgtree_create(small_cgroup) == 0 &&
	       cgtree_write(domain, "memory.max", LIMIT_BYTES) == 0 &&
	       cgtree_write(domain, "memory.swap.max", "0") == 0 &&
	       eater_start(&large, large_cgroup, LARGE_BYTES, 0) == 0 &&
	       eater_start(&small, small_cgroup, SMALL_BYTES, 50) == 0 && kernel_log_mark() == 0;
}

/* @line is in the report. */
static int check_small_died(const char *line)
{
	if (!eater_was_killed(eater_wait(&small)))
		return say("the small process was not killed");
	if (!eater_lives(&large))
		return say("the large process is dead");
	if (kernel_log_read() < 0 || !kernel_logged(line))
		return say("the kernel's report says something else");
	return 0;
}

static int run_policy(void)
{
	if (eater_grow(&large, EXCESS_BYTES) != 1)
		return say("the large process could not have its memory");
	return check_small_died("oom_policy=by_score\n");
}

static int run_domain(void)
{
	if (eater_grow(&large, EXCESS_BYTES) != 1)
		return say("the large process could not have its memory");
	/* In pages, or in bytes by the kernel's own kfuncs. The second is as of the last flush,
	 * when another test may have had more. */
	if (global("usage") < (uint64_t)LIMIT_PAGES / 2 ||
	    global("anonymous") > 2 * global("usage"))
		return say("the memory of the cgroup was not seen");
	if (global("domain_id") != cgroup_id(CGROUP "-one") || global("n_cgroups") != 1 ||
	    global("n_processes") != 2)
		return say("the cgroup or its processes were not seen");
	if (global("faults") == UINT64_MAX)
		return say("the events of the cgroup were not seen");
	if (!global("comm") || global("uid_gid") != 0 ||
	    global("cgroup_id") != cgroup_id(CGROUP "-one"))
		return say("who ran out of memory was not seen");
	return check_small_died("oom_policy=youngest\n");
}

static int run_leaf(void)
{
	if (eater_start(&other, LARGE_CGROUP, OTHER_BYTES, 0) < 0)
		return say("no process beside the large one");
	if (eater_grow(&other, EXCESS_BYTES) != 0)
		return say("the process beside the large one lives");
	if (!eater_was_killed(eater_wait(&other)) || !eater_was_killed(eater_wait(&large)))
		return say("the processes of the large cgroup were not both killed");
	if (!eater_lives(&small))
		return say("the small process is dead");
	if (global("n_ooms") != 1 || global("n_killed") != 2 ||
	    global("last_leaf") != cgroup_id(LARGE_CGROUP))
		return say("the policy has counted something else");
	if (kernel_log_read() < 0 || !kernel_logged("oom_policy=largest_leaf\n"))
		return say("the kernel's report says something else");
	return 0;
}

static int run_evaluate(void)
{
	int map = bpf_object__find_map_fd_by_name(object, "cg_map");
	int counts = bpf_object__find_map_fd_by_name(object, "counts");
	uint64_t id = cgroup_id(LARGE_CGROUP), selections = 0;
	uint32_t first = 0;
	int priority = 50;

	if (bpf_map_update_elem(map, &id, &priority, BPF_ANY) < 0)
		return say("cannot set a priority");
	if (eater_grow(&large, EXCESS_BYTES) != 1)
		return say("the large process could not have its memory");
	if (bpf_map_lookup_elem(counts, &first, &selections) < 0 || selections == 0)
		return say("nobody named the policy");
	return check_small_died("oom_policy=cg_prio\n");
}

static int run_observe(void)
{
	if (eater_grow(&large, EXCESS_BYTES) != 1)
		return say("the large process could not have its memory");
	if (global("n_selections") < 1 || global("n_evaluated") < 2 || global("n_vain") != 0 ||
	    global("domain_id") != cgroup_id(CGROUP) ||
	    global("domain_pages") != (uint64_t)LIMIT_PAGES)
		return say("the OOM was not seen");
	if (global("n_killed") != 1 || global("victim") != (uint64_t)small.pid)
		return say("the victim was not seen");
	return check_small_died("oom_policy=score_adj\n");
}

static int run_declare(void)
{
	struct {
		uint64_t cgroup_id, limit_pages, result;
	} request = {cgroup_id(SMALL_CGROUP), 1024, 0};
	struct bpf_program *program = bpf_object__find_program_by_name(object, "declare");
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &request, .ctx_size_in = sizeof(request));

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts) < 0 || opts.retval != 0)
		return say("the program does not run");
	if (request.result != 1)
		return say("no OOM was declared");
	return check_small_died("oom_declared=USAGE\n");
}

static const struct {
	const char *name;
	int (*run)(void);
	const char *domain, *large_cgroup, *small_cgroup;
} cases[] = {
	{"policy", run_policy, CGROUP "-one", CGROUP "-one", CGROUP "-one"},
	{"domain", run_domain, CGROUP "-one", CGROUP "-one", CGROUP "-one"},
	{"leaf", run_leaf, CGROUP, LARGE_CGROUP, SMALL_CGROUP},
	{"evaluate", run_evaluate, CGROUP, LARGE_CGROUP, SMALL_CGROUP},
	{"observe", run_observe, CGROUP, LARGE_CGROUP, SMALL_CGROUP},
	{"declare", run_declare, CGROUP, LARGE_CGROUP, SMALL_CGROUP},
};

/* conformance list | conformance NAME OBJECT */
int main(int argc, char **argv)
{
	int status = 64;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (argc == 2 && strcmp(argv[1], "list") == 0) {
			puts(cases[i].name);
			status = 0;
			continue;
		}
		if (argc != 3 || strcmp(argv[1], cases[i].name) != 0)
			continue;
		object = bpf_object__open_file(argv[2], NULL);
		if (!object || bpf_object__load(object) < 0 || !attach_all())
			return say("the object does not load or attach");
		status = start(cases[i].domain, cases[i].large_cgroup, cases[i].small_cgroup)
				 ? cases[i].run()
				 : say("no processes");
		eater_stop(&large);
		eater_stop(&small);
		eater_stop(&other);
	}
	return status;
}
