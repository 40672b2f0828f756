/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tracker on a tree of plain directories, with an array in the place of the BPF map. */
#include "daemon/tracker.h"

#include <errno.h>
#include <sys/stat.h>

#include "config/basic.h"
#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "test.h"

#define FAKE_FD 1000
#define FAKE_MAX 64

static struct {
	uint64_t id;
	struct op_rule rule;
} map[FAKE_MAX];
static size_t n_map, map_limit;

int loader_rules_init(struct loader_rules *r, size_t n_entries)
{
	(void)n_entries;
	n_map = 0;
	*r = (struct loader_rules){.fd = FAKE_FD, .max_entries = (uint32_t)map_limit};
	return 0;
}

void loader_rules_done(struct loader_rules *r)
{
	r->fd = -EBADF;
}

static size_t map_find(uint64_t id)
{
	size_t i = 0;

	while (i < n_map && map[i].id != id)
		i++;
	return i;
}

int loader_rules_set(const struct loader_rules *r, uint64_t id, const struct op_rule *rule)
{
	size_t i = map_find(id);
	bool fresh = i == n_map;

	CHECK_INT(r->fd, FAKE_FD);
	if (fresh && n_map == map_limit)
		return -E2BIG;
	map[i].id = id;
	map[i].rule = *rule;
	n_map += fresh;
	return fresh;
}

int loader_rules_remove(const struct loader_rules *r, uint64_t id)
{
	size_t i = map_find(id);

	CHECK_INT(r->fd, FAKE_FD);
	if (i == n_map)
		return 0;
	map[i] = map[--n_map];
	return 1;
}

static struct policy *policy;
static char tree[64];

static const char config[] = "[Policy p]\n"
			     "DefaultPriority=400\n"
			     "[Rule all]\n"
			     "Cgroup=/a/*\n"
			     "Priority=7\n"
			     "[Rule one]\n"
			     "Cgroup=/a/one\n"
			     "Protect=yes\n";

static uint64_t make(const char *path)
{
	char full[128];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", tree, path);
	CHECK_INT(mkdir(full, 0755), 0);
	CHECK_INT(stat(full, &st), 0);
	return st.st_ino;
}

static void drop(const char *path)
{
	char full[128];

	snprintf(full, sizeof(full), "%s%s", tree, path);
	CHECK_INT(rmdir(full), 0);
}

static uint64_t id_one;

/* /a, /a/one and /b on the disk; the policy rules the second. */
static void begin(struct tracker *t)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};

	map_limit = FAKE_MAX;
	strcpy(tree, "/tmp/test_tracker.XXXXXX");
	CHECK(mkdtemp(tree));
	make("/a");
	id_one = make("/a/one");
	make("/b");
	CHECK_INT(parser_parse_buffer("test", config, strlen(config), &diag, &policy), 0);
	CHECK_INT(tracker_init(tree, policy, t), 0);
}

static void end(struct tracker *t)
{
	tracker_done(t);
	drop("/b");
	drop("/a/one");
	drop("/a");
	drop("");
	policy = policy_free(policy);
}

static void apply(struct tracker *t, uint32_t type, uint64_t seq, uint64_t id, const char *path)
{
	struct op_cgroup_event e = {
		.header =
			{
				.version = OP_ABI_VERSION,
				.type = type,
				.size = sizeof(e),
				.seq = seq,
			},
		.id = id,
	};

	snprintf(e.path, sizeof(e.path), "%s", path);
	tracker_apply(t, policy, &e, sizeof(e));
}

static void test_walk(void)
{
	struct tracker t;

	begin(&t);
	CHECK_INT(t.n_ruled, 1);
	CHECK_INT(n_map, 2);
	CHECK_INT(map[map_find(0)].rule.priority, 400);
	CHECK_INT(map[map_find(0)].rule.index, OP_RULE_NONE);
	CHECK(map_find(id_one) < n_map);
	CHECK_INT(map[map_find(id_one)].rule.index, 1);
	CHECK_INT(map[map_find(id_one)].rule.flags, OP_RULE_PROTECT);
	CHECK(!t.stale);
	end(&t);
}

static void test_come_and_go(void)
{
	struct tracker t;

	begin(&t);
	apply(&t, OP_EVENT_CGROUP_MKDIR, 1, 900001, "/a/new");
	CHECK_INT(t.n_ruled, 2);
	CHECK_INT(map[map_find(900001)].rule.priority, 7);
	/* Twice is once. */
	apply(&t, OP_EVENT_CGROUP_MKDIR, 2, 900001, "/a/new");
	CHECK_INT(t.n_ruled, 2);
	/* One that no rule matches inherits and has no entry. */
	apply(&t, OP_EVENT_CGROUP_MKDIR, 3, 900002, "/b/new");
	CHECK_INT(t.n_ruled, 2);
	CHECK_INT(map_find(900002), n_map);

	apply(&t, OP_EVENT_CGROUP_RMDIR, 4, 900001, "");
	apply(&t, OP_EVENT_CGROUP_RMDIR, 5, 900001, "");
	apply(&t, OP_EVENT_CGROUP_RMDIR, 6, 900002, "");
	CHECK_INT(t.n_ruled, 1);
	CHECK_INT(map_find(900001), n_map);
	CHECK(!t.stale);
	end(&t);
}

/* cgroup v1 has ids of its own: neither its comings nor its goings count. */
static void test_other_hierarchy(void)
{
	struct op_cgroup_event e = {
		.header = {.version = OP_ABI_VERSION, .size = sizeof(e), .seq = 1},
		.id = 900001,
		.hierarchy_id = 3,
		.path = "/a/new",
	};
	struct tracker t;

	begin(&t);
	e.header.type = OP_EVENT_CGROUP_MKDIR;
	tracker_apply(&t, policy, &e, sizeof(e));
	CHECK_INT(t.n_ruled, 1);
	e.header.type = OP_EVENT_CGROUP_RMDIR;
	e.header.seq = 2;
	e.id = id_one;
	tracker_apply(&t, policy, &e, sizeof(e));
	CHECK_INT(t.n_ruled, 1);
	CHECK(!t.stale);
	end(&t);
}

/* All that needs the tree to be walked again. */
static void test_stale(void)
{
	char path[OP_PATH_LEN];
	struct tracker t;

	begin(&t);
	apply(&t, OP_EVENT_CGROUP_MKDIR, 1, 900001, "/b/x");
	CHECK(!t.stale);
	apply(&t, OP_EVENT_CGROUP_MKDIR, 3, 900003, "/b/z");
	CHECK(t.stale);
	end(&t);

	begin(&t);
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	apply(&t, OP_EVENT_CGROUP_MKDIR, 1, 900001, path);
	CHECK(t.stale);
	end(&t);

	begin(&t);
	tracker_apply(&t, policy, "rubbish", 7);
	CHECK(t.stale);
	CHECK_INT(t.n_ruled, 1);
	end(&t);

	begin(&t);
	map_limit = n_map;
	apply(&t, OP_EVENT_CGROUP_MKDIR, 1, 900001, "/a/new");
	CHECK(t.stale);
	CHECK_INT(t.n_ruled, 1);
	/* What is there already can still be set. */
	t.stale = false;
	apply(&t, OP_EVENT_CGROUP_MKDIR, 2, id_one, "/a/one");
	CHECK(!t.stale);
	end(&t);
}

static void test_full_from_the_start(void)
{
	struct tracker t, other;

	begin(&t);
	map_limit = 1;
	CHECK_INT(tracker_init(tree, policy, &other), -E2BIG);
	end(&t);
}

static const struct test_case cases[] = {
	TEST_CASE(walk),  TEST_CASE(come_and_go),	  TEST_CASE(other_hierarchy),
	TEST_CASE(stale), TEST_CASE(full_from_the_start),
};
TEST_MAIN(cases)
