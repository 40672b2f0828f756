/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is made of pins that lie there: notes with anything in them, directories of anybody. */
#include "daemon/kernel/note.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/job.h"
#include "daemon/kernel/pin-path.h"
#include "test.h"
#include "util/basic.h"

#define BUILD 0x1122334455667788ULL

/* A note that is good, for a test to spoil. */
static struct note *good(void)
{
	static struct note note;

	memset(&note, 0, sizeof(note));
	note.magic = NOTE_MAGIC;
	note.version = NOTE_VERSION;
	note.complete = 1;
	note.size = sizeof(note);
	note.abi = OP_ABI_VERSION;
	note.build_id = BUILD;
	note.backend = BACKEND_STRUCT_OPS;
	strcpy(note.slots[1].name, "default");
	strcpy(note.slots[127].name, "other");
	return &note;
}

static void test_judge(void)
{
	struct note *note = good();

	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_GOOD);
	CHECK_INT(note_judge(note, 0), NOTE_FOREIGN);
	CHECK_INT(note_judge(note, 15), NOTE_FOREIGN);
	/* The head is enough to know it as ours. */
	CHECK_INT(note_judge(note, 16), NOTE_OTHER);
	CHECK_INT(note_judge(note, sizeof(*note) - 1), NOTE_OTHER);
	CHECK_INT(note_judge(note, sizeof(*note) + 1), NOTE_OTHER);
	note->magic++;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_FOREIGN);

	note = good();
	note->complete = 0;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_HALF);
	CHECK_INT(note_judge(note, 16), NOTE_HALF);
	note->complete = 2;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_HALF);

	note = good();
	note->version = NOTE_VERSION + 1;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
	note = good();
	note->size = 8;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
	note = good();
	note->abi = OP_ABI_VERSION - 1;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
	note = good();
	note->backend = BACKEND_AUTO;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
	note->backend = UINT32_MAX;
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
}

static void test_judge_names(void)
{
	struct note *note = good();

	memset(note->slots[3].name, 'x', sizeof(note->slots[3].name));
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
	note = good();
	strcpy(note->slots[3].name, "no name\n");
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
	note = good();
	strcpy(note->slots[3].name, "other");
	CHECK_INT(note_judge(note, sizeof(*note)), NOTE_OTHER);
}

/* Whatever is in it: it is read, and that is all. */
static void test_judge_garbage(void)
{
	struct note note;
	uint32_t state = 12345;

	for (int round = 0; round < 1000; round++) {
		for (size_t i = 0; i < sizeof(note); i++) {
			state = state * 1103515245 + 12345;
			((unsigned char *)&note)[i] = (unsigned char)(state >> 16);
		}
		CHECK_INT(note_judge(&note, sizeof(note)), NOTE_FOREIGN);
		note.magic = NOTE_MAGIC;
		note.complete = 1;
		CHECK_INT(note_judge(&note, sizeof(note)), NOTE_OTHER);
		note.version = NOTE_VERSION;
		note.size = sizeof(note);
		note.abi = OP_ABI_VERSION;
		note.backend = BACKEND_STRUCT_OPS;
		CHECK_INT(note_judge(&note, sizeof(note)), NOTE_OTHER);
	}
}

static void test_decide(void)
{
	static const struct {
		enum note_state state;
		uint64_t build_id;
		enum backend backend;
		enum note_action expected;
	} rows[] = {
		{NOTE_NONE, BUILD, BACKEND_STRUCT_OPS, NOTE_LOAD},
		{NOTE_HALF, BUILD, BACKEND_STRUCT_OPS, NOTE_LOAD},
		{NOTE_FOREIGN, BUILD, BACKEND_STRUCT_OPS, NOTE_LEAVE},
		{NOTE_OTHER, BUILD, BACKEND_STRUCT_OPS, NOTE_REPLACE},
		{NOTE_GOOD, BUILD, BACKEND_STRUCT_OPS, NOTE_ADOPT},
		{NOTE_GOOD, BUILD + 1, BACKEND_STRUCT_OPS, NOTE_UPDATE},
		{NOTE_GOOD, BUILD, BACKEND_EVALUATE_TASK, NOTE_REPLACE},
		{NOTE_GOOD, BUILD + 1, BACKEND_EVALUATE_TASK, NOTE_REPLACE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_INT(note_decide(rows[i].state, good(), rows[i].build_id, rows[i].backend),
			  rows[i].expected);
}

static void make_file(const char *directory, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	close(fd);
}

static void remove_file(const char *directory, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	CHECK(unlink(path) == 0);
}

static void test_directory(void)
{
	char path[] = "/tmp/test_pins.XXXXXX", inner[64], why[256] = "";

	CHECK(mkdtemp(path));
	snprintf(inner, sizeof(inner), "%s/pins", path);
	CHECK_INT(pin_check_directory(inner, why, sizeof(why)), -ENOENT);
	if (geteuid() != 0) {
		SKIP("only root's directories are good");
		rmdir(path);
		return;
	}
	CHECK(mkdir(inner, 0700) == 0);
	CHECK_INT(pin_check_directory(inner, why, sizeof(why)), 0);
	make_file(inner, "meta");
	make_file(inner, "map-op_events");
	make_file(inner, "link-7");
	CHECK_INT(pin_check_directory(inner, why, sizeof(why)), 3);
	make_file(inner, "theirs");
	CHECK_INT(pin_check_directory(inner, why, sizeof(why)), -EPERM);
	CHECK(strstr(why, "not oompolicyd's"));
	remove_file(inner, "theirs");
	CHECK_INT(pin_check_directory(inner, why, sizeof(why)), 3);
	CHECK(chown(inner, 1, 0) == 0);
	CHECK_INT(pin_check_directory(inner, why, sizeof(why)), -EPERM);
	CHECK(chown(inner, 0, 0) == 0);
	CHECK(chmod(inner, 0755) == 0);
	CHECK_INT(pin_check_directory(inner, why, sizeof(why)), -EPERM);
	CHECK(strstr(why, "0755"));
	CHECK(chmod(inner, 0700) == 0);
	remove_file(inner, "link-7");
	CHECK(symlink("meta", "/tmp/test_pins.link") == 0);
	CHECK_INT(pin_check_directory("/tmp/test_pins.link", why, sizeof(why)), -EPERM);
	CHECK(unlink("/tmp/test_pins.link") == 0);
	remove_file(inner, "meta");
	remove_file(inner, "map-op_events");
	CHECK(rmdir(inner) == 0 && rmdir(path) == 0);
}

/* One that does not fit is an error, and never the path of something else. */
static void test_paths(void)
{
	char path[PINS_PATH_SIZE], name[PINS_NAME_SIZE], longest[PINS_PATH_SIZE + 1] = "";

	CHECK_INT(pin_make_path(path, "/a", ""), 0);
	CHECK_STR(path, "/a");
	CHECK_INT(pin_make_path(path, "/a", "meta"), 0);
	CHECK_STR(path, "/a/meta");
	memset(longest, 'x', PINS_PATH_SIZE);
	longest[PINS_PATH_SIZE - 1 - strlen("/a/")] = '\0';
	CHECK_INT(pin_make_path(path, "/a", longest), 0);
	CHECK_INT(strlen(path), PINS_PATH_SIZE - 1);
	strcat(longest, "x");
	CHECK_INT(pin_make_path(path, "/a", longest), -ENAMETOOLONG);
	CHECK_STR(path, "");
	memset(longest, 'x', PINS_PATH_SIZE);
	CHECK_INT(pin_make_path(path, longest, ""), -ENAMETOOLONG);
	CHECK_STR(path, "");

	CHECK_INT(pin_make_name(name, PINS_MAP_PREFIX, "op_events"), 0);
	CHECK_STR(name, "map-op_events");
	longest[PINS_NAME_SIZE - 1 - strlen(PINS_MAP_PREFIX)] = '\0';
	CHECK_INT(pin_make_name(name, PINS_MAP_PREFIX, longest), 0);
	CHECK_INT(strlen(name), PINS_NAME_SIZE - 1);
	strcat(longest, "x");
	CHECK_INT(pin_make_name(name, PINS_MAP_PREFIX, longest), -ENAMETOOLONG);
	CHECK_STR(name, "");
}

/* A directory that cannot be named is not one in which there is nothing. */
static void test_long_directory(void)
{
	char path[2 * PINS_PATH_SIZE] = "", why[256] = "";

	memset(path, 'x', sizeof(path) - 1);
	CHECK_INT(pin_check_directory(path, why, sizeof(why)), -EPERM);
	CHECK(strstr(why, "too long"));
}

static void test_rules_hash(void)
{
	struct config *a = config_new(), *b = config_new();

	CHECK(a && b);
	CHECK(note_hash_rules(a) == note_hash_rules(b));
	CHECK(config_add_rule(a, "ab", NULL, 0) == 0 && config_add_rule(a, "c", NULL, 0) == 0);
	CHECK(config_add_rule(b, "a", NULL, 0) == 0 && config_add_rule(b, "bc", NULL, 0) == 0);
	CHECK(note_hash_rules(a) != note_hash_rules(b));
	config_free(a);
	config_free(b);
}

static void test_job_types(void)
{
	CHECK(job_type_restarts("restart"));
	CHECK(job_type_restarts("try-restart"));
	CHECK(!job_type_restarts("stop"));
	CHECK(!job_type_restarts("start"));
	CHECK(!job_type_restarts(""));
}

static const struct test_case cases[] = {
	TEST_CASE(judge),	   TEST_CASE(judge_names), TEST_CASE(judge_garbage),
	TEST_CASE(decide),	   TEST_CASE(directory),   TEST_CASE(paths),
	TEST_CASE(long_directory), TEST_CASE(rules_hash),  TEST_CASE(job_types),
};

TEST_MAIN(cases)
