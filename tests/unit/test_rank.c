/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of a list, the paths in it and who dies together, on a tree of directories. */
#include "daemon/bus/rank.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "files.h"
#include "test.h"
#include "util/basic.h"

static char root[64];

static void remove_root(void)
{
	files_remove(root);
}

static void write_file(const char *path, const char *text)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	files_write(full, text);
}

static void set_up(void)
{
	static const char *const directories[] = {"/a",	      "/a/b",	     "/a/b/c", "/a/bb",
						  "/a/group", "/a/group/in", "/d"};

	if (root[0])
		return;
	strcpy(root, "/tmp/test_rank.XXXXXX");
	CHECK(mkdtemp(root));
	CHECK(atexit(remove_root) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		char full[256];

		snprintf(full, sizeof(full), "%s%s", root, directories[i]);
		CHECK(mkdir(full, 0755) == 0);
	}
	write_file("/a/memory.oom.group", "0\n");
	write_file("/a/group/memory.oom.group", "1\n");
}

/* A process as BPF found it; the place in the list is that in which it was found. */
struct found {
	uint32_t pid;
	const char *cgroup; /* NULL: gone */
	const char *source;
	uint32_t flags;
	uint32_t priority;
	uint64_t points;
	uint32_t never;
};

#define KILLS (OP_RULE_KILL_PROCESS | OP_RULE_KILL_CGROUP)

static void check_order(const struct found *found, size_t n, const char *domain, uint32_t honoured,
			const char *expected)
{
	struct op_ranked items[16] = {};
	char seen[1024] = "";
	struct rank rank;

	for (size_t i = 0; i < n; i++)
		items[i] = (struct op_ranked){
			.pid = found[i].pid,
			.cgroup_id =
				found[i].cgroup ? files_inode(root, found[i].cgroup) : UINT64_MAX,
			.source_id = found[i].source ? files_inode(root, found[i].source) : 0,
			.rule_flags = found[i].flags,
			.priority = found[i].priority,
			.points = found[i].points,
			.never = found[i].never,
			.found = (uint32_t)i,
			.oom_score_adj = found[i].never == OP_NEVER_SCORE_ADJ ? -1000 : 0,
		};
	CHECK_INT(rank_init(&rank, items, n, root, domain, honoured), 0);
	CHECK_INT(rank.n, n);
	for (size_t i = 0; i < rank.n; i++) {
		const struct rank_process *p = &rank.processes[i];
		size_t used = strlen(seen);

		snprintf(seen + used, sizeof(seen) - used, "%s%u %s", i ? ", " : "", p->ranked.pid,
			 *p->cgroup ? p->cgroup : "-");
		used = strlen(seen);
		if (*p->source)
			snprintf(seen + used, sizeof(seen) - used, " by %s", p->source);
		used = strlen(seen);
		if (p->with_pid)
			snprintf(seen + used, sizeof(seen) - used, " with %u (%s)", p->with_pid,
				 word_get(&words_group, p->group));
	}
	CHECK_STR(seen, expected);
	rank_done(&rank);
}

static void test_order(void)
{
	static const struct found found[] = {
		{1, "/", NULL, 0, 0, 9000, OP_NEVER_INIT},
		{2, "/a", NULL, 0, 500, 10, OP_NEVER_NOT},
		{3, "/a/b", "/a/b", 0, 10, 1, OP_NEVER_NOT},
		{4, "/a/b/c", "/a/b", 0, 10, UINT64_MAX, OP_NEVER_NOT},
		{5, NULL, NULL, 0, 500, 11, OP_NEVER_NOT},
		{6, "/a/bb", NULL, 0, 500, 10, OP_NEVER_NOT},
		{7, "/d", "/d", OP_RULE_PROTECT, 5, 9001, OP_NEVER_PROTECTED},
		{8, "/d", "/d", 0, 1000, 1ULL << 40, OP_NEVER_NOT},
	};

	set_up();
	check_order(found, ARRAY_SIZE(found), "/", KILLS,
		    "4 /a/b/c by /a/b, 3 /a/b by /a/b, 5 -, 2 /a, 6 /a/bb, 8 /d by /d, "
		    "7 /d by /d, 1 /");
	check_order(found, 0, "/", KILLS, "");
}

/* Kill=cgroup takes along what the rule matches and is not protected, also of another priority. */
static void test_kill_cgroup(void)
{
	static const struct found found[] = {
		{1, "/a/bb", NULL, 0, 300, 1, OP_NEVER_NOT},
		{2, "/a/b", "/a/b", OP_RULE_KILL_CGROUP, 10, 5, OP_NEVER_NOT},
		{3, "/a/b", "/a/b", OP_RULE_KILL_CGROUP, 10, 9, OP_NEVER_NOT},
		{4, "/a/b/c", "/a/b/c", 0, 900, 1, OP_NEVER_NOT},
		{5, "/a/b/c", "/a/b/c", OP_RULE_PROTECT, 500, 1, OP_NEVER_PROTECTED},
		{6, "/a/b", "/a/b", 0, 10, 1, OP_NEVER_SCORE_ADJ},
	};
	static const struct found among[] = {
		{1, "/a/b/c", "/a/b/c", 0, 5, 1, OP_NEVER_NOT},
		{2, "/a/b", "/a/b", OP_RULE_KILL_CGROUP, 10, 5, OP_NEVER_NOT},
		{3, "/a/b", "/a/b", OP_RULE_KILL_CGROUP, 10, 9, OP_NEVER_NOT},
	};

	set_up();
	check_order(found, ARRAY_SIZE(found), "/a", KILLS,
		    "3 /a/b by /a/b, 2 /a/b by /a/b with 3 (kill-cgroup), "
		    "4 /a/b/c by /a/b/c with 3 (kill-cgroup), 1 /a/bb, "
		    "5 /a/b/c by /a/b/c, 6 /a/b by /a/b");
	/* One that died by itself before the group does is not there twice. */
	check_order(among, ARRAY_SIZE(among), "/a", KILLS,
		    "1 /a/b/c by /a/b/c, 3 /a/b by /a/b, 2 /a/b by /a/b with 3 (kill-cgroup)");
	/* What the rule matches lies above the domain. */
	check_order(&found[1], 1, "/a/b", KILLS, "2 /a/b by /a/b");
	/* Where the kernel kills, Kill= has no say. */
	check_order(found, ARRAY_SIZE(found), "/a", 0,
		    "3 /a/b by /a/b, 2 /a/b by /a/b, 1 /a/bb, 4 /a/b/c by /a/b/c, "
		    "5 /a/b/c by /a/b/c, 6 /a/b by /a/b");
}

/* memory.oom.group takes all along but what the kernel never kills, unless Kill= says otherwise. */
static void test_oom_group(void)
{
	struct found found[] = {
		{1, "/a", NULL, 0, 500, 7, OP_NEVER_NOT},
		{2, "/a/group/in", NULL, 0, 500, 9, OP_NEVER_NOT},
		{3, "/a/group", NULL, 0, 900, 3, OP_NEVER_NOT},
		{4, "/a/group", "/a/group", OP_RULE_PROTECT, 500, 1, OP_NEVER_PROTECTED},
		{5, "/a/group/in", NULL, 0, 500, 2, OP_NEVER_SCORE_ADJ},
		{6, "/a/group/in", NULL, 0, 500, 1, OP_NEVER_DYING},
	};

	set_up();
	check_order(
		found, ARRAY_SIZE(found), "/", KILLS,
		"2 /a/group/in, 3 /a/group with 2 (oom-group), "
		"4 /a/group by /a/group with 2 (oom-group), 1 /a, 5 /a/group/in, 6 /a/group/in");
	/* The group is above the domain: the kernel does not look there. */
	check_order(&found[1], 1, "/a/group/in", KILLS, "2 /a/group/in");
	found[1].flags = OP_RULE_KILL_PROCESS;
	check_order(found, 3, "/", KILLS, "2 /a/group/in, 1 /a, 3 /a/group");
	check_order(found, 3, "/", 0, "2 /a/group/in, 3 /a/group with 2 (oom-group), 1 /a");
	/* A kernel that can kill a group as a rule has it, and not one process alone. */
	check_order(found, 3, "/", OP_RULE_KILL_CGROUP,
		    "2 /a/group/in, 3 /a/group with 2 (oom-group), 1 /a");
}

static void test_total_pages(void)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct sysinfo info;
	uint64_t pages;

	set_up();
	CHECK(sysinfo(&info) == 0);
	CHECK_INT(rank_acquire_total_pages(root, "/", &pages), 0);
	CHECK(pages == (info.totalram + info.totalswap) * info.mem_unit / page);
	CHECK_INT(rank_acquire_total_pages(root, "/d", &pages), -ENODATA);
	CHECK_INT(rank_acquire_total_pages(root, "/none", &pages), -ENOENT);
	write_file("/d/memory.max", "1048576\n");
	CHECK_INT(rank_acquire_total_pages(root, "/d", &pages), 0);
	CHECK_INT(pages, 1048576 / page);
	write_file("/d/memory.swap.max", "0\n");
	CHECK_INT(rank_acquire_total_pages(root, "/d", &pages), 0);
	CHECK_INT(pages, 1048576 / page);
	write_file("/d/memory.max", "0\n");
	CHECK_INT(rank_acquire_total_pages(root, "/d", &pages), 0);
	CHECK_INT(pages, 1);
	write_file("/d/memory.max", "max\n");
	CHECK_INT(rank_acquire_total_pages(root, "/d", &pages), 0);
	CHECK(pages == (uint64_t)INT64_MAX / page);
	write_file("/d/memory.max", "many\n");
	CHECK_INT(rank_acquire_total_pages(root, "/d", &pages), -EBADMSG);
}

static const struct test_case cases[] = {
	TEST_CASE(order),
	TEST_CASE(kill_cgroup),
	TEST_CASE(oom_group),
	TEST_CASE(total_pages),
};
TEST_MAIN(cases)
