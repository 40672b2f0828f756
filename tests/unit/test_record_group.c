/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members of a record: the processes that were killed with a victim. */
#include "daemon/record/record.h"

#include <errno.h>

#include "record_sample.h"
#include "test.h"
#include "util/basic.h"

static struct record_members members;

/* A member of the sample's OOM. */
static struct op_member_record sample_member(uint32_t pid)
{
	return (struct op_member_record){
		.header =
			{
				.version = OP_ABI_VERSION,
				.type = OP_RECORD_MEMBER,
				.size = sizeof(struct op_member_record),
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

static void add_member(const struct op_member_record *e)
{
	struct op_member_record decoded;

	CHECK_INT(record_type(e, sizeof(*e)), OP_RECORD_MEMBER);
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
	struct op_oom_record e = sample();

	with_members.members = &members;
	e.kill = OP_RULE_KILL_CGROUP;
	e.n_members = n_members;
	record_format(&e, &with_members, &text);
	CHECK(!text.truncated);
}

static void test_group(void)
{
	struct op_member_record e;

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
	struct op_member_record e = sample_member(124);

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
		struct op_member_record e = sample_member(1000 + i);

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
	struct op_member_record e = sample_member(UINT32_MAX);
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

static void test_refused_members(void)
{
#define BREAK(statement)                                                   \
	do {                                                               \
		struct op_member_record e = sample_member(1), ret;         \
		statement;                                                 \
		if (record_decode_member(&e, sizeof(e), &ret) != -EBADMSG) \
			FAIL("accepted after %s", #statement);             \
	} while (0)
	struct op_member_record good = sample_member(1), out;

	CHECK_INT(record_decode_member(&good, sizeof(good), &out), 0);
	CHECK_INT(memcmp(&good, &out, sizeof(out)), 0);
	CHECK_INT(record_decode_member(&good, sizeof(good) - 1, &out), -EBADMSG);
	CHECK_INT(record_type(&good, sizeof(good.header)), OP_RECORD_MEMBER);
	CHECK_INT(record_type(&good, sizeof(good.header) - 1), 0);

	BREAK(e.header.version++);
	BREAK(e.header.type = OP_RECORD_OOM);
	BREAK(e.header.size++);
	BREAK(e.header.seq = 0);
	BREAK(e.task.pid = 0);
	BREAK(e.task.oom_score_adj = 1001);
	BREAK(memset(e.task.comm, 'x', sizeof(e.task.comm)));
	BREAK(memset(e.path, 'x', sizeof(e.path)));
#undef BREAK
}

static const struct test_case cases[] = {
	TEST_CASE(group),	  TEST_CASE(members_of_another), TEST_CASE(many_members),
	TEST_CASE(large_members), TEST_CASE(refused_members),
};
TEST_MAIN(cases)
