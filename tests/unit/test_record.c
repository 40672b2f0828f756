/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records: what is refused, what a good one says, and what hostile names in it can not do. */
#include "daemon/record/record.h"

#include <errno.h>
#include <stddef.h>

#include "api/messages.h"
#include "record_sample.h"
#include "test.h"
#include "util/basic.h"

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
	struct op_oom_record e = sample(), decoded;

	CHECK_INT(record_decode_oom(&e, OP_OOM_RECORD_SIZE(0), &decoded), 0);
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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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

/* Of the kernel's own numbers only the kernel knows the bounds: what has no word is a number. */
static void test_unknown_constraint(void)
{
	struct op_oom_record e = sample(), out;

	e.constraint = 7;
	e.order = 70;
	CHECK_INT(record_decode_oom(&e, OP_OOM_RECORD_SIZE(0), &out), 0);
	record_format(&out, &context, &text);
	CHECK_STR(value("OOMPOLICY_CONSTRAINT"), "7");
	CHECK_STR(value("OOMPOLICY_ORDER"), "70");
}

static void test_unfinished(void)
{
	struct op_oom_record e = sample();

	e.decision = OP_DECISION_NONE;
	e.reason = OP_REASON_UNFINISHED;
	record_format(&e, &context, &text);
	CHECK_STR(text.message_id, MESSAGE_ID_NO_OPINION);
	CHECK_STR(value("OOMPOLICY_REASON"), "unfinished");
}

static void test_user_unit(void)
{
	struct op_oom_record e = sample();

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
#define BREAK(statement)                                                            \
	do {                                                                        \
		struct op_oom_record e = sample(), ret;                             \
		statement;                                                          \
		if (record_decode_oom(&e, OP_OOM_RECORD_SIZE(0), &ret) != -EBADMSG) \
			FAIL("accepted after %s", #statement);                      \
	} while (0)
	struct op_oom_record good = sample(), out;
	char more[sizeof(good) + 8] = {};

	CHECK_INT(record_decode_oom(&good, OP_OOM_RECORD_SIZE(0), &out), 0);
	CHECK_INT(memcmp(&good, &out, OP_OOM_RECORD_SIZE(0)), 0);

	/* Of any alignment. */
	memcpy(more + 1, &good, sizeof(good));
	CHECK_INT(record_decode_oom(more + 1, OP_OOM_RECORD_SIZE(0), &out), 0);

	CHECK_INT(record_decode_oom(&good, OP_OOM_RECORD_SIZE(0) - 1, &out), -EBADMSG);
	CHECK_INT(record_decode_oom(more, OP_OOM_RECORD_SIZE(0) + 8, &out), -EBADMSG);
	CHECK_INT(record_decode_oom(&good, 0, &out), -EBADMSG);

	BREAK(e.header.version++);
	BREAK(e.header.version = 0);
	BREAK(e.header.type = OP_RECORD_CGROUP_MKDIR);
	BREAK(e.header.size--);
	BREAK(e.header.seq = 0);
	BREAK(e.decision = 0);
	BREAK(e.decision = OP_DECISION_NOBODY + 1);
	BREAK(e.reason = OP_REASON_UNSEEN + 1);
	BREAK(e.reason = ~0U);
	BREAK(e.flags |= OP_OOM_DECLARED << 1);
	BREAK(e.backend = _OP_BACKEND_MAX);
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

static void set_runners(struct op_oom_record *e, uint32_t n)
{
	e->n_runners = n;
	e->header.size = OP_OOM_RECORD_SIZE(n);
}

static void test_runners_up(void)
{
	struct op_oom_record e = sample(), decoded;

	set_runners(&e, 3);
	e.runners[0] = sample_runner(7, OP_RUNNER_PRIORITY);
	e.runners[1] = sample_runner(8, OP_RUNNER_PREFERENCE);
	e.runners[2] = sample_runner(9, OP_RUNNER_PROTECTED);
	strcpy(e.runners[1].comm, "");
	strcpy(e.runners[2].comm, "a\n7");
	strcpy(e.runners[2].path, "/x\ny z");
	CHECK_INT(record_decode_oom(&e, OP_OOM_RECORD_SIZE(3), &decoded), 0);
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
	struct op_oom_record good = sample(), e, out;

	set_runners(&good, 2);
	good.runners[0] = sample_runner(7, OP_RUNNER_PRIORITY);
	good.runners[1] = sample_runner(8, OP_RUNNER_SPARED);
	CHECK_INT(record_decode_oom(&good, OP_OOM_RECORD_SIZE(2), &out), 0);
	CHECK_INT(record_decode_oom(&good, OP_OOM_RECORD_SIZE(1), &out), -EBADMSG);

#define REFUSED(change)                                                                  \
	do {                                                                             \
		e = good;                                                                \
		change;                                                                  \
		CHECK_INT(record_decode_oom(&e, OP_OOM_RECORD_SIZE(2), &out), -EBADMSG); \
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
	struct op_oom_record e = sample();

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
	struct op_oom_record e = sample();

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
static void fill_names(struct op_oom_record *e)
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

static void fill_runners_and_levels(struct op_oom_record *e)
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

static void fill_numbers(struct op_oom_record *e)
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
	struct op_oom_record e = sample();
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
	TEST_CASE(unknown_constraint),
	TEST_CASE(unfinished),
	TEST_CASE(user_unit),
	TEST_CASE(refused),
	TEST_CASE(runners_up),
	TEST_CASE(refused_runners_up),
	TEST_CASE(limits),
	TEST_CASE(hostile_names),
	TEST_CASE(brimful),
};
TEST_MAIN(cases)
