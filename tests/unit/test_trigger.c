/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Triggers on a tree of plain directories, in which a FIFO is the file that tells of pressure. */
#include "daemon/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <systemd/sd-event.h>

#include "bpf/oompolicy.h"
#include "capture.h"
#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "files.h"
#include "test.h"
#include "util/basic.h"

static char tree[] = "/tmp/test_trigger.XXXXXX";
static sd_event *event;

/* What the fake declaration was asked for, and what it is to say. */
static struct {
	unsigned n;
	uint64_t id;
	char name[64];
	int result;
} declared;

static int declare(uint64_t cgroup_id, const char *name, char why[static TRIGGER_WHY_SIZE],
		   void *userdata)
{
	CHECK(userdata == tree);
	declared.n++;
	declared.id = cgroup_id;
	snprintf(declared.name, sizeof(declared.name), "%s", name);
	snprintf(why, TRIGGER_WHY_SIZE, "Because.");
	return declared.result;
}

static const char *path_in_tree(const char *path)
{
	static char full[512];

	snprintf(full, sizeof(full), "%s%s", tree, path);
	return full;
}

static void tree_begin(void)
{
	memcpy(tree + sizeof(tree) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(tree));
	CHECK_INT(mkfifo(path_in_tree("/system"), 0644), 0);
	CHECK_INT(mkdir(path_in_tree("/cgroup"), 0755), 0);
	CHECK_INT(sd_event_new(&event), 0);
	memset(&declared, 0, sizeof(declared));
}

static void tree_end(void)
{
	event = sd_event_unref(event);
	CHECK_INT(files_remove(tree), 0);
}

/* Makes a cgroup and gives its id. */
static uint64_t cgroup_make(const char *name, bool pressure)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "/cgroup/%s", name);
	CHECK_INT(mkdir(path_in_tree(path), 0755), 0);
	CHECK_INT(stat(path_in_tree(path), &st), 0);
	snprintf(path, sizeof(path), "/cgroup/%s/memory.pressure", name);
	if (pressure)
		CHECK_INT(mkfifo(path_in_tree(path), 0644), 0);
	return st.st_ino;
}

static void cgroup_remove(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/cgroup/%s/memory.pressure", name);
	unlink(path_in_tree(path));
	snprintf(path, sizeof(path), "/cgroup/%s", name);
	CHECK_INT(rmdir(path_in_tree(path)), 0);
}

/* What a file was told, its NUL included in the count. Something else must have it open. */
static void check_told(const char *path, const char *expected)
{
	char text[128];
	int fd = open(path_in_tree(path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text));

	CHECK(fd >= 0);
	CHECK_INT(n, (ssize_t)strlen(expected) + 1);
	CHECK_STR(text, expected);
	close(fd);
}

static void record(struct triggers *t, uint32_t type, uint64_t id, const char *path)
{
	struct op_cgroup_record e = {
		.header = {.version = OP_ABI_VERSION, .type = type, .size = sizeof(e), .seq = 1},
		.id = id,
	};

	snprintf(e.path, sizeof(e.path), "%s", path);
	triggers_apply(t, &e, sizeof(e));
	/* Those of cgroup v1 have the same ids and paths, and are others. */
	if (type == OP_RECORD_CGROUP_RMDIR)
		return;
	e.hierarchy_id = 3;
	triggers_apply(t, &e, sizeof(e));
}

static struct config *parse(const char *text)
{
	struct diagnostics diag = {};
	struct config *c = NULL;

	CHECK_INT(parser_parse_buffer("f", text, strlen(text), NULL, &diag, &c), 0);
	diagnostics_done(&diag);
	return c;
}

static int make_triggers(const char *text, char why[static TRIGGER_WHY_SIZE], struct triggers **ret)
{
	_cleanup_(config_freep) struct config *c = parse(text);
	static char root[512], system[512];
	struct trigger_setup setup = {
		.event = event,
		.cgroup_root = root,
		.system_pressure = system,
		.declare = declare,
		.userdata = tree,
	};

	snprintf(root, sizeof(root), "%s/cgroup", tree);
	snprintf(system, sizeof(system), "%s/system", tree);
	return triggers_new(&setup, c, why, ret);
}

#define BATCH "[Trigger batch]\nCgroup=/batch\nPressure=full 150ms/1s\n"
#define SYSTEM "[Trigger all]\nCgroup=/\nPressure=some 10s/10s\n"

/* What the kernel is told, which cgroup a trigger then is for, and that it is one event each. */
static void test_fire(void)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];
	uint64_t id;

	tree_begin();
	id = cgroup_make("batch", true);
	CHECK_INT(make_triggers(BATCH SYSTEM, why, &t), 0);
	check_told("/cgroup/batch/memory.pressure", "full 150000 1000000");
	check_told("/system", "some 10000000 10000000");
	capture_begin();
	triggers_enable(t);
	CHECK_STR(capture_end(), "[Trigger batch] is armed: /batch.\n[Trigger all] is armed: /.\n");

	triggers_dispatch(t, 0, EPOLLPRI);
	CHECK_INT(declared.n, 1);
	CHECK_INT(declared.id, id);
	CHECK_STR(declared.name, "batch");
	triggers_dispatch(t, 1, EPOLLPRI);
	CHECK_INT(declared.n, 2);
	CHECK_INT(declared.id, 0);
	CHECK_STR(declared.name, "all");
	triggers_dispatch(t, 0, EPOLLIN);
	CHECK_INT(declared.n, 2);
	t = triggers_free(t);
	tree_end();
}

/* In vain: said once, not tried again, and the number of what was left out comes later. */
static void test_in_vain(void)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];
	const char *said;

	tree_begin();
	cgroup_make("batch", true);
	CHECK_INT(make_triggers(BATCH, why, &t), 0);
	triggers_enable(t);
	declared.result = -EBUSY;
	capture_begin();
	for (int i = 0; i < 5; i++)
		triggers_dispatch(t, 0, EPOLLPRI);
	said = capture_end();
	CHECK_STR(said, "[Trigger batch] fired, but nothing was killed. Because.\n");
	CHECK_INT(declared.n, 5);
	CHECK(triggers_is_armed(t, 0));
	t = triggers_free(t);
	tree_end();
}

/* A cgroup that comes, goes, and comes again with another id. */
static void test_come_and_go(void)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];
	uint64_t first, second;

	tree_begin();
	CHECK_INT(make_triggers(BATCH, why, &t), 0);
	capture_begin();
	triggers_enable(t);
	CHECK_STR(capture_end(), "[Trigger batch] waits for /batch.\n");
	CHECK(!triggers_is_armed(t, 0));

	capture_begin();
	record(t, OP_RECORD_CGROUP_MKDIR, 77, "/other");
	record(t, OP_RECORD_CGROUP_MKDIR, 78, "/batch/below");
	CHECK_STR(capture_end(), "");
	first = cgroup_make("batch", true);
	capture_begin();
	record(t, OP_RECORD_CGROUP_MKDIR, first, "/batch");
	CHECK_STR(capture_end(), "[Trigger batch] is armed: /batch is there.\n");
	CHECK(triggers_is_armed(t, 0));
	check_told("/cgroup/batch/memory.pressure", "full 150000 1000000");
	/* The walk saw it and the record comes after that. */
	record(t, OP_RECORD_CGROUP_MKDIR, first, "/batch");
	record(t, OP_RECORD_CGROUP_RMDIR, first + 1000, "");
	CHECK(triggers_is_armed(t, 0));

	cgroup_remove("batch");
	capture_begin();
	record(t, OP_RECORD_CGROUP_RMDIR, first, "");
	CHECK_STR(capture_end(), "[Trigger batch] waits for /batch, which is gone.\n");
	CHECK(!triggers_is_armed(t, 0));

	second = cgroup_make("batch", true);
	record(t, OP_RECORD_CGROUP_MKDIR, second, "/batch");
	triggers_dispatch(t, 0, EPOLLPRI);
	CHECK_INT(declared.id, second);
	t = triggers_free(t);
	tree_end();
}

/* EPOLLERR comes with EPOLLPRI when the cgroup is removed: nothing is declared. */
static void test_removed(void)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];
	uint64_t id;

	tree_begin();
	cgroup_make("batch", true);
	CHECK_INT(make_triggers(BATCH, why, &t), 0);
	triggers_enable(t);
	cgroup_remove("batch");
	triggers_dispatch(t, 0, EPOLLPRI | EPOLLERR);
	CHECK_INT(declared.n, 0);
	CHECK(!triggers_is_armed(t, 0));

	/* It is back already, and its record came while the old one was armed. */
	id = cgroup_make("batch", true);
	triggers_retry(t);
	CHECK(triggers_is_armed(t, 0));
	cgroup_remove("batch");
	cgroup_make("other", false); /* or the next would get the same id */
	id = cgroup_make("batch", true);
	triggers_dispatch(t, 0, EPOLLPRI | EPOLLERR);
	CHECK(triggers_is_armed(t, 0));
	triggers_dispatch(t, 0, EPOLLPRI);
	CHECK_INT(declared.n, 1);
	CHECK_INT(declared.id, id);
	t = triggers_free(t);
	tree_end();
}

/* The record may come before the directory can be seen. */
static void test_record_first(void)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];
	uint64_t started, now;

	tree_begin();
	CHECK_INT(make_triggers(BATCH, why, &t), 0);
	triggers_enable(t);
	record(t, OP_RECORD_CGROUP_MKDIR, 5, "/batch");
	CHECK(!triggers_is_armed(t, 0));
	cgroup_make("batch", true);
	CHECK(sd_event_run(event, 5000000) > 0);
	CHECK(triggers_is_armed(t, 0));
	cgroup_remove("batch");
	record(t, OP_RECORD_CGROUP_RMDIR, 1, "");
	triggers_dispatch(t, 0, EPOLLERR);

	/* One that never comes is looked for a while, and then no more. */
	CHECK(sd_event_now(event, CLOCK_MONOTONIC, &started) >= 0);
	record(t, OP_RECORD_CGROUP_MKDIR, 6, "/batch");
	while (sd_event_run(event, 1000000) > 0)
		;
	CHECK(sd_event_now(event, CLOCK_MONOTONIC, &now) >= 0);
	CHECK(now - started < 10000000);
	CHECK(!triggers_is_armed(t, 0));
	t = triggers_free(t);
	tree_end();
}

/* A trigger that ought to work and does not is told apart from one that waits. */
static void test_refused(void)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];

	tree_begin();
	cgroup_make("batch", false);
	CHECK_INT(make_triggers(SYSTEM BATCH, why, &t), 1);
	CHECK_STR(why, "Cannot watch the pressure of /batch for [Trigger batch]: No such file or "
		       "directory (is it turned off by cgroup.pressure?).");
	CHECK(t && triggers_is_armed(t, 0) && !triggers_is_armed(t, 1));
	t = triggers_free(t);

	/* Without any accounting there is one warning for all of them. */
	CHECK_INT(unlink(path_in_tree("/system")), 0);
	capture_begin();
	CHECK_INT(make_triggers(SYSTEM BATCH, why, &t), 0);
	triggers_enable(t);
	CHECK_STR(capture_end(),
		  "The kernel does no pressure accounting (psi=0, or built without): "
		  "[Trigger] sections have no effect.\n");
	t = triggers_free(t);
	tree_end();
}

/* Names and paths are shown escaped. */
static void test_hostile(void)
{
	_cleanup_(triggers_freep) struct triggers *t = NULL;
	char why[TRIGGER_WHY_SIZE];

	tree_begin();
	capture_begin();
	CHECK_INT(make_triggers("[Trigger a\"\\b]\nCgroup=/x\xe2\x80\xaey\nPressure=some 1s/2s\n",
				why, &t),
		  0);
	triggers_enable(t);
	CHECK_STR(capture_end(), "[Trigger a\\\"\\\\b] waits for /x\\xe2\\x80\\xaey.\n");
	t = triggers_free(t);
	tree_end();
}

static const struct test_case cases[] = {
	TEST_CASE(fire),	 TEST_CASE(in_vain), TEST_CASE(come_and_go), TEST_CASE(removed),
	TEST_CASE(record_first), TEST_CASE(refused), TEST_CASE(hostile),
};
TEST_MAIN(cases)
