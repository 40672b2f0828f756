/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes of a declared OOM, with a fake in the place of the kernel. */
#include "daemon/declare.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "capture.h"
#include "config/policy.h"
#include "daemon/kernel/loader.h"
#include "daemon/trigger.h"
#include "test.h"
#include "util/basic.h"

static struct declare *current;
static struct {
	int load, result;
	bool late; /* a record that was waiting before */
	struct op_oom_record record;
	/* what was asked for */
	unsigned n;
	uint64_t id;
	char text[OP_DECLARED_LEN];
} fake;

int loader_load_declare(struct loader *l, char why[static LOADER_WHY_SIZE])
{
	(void)l;
	why[0] = '\0';
	if (fake.load > 0)
		snprintf(why, LOADER_WHY_SIZE, "the moon is full");
	return fake.load;
}

int loader_declare(const struct loader *l, uint64_t cgroup_id,
		   const char text[static OP_DECLARED_LEN])
{
	struct timespec ts;

	CHECK(!l && fake.load == 0);
	fake.n++;
	fake.id = cgroup_id;
	memcpy(fake.text, text, sizeof(fake.text));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	fake.record.header.ktime_nsec = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (fake.late)
		fake.record.header.ktime_nsec -= 1000000000;
	return fake.result;
}

static int consume(void *l)
{
	(void)l;
	if (fake.record.decision)
		declare_seen(current, &fake.record);
	return 0;
}

static void test_outcomes(void)
{
	static const struct {
		int result;
		uint32_t decision;
		uint32_t victim_pid;
		bool other, late;
		int expected;
		const char *message;
	} table[] = {
		{1, OP_DECISION_KILLED, 9, false, false, 0, "Killed hog\\n (pid 9, /low)."},
		{1, OP_DECISION_NONE, 0, false, false, 0,
		 "The choice was left to the kernel, whose log has it."},
		{1, OP_DECISION_WAITING, 9, false, false, -EINPROGRESS,
		 "Nobody else was killed: a victim of an earlier OOM is still dying."},
		/* a record that was left out, as repetitions are */
		{1, 0, 0, false, false, -EINPROGRESS,
		 "Nobody else was killed: a victim of an earlier OOM is still dying."},
		/* the record of another OOM */
		{1, OP_DECISION_KILLED, 9, true, false, -EINPROGRESS,
		 "Nobody else was killed: a victim of an earlier OOM is still dying."},
		{1, OP_DECISION_KILLED, 9, false, true, -EINPROGRESS,
		 "Nobody else was killed: a victim of an earlier OOM is still dying."},
		{0, OP_DECISION_NONE, 0, false, false, -ESRCH,
		 "Nobody was killed: there is nobody who may be."},
		{-EBUSY, 0, 0, false, false, -EBUSY,
		 "Another OOM is being handled, and will free memory: none was declared."},
		{-ENOENT, 0, 0, false, false, -ENOENT, "There is no such cgroup."},
		{-ENODATA, 0, 0, false, false, -ENODATA,
		 "The cgroup has no memory controller: without +memory in cgroup.subtree_control "
		 "of its parent it has no OOM of its own."},
		{-ENODEV, 0, 0, false, false, -ENODEV, "The cgroup is being removed."},
		{-EPERM, 0, 0, false, false, -EPERM,
		 "The kernel refused to declare an OOM: Operation not permitted"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char message[DECLARE_MESSAGE_SIZE] = "";

		memset(&fake, 0, sizeof(fake));
		fake.result = table[i].result;
		fake.late = table[i].late;
		fake.record.decision = table[i].decision;
		fake.record.victim.pid = table[i].victim_pid;
		fake.record.trigger.pid = (uint32_t)getpid() + table[i].other;
		strcpy(fake.record.victim.comm, "hog\n");
		strcpy(fake.record.victim_path, "/low");
		CHECK_INT(declare_new(NULL, consume, NULL, &current), 0);
		CHECK_INT(declare_id(current, 5, "t", message), table[i].expected);
		CHECK_STR(message, table[i].message);
		CHECK_INT(fake.id, 5);
		CHECK_STR(fake.text, "t");
		/* A record that comes later is none of ours. */
		declare_seen(current, &fake.record);
		current = declare_free(current);
	}
}

static void test_unsupported(void)
{
	char message[DECLARE_MESSAGE_SIZE] = "";

	memset(&fake, 0, sizeof(fake));
	fake.load = LOADER_E_KERNEL;
	CHECK_INT(declare_new(NULL, consume, NULL, &current), 0);
	CHECK_INT(declare_id(current, 5, "t", message), -EOPNOTSUPP);
	CHECK_STR(message, "OOMs cannot be declared: the moon is full.");
	CHECK_INT(fake.n, 0);
	current = declare_free(current);

	fake.load = -EPERM;
	CHECK_INT(declare_new(NULL, consume, NULL, &current), 0);
	CHECK_INT(declare_id(current, 5, "t", message), -EOPNOTSUPP);
	CHECK_STR(message,
		  "OOMs cannot be declared: the kernel refused it: Operation not permitted.");
	current = declare_free(current);
}

/* What the report is split at must not come from a name. */
static void test_text(void)
{
	static const struct {
		const char *name, *text;
	} table[] = {
		{"batch", "batch"},
		{"", ""},
		{"A-z_0.9:x", "A-z_0.9:x"},
		{"a b,c=d\n(e)", "a_b_c_d__e_"},
		{"gr\xc3\xbcn", "gr__n"},
		{"123456789 123456789 123456789 123456789 123456789 123456789 123456789",
		 "123456789_123456789_123456789_123456789_123456789_123456789_123"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char text[OP_DECLARED_LEN];

		memset(text, 'x', sizeof(text));
		declare_text(table[i].name, text);
		CHECK_STR(text, table[i].text);
		for (size_t j = strlen(text); j < sizeof(text); j++)
			CHECK_INT(text[j], 0);
	}
}

static void test_paths(void)
{
	static const char *const bad[] = {"",	 "a",	 "//",	  "/a/",     "/a//b",
					  "/..", "/a/.", "/a/..", "/../etc", "/./a"};
	char root[] = "/tmp/test_declare.XXXXXX", path[64], message[DECLARE_MESSAGE_SIZE];
	struct stat st;

	memset(&fake, 0, sizeof(fake));
	CHECK_INT(declare_new(NULL, consume, NULL, &current), 0);
	CHECK(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (declare_path(current, root, bad[i], "t", message) != -EINVAL)
			FAIL("\"%s\" is taken", bad[i]);
	CHECK_INT(declare_path(current, root, "/a", "t", message), -ENOENT);
	CHECK_STR(message, "There is no such cgroup.");
	CHECK_INT(fake.n, 0);

	CHECK_INT(declare_path(current, root, "/", "t", message), -ESRCH);
	CHECK_INT(fake.id, 0);
	snprintf(path, sizeof(path), "%s/.a", root);
	CHECK_INT(mkdir(path, 0755), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(declare_path(current, root, "/.a", "t", message), -ESRCH);
	CHECK_INT(fake.id, st.st_ino);
	CHECK_INT(rmdir(path), 0);
	CHECK_INT(rmdir(root), 0);
	current = declare_free(current);
}

/* Where OOMs cannot be declared, or not be triggered, the daemon starts; a reload stays with what
 * there is. */
static void test_triggers(void)
{
	struct trigger trigger = {
		.name = "t",
		.cgroup = "/low",
		.threshold_usec = 1,
		.window_usec = 500000,
	};
	const struct config config = {.triggers = &trigger, .n_triggers = 1};
	char root[] = "/tmp/test_declare.XXXXXX", path[64], message[DECLARE_MESSAGE_SIZE] = "";
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	struct sd_event *event = NULL;

	CHECK_INT(sd_event_new(&event), 0);
	CHECK(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/low", root);
	CHECK_INT(mkdir(path, 0755), 0);

	/* It has no memory.pressure. */
	if (access("/proc/pressure/memory", F_OK) == 0) {
		memset(&fake, 0, sizeof(fake));
		CHECK_INT(declare_new(NULL, consume, NULL, &current), 0);
		CHECK_INT(declare_arm_triggers(current, event, root, &config, true, &t, message),
			  -EIO);
		CHECK(!t && strncmp(message, "Cannot watch the pressure of /low ", 34) == 0);
		capture_begin();
		CHECK_INT(declare_arm_triggers(current, event, root, &config, false, &t, message),
			  0);
		CHECK(t && strstr(capture_end(), "It is not armed, ignoring.\n"));
		t = triggers_free(t);
		current = declare_free(current);
	}

	fake.load = LOADER_E_KERNEL;
	CHECK_INT(declare_new(NULL, consume, NULL, &current), 0);
	capture_begin();
	CHECK_INT(declare_arm_triggers(current, event, root, &config, true, &t, message), 0);
	CHECK_STR(capture_end(), "[Trigger] sections have no effect: the moon is full.\n");
	t = triggers_free(t);
	current = declare_free(current);
	CHECK_INT(rmdir(path), 0);
	CHECK_INT(rmdir(root), 0);
	sd_event_unref(event);
}

static const struct test_case cases[] = {
	TEST_CASE(triggers), TEST_CASE(outcomes), TEST_CASE(unsupported),
	TEST_CASE(text),     TEST_CASE(paths),
};
TEST_MAIN(cases)
