/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon answers, on a tree of directories and a rules map of this file's: effective
 * priorities as the BPF side finds them, and who answers for a domain.
 */
#include <sys/stat.h>

#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "daemon/attachments.h"
#include "daemon/bus/bus.h"
#include "daemon/bus/provider.h"
#include "daemon/cgroups/tracker.h"
#include "daemon/kernel/loader.h"
#include "daemon/view.h"
#include "daemon/warnings.h"
#include "files.h"
#include "test.h"
#include "util/basic.h"

static const char text[] = "[Policy all]\nDefaultPriority=500\n"
			   "[Policy part]\nCgroup=/a\nScope=memcg\nDefaultPriority=300\n"
			   "[Rule low]\nCgroup=/a/low\nPriority=10\nKill=cgroup\n"
			   "[Rule safe]\nCgroup=/a/low/safe\nProtect=yes\n"
			   "[Rule any]\nCgroup=/a/*\nPriority=20\nKill=process\n";

enum { SLOT_ALL = 3, SLOT_PART = 7 };

static char root[64];
static struct config *config;
static struct tracker tracker = {.slots = {SLOT_ALL, SLOT_PART}, .n_ruled = 2};

/* --- the kernel's side */

int loader_rules_get(const struct loader_rules *r, uint64_t id, struct op_entry *ret)
{
	const struct {
		uint64_t id;
		struct op_entry entry;
	} entries[] = {
		{OP_KEY_POLICY(SLOT_ALL), {.policy.default_priority = 500}},
		{OP_KEY_POLICY(SLOT_PART), {.policy.default_priority = 300}},
		{files_inode(root, ""),
		 {.cgroup.rule_index = OP_RULE_NONE,
		  .cgroup.slot_memcg = SLOT_ALL,
		  .cgroup.slot_system = SLOT_ALL}},
		{files_inode(root, "/a"),
		 {.cgroup.rule_index = OP_RULE_NONE, .cgroup.slot_memcg = SLOT_PART}},
		{files_inode(root, "/a/low"),
		 {.cgroup.priority = 10, .cgroup.flags = OP_RULE_MATCH | OP_RULE_KILL_CGROUP}},
		{files_inode(root, "/a/low/safe"),
		 {.cgroup.priority = OP_PRIORITY_DEFAULT,
		  .cgroup.rule_index = 1,
		  .cgroup.flags = OP_RULE_MATCH | OP_RULE_PROTECT | OP_RULE_DEFAULT_PRIORITY}},
	};

	(void)r;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if (entries[i].id == id) {
			*ret = entries[i].entry;
			return 1;
		}
	return 0;
}

int loader_rules_count(const struct loader_rules *r, uint32_t *ret)
{
	(void)r;
	*ret = 6;
	return 0;
}

int loader_cgroup_fd(const struct loader *l)
{
	(void)l;
	return -EBADF;
}

uint64_t loader_count_cgroups_lost(const struct loader *l)
{
	(void)l;
	return 4;
}

void loader_acquire_policies(const struct loader *l, struct loader_policies *ret)
{
	(void)l;
	*ret = (struct loader_policies){
		.items = {{"oompolicyd", 1, 2, true}, {"all", 3, 4, true}, {"part", 5, 0, false}},
		.n = 3,
	};
}

void loader_acquire_stats(const struct loader *l, struct op_stats *ret)
{
	(void)l;
	*ret = (struct op_stats){.runs = 9, .kills = 8, .events_lost = 7};
}

void loader_acquire_history(const struct loader *l, struct loader_history *ret)
{
	(void)l;
	*ret = (struct loader_history){
		.origin = LOADER_ADOPTED, .is_pinned = true, .since_real_usec = 77};
}

enum backend loader_backend(const struct loader *l)
{
	(void)l;
	return BACKEND_STRUCT_OPS;
}

uint32_t loader_honoured_kills(const struct loader *l)
{
	(void)l;
	return OP_RULE_KILL_PROCESS | OP_RULE_KILL_CGROUP;
}

const char *loader_why_not_better(const struct loader *l)
{
	(void)l;
	return "";
}

static struct op_rank_run run;
static struct op_ranked ranked[2];

int loader_load_rank(struct loader *l)
{
	(void)l;
	return 0;
}

int loader_rank(const struct loader *l, struct op_rank_run *asked, struct op_ranked *ret)
{
	(void)l;
	CHECK(asked->domain_id == files_inode(root, ""));
	CHECK(asked->total_pages > 0 && !asked->is_memcg);
	*asked = run;
	memcpy(ret, ranked, run.n_ranked * sizeof(*ret));
	return 0;
}

/* --- the daemon's side */

static void look(struct view *ret, void *userdata)
{
	(void)userdata;
	*ret = (struct view){
		.config = config,
		.tracker = &tracker,
		.cgroup_root = root,
		.config_number = 2,
		.reload_error = "",
	};
}

void attachments_look(struct attachments *g)
{
	(void)g;
}

void attachments_acquire_warnings(const struct attachments *g, struct warnings *ret)
{
	(void)g;
	snprintf(ret->items[ret->n++], WARNING_SIZE, "of the attachments");
}

static struct provider provider = {.look = look};

static void make(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	CHECK(mkdir(full, 0755) == 0);
}

static void remove_root(void)
{
	char command[128];

	config_free(config);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command) != 0)
		perror(command);
}

static void set_up(void)
{
	struct diagnostics diag = {};

	if (root[0])
		return;
	strcpy(root, "/tmp/test_provider.XXXXXX");
	CHECK(mkdtemp(root));
	CHECK(atexit(remove_root) == 0);
	make("/a");
	make("/a/low");
	make("/a/low/safe");
	make("/a/low/deep");
	make("/b");
	CHECK_INT(parser_parse_buffer("file", text, sizeof(text) - 1, NULL, &diag, &config), 0);
	diagnostics_done(&diag);
}

/* --- the cases */

struct seen {
	char lines[1024];
};

static int see(const struct tree_row *row, void *userdata)
{
	struct seen *seen = userdata;
	size_t used = strlen(seen->lines);

	CHECK(row->id == files_inode(root, strcmp(row->cgroup, "/") == 0 ? "" : row->cgroup));
	snprintf(seen->lines + used, sizeof(seen->lines) - used, "%s %u [%s] [%s]%s [%s]\n",
		 row->cgroup, row->priority, row->rule, row->source,
		 row->protect ? " protected" : "", row->kill);
	return 0;
}

/* Directories are read in any order: each line has to be there. */
static void check_lines(const struct seen *seen, const char *const *lines, size_t n)
{
	size_t length = 0;

	for (size_t i = 0; i < n; i++) {
		if (!strstr(seen->lines, lines[i]))
			FAIL("there is no line %sin\n%s", lines[i], seen->lines);
		length += strlen(lines[i]);
	}
	if (length != strlen(seen->lines))
		FAIL("there is more than expected in\n%s", seen->lines);
}

static void test_system(void)
{
	static const char *const lines[] = {
		"/ 500 [] [] []\n",
		"/a 500 [] [] []\n",
		"/a/low 10 [low] [/a/low] [cgroup]\n",
		"/a/low/safe 500 [safe] [/a/low/safe] protected []\n",
		"/a/low/deep 10 [low] [/a/low] [cgroup]\n",
		"/b 500 [] [] []\n",
	};
	struct seen seen = {};

	set_up();
	CHECK_STR(provider_ops.domain_policy("/", &provider), "all");
	CHECK_INT(provider_ops.walk_tree("/", see, &seen, &provider), 0);
	check_lines(&seen, lines, ARRAY_SIZE(lines));
}

/* The same cgroups, where a part of the tree has run out: another policy gives the defaults. */
static void test_domain(void)
{
	static const char *const lines[] = {
		"/a 300 [] [] []\n",
		"/a/low 10 [low] [/a/low] [cgroup]\n",
		"/a/low/safe 300 [safe] [/a/low/safe] protected []\n",
		"/a/low/deep 10 [low] [/a/low] [cgroup]\n",
	};
	static const char *const deep[] = {"/a/low/deep 10 [low] [/a/low] [cgroup]\n"};
	struct seen seen = {}, below = {};

	set_up();
	CHECK_STR(provider_ops.domain_policy("/a", &provider), "part");
	CHECK_STR(provider_ops.domain_policy("/a/low/deep", &provider), "part");
	CHECK_STR(provider_ops.domain_policy("/b", &provider), "all");
	CHECK_INT(provider_ops.walk_tree("/a", see, &seen, &provider), 0);
	check_lines(&seen, lines, ARRAY_SIZE(lines));
	/* What it inherits lies above the domain. */
	CHECK_INT(provider_ops.walk_tree("/a/low/deep", see, &below, &provider), 0);
	check_lines(&below, deep, ARRAY_SIZE(deep));
	CHECK_INT(provider_ops.walk_tree("/none", see, &seen, &provider), -ENOENT);
	CHECK_STR(provider_ops.domain_policy("/none", &provider), "");
}

static int see_candidate(const struct candidate_row *c, void *userdata)
{
	struct seen *seen = userdata;
	size_t used = strlen(seen->lines);

	snprintf(seen->lines + used, sizeof(seen->lines) - used, "%s %s %s=%s %s:%u%s\n", c->cgroup,
		 c->rule, c->key, c->pattern, c->file, c->line, c->decides ? " *" : "");
	return 0;
}

static void test_explain(void)
{
	struct effective_values e;
	struct seen seen = {};

	set_up();
	CHECK_INT(provider_ops.explain("/a/low/deep", &e, see_candidate, &seen, &provider), 0);
	CHECK_STR(seen.lines, "/a/low low Cgroup=/a/low file:8 *\n"
			      "/a/low any Cgroup=/a/* file:15\n");
	CHECK_STR(e.rule, "low");
	CHECK_STR(e.source, "/a/low");
	CHECK_INT(e.priority, 10);
	CHECK(!e.priority_is_default && !e.protect && e.exists);
	CHECK_STR(e.kill, "cgroup");
	CHECK_STR(e.policy, "part");
	CHECK_STR(e.system_policy, "all");

	CHECK_INT(provider_ops.explain("/a/low/safe", &e, see_candidate, &seen, &provider), 0);
	CHECK_STR(e.rule, "safe");
	CHECK(e.priority_is_default && e.protect);
	CHECK_INT(e.priority, 300);

	CHECK_INT(provider_ops.explain("/c", &e, see_candidate, &seen, &provider), 0);
	CHECK_STR(e.rule, "");
	CHECK_INT(e.priority, 500);
	CHECK(!e.exists);
}

static void test_status(void)
{
	struct bus_policies policies;
	struct status s;
	uint32_t n;

	set_up();
	provider_ops.acquire_status(&s, &provider);
	provider_ops.acquire_policies(&policies, &provider);
	CHECK_INT(policies.n, 3);
	CHECK_STR(policies.items[0].scope, "");
	CHECK_STR(policies.items[1].scope, "any");
	CHECK_STR(policies.items[2].name, "part");
	CHECK_STR(policies.items[2].cgroup, "/a");
	CHECK_INT(policies.items[2].default_priority, 300);
	CHECK_INT(policies.items[2].program_id, 0);
	CHECK(!policies.items[2].attached);
	CHECK_INT(s.rules, 3);
	CHECK_INT(s.cgroups_ruled, 2);
	CHECK_INT(s.ooms, 9);
	CHECK_INT(s.records_lost, 7);
	CHECK_INT(s.cgroup_records_lost, 4);
	CHECK(!s.follows_cgroups);
	CHECK(s.pinned);
	CHECK_STR(s.origin, "adopted");
	CHECK_INT(s.in_force_usec, 77);
	CHECK_INT(provider_ops.count_entries(&n, &provider), 0);
	CHECK_INT(n, 6);
}

static int see_ranked(const struct process_row *row, void *userdata)
{
	struct seen *seen = userdata;
	size_t used = strlen(seen->lines);

	snprintf(seen->lines + used, sizeof(seen->lines) - used, "%u %s %u [%s] [%s] [%s] [%s]\n",
		 row->pid, row->cgroup, row->priority, row->rule, row->source, row->kill,
		 row->never);
	return 0;
}

static void check_rank(const char *outcome, const char *reason, const char *policy,
		       const char *lines)
{
	struct outcome_values rank;
	struct seen seen = {};

	CHECK_INT(provider_ops.rank("/", &rank, see_ranked, &seen, &provider), 0);
	CHECK_STR(rank.outcome, outcome);
	CHECK_STR(rank.reason, reason);
	CHECK_STR(rank.policy, policy);
	CHECK_STR(seen.lines, lines);
}

static void test_rank(void)
{
	static const char all[] = "12 /a/low/deep 10 [low] [/a/low] [cgroup] []\n"
				  "11 /b 500 [] [] [] []\n";
	struct outcome_values rank;

	set_up();
	ranked[0] = (struct op_ranked){.pid = 11,
				       .cgroup_id = files_inode(root, "/b"),
				       .priority = 500,
				       .rule_index = OP_RULE_NONE};
	ranked[1] = (struct op_ranked){
		.pid = 12,
		.cgroup_id = files_inode(root, "/a/low/deep"),
		.source_id = files_inode(root, "/a/low"),
		.priority = 10,
		.rule_index = 0,
		.rule_flags = OP_RULE_MATCH | OP_RULE_KILL_CGROUP,
	};
	run = (struct op_rank_run){.slot = SLOT_ALL, .first_pid = 12, .n_ranked = 2};
	check_rank("kill", "", "all", all);
	run.dying_pid = 5;
	check_rank("wait", "", "all", all);
	run.dying_pid = 0;
	run.first_pid = 0;
	check_rank("kernel", "no-candidate", "all", all);
	run.nr_protected = 1;
	check_rank("kernel", "all-protected", "all", all);
	/* It is not attached, so whom the kernel chooses is not known. */
	run.slot = SLOT_PART;
	run.first_pid = 12;
	check_rank("kernel", "detached", "part", "");
	run.slot = 0;
	run.reason = OP_REASON_NO_POLICY;
	check_rank("kernel", "no-policy", "", "");
	run.reason = OP_REASON_DOMAIN_GONE;
	CHECK_INT(provider_ops.rank("/", &rank, see_ranked, NULL, &provider), -ENOENT);
	/* Without a memory controller there is no OOM; and of what is not there neither. */
	CHECK_INT(provider_ops.rank("/a", &rank, see_ranked, NULL, &provider), -ENODATA);
	CHECK_INT(provider_ops.rank("/none", &rank, see_ranked, NULL, &provider), -ENOENT);
}

static int fake_declare(const char *cgroup, char *message, void *userdata)
{
	CHECK(userdata == &config);
	snprintf(message, BUS_MESSAGE_SIZE, "asked for %s", cgroup);
	return -EBUSY;
}

/* What the owner of the provider says is passed on as it is. */
static void test_declare(void)
{
	char message[BUS_MESSAGE_SIZE] = "";

	set_up();
	provider.declare = fake_declare;
	provider.userdata = &config;
	CHECK_INT(provider_ops.declare("/a", message, &provider), -EBUSY);
	CHECK_STR(message, "asked for /a");
	provider.declare = NULL;
	provider.userdata = NULL;
}

static const struct test_case cases[] = {
	TEST_CASE(rank),    TEST_CASE(system), TEST_CASE(domain),
	TEST_CASE(explain), TEST_CASE(status), TEST_CASE(declare),
};
TEST_MAIN(cases)
