/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk, on trees of plain directories. */
#include "daemon/cgroups/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "files.h"
#include "test.h"
#include "util/basic.h"

#define SEEN_MAX 512

static struct {
	char path[256];
	uint64_t id;
} seen[SEEN_MAX];
static size_t n_seen;
static size_t longest;

static char tree[] = "/tmp/test_cgroup_walk.XXXXXX";

static void tree_begin(void)
{
	memcpy(tree + sizeof(tree) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(tree));
	n_seen = 0;
	longest = 0;
}

static void tree_end(void)
{
	CHECK_INT(files_remove(tree), 0);
}

static void make(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", tree, path);
	CHECK_INT(mkdir(full, 0755), 0);
}

static void make_file(const char *path)
{
	char full[512];
	int fd;

	snprintf(full, sizeof(full), "%s%s", tree, path);
	fd = open(full, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	close(fd);
}

static int visit(const char *path, uint64_t id, void *userdata)
{
	(void)userdata;
	CHECK(n_seen < SEEN_MAX);
	if (strlen(path) > longest)
		longest = strlen(path);
	snprintf(seen[n_seen].path, sizeof(seen[n_seen].path), "%.255s", path);
	seen[n_seen++].id = id;
	return 0;
}

static ssize_t find(const char *path)
{
	for (size_t i = 0; i < n_seen; i++)
		if (strcmp(seen[i].path, path) == 0)
			return (ssize_t)i;
	return -1;
}

/* Every directory once, with its inode number, after its parent; files and links never. */
static void test_all_once(void)
{
	static const char *const paths[] = {
		"/a", "/a/b", "/a/b/c", "/a/.hidden", "/z.service", "/odd\n\xff name", "/a/...",
	};
	char full[512], target[512];

	tree_begin();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		make(paths[i]);
	make_file("/cgroup.procs");
	make_file("/a/memory.max");
	snprintf(full, sizeof(full), "%s/link", tree);
	snprintf(target, sizeof(target), "%s/a", tree);
	CHECK_INT(symlink(target, full), 0);

	CHECK_INT(cgroup_walk(tree, visit, NULL), 0);
	CHECK_INT(n_seen, ARRAY_SIZE(paths) + 1);
	CHECK_STR(seen[0].path, "/");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct stat st;

		CHECK(find(paths[i]) >= 0);
		snprintf(full, sizeof(full), "%s%s", tree, paths[i]);
		CHECK_INT(stat(full, &st), 0);
		CHECK_INT(seen[find(paths[i])].id, st.st_ino);
	}
	CHECK(find("/a") < find("/a/b") && find("/a/b") < find("/a/b/c"));
	tree_end();
}

static int visit_and_stop(const char *path, uint64_t id, void *userdata)
{
	visit(path, id, userdata);
	return n_seen == 2 ? -ECANCELED : 0;
}

static void test_stops_when_told(void)
{
	tree_begin();
	make("/a");
	make("/b");
	make("/c");
	CHECK_INT(cgroup_walk(tree, visit_and_stop, NULL), -ECANCELED);
	CHECK_INT(n_seen, 2);
	tree_end();
}

/* When one of two is visited the other one disappears, whichever comes first. */
static int visit_and_remove(const char *path, uint64_t id, void *userdata)
{
	char full[512];

	visit(path, id, userdata);
	if (strcmp(path, "/a") == 0 || strcmp(path, "/b") == 0) {
		snprintf(full, sizeof(full), "%s%s", tree, path[1] == 'a' ? "/b" : "/a");
		rmdir(full);
	}
	return 0;
}

static void test_vanishing(void)
{
	tree_begin();
	make("/a");
	make("/b");
	CHECK_INT(cgroup_walk(tree, visit_and_remove, NULL), 0);
	CHECK_INT(n_seen, 2);
	tree_end();
}

static void test_no_tree(void)
{
	n_seen = 0;
	CHECK_INT(cgroup_walk("/nonexistent/tree", visit, NULL), -ENOENT);
	CHECK_INT(n_seen, 0);
}

/* OP_DEPTH_MAX levels are seen, the next is not, and the longest possible path fits. */
static void test_depth(void)
{
	char name[OP_CGROUP_NAME_MAX + 1];
	int fd, next;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';

	tree_begin();
	fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < OP_DEPTH_MAX + 2; i++) {
		CHECK_INT(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);

	CHECK_INT(cgroup_walk(tree, visit, NULL), 0);
	CHECK_INT(n_seen, OP_DEPTH_MAX + 1);
	CHECK_INT(longest, CGROUP_PATH_SIZE - 1);

	/* nftw() is bound by PATH_MAX: take the tree down from within. */
	for (int depth = OP_DEPTH_MAX + 1; depth >= 0; depth--) {
		fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (int i = 0; i < depth; i++) {
			next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			CHECK(next >= 0);
			close(fd);
			fd = next;
		}
		CHECK_INT(unlinkat(fd, name, AT_REMOVEDIR), 0);
		close(fd);
	}
	CHECK_INT(rmdir(tree), 0);
}

/* No descriptor is left open, whichever way a walk ends. */
static void test_descriptors(void)
{
	int before, after;

	tree_begin();
	make("/a");
	make("/a/b");
	make("/c");
	before = dup(0);
	close(before);
	CHECK_INT(cgroup_walk(tree, visit, NULL), 0);
	n_seen = 0;
	CHECK_INT(cgroup_walk(tree, visit_and_stop, NULL), -ECANCELED);
	after = dup(0);
	close(after);
	CHECK_INT(after, before);
	tree_end();
}

static const struct test_case cases[] = {
	TEST_CASE(all_once), TEST_CASE(stops_when_told), TEST_CASE(vanishing),
	TEST_CASE(no_tree),  TEST_CASE(depth),		 TEST_CASE(descriptors),
};
TEST_MAIN(cases)
