/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tracker on a tree of plain directories, with an array in the place of the BPF map. */
#include "daemon/cgroups/tracker.h"

#include <errno.h>
#include <sys/stat.h>

#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "test.h"
#include "util/basic.h"

#define FAKE_FD 1000
#define FAKE_MAX 64

static struct {
	uint64_t id;
	struct op_entry entry;
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

int loader_rules_set(const struct loader_rules *r, uint64_t id, const struct op_entry *entry)
{
	size_t i = map_find(id);
	bool fresh = i == n_map;

	CHECK_INT(r->fd, FAKE_FD);
	if (fresh && n_map == map_limit)
		return -E2BIG;
	map[i].id = id;
	map[i].entry = *entry;
	n_map += fresh;
	return fresh;
}

int loader_rules_fill(const struct loader_rules *r, const uint64_t *ids,
		      const struct op_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int error = loader_rules_set(r, ids[i], &entries[i]);

		if (error < 0)
			return error;
		CHECK_INT(error, 1);
	}
	return 0;
}

int loader_rules_remove(const struct loader_rules *r, uint64_t id, struct op_entry *ret)
{
	size_t i = map_find(id);

	CHECK_INT(r->fd, FAKE_FD);
	if (i == n_map)
		return 0;
	*ret = map[i].entry;
	map[i] = map[--n_map];
	return 1;
}

static struct config *config;
static char tree[64];

static const char text[] = "[Policy p]\n"
			   "Scope=memcg\n"
			   "DefaultPriority=400\n"
			   "[Policy system]\n"
			   "Scope=system\n"
			   "Victim=oldest\n"
			   "[Policy later]\n"
			   "Scope=any\n"
			   "Cgroup=/later\n"
			   "[Policy ruled]\n"
			   "Scope=memcg\n"
			   "Cgroup=/a/ruled\n"
			   "[Rule all]\n"
			   "Cgroup=/a/*\n"
			   "Priority=7\n"
			   "[Rule one]\n"
			   "Cgroup=/a/one\n"
			   "Protect=yes\n";

/* Of those policies, in that order; not in the order of their numbers. */
static const uint16_t slots[] = {9, 2, 5, 7};
/* The entries that are not of a cgroup, and that of the root, which two policies name. */
#define N_FIXED (1 + ARRAY_SIZE(slots) + 1)
#define CONFIG_NUMBER 42

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

static uint64_t id_root, id_one;

/* /a, /a/one and /b on the disk; a rule matches the second. */
static void begin(struct tracker *t)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	struct stat st;

	map_limit = FAKE_MAX;
	strcpy(tree, "/tmp/test_tracker.XXXXXX");
	CHECK(mkdtemp(tree));
	CHECK_INT(stat(tree, &st), 0);
	id_root = st.st_ino;
	make("/a");
	id_one = make("/a/one");
	make("/b");
	CHECK_INT(parser_parse_buffer("test", text, strlen(text), NULL, &diag, &config), 0);
	CHECK_INT(tracker_init(tree, config, slots, CONFIG_NUMBER, t), 0);
}

static void end(struct tracker *t)
{
	tracker_done(t);
	drop("/b");
	drop("/a/one");
	drop("/a");
	drop("");
	config = config_free(config);
}

static void apply(struct tracker *t, uint32_t type, uint64_t seq, uint64_t id, const char *path)
{
	struct op_cgroup_record e = {
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
	tracker_apply(t, config, &e, sizeof(e));
}

static const struct op_entry *find_entry(uint64_t id)
{
	size_t i = map_find(id);

	return i < n_map ? &map[i].entry : NULL;
}

static void check_entry(uint64_t id, const struct op_entry *expected)
{
	const struct op_entry *seen = find_entry(id);

	if (!seen)
		FAIL("no entry for %llx", (unsigned long long)id);
	if (memcmp(seen, expected, sizeof(*seen)) != 0) {
		uint32_t a[4], b[4];

		memcpy(a, seen, sizeof(a));
		memcpy(b, expected, sizeof(b));
		FAIL("entry %llx is {%u, %u, %#x, %#x}, expected {%u, %u, %#x, %#x}",
		     (unsigned long long)id, a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]);
	}
}

/* RunnersUp= is at its default. */
static void check_config(uint32_t n_sorted, uint32_t flags)
{
	check_entry(OP_KEY_CONFIG, &(struct op_entry){
					   .config.number = CONFIG_NUMBER,
					   .config.flags = flags,
					   .config.n_sorted = n_sorted,
					   .config.runners_max = OP_RUNNERS_MAX,
				   });
}

static void check_policy(uint16_t slot, uint32_t default_priority, uint32_t victim)
{
	check_entry(OP_KEY_POLICY(slot), &(struct op_entry){
						 .policy.default_priority = default_priority,
						 .policy.victim = victim,
					 });
}

/* Of a cgroup that policies name and no rule matches. */
static void check_slots(uint64_t id, uint16_t slot_memcg, uint16_t slot_system)
{
	check_entry(id, &(struct op_entry){
				.cgroup.rule_index = OP_RULE_NONE,
				.cgroup.slot_memcg = slot_memcg,
				.cgroup.slot_system = slot_system,
			});
}

/* Of a cgroup that a rule matches and no policy names. */
static void check_rule(uint64_t id, uint32_t priority, uint32_t rule_index, uint32_t flags)
{
	check_entry(id, &(struct op_entry){
				.cgroup.priority = priority,
				.cgroup.rule_index = rule_index,
				.cgroup.flags = flags,
			});
}

static void test_walk(void)
{
	struct tracker t;

	begin(&t);
	CHECK_INT(t.n_ruled, 1);
	CHECK_INT(n_map, N_FIXED + 1);
	CHECK(!t.stale);

	/* The one that is ruled is protected: the order is empty. */
	check_config(0, OP_CONFIG_ORDERED);
	check_policy(9, 400, OP_VICTIM_LARGEST);
	check_policy(2, 500, OP_VICTIM_OLDEST);
	check_policy(5, 500, OP_VICTIM_LARGEST);
	check_policy(7, 500, OP_VICTIM_LARGEST);
	check_slots(id_root, 9, 2);
	check_rule(id_one, 500, 1, OP_RULE_MATCH | OP_RULE_PROTECT | OP_RULE_DEFAULT_PRIORITY);
	end(&t);
}

/* Cgroups that a policy names get its slot when they appear, with a rule or without. */
static void test_policy_cgroups(void)
{
	struct tracker t;

	begin(&t);
	apply(&t, OP_RECORD_CGROUP_MKDIR, 1, 900001, "/later");
	check_slots(900001, 5, 5);
	CHECK_INT(t.n_ruled, 1);
	apply(&t, OP_RECORD_CGROUP_MKDIR, 2, 900002, "/a/ruled");
	check_entry(900002, &(struct op_entry){
				    .cgroup.priority = 7,
				    .cgroup.flags = OP_RULE_MATCH,
				    .cgroup.slot_memcg = 7,
			    });
	CHECK_INT(t.n_ruled, 2);
	/* What is below them asks upwards. */
	apply(&t, OP_RECORD_CGROUP_MKDIR, 3, 900003, "/later/child");
	CHECK(!find_entry(900003));

	apply(&t, OP_RECORD_CGROUP_RMDIR, 4, 900001, "");
	CHECK(!find_entry(900001));
	CHECK_INT(t.n_ruled, 2);
	apply(&t, OP_RECORD_CGROUP_RMDIR, 5, 900002, "");
	CHECK_INT(t.n_ruled, 1);
	/* What was in the order stays there: its cgroup is not found any more. */
	CHECK_INT(n_map, N_FIXED + 1 + t.n_later);
	CHECK(!t.stale);
	end(&t);
}

static void check_order(size_t i, uint64_t id, uint32_t priority)
{
	check_entry(OP_KEY_ORDER(i),
		    &(struct op_entry){.order.cgroup_id = id, .order.priority = priority});
}

/* Below the highest default priority, which is 500 here, and with a priority of their own. */
static void test_order(void)
{
	static const char order_text[] = "[Rule five]\nCgroup=/five\nPriority=5\n"
					 "[Rule one]\nCgroup=/one\nPriority=1\n"
					 "[Rule high]\nCgroup=/high\nPriority=500\n"
					 "[Rule safe]\nCgroup=/safe\nPriority=2\nProtect=yes\n"
					 "[Rule none]\nCgroup=/none\nKill=process\n"
					 "[Rule new]\nCgroup=/new*\nPriority=3\n";
	static const char *const names[] = {"/five", "/one", "/high", "/safe", "/none"};
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	uint64_t ids[ARRAY_SIZE(names)];
	struct tracker t;
	uint64_t id;

	map_limit = FAKE_MAX;
	strcpy(tree, "/tmp/test_tracker.XXXXXX");
	CHECK(mkdtemp(tree));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ids[i] = make(names[i]);
	CHECK_INT(parser_parse_buffer("test", order_text, strlen(order_text), NULL, &diag, &config),
		  0);
	CHECK_INT(tracker_init(tree, config, slots, CONFIG_NUMBER, &t), 0);
	CHECK_INT(t.n_sorted, 2);
	check_config(2, OP_CONFIG_ORDERED);
	check_order(0, ids[1], 1);
	check_order(1, ids[0], 5);
	CHECK(!find_entry(OP_KEY_ORDER(2)));

	id = (7ULL << 32) | 900001;
	apply(&t, OP_RECORD_CGROUP_MKDIR, 1, id, "/new1");
	check_order(2, id, 3);
	CHECK(!find_entry(OP_KEY_ORDER(3)));
	CHECK(!t.unordered);

	/* No room: what is there is not to be used, and nothing else is wrong. */
	t.n_later = OP_ORDER_LATER_MAX;
	apply(&t, OP_RECORD_CGROUP_MKDIR, 2, 900002, "/new2");
	CHECK(t.unordered);
	CHECK(!t.stale);
	check_config(2, 0);
	check_rule(900002, 3, 5, OP_RULE_MATCH);

	tracker_done(&t);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		drop(names[i]);
	drop("");
	config = config_free(config);
}

static void test_come_and_go(void)
{
	struct tracker t;

	begin(&t);
	apply(&t, OP_RECORD_CGROUP_MKDIR, 1, 900001, "/a/new");
	CHECK_INT(t.n_ruled, 2);
	CHECK_INT(map[map_find(900001)].entry.cgroup.priority, 7);
	/* Twice is once. */
	apply(&t, OP_RECORD_CGROUP_MKDIR, 2, 900001, "/a/new");
	CHECK_INT(t.n_ruled, 2);
	/* One that no rule matches inherits and has no entry. */
	apply(&t, OP_RECORD_CGROUP_MKDIR, 3, 900002, "/b/new");
	CHECK_INT(t.n_ruled, 2);
	CHECK_INT(map_find(900002), n_map);

	apply(&t, OP_RECORD_CGROUP_RMDIR, 4, 900001, "");
	apply(&t, OP_RECORD_CGROUP_RMDIR, 5, 900001, "");
	apply(&t, OP_RECORD_CGROUP_RMDIR, 6, 900002, "");
	CHECK_INT(t.n_ruled, 1);
	CHECK_INT(map_find(900001), n_map);
	CHECK(!t.stale);
	end(&t);
}

/* Whatever had an id or a path before, what has it now counts: the kernel gives no id twice, and
 * many cgroups the same path one after the other. */
static void test_again(void)
{
	struct tracker t;

	begin(&t);
	apply(&t, OP_RECORD_CGROUP_MKDIR, 1, 900001, "/a/new");
	apply(&t, OP_RECORD_CGROUP_RMDIR, 2, 900001, "");
	apply(&t, OP_RECORD_CGROUP_MKDIR, 3, 900001, "/b/new");
	CHECK_INT(map_find(900001), n_map);
	apply(&t, OP_RECORD_CGROUP_MKDIR, 4, 900002, "/a/new");
	apply(&t, OP_RECORD_CGROUP_RMDIR, 5, 900001, "");
	CHECK_INT(t.n_ruled, 2);
	CHECK_INT(map[map_find(900002)].entry.cgroup.priority, 7);
	CHECK(!t.stale);
	/* One whose end was not told of keeps its entry until the tree is walked, which is now. */
	apply(&t, OP_RECORD_CGROUP_MKDIR, 7, 900002, "/b/new");
	CHECK(t.stale);
	end(&t);
}

/* cgroup v1 has ids of its own: neither its comings nor its goings count. */
static void test_other_hierarchy(void)
{
	struct op_cgroup_record e = {
		.header = {.version = OP_ABI_VERSION, .size = sizeof(e), .seq = 1},
		.id = 900001,
		.hierarchy_id = 3,
		.path = "/a/new",
	};
	struct tracker t;

	begin(&t);
	e.header.type = OP_RECORD_CGROUP_MKDIR;
	tracker_apply(&t, config, &e, sizeof(e));
	CHECK_INT(t.n_ruled, 1);
	e.header.type = OP_RECORD_CGROUP_RMDIR;
	e.header.seq = 2;
	e.id = id_one;
	tracker_apply(&t, config, &e, sizeof(e));
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
	apply(&t, OP_RECORD_CGROUP_MKDIR, 1, 900001, "/b/x");
	CHECK(!t.stale);
	apply(&t, OP_RECORD_CGROUP_MKDIR, 3, 900003, "/b/z");
	CHECK(t.stale);
	end(&t);

	begin(&t);
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	apply(&t, OP_RECORD_CGROUP_MKDIR, 1, 900001, path);
	CHECK(t.stale);
	end(&t);

	begin(&t);
	tracker_apply(&t, config, "rubbish", 7);
	CHECK(t.stale);
	CHECK_INT(t.n_ruled, 1);
	end(&t);

	begin(&t);
	map_limit = n_map;
	apply(&t, OP_RECORD_CGROUP_MKDIR, 1, 900001, "/a/new");
	CHECK(t.stale);
	CHECK_INT(t.n_ruled, 1);
	/* What is there already can still be set. */
	t.stale = false;
	apply(&t, OP_RECORD_CGROUP_MKDIR, 2, id_one, "/a/one");
	CHECK(!t.stale);
	end(&t);
}

static void test_full_from_the_start(void)
{
	struct tracker t, other;

	begin(&t);
	map_limit = 1;
	CHECK_INT(tracker_init(tree, config, slots, CONFIG_NUMBER, &other), -E2BIG);
	end(&t);
}

static const struct test_case cases[] = {
	TEST_CASE(walk),  TEST_CASE(policy_cgroups),
	TEST_CASE(order), TEST_CASE(come_and_go),
	TEST_CASE(again), TEST_CASE(other_hierarchy),
	TEST_CASE(stale), TEST_CASE(full_from_the_start),
};
TEST_MAIN(cases)
