/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records that are not of an OOM: of cgroups, and of memory that is back. */
#include "daemon/record/record.h"

#include <errno.h>

#include "api/messages.h"
#include "record_sample.h"
#include "test.h"

static void test_cgroup_events(void)
{
	struct op_cgroup_record good = {
		.header =
			{
				.version = OP_ABI_VERSION,
				.type = OP_RECORD_CGROUP_MKDIR,
				.size = sizeof(good),
				.seq = 1,
			},
		.id = 42,
		.path = "/a/b",
	};
	struct op_cgroup_record e, out;

	CHECK_INT(record_decode_cgroup(&good, sizeof(good), &out), 0);
	CHECK_STR(out.path, "/a/b");
	CHECK(!record_cgroup_path_is_cut(&out));

	e = good;
	e.header.type = OP_RECORD_CGROUP_RMDIR;
	e.path[0] = '\0';
	CHECK_INT(record_decode_cgroup(&e, sizeof(e), &out), 0);

	e = good;
	e.path[0] = 'a';
	CHECK_INT(record_decode_cgroup(&e, sizeof(e), &out), -EBADMSG);
	e = good;
	e.id = 0;
	CHECK_INT(record_decode_cgroup(&e, sizeof(e), &out), -EBADMSG);
	e = good;
	e.header.type = OP_RECORD_OOM;
	CHECK_INT(record_decode_cgroup(&e, sizeof(e), &out), -EBADMSG);
	e = good;
	e.header.version++;
	CHECK_INT(record_decode_cgroup(&e, sizeof(e), &out), -EBADMSG);
	CHECK_INT(record_decode_cgroup(&good, sizeof(good) - 1, &out), -EBADMSG);

	e = good;
	memset(e.path, 'x', sizeof(e.path));
	CHECK_INT(record_decode_cgroup(&e, sizeof(e), &out), -EBADMSG);
	e.path[0] = '/';
	e.path[sizeof(e.path) - 1] = '\0';
	CHECK_INT(record_decode_cgroup(&e, sizeof(e), &out), 0);
	CHECK(record_cgroup_path_is_cut(&out));
	out.path[sizeof(out.path) - 2] = '\0';
	CHECK(!record_cgroup_path_is_cut(&out));
}

static struct op_freed_record sample_freed(void)
{
	return (struct op_freed_record){
		.header =
			{
				.version = OP_ABI_VERSION,
				.type = OP_RECORD_FREED,
				.size = sizeof(struct op_freed_record),
				.seq = 7,
				.ktime_nsec = 6035000999,
			},
		.oom_ktime_nsec = 5999000999,
		.killed_nsec = 6000000000,
		.pid = 123,
		.by = OP_FREED_EXIT,
		.comm = "hog",
	};
}

static void test_freed(void)
{
	struct op_freed_record e = sample_freed(), decoded;

	CHECK_INT(record_decode_freed(&e, sizeof(e), &decoded), 0);
	record_format_freed(&decoded, 4096, &text);
	CHECK(!text.truncated);
	CHECK_STR(text.message, "The memory of hog (pid 123) was back 35 ms after it was killed.");
	CHECK_STR(text.message_id, MESSAGE_ID_FREED);
	CHECK_STR(value("MESSAGE_ID"), MESSAGE_ID_FREED);
	CHECK_STR(value("PRIORITY"), "6");
	CHECK_STR(value("OOMPOLICY_SEQ"), "7");
	CHECK_STR(value("OOMPOLICY_KTIME_USEC"), "5999000");
	CHECK_STR(value("OOMPOLICY_VICTIM_PID"), "123");
	CHECK_STR(value("OOMPOLICY_VICTIM_COMM"), "hog");
	CHECK_STR(value("OOMPOLICY_FREED_USEC"), "35000");
	CHECK_STR(value("OOMPOLICY_FREED_BY"), "exit");
	CHECK_STR(value("OOMPOLICY_LEFT_BYTES"), NULL);
	/* It is no OOM: what lists them goes by this field. */
	CHECK_STR(value("OOMPOLICY_DECISION"), NULL);

	e.by = OP_FREED_REAPER;
	e.left_pages = 384;
	e.header.ktime_nsec = e.killed_nsec + 2150000000;
	record_format_freed(&e, 4096, &text);
	CHECK_STR(text.message,
		  "The memory of hog (pid 123) was back 2.1 s after it was killed, by "
		  "the kernel's OOM reaper: the process is still there, with 1.5M.");
	CHECK_STR(value("OOMPOLICY_FREED_BY"), "reaper");
	CHECK_STR(value("OOMPOLICY_LEFT_BYTES"), "1572864");

	e = sample_freed();
	e.header.ktime_nsec = e.killed_nsec;
	strcpy(e.comm, "a\nMESSAGE=\x1b");
	record_format_freed(&e, 4096, &text);
	CHECK_STR(text.message,
		  "The memory of a\\nMESSAGE=\\x1b (pid 123) was back 0 us after it was killed.");
	CHECK_STR(value("OOMPOLICY_VICTIM_COMM"), e.comm);
	e.comm[0] = '\0';
	e.header.ktime_nsec = UINT64_MAX;
	e.killed_nsec = 0;
	e.by = OP_FREED_REAPER;
	e.left_pages = UINT64_MAX;
	record_format_freed(&e, 4096, &text);
	CHECK(!text.truncated);
	CHECK(strstr(text.message, "The memory of a process (pid 123) was back 18446744073.7 s"));
	CHECK_STR(value("OOMPOLICY_LEFT_BYTES"), "18446744073709551615");
}

static void test_refused_freed(void)
{
	const struct op_freed_record good = sample_freed();
	struct op_freed_record e, out;

	CHECK_INT(record_decode_freed(&good, sizeof(good), &out), 0);
	CHECK_INT(record_decode_freed(&good, sizeof(good) - 1, &out), -EBADMSG);
	CHECK_INT(record_decode_freed(&good, 0, &out), -EBADMSG);
	CHECK_INT(record_decode_freed(&good, sizeof(good) + 1, &out), -EBADMSG);
#define BREAK(change)                                                          \
	do {                                                                   \
		e = good;                                                      \
		change;                                                        \
		CHECK_INT(record_decode_freed(&e, sizeof(e), &out), -EBADMSG); \
	} while (0)
	BREAK(e.header.version++);
	BREAK(e.header.type = OP_RECORD_OOM);
	BREAK(e.header.size++);
	BREAK(e.header.seq = 0);
	BREAK(e.header.ktime_nsec = e.killed_nsec - 1);
	BREAK(e.pid = 0);
	BREAK(e.by = 0);
	BREAK(e.by = OP_FREED_REAPER + 1);
	BREAK(memset(e.comm, 'x', sizeof(e.comm)));
#undef BREAK
}

static const struct test_case cases[] = {
	TEST_CASE(cgroup_events),
	TEST_CASE(freed),
	TEST_CASE(refused_freed),
};
TEST_MAIN(cases)
