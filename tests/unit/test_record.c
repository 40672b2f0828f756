/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: what is refused, what a good one says, and what hostile names in it can not do. */
#include "daemon/record/record.h"

#include <errno.h>
#include <stddef.h>

#include "api/messages.h"
#include "test.h"
#include "util/basic.h"

static struct record_text text;
static struct record_members members;

static const struct record_context context = {
	.rule = {"low", "/etc/oompolicy.conf", 12},
	.runner_rules = {"low", NULL, "a b"},
	.n_lost = 0,
	.page_size_bytes = 4096,
};

/* A kill in a memcg, with every member set. */
static struct op_oom_event sample(void)
{
	struct op_oom_event e = {
		.header =
			{
				.version = OP_ABI_VERSION,
				.type = OP_EVENT_OOM,
				.size = OP_OOM_EVENT_SIZE(0),
				.seq = 7,
				.ktime_nsec = 5000999,
			},
		.decision = OP_DECISION_KILLED,
		.flags = OP_OOM_MEMCG,
		.order = 3,
		.gfp_mask = 0x140cca,
		.constraint = 3,
		.priority = 10,
		.rule_index = 1,
		.nr_tasks = 12,
		.nr_cgroups = 4,
		.config = 6,
		.kill = OP_RULE_KILL_PROCESS,
		.backend = OP_BACKEND_EVALUATE_TASK,
		.source_id = 300,
		.domain_id = 200,
		.select_nsec = 12345,
		.handler_nsec = 45678,
		.trigger = {.pid = 99, .tid = 100, .uid = 5, .oom_score_adj = -100, .comm = "db"},
		.victim =
			{
				.pid = 123,
				.tid = 123,
				.uid = 1000,
				.oom_score_adj = 500,
				.start_boottime_nsec = 7000001,
				.cgroup_id = 301,
				.anon_pages = 2,
				.file_pages = 3,
				.shmem_pages = 4,
				.swap_pages = 5,
				.pgtables_bytes = 8192,
				.comm = "hog",
			},
		.policy = "default",
		.domain_path = "/work.slice",
		.trigger_path = "/work.slice/db.service",
		.victim_path = "/work.slice/low.service/x",
		.source_path = "/work.slice/low.service",
	};

	return e;
}

/* The value of a field, NULL when there is none; fails when there are two. */
static const char *value(const char *name)
{
	static char buf[RECORD_BUFFER_SIZE];
	const char *found = NULL;

	for (size_t i = 0; i < text.n_fields; i++) {
		const char *field = text.fields[i].iov_base;
		size_t length = text.fields[i].iov_len, n = strlen(name);

		if (length <= n || memcmp(field, name, n) != 0 || field[n] != '=')
			continue;
		if (found)
			FAIL("%s is there twice", name);
		memcpy(buf, field + n + 1, length - n - 1);
		buf[length - n - 1] = '\0';
		found = buf;
	}
	return found;
}

static const struct {
	const char *name, *expected;
} kill_fields[] = {
	{"MESSAGE_ID", MESSAGE_ID_KILL},
	{"PRIORITY", "4"},
	{"OBJECT_PID", "123"},
	{"UNIT", "low.service"},
	{"OBJECT_SYSTEMD_UNIT", "low.service"},
	{"USER_UNIT", NULL},
	{"OOMPOLICY_POLICY", "default"},
	{"OOMPOLICY_RULE", "low"},
	{"OOMPOLICY_CONFIG", "6"},
	{"OOMPOLICY_KILL", "process"},
	{"OOMPOLICY_MEMBERS", "0"},
	{"OOMPOLICY_MEMBER", NULL},
	{"OOMPOLICY_BACKEND", "evaluate_task"},
	{"OOMPOLICY_DECISION", "killed"},
	{"OOMPOLICY_DECLARED", NULL},
	{"OOMPOLICY_REASON", NULL},
	{"OOMPOLICY_KILL_ERROR", NULL},
	{"OOMPOLICY_EFFECTIVE_PRIORITY", "10"},
	{"OOMPOLICY_PRIORITY_SOURCE", "/work.slice/low.service"},
	{"OOMPOLICY_DOMAIN", "/work.slice"},
	{"OOMPOLICY_DOMAIN_ID", "200"},
	{"OOMPOLICY_DOMAIN_TYPE", "memcg"},
	{"OOMPOLICY_REMOTE", "0"},
	{"OOMPOLICY_SYSRQ", "0"},
	{"OOMPOLICY_CONSTRAINT", "memcg"},
	{"OOMPOLICY_GFP_MASK", "0x140cca"},
	{"OOMPOLICY_ORDER", "3"},
	{"OOMPOLICY_TASKS", "12"},
	{"OOMPOLICY_CGROUPS", "4"},
	{"OOMPOLICY_SELECT_NSEC", "12345"},
	{"OOMPOLICY_HANDLER_NSEC", "45678"},
	{"OOMPOLICY_KTIME_USEC", "5000"},
	{"OOMPOLICY_SEQ", "7"},
	{"OOMPOLICY_LOST", "0"},
	{"OOMPOLICY_SUPPRESSED", "0"},
	{"OOMPOLICY_PATH_CUT", "0"},
	{"OOMPOLICY_VICTIM_PID", "123"},
	{"OOMPOLICY_VICTIM_TID", "123"},
	{"OOMPOLICY_VICTIM_COMM", "hog"},
	{"OOMPOLICY_VICTIM_UID", "1000"},
	{"OOMPOLICY_VICTIM_CGROUP", "/work.slice/low.service/x"},
	{"OOMPOLICY_VICTIM_CGROUP_ID", "301"},
	{"OOMPOLICY_VICTIM_UNIT", "low.service"},
	{"OOMPOLICY_VICTIM_START_USEC", "7000"},
	{"OOMPOLICY_VICTIM_OOM_SCORE_ADJ", "500"},
	{"OOMPOLICY_VICTIM_ANON_BYTES", "8192"},
	{"OOMPOLICY_VICTIM_FILE_BYTES", "12288"},
	{"OOMPOLICY_VICTIM_SHMEM_BYTES", "16384"},
	{"OOMPOLICY_VICTIM_SWAP_BYTES", "20480"},
	{"OOMPOLICY_VICTIM_PGTABLES_BYTES", "8192"},
	{"OOMPOLICY_TRIGGER_PID", "99"},
	{"OOMPOLICY_TRIGGER_TID", "100"},
	{"OOMPOLICY_TRIGGER_COMM", "db"},
	{"OOMPOLICY_TRIGGER_UID", "5"},
	{"OOMPOLICY_TRIGGER_OOM_SCORE_ADJ", "-100"},
	{"OOMPOLICY_TRIGGER_UNIT", "db.service"},
};

static void test_kill(void)
{
	struct op_oom_event e = sample(), decoded;

	CHECK_INT(record_decode_oom(&e, OP_OOM_EVENT_SIZE(0), &decoded), 0);
	record_format(&decoded, &context, &text);
	CHECK(!text.truncated);
	CHECK_STR(text.message,
		  "OOM in /work.slice: killed hog (pid 123, /work.slice/low.service/x, "
		  "priority 10 from /work.slice/low.service by rule low), "
		  "triggered by db (pid 99, /work.slice/db.service)\n"
		  "No other was found that could be killed.\n"
		  "To have another die: Priority= of [Rule low], /etc/oompolicy.conf:12.");
	CHECK_STR(value("MESSAGE"), text.message);
	for (size_t i = 0; i < ARRAY_SIZE(kill_fields); i++) {
		const char *seen = value(kill_fields[i].name);

		if (!seen || !kill_fields[i].expected ? seen != kill_fields[i].expected
						      : strcmp(seen, kill_fields[i].expected) != 0)
			FAIL("%s is \"%s\", expected \"%s\"", kill_fields[i].name,
			     seen ? seen : "(none)",
			     kill_fields[i].expected ? kill_fields[i].expected : "(none)");
	}
}

/* Each kind of record, by its sentence. */
static void test_by_default(void)
{
	struct record_context no_rule = context;
	struct op_oom_event e = sample();

	no_rule.rule = (struct record_rule){};
	e.source_id = 0;
	e.source_path[0] = '\0';
	e.rule_index = OP_RULE_NONE;
	e.flags = 0;
	strcpy(e.domain_path, "/");
	record_format(&e, &no_rule, &text);
	CHECK_STR(
		text.message,
		"OOM in the system: killed hog (pid 123, /work.slice/low.service/x, priority 10 by "
		"default), triggered by db (pid 99, /work.slice/db.service)\n"
		"No other was found that could be killed.\n"
		"To have another die: a [Rule] with Priority= for its cgroup.");
	CHECK_STR(value("OOMPOLICY_PRIORITY_SOURCE"), "policy default");
	CHECK_STR(value("OOMPOLICY_DOMAIN_TYPE"), "system");
	CHECK_STR(value("OOMPOLICY_RULE"), NULL);
}

static void test_all_protected(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_NONE;
	e.reason = OP_REASON_ALL_PROTECTED;
	memset(&e.victim, 0, sizeof(e.victim));
	record_format(&e, &context, &text);
	CHECK_STR(text.message,
		  "OOM in /work.slice: left to the kernel, every task that could be killed is "
		  "protected, triggered by db (pid 99, /work.slice/db.service)\n"
		  "To have the policy choose: Protect=no for some of its cgroups.");
	CHECK_STR(text.message_id, MESSAGE_ID_NO_OPINION);
	CHECK_INT(text.priority, 4);
	CHECK_STR(value("OOMPOLICY_REASON"), "all-protected");
	CHECK_STR(value("OOMPOLICY_VICTIM_PID"), NULL);
	CHECK_STR(value("OOMPOLICY_EFFECTIVE_PRIORITY"), NULL);
	CHECK_STR(value("OOMPOLICY_KILL"), NULL);
	CHECK_STR(value("OOMPOLICY_MEMBERS"), NULL);
	CHECK_STR(value("OOMPOLICY_CONFIG"), "6");
	CHECK_STR(value("OBJECT_PID"), NULL);
}

static void test_kill_refused(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_NONE;
	e.reason = OP_REASON_KILL_FAILED;
	e.kill_error = -22;
	e.flags |= OP_OOM_SYSRQ | OP_OOM_REMOTE;
	e.order = -1;
	memset(&e.trigger, 0, sizeof(e.trigger));
	record_format(&e, &context, &text);
	CHECK_STR(text.message,
		  "OOM by SysRq in /work.slice: left to the kernel, the kernel refused "
		  "to kill the chosen task (error 22)");
	CHECK_STR(value("OOMPOLICY_KILL_ERROR"), "-22");
	CHECK_STR(value("OOMPOLICY_SYSRQ"), "1");
	CHECK_STR(value("OOMPOLICY_REMOTE"), "1");
	CHECK_STR(value("OOMPOLICY_ORDER"), "-1");
}

static void test_waiting(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_WAITING;
	e.reason = OP_REASON_VICTIM_DYING;
	memset(&e.victim, 0, sizeof(e.victim));
	e.victim.pid = 55;
	e.victim_path[0] = '\0';
	record_format(&e, &context, &text);
	CHECK_STR(text.message,
		  "OOM in /work.slice: nobody killed, a task (pid 55) is dying already, "
		  "triggered by db (pid 99, /work.slice/db.service)");
	CHECK_STR(text.message_id, MESSAGE_ID_WAITING);
	CHECK_INT(text.priority, 5);
	CHECK_STR(value("OOMPOLICY_VICTIM_PID"), "55");
	CHECK_STR(value("OOMPOLICY_VICTIM_UID"), NULL);
}

static void test_domain_gone(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_NONE;
	e.reason = OP_REASON_DOMAIN_GONE;
	e.domain_path[0] = '\0';
	memset(&e.victim, 0, sizeof(e.victim));
	memset(&e.trigger, 0, sizeof(e.trigger));
	record_format(&e, &context, &text);
	CHECK_STR(text.message,
		  "OOM in cgroup 200: left to the kernel, its cgroup is gone already");
}

/* What the kernel did where the policy had no opinion, or was not asked. */
static void test_kernel_kill(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_KERNEL;
	e.n_members = 2;
	e.kill = 0;
	e.reason = OP_REASON_ALL_PROTECTED;
	e.flags |= OP_OOM_DECLARED;
	strcpy(e.declared, "trigger\nbatch");
	record_format(&e, &context, &text);
	CHECK_STR(text.message,
		  "Declared OOM in /work.slice (trigger\\nbatch): left to the kernel, every task "
		  "that could be killed is protected; it killed hog (pid 123, "
		  "/work.slice/low.service/x) and 2 more processes by memory.oom.group, triggered "
		  "by db (pid 99, /work.slice/db.service)\n"
		  "To have the policy choose: Protect=no for some of its cgroups.");
	CHECK_STR(text.message_id, MESSAGE_ID_KERNEL_KILL);
	CHECK_INT(text.priority, 4);
	CHECK_STR(value("OOMPOLICY_DECISION"), "kernel");
	CHECK_STR(value("OOMPOLICY_REASON"), "all-protected");
	CHECK_STR(value("OOMPOLICY_DECLARED"), "trigger\nbatch");
	CHECK_STR(value("OOMPOLICY_RULE"), "low");
	CHECK_STR(value("OOMPOLICY_EFFECTIVE_PRIORITY"), "10");
	CHECK_STR(value("OOMPOLICY_KILL"), NULL);
	CHECK_STR(value("OOMPOLICY_MEMBERS"), "2");
	CHECK_STR(value("OBJECT_PID"), "123");
	CHECK_STR(value("UNIT"), "low.service");
}

static void test_kernel_found_nobody(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_NOBODY;
	e.reason = OP_REASON_NO_CANDIDATE;
	e.backend = OP_BACKEND_STRUCT_OPS;
	memset(&e.victim, 0, sizeof(e.victim));
	record_format(&e, &context, &text);
	CHECK_STR(text.message,
		  "OOM in /work.slice: left to the kernel, it has no task that may be killed; it "
		  "found nobody to kill, triggered by db (pid 99, /work.slice/db.service)");
	CHECK_STR(text.message_id, MESSAGE_ID_NOBODY);
	CHECK_STR(value("OOMPOLICY_BACKEND"), "struct_ops");
	CHECK_STR(value("OOMPOLICY_EFFECTIVE_PRIORITY"), NULL);
}

static void test_kernel_not_asked(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_KERNEL;
	e.reason = OP_REASON_NOT_ASKED;
	e.backend = OP_BACKEND_NONE;
	e.rule_index = OP_RULE_NONE;
	e.domain_path[0] = e.policy[0] = '\0';
	record_format(&e, &context, &text);
	CHECK_STR(text.message,
		  "OOM: left to the kernel, no policy was asked; it killed hog (pid 123, "
		  "/work.slice/low.service/x), triggered by db (pid 99, /work.slice/db.service)");
	CHECK_STR(value("OOMPOLICY_DOMAIN"), NULL);
	CHECK_STR(value("OOMPOLICY_DOMAIN_TYPE"), NULL);
	CHECK_STR(value("OOMPOLICY_POLICY"), NULL);
	CHECK_STR(value("OOMPOLICY_BACKEND"), NULL);
	CHECK_STR(value("OOMPOLICY_EFFECTIVE_PRIORITY"), NULL);
	CHECK_STR(value("OOMPOLICY_VICTIM_PID"), "123");
	CHECK_STR(value("OOMPOLICY_SEQ"), "7");
}

static void test_unfinished(void)
{
	struct op_oom_event e = sample();

	e.decision = OP_DECISION_NONE;
	e.reason = OP_REASON_UNFINISHED;
	record_format(&e, &context, &text);
	CHECK_STR(text.message_id, MESSAGE_ID_NO_OPINION);
	CHECK_STR(value("OOMPOLICY_REASON"), "unfinished");
}

/* A member of the sample's OOM. */
static struct op_member_event sample_member(uint32_t pid)
{
	return (struct op_member_event){
		.header =
			{
				.version = OP_ABI_VERSION,
				.type = OP_EVENT_MEMBER,
				.size = sizeof(struct op_member_event),
				.seq = 1,
				.ktime_nsec = 5000999,
			},
		.task =
			{
				.pid = pid,
				.tid = pid,
				.anon_pages = 1,
				.file_pages = 2,
				.shmem_pages = 3,
				.swap_pages = 100,
				.comm = "worker",
			},
		.path = "/work.slice/low.service/x",
	};
}

static void add_member(const struct op_member_event *e)
{
	struct op_member_event decoded;

	CHECK_INT(record_type(e, sizeof(*e)), OP_EVENT_MEMBER);
	CHECK_INT(record_decode_member(e, sizeof(*e), &decoded), 0);
	record_members_add(&members, &decoded, 4096);
}

/* The @i-th OOMPOLICY_MEMBER= of the record, NULL where there are fewer. */
static const char *member(size_t i)
{
	static const char name[] = "OOMPOLICY_MEMBER=";
	static char buf[RECORD_MEMBERS_BUFFER_SIZE];

	for (size_t j = 0; j < text.n_fields; j++) {
		const struct iovec *field = &text.fields[j];

		if (field->iov_len < strlen(name) ||
		    memcmp(field->iov_base, name, strlen(name)) != 0 || i-- > 0)
			continue;
		CHECK(field->iov_len - strlen(name) < sizeof(buf));
		memcpy(buf, (char *)field->iov_base + strlen(name), field->iov_len - strlen(name));
		buf[field->iov_len - strlen(name)] = '\0';
		return buf;
	}
	return NULL;
}

static void format_group(uint32_t n_members)
{
	struct record_context with_members = context;
	struct op_oom_event e = sample();

	with_members.members = &members;
	e.kill = OP_RULE_KILL_CGROUP;
	e.n_members = n_members;
	record_format(&e, &with_members, &text);
	CHECK(!text.truncated);
}

static void test_group(void)
{
	struct op_member_event e;

	memset(&members, 0, sizeof(members));
	format_group(0);
	CHECK_STR(member(0), NULL);

	e = sample_member(124);
	add_member(&e);
	e = sample_member(125);
	strcpy(e.task.comm, "a b\n1 2");
	strcpy(e.path, "/with space");
	add_member(&e);
	e = sample_member(126);
	e.task.comm[0] = e.path[0] = '\0';
	e.task.anon_pages = e.task.file_pages = UINT64_MAX;
	add_member(&e);
	format_group(3);
	CHECK_STR(text.message,
		  "OOM in /work.slice: killed hog (pid 123, /work.slice/low.service/x, priority 10 "
		  "from /work.slice/low.service by rule low) and 3 more processes of "
		  "/work.slice/low.service, triggered by db (pid 99, /work.slice/db.service)\n"
		  "No other was found that could be killed.\n"
		  "To have another die: Priority= of [Rule low], /etc/oompolicy.conf:12.");
	CHECK_STR(value("OOMPOLICY_KILL"), "cgroup");
	CHECK_STR(value("OOMPOLICY_MEMBERS"), "3");
	CHECK_STR(member(0), "124 worker 24576 /work.slice/low.service/x");
	/* No name can look like another column or line. */
	CHECK_STR(member(1), "125 a\\x20b\\n1\\x202 24576 /with space");
	CHECK_STR(member(2), "126 - 18446744073709551615 ");
	CHECK_STR(member(3), NULL);

	format_group(1);
	CHECK(strstr(text.message, ") and 1 more process of /work.slice/low.service, triggered"));
}

/* Members whose own record was lost are not put into the next one. */
static void test_members_of_another(void)
{
	struct op_member_event e = sample_member(124);

	memset(&members, 0, sizeof(members));
	e.header.ktime_nsec--;
	add_member(&e);
	format_group(0);
	CHECK_STR(member(0), NULL);

	e = sample_member(125);
	add_member(&e);
	format_group(1);
	CHECK_STR(member(0), "125 worker 24576 /work.slice/low.service/x");
	CHECK_STR(member(1), NULL);
}

static size_t count_lines(void)
{
	size_t n = 0;
	const char *seen;

	for (size_t i = 0; (seen = member(i)); i++)
		for (n++; (seen = strchr(seen, '\n')); seen++)
			n++;
	return n;
}

/*
 * However many die, the entry is one that libsystemd can send: at most UIO_MAXIOV parts, two a
 * field, five where it has several lines.
 */
static void test_many_members(void)
{
	size_t n_parts = 0;
	char expected[32];

	memset(&members, 0, sizeof(members));
	for (uint32_t i = 0; i < RECORD_MEMBERS_MAX + 10; i++) {
		struct op_member_event e = sample_member(1000 + i);

		add_member(&e);
	}
	format_group(RECORD_MEMBERS_MAX + 10);
	CHECK_INT(members.n_members, RECORD_MEMBERS_MAX);
	CHECK_INT(count_lines(), RECORD_MEMBERS_MAX);
	CHECK_STR(value("OOMPOLICY_MEMBERS"), "4106");
	CHECK_STR(member(RECORD_MEMBER_SINGLES - 1), "1127 worker 24576 /work.slice/low.service/x");
	snprintf(expected, sizeof(expected), "%d ", 1000 + RECORD_MEMBER_SINGLES);
	CHECK(strncmp(member(RECORD_MEMBER_SINGLES), expected, strlen(expected)) == 0);
	CHECK(strstr(member(RECORD_MEMBER_SINGLES), "\n1129 worker "));
	snprintf(expected, sizeof(expected), "\n%d ", 1000 + RECORD_MEMBERS_MAX - 1);
	CHECK(strstr(member(RECORD_MEMBER_FIELDS_MAX - 1), expected));
	CHECK_STR(member(RECORD_MEMBER_FIELDS_MAX), NULL);
	for (size_t i = 0; i < text.n_fields; i++)
		n_parts += memchr(text.fields[i].iov_base, '\n', text.fields[i].iov_len) ? 5 : 2;
	/* Any of the other fields may have a line feed too. */
	CHECK(n_parts + 3 * RECORD_FIELDS_MAX < 1024);
}

/* Names at their longest: what does not fit is counted, and nothing is cut in between. */
static void test_large_members(void)
{
	struct op_member_event e = sample_member(UINT32_MAX);
	size_t n;

	memset(&members, 0, sizeof(members));
	memset(e.task.comm, 0x01, sizeof(e.task.comm) - 1);
	memset(e.path, 0x01, sizeof(e.path) - 1);
	e.task.anon_pages = UINT64_MAX;
	for (n = 0; n < RECORD_MEMBERS_MAX; n++)
		add_member(&e);
	CHECK(members.n_members > 200 && members.n_members < RECORD_MEMBERS_MAX);
	format_group(RECORD_MEMBERS_MAX);
	CHECK_INT(count_lines(), (long long)members.n_members);
	CHECK(strlen(member(0)) > 4 * (OP_PATH_LEN - 1));
}

static void test_user_unit(void)
{
	struct op_oom_event e = sample();

	strcpy(e.victim_path,
	       "/user.slice/user-1000.slice/user@1000.service/app.slice/editor.service");
	record_format(&e, &context, &text);
	CHECK_STR(value("UNIT"), "user@1000.service");
	CHECK_STR(value("USER_UNIT"), "editor.service");
	CHECK_STR(value("OBJECT_SYSTEMD_USER_UNIT"), "editor.service");
	CHECK_STR(value("OOMPOLICY_VICTIM_USER_UNIT"), "editor.service");
}

/* Every byte that is not as it must be, one at a time. */
static void test_refused(void)
{
#define BREAK(statement)                                                           \
	do {                                                                       \
		struct op_oom_event e = sample(), ret;                             \
		statement;                                                         \
		if (record_decode_oom(&e, OP_OOM_EVENT_SIZE(0), &ret) != -EBADMSG) \
			FAIL("accepted after %s", #statement);                     \
	} while (0)
	struct op_oom_event good = sample(), out;
	char more[sizeof(good) + 8] = {};

	CHECK_INT(record_decode_oom(&good, OP_OOM_EVENT_SIZE(0), &out), 0);
	CHECK_INT(memcmp(&good, &out, OP_OOM_EVENT_SIZE(0)), 0);

	/* Of any alignment. */
	memcpy(more + 1, &good, sizeof(good));
	CHECK_INT(record_decode_oom(more + 1, OP_OOM_EVENT_SIZE(0), &out), 0);

	CHECK_INT(record_decode_oom(&good, OP_OOM_EVENT_SIZE(0) - 1, &out), -EBADMSG);
	CHECK_INT(record_decode_oom(more, OP_OOM_EVENT_SIZE(0) + 8, &out), -EBADMSG);
	CHECK_INT(record_decode_oom(&good, 0, &out), -EBADMSG);

	BREAK(e.header.version++);
	BREAK(e.header.version = 0);
	BREAK(e.header.type = OP_EVENT_CGROUP_MKDIR);
	BREAK(e.header.size--);
	BREAK(e.header.seq = 0);
	BREAK(e.decision = 0);
	BREAK(e.decision = OP_DECISION_NOBODY + 1);
	BREAK(e.reason = OP_REASON_UNFINISHED + 1);
	BREAK(e.reason = ~0U);
	BREAK(e.flags |= OP_OOM_DECLARED << 1);
	BREAK(e.backend = OP_BACKEND_EVALUATE_TASK + 1);
	BREAK(e.constraint = 4);
	BREAK(e.order = -2);
	BREAK(e.order = 64);
	BREAK(e.priority = OP_PRIORITY_MAX + 1);
	BREAK(e.kill = OP_RULE_KILL_PROCESS | OP_RULE_KILL_CGROUP);
	BREAK(e.kill = OP_RULE_PROTECT);
	BREAK(e.victim.pid = 0);
	BREAK((e.decision = OP_DECISION_KERNEL, e.victim.pid = 0));
	BREAK(e.victim.oom_score_adj = 1001);
	BREAK(e.trigger.oom_score_adj = -1001);
	BREAK(memset(e.victim.comm, 'x', sizeof(e.victim.comm)));
	BREAK(memset(e.trigger.comm, 'x', sizeof(e.trigger.comm)));
	BREAK(memset(e.policy, 'x', sizeof(e.policy)));
	BREAK(memset(e.declared, 'x', sizeof(e.declared)));
	BREAK(memset(e.domain_path, 'x', sizeof(e.domain_path)));
	BREAK(memset(e.trigger_path, 'x', sizeof(e.trigger_path)));
	BREAK(memset(e.victim_path, 'x', sizeof(e.victim_path)));
	BREAK(memset(e.source_path, 'x', sizeof(e.source_path)));
#undef BREAK
}

static void test_refused_members(void)
{
#define BREAK(statement)                                                   \
	do {                                                               \
		struct op_member_event e = sample_member(1), ret;          \
		statement;                                                 \
		if (record_decode_member(&e, sizeof(e), &ret) != -EBADMSG) \
			FAIL("accepted after %s", #statement);             \
	} while (0)
	struct op_member_event good = sample_member(1), out;

	CHECK_INT(record_decode_member(&good, sizeof(good), &out), 0);
	CHECK_INT(memcmp(&good, &out, sizeof(out)), 0);
	CHECK_INT(record_decode_member(&good, sizeof(good) - 1, &out), -EBADMSG);
	CHECK_INT(record_type(&good, sizeof(good.header)), OP_EVENT_MEMBER);
	CHECK_INT(record_type(&good, sizeof(good.header) - 1), 0);

	BREAK(e.header.version++);
	BREAK(e.header.type = OP_EVENT_OOM);
	BREAK(e.header.size++);
	BREAK(e.header.seq = 0);
	BREAK(e.task.pid = 0);
	BREAK(e.task.oom_score_adj = 1001);
	BREAK(memset(e.task.comm, 'x', sizeof(e.task.comm)));
	BREAK(memset(e.path, 'x', sizeof(e.path)));
#undef BREAK
}

/* A process that was not chosen. */
static struct op_runner sample_runner(uint32_t pid, uint32_t reason)
{
	return (struct op_runner){
		.pid = pid,
		.uid = 33,
		.priority = 500,
		.rule_index = OP_RULE_NONE,
		.oom_score_adj = -7,
		.reason = reason,
		.cgroup_id = 77,
		.size_pages = 3 * 256 + 128,
		.comm = "my db",
		.path = "/work.slice/db.service",
	};
}

static void set_runners(struct op_oom_event *e, uint32_t n)
{
	e->n_runners = n;
	e->header.size = OP_OOM_EVENT_SIZE(n);
}

static void test_runners_up(void)
{
	struct op_oom_event e = sample(), decoded;

	set_runners(&e, 3);
	e.runners[0] = sample_runner(7, OP_RUNNER_PRIORITY);
	e.runners[1] = sample_runner(8, OP_RUNNER_PREFERENCE);
	e.runners[2] = sample_runner(9, OP_RUNNER_PROTECTED);
	strcpy(e.runners[1].comm, "");
	strcpy(e.runners[2].comm, "a\n7");
	strcpy(e.runners[2].path, "/x\ny z");
	CHECK_INT(record_decode_oom(&e, OP_OOM_EVENT_SIZE(3), &decoded), 0);
	record_format(&decoded, &context, &text);
	CHECK_STR(value("OOMPOLICY_RUNNERS_UP"),
		  "7 my\\x20db 33 -7 500 low 3670016 priority /work.slice/db.service\n"
		  "8 - 33 -7 500 - 3670016 preference /work.slice/db.service\n"
		  "9 a\\n7 33 -7 500 a\\x20b 3670016 protected /x\\ny z");
	CHECK(strstr(text.message, "\nNext would have been my db (pid 7, /work.slice/db.service, "
				   "priority 500 by rule low, 3.5M), whose priority is higher.\n"));

	/* The kernel chose one of them after all. */
	decoded.victim.pid = 7;
	record_format(&decoded, &context, &text);
	CHECK(strncmp(value("OOMPOLICY_RUNNERS_UP"), "8 ", 2) == 0);
	CHECK(strstr(text.message, "\nNext would have been a process (pid 8, "));
	CHECK(strstr(text.message, "3.5M), of the same priority.\n"));

	set_runners(&e, 1);
	e.runners[0] = sample_runner(9, OP_RUNNER_ADJ);
	record_format(&e, &context, &text);
	CHECK_STR(value("OOMPOLICY_RUNNERS_UP"),
		  "9 my\\x20db 33 -7 500 low 3670016 oom-score-adj /work.slice/db.service");
	CHECK(strstr(text.message, "\nNo other was found that could be killed.\n"));
	set_runners(&e, 0);
	e.nr_tasks = 1;
	record_format(&e, &context, &text);
	CHECK_STR(value("OOMPOLICY_RUNNERS_UP"), NULL);
	CHECK(strstr(text.message, "\nIt was the only process there.\n"));
}

static void test_refused_runners_up(void)
{
	struct op_oom_event good = sample(), e, out;

	set_runners(&good, 2);
	good.runners[0] = sample_runner(7, OP_RUNNER_PRIORITY);
	good.runners[1] = sample_runner(8, OP_RUNNER_SPARED);
	CHECK_INT(record_decode_oom(&good, OP_OOM_EVENT_SIZE(2), &out), 0);
	CHECK_INT(record_decode_oom(&good, OP_OOM_EVENT_SIZE(1), &out), -EBADMSG);

#define REFUSED(change)                                                                 \
	do {                                                                            \
		e = good;                                                               \
		change;                                                                 \
		CHECK_INT(record_decode_oom(&e, OP_OOM_EVENT_SIZE(2), &out), -EBADMSG); \
	} while (0)
	REFUSED(e.n_runners = 1);
	REFUSED(e.n_runners = OP_RUNNERS_MAX + 1);
	REFUSED(e.n_levels = OP_LEVELS_MAX + 1);
	REFUSED(e.runners[1].pid = 0);
	REFUSED(e.runners[1].reason = 0);
	REFUSED(e.runners[1].reason = OP_RUNNER_SPARED + 1);
	REFUSED(e.runners[1].priority = OP_PRIORITY_MAX + 1);
	REFUSED(e.runners[1].oom_score_adj = -1001);
	REFUSED(memset(e.runners[1].comm, 'x', sizeof(e.runners[1].comm)));
	REFUSED(memset(e.runners[1].path, 'x', sizeof(e.runners[1].path)));
#undef REFUSED
}

static void test_limits(void)
{
	struct op_oom_event e = sample();

	strcpy(e.domain_path, "/a.slice/a\tb/c");
	e.n_levels = 3;
	e.levels[0] = (struct op_level){11, 25600, 25601, 256, 3, OP_PAGES_UNLIMITED};
	e.levels[1] = (struct op_level){12, 1, OP_PAGES_UNLIMITED, OP_PAGES_UNLIMITED, 0, 0};
	e.levels[2] = (struct op_level){13, 2, UINT64_MAX / 2, 0, 0, 0};
	record_format(&e, &context, &text);
	CHECK_STR(value("OOMPOLICY_LIMITS"),
		  "104857600 104861696 1048576 12288 max /a.slice/a\\tb/c\n"
		  "4096 max max 0 0 /a.slice/a\\tb\n"
		  "8192 18446744073709551615 0 0 0 /a.slice");
	CHECK(strstr(text.message, "\nThe limit is memory.max=100.0M of /a.slice/a\\tb/c, with "
				   "100.0M in use. No other was found that could be killed.\n"));
	CHECK(strstr(text.message, " To have none die: its memory.max."));
	strcpy(e.domain_path, "/a.slice/b.service");
	record_format(&e, &context, &text);
	CHECK(strstr(text.message, " To have none die: MemoryMax= of b.service."));
	strcpy(e.domain_path, "/a.slice");
	record_format(&e, &context, &text);
	CHECK(strstr(text.message, " To have none die: MemoryMax= of a.slice."));

	/* A deeper domain than its path tells. */
	strcpy(e.domain_path, "/a");
	record_format(&e, &context, &text);
	CHECK(strstr(value("OOMPOLICY_LIMITS"), " 0 0 /\n8192 "));
	e.flags |= OP_OOM_PATH_CUT;
	record_format(&e, &context, &text);
	CHECK(strstr(value("OOMPOLICY_LIMITS"), " 0 0 cgroup 12\n8192 "));

	/* Whoever declared it hit no limit. */
	e.flags |= OP_OOM_DECLARED;
	record_format(&e, &context, &text);
	CHECK(!strstr(text.message, "memory.max"));
	e = sample();
	record_format(&e, &context, &text);
	CHECK_STR(value("OOMPOLICY_LIMITS"), NULL);
}

/* Names chosen to forge a line or a field. */
static void test_hostile_names(void)
{
	struct op_oom_event e = sample();

	strcpy(e.victim.comm, "a\nPRIORITY=0");
	strcpy(e.victim_path, "/x\nMESSAGE=all is well\x1b[2J");
	strcpy(e.trigger.comm, "\xff\xfe\"");
	record_format(&e, &context, &text);
	CHECK_STR(
		text.message,
		"OOM in /work.slice: killed a\\nPRIORITY=0 (pid 123, /x\\nMESSAGE=all is "
		"well\\x1b[2J, priority 10 from /work.slice/low.service by rule low), triggered by "
		"\\xff\\xfe\\\" (pid 99, /work.slice/db.service)\n"
		"No other was found that could be killed.\n"
		"To have another die: Priority= of [Rule low], /etc/oompolicy.conf:12.");
	/* Fields carry the bytes as they are, and are still one field each. */
	CHECK_STR(value("OOMPOLICY_VICTIM_COMM"), "a\nPRIORITY=0");
	CHECK_STR(value("PRIORITY"), "4");
	CHECK_STR(value("UNIT"), NULL);
}

#define FILL(array) (memset((array), 0x01, sizeof(array) - 1), (array)[sizeof(array) - 1] = '\0')

/* Every byte of every name is one that is escaped. */
static void fill_names(struct op_oom_event *e)
{
	FILL(e->victim.comm);
	FILL(e->trigger.comm);
	FILL(e->policy);
	FILL(e->declared);
	FILL(e->domain_path);
	FILL(e->source_path);
	/* As deep as there are levels. */
	memset(e->domain_path + sizeof(e->domain_path) - 1 - 2 * OP_LEVELS_MAX, '/',
	       2 * OP_LEVELS_MAX);
	/* With units on top: as long as they get. */
	FILL(e->victim_path);
	memcpy(e->victim_path, "/user@1.service/", 16);
	memset(e->victim_path + 16, 'u', 247);
	memcpy(e->victim_path + 16 + 247, ".service", 8);
	e->victim_path[16 + 255] = '/';
	memcpy(e->trigger_path, e->victim_path, sizeof(e->trigger_path));
}

static void fill_runners_and_levels(struct op_oom_event *e)
{
	set_runners(e, OP_RUNNERS_MAX);
	for (size_t i = 0; i < OP_RUNNERS_MAX; i++) {
		e->runners[i] = sample_runner(UINT32_MAX, OP_RUNNER_PREFERENCE);
		e->runners[i].uid = UINT32_MAX;
		e->runners[i].size_pages = UINT64_MAX;
		FILL(e->runners[i].comm);
		FILL(e->runners[i].path);
	}
	e->n_levels = OP_LEVELS_MAX;
	for (size_t i = 0; i < OP_LEVELS_MAX; i++)
		e->levels[i] = (struct op_level){UINT64_MAX,	 UINT64_MAX - 1, UINT64_MAX - 1,
						 UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1};
}

static void fill_numbers(struct op_oom_event *e)
{
	e->flags |= OP_OOM_DECLARED;
	e->config = e->n_members = e->suppressed = UINT32_MAX;
	e->kill = OP_RULE_KILL_PROCESS;
	e->header.seq = e->header.ktime_nsec = e->handler_nsec = e->domain_id = UINT64_MAX;
	e->kill_error = INT32_MIN;
	e->nr_tasks = e->nr_cgroups = e->gfp_mask = UINT32_MAX;
	e->victim.pid = e->victim.tid = e->victim.uid = UINT32_MAX;
	e->victim.start_boottime_nsec = e->victim.cgroup_id = UINT64_MAX;
	e->victim.anon_pages = e->victim.file_pages = e->victim.shmem_pages = UINT64_MAX;
	e->victim.swap_pages = e->victim.pgtables_bytes = UINT64_MAX;
	memcpy(&e->trigger, &e->victim, sizeof(e->trigger));
}

/* The longest record there can be fits, with every byte of every name escaped. */
static void test_brimful(void)
{
	struct op_oom_event e = sample();
	struct record_context full = context;
	char rule[256];

	FILL(rule);
	fill_names(&e);
	fill_runners_and_levels(&e);
	fill_numbers(&e);
	for (size_t i = 0; i < OP_RUNNERS_MAX; i++)
		full.runner_rules[i] = rule;
	full.rule = (struct record_rule){rule, rule, UINT32_MAX};
	full.n_lost = UINT64_MAX;
	record_format(&e, &full, &text);
	CHECK(!text.truncated);
	/* Sizes saturate, they do not wrap. */
	CHECK_STR(value("OOMPOLICY_VICTIM_ANON_BYTES"), "18446744073709551615");
	CHECK_INT(strlen(value("USER_UNIT")), 255);

	e.decision = OP_DECISION_KERNEL;
	e.reason = OP_REASON_KILL_FAILED;
	record_format(&e, &full, &text);
	CHECK(!text.truncated);
}
#undef FILL

static const struct test_case cases[] = {
	TEST_CASE(kill),
	TEST_CASE(by_default),
	TEST_CASE(all_protected),
	TEST_CASE(kill_refused),
	TEST_CASE(waiting),
	TEST_CASE(domain_gone),
	TEST_CASE(kernel_kill),
	TEST_CASE(kernel_found_nobody),
	TEST_CASE(kernel_not_asked),
	TEST_CASE(unfinished),
	TEST_CASE(group),
	TEST_CASE(members_of_another),
	TEST_CASE(many_members),
	TEST_CASE(large_members),
	TEST_CASE(refused_members),
	TEST_CASE(user_unit),
	TEST_CASE(refused),
	TEST_CASE(runners_up),
	TEST_CASE(refused_runners_up),
	TEST_CASE(limits),
	TEST_CASE(hostile_names),
	TEST_CASE(brimful),
};
TEST_MAIN(cases)
