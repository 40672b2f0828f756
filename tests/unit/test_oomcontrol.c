/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.oom_control on a tree of plain files: what is written to cgroup.event_control names the
 * eventfd, which this process has too, and so can be the kernel.
 */
#include "daemon/oomcontrol.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <systemd/sd-event.h>

#include "bpf/oompolicy.h"
#include "capture.h"
#include "config/policy.h"
#include "files.h"
#include "test.h"
#include "util/basic.h"

static char tree[] = "/tmp/test_oomcontrol.XXXXXX";
static sd_event *event;

static void write_file(const char *cgroup, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s/%s", tree, cgroup, name);
	files_write(path, text);
}

static void cgroup_make(const char *cgroup)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", tree, cgroup);
	CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	write_file(cgroup, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	write_file(cgroup, "cgroup.event_control", "");
}

static void tree_begin(void)
{
	memcpy(tree + sizeof(tree) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(tree));
	CHECK_INT(sd_event_new(&event), 0);
	cgroup_make("");
}

static void tree_end(void)
{
	event = sd_event_unref(event);
	CHECK_INT(files_remove(tree), 0);
}

/* What the kernel does: @n times. */
static void notify(const char *cgroup, uint64_t n)
{
	int event_fd = -1, control_fd = -1;
	char path[256], target[256], expected[256];
	ssize_t length;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s/cgroup.event_control", tree, cgroup);
	f = fopen(path, "re");
	CHECK(f);
	CHECK_INT(fscanf(f, "%d %d", &event_fd, &control_fd), 2);
	fclose(f);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", control_fd);
	length = readlink(path, target, sizeof(target) - 1);
	CHECK(length > 0);
	target[length] = '\0';
	snprintf(expected, sizeof(expected), "%s%s/memory.oom_control", tree, cgroup);
	CHECK_STR(target, expected);
	CHECK_INT(eventfd_write(event_fd, n), 0);
}

/* Everything that is waiting, without waiting for more. */
static void run(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static void record(struct oomcontrol *o, uint64_t seq, uint32_t flags)
{
	const struct op_oom_record e = {.header = {.seq = seq}, .flags = flags};

	oomcontrol_seen(o, &e);
}

static void test_parse(void)
{
	static const struct {
		const char *text;
		int result;
		bool kill_disabled, under_oom;
	} table[] = {
		{"oom_kill_disable 0\nunder_oom 0\noom_kill 12\n", 0, false, false},
		{"oom_kill_disable 1\nunder_oom 1\n", 0, true, true},
		{"under_oom 1\noom_kill_disable 0", 0, false, true},
		{"oom_kill_disable 1\nsomething else\n\nx 5 6", 0, true, false},
		{"", -EBADMSG, false, false},
		{"under_oom 1\n", -EBADMSG, false, false},
		{"oom_kill_disable\n", -EBADMSG, false, false},
		{"oom_kill_disable 2\n", -EBADMSG, false, false},
		{"oom_kill_disable 10\n", -EBADMSG, false, false},
		{"oom_kill_disable ", -EBADMSG, false, false},
		{"oom_kill_disable 1\nunder_oom -\n", -EBADMSG, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct oomcontrol_state state = {};

		if (oomcontrol_parse(table[i].text, &state) != table[i].result ||
		    state.kill_disabled != table[i].kill_disabled ||
		    state.under_oom != table[i].under_oom)
			FAIL("\"%s\" is read wrongly", table[i].text);
	}
}

/* Steps: e COUNT, r SEQ, or x for what has waited too long; and what comes of each. */
static const struct {
	char what;
	uint64_t value, now_usec;
	uint64_t seqs[3]; /* joined, in this order */
	uint64_t expired;
} join_steps[] = {
	/* the event first */
	{'e', 1, 100, {}, 0},
	{'r', 7, 200, {7}, 0},
	{'x', 0, 5000000, {}, 0},
	/* the record first */
	{'r', 8, 6000000, {}, 0},
	{'e', 1, 6999999, {8}, 0},
	/* too old a record is of another OOM */
	{'r', 9, 10000000, {}, 0},
	{'e', 1, 11000001, {}, 0},
	{'x', 0, 11000100, {}, 0},
	{'x', 0, 12000001, {}, 1},
	{'r', 10, 12000002, {}, 0},
	/* several of both, which come in their order */
	{'e', 3, 20000000, {}, 0},
	{'r', 21, 20000001, {21}, 0},
	{'r', 22, 20000002, {22}, 0},
	{'x', 0, 21000000, {}, 1},
	{'r', 30, 30000000, {}, 0},
	{'r', 31, 30000001, {}, 0},
	{'r', 32, 30000002, {}, 0},
	{'e', 5, 30000003, {30, 31, 32}, 0},
	{'x', 0, 31000003, {}, 2},
};

static void test_join(void)
{
	struct oomcontrol_join j = {};

	for (size_t i = 0; i < ARRAY_SIZE(join_steps); i++) {
		uint64_t seq, expired = 0;
		size_t n = 0;

		if (join_steps[i].what == 'e')
			oomcontrol_join_event(&j, join_steps[i].value, join_steps[i].now_usec);
		else if (join_steps[i].what == 'r')
			oomcontrol_join_record(&j, join_steps[i].value, join_steps[i].now_usec);
		else
			expired = oomcontrol_join_expire(&j, join_steps[i].now_usec);
		while (oomcontrol_join_next(&j, join_steps[i].now_usec, &seq))
			if (n >= 3 || join_steps[i].seqs[n++] != seq)
				FAIL("step %zu gives %llu", i, (unsigned long long)seq);
		if ((n < 3 && join_steps[i].seqs[n]) || expired != join_steps[i].expired)
			FAIL("step %zu: %zu joined, %llu expired", i, n,
			     (unsigned long long)expired);
	}

	/* The oldest make room. */
	j = (struct oomcontrol_join){};
	for (uint64_t i = 1; i <= OOMCONTROL_RECORDS_MAX + 2; i++)
		oomcontrol_join_record(&j, i, 1000);
	oomcontrol_join_event(&j, 100, 1000);
	for (uint64_t i = 3, seq; i <= OOMCONTROL_RECORDS_MAX + 2; i++) {
		CHECK(oomcontrol_join_next(&j, 1000, &seq));
		CHECK_INT(seq, i);
	}
}

/* Without files of cgroup v1 each record of an OOM of the system is the event. */
static void test_records(void)
{
	_cleanup_(oomcontrol_freep) struct oomcontrol *o = NULL;
	struct config config = {};

	tree_begin();
	capture_begin();
	CHECK_INT(oomcontrol_new(event, NULL, &config, &o), 0);
	record(o, 5, 0);
	record(o, 6, OP_OOM_MEMCG);
	record(o, 7, OP_OOM_SYSRQ);
	run();
	CHECK_STR(capture_end(),
		  "Events of OOMs of the system come from BPF: the memory controller is not of "
		  "cgroup v1.\nOOM in the system, told by bpf, record 5.\n");
	CHECK(oomcontrol_is_for(o, &config));
	config.root_oom_control_off = true;
	CHECK(!oomcontrol_is_for(o, &config));
	o = oomcontrol_free(o);

	capture_begin();
	CHECK_INT(oomcontrol_new(event, NULL, &config, &o), 0);
	record(o, 5, 0);
	CHECK_STR(capture_end(), "");
	CHECK(oomcontrol_is_for(o, &config));
	o = oomcontrol_free(o);
	tree_end();
}

/* Whatever does not belong to the module's presence, which is the machine's. */
static const char *without_notice(const char *text)
{
	const char *notice = strstr(text, "The root's memory.oom_control tells of no OOM");
	const char *end = notice ? strchr(notice, '\n') : NULL;

	return end ? end + 1 : text;
}

static void test_files(void)
{
	_cleanup_(oomcontrol_freep) struct oomcontrol *o = NULL;
	char *paths[] = {"/a", "/gone"};
	struct config config = {.oom_controls = paths, .n_oom_controls = 2};

	tree_begin();
	cgroup_make("/a");
	capture_begin();
	CHECK_INT(oomcontrol_new(event, tree, &config, &o), 0);
	CHECK(strstr(capture_end(),
		     "Cannot listen to memory.oom_control of the cgroup v1 /gone: No "
		     "such file or directory, ignoring until the next reload.\n"));
	CHECK(!oomcontrol_is_for(o, &config)); /* the next reload looks again */
	o = oomcontrol_free(o);

	config.n_oom_controls = 1;
	cgroup_make("");
	cgroup_make("/a");
	capture_begin();
	CHECK_INT(oomcontrol_new(event, tree, &config, &o), 0);
	CHECK_STR(without_notice(capture_end()), "Events of OOMs come from memory.oom_control of "
						 "cgroup v1, of 2 cgroups.\n");
	CHECK(oomcontrol_is_for(o, &config));

	/* Each event takes the record of its kind, whichever comes first. */
	capture_begin();
	notify("", 1);
	run();
	CHECK_STR(capture_end(), "");
	capture_begin();
	record(o, 11, OP_OOM_MEMCG);
	record(o, 12, OP_OOM_SYSRQ);
	record(o, 13, 0);
	notify("/a", 1);
	run();
	CHECK_STR(capture_end(),
		  "OOM in the system, told by memory.oom_control, record 13.\n"
		  "OOM in the cgroup v1 /a, told by memory.oom_control, record 11.\n");

	/* One whose processes wait has no record to wait for. */
	write_file("/a", "memory.oom_control", "oom_kill_disable 1\nunder_oom 1\noom_kill 0\n");
	capture_begin();
	notify("/a", 1);
	run();
	CHECK_STR(capture_end(), "OOM in the cgroup v1 /a, told by memory.oom_control, its "
				 "oom_kill_disable is set.\n");

	/* No record within a second. */
	capture_begin();
	notify("", 2);
	run();
	CHECK(sd_event_run(event, 5000000) > 0);
	CHECK_STR(capture_end(),
		  "OOM in the system 2 times, told by memory.oom_control, without a record.\n");
	CHECK_INT(sd_event_run(event, 1500000), 0);
	o = oomcontrol_free(o);
	tree_end();
}

static const struct test_case cases[] = {
	TEST_CASE(parse),
	TEST_CASE(join),
	TEST_CASE(records),
	TEST_CASE(files),
};
TEST_MAIN(cases)
