/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What oompolicyctl prints, from made-up facts: compared with files in tests/unit/data/ctl; with
 * OP_UPDATE_EXPECTED=1 in the environment these are written instead.
 */
#include <locale.h>

#include "api/messages.h"
#include "ctl/entry.h"
#include "ctl/json.h"
#include "ctl/replies.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/term.h"
#include "ctl/text.h"
#include "files.h"
#include "test.h"
#include "util/basic.h"

#define EXPECTED OP_SOURCE_ROOT "/tests/unit/data/ctl/"

static char *output;
static size_t output_size;

static struct term new_term(size_t width)
{
	CHECK(setlocale(LC_CTYPE, "C.UTF-8"));
	setenv("TZ", "UTC", true);
	return (struct term){
		.out = open_memstream(&output, &output_size),
		.width = width,
		.utf8 = true,
		.legend = true,
	};
}

/* Ends the output, which is then in output until done_term(). */
static void end_term(struct term *t)
{
	CHECK(fclose(t->out) == 0);
}

static void done_term(void)
{
	free(output);
	output = NULL;
}

static void compare(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), EXPECTED "%s", name);
	files_compare(path, output);
}

/* No line is wider than the terminal. */
static void check_width(size_t width)
{
	for (const char *line = output; *line;) {
		size_t length = strcspn(line, "\n");
		_cleanup_free_ char *copy = strndup(line, length);

		if (term_width(copy) > width)
			FAIL("this line is wider than %zu columns: %s", width, copy);
		if (length > 0 && copy[length - 1] == ' ')
			FAIL("this line has a blank at its end: %s", copy);
		line += length + (line[length] == '\n');
	}
}

static void test_status(void)
{
	struct policy_row policies[] = {
		{"oompolicyd", "", "", "", 0, 11, 21, true},
		{"default", "any", "/", "largest", 500, 12, 22, true},
		{"a-policy-with-a-name-that-is-as-long-as-they-may-be-at-the-most", "memcg",
		 "/system.slice/system-something.slice/\033[31m.service", "oldest", 1000,
		 4294967295, 4294967295, false},
	};
	char installed[] = "1.1\033[31m";
	const struct status_report s = {
		.status =
			{
				.version = "0.1",
				.backend = "struct_ops",
				.backend_why = "\033[31mno hook",
				.pinned = true,
				.origin = "adopted",
				.in_force_usec = 1700000000000000,
				.configuration = 3,
				.configuration_usec = 1700000000000000,
				.rules = 12,
				.cgroups_ruled = 34,
				.follows_cgroups = true,
				.map_entries_max = 1024,
				.last_oom = 9,
				.last_oom_usec = 1700000100000000,
				.reload_error = "/etc/oompolicy.conf:3: \033[31mbad",
				.ooms = 8,
				.kills = 7,
				.records_lost = 1,
				.handler_nsec = 8000000,
				.handler_max_nsec = 3000000,
			},
		.map_entries = 37,
		.policies = policies,
		.n_policies = ARRAY_SIZE(policies),
		.warnings =
			{"Another program's 'x' is asked before these, so it decides what these "
			 "would decide otherwise.",
			 "\033[31mbad"},
		.n_warnings = 2,
		.module_version = "1.0",
		.module_hooks = {"dump_header", "mem_cgroup_get_oom_group", "mem_cgroup_scan_tasks",
				 "oom_evaluate_task", "\033[31mout_of_memory"},
		.n_module_hooks = 5,
		.module_installed = installed,
	};
	struct term t = new_term(80);

	CHECK_INT(show_status(&s, 1700000100000000 + 300000000, JSON_OFF, &t), 0);
	end_term(&t);
	compare("status");
	check_width(80);
	done_term();
}

/* What the page says of the module, which programs find in JSON in any case. */
static void test_status_module(void)
{
	char same[] = "1.0", newer[] = "1.1", none[] = "";
	const struct {
		const char *version;
		char *installed;
		const char *line, *json; /* "": no line about a module */
		bool warns;
	} cases[] = {
		{"", NULL, "",
		 "\"module_version\":\"\",\"module_hooks\":[],\"module_installed\":\"\"", false},
		{"1.0", NULL, "\n       Module: bpf_oom 1.0\n", "\"module_installed\":\"\"", false},
		{"1.0", none, "\n       Module: bpf_oom 1.0 (installed: none)\n",
		 "\"module_installed\":\"\"", false},
		{"1.0", same, "\n       Module: bpf_oom 1.0 (installed: 1.0)\n",
		 "\"module_installed\":\"1.0\"", false},
		{"1.0", newer, "\n       Module: bpf_oom 1.0 (installed: 1.1)\n",
		 "\"module_installed\":\"1.1\"", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct status_report s = {
			.status = {.version = "1.0",
				   .backend = "struct_ops",
				   .backend_why = "",
				   .origin = "",
				   .reload_error = ""},
			.module_version = cases[i].version,
			.module_installed = cases[i].installed,
		};
		struct term t = new_term(0);

		CHECK_INT(show_status(&s, 0, JSON_OFF, &t), 0);
		end_term(&t);
		CHECK(*cases[i].line ? strstr(output, cases[i].line) != NULL
				     : !strstr(output, "Module"));
		CHECK(!strstr(output, "Hooks"));
		CHECK(cases[i].warns ==
		      (strstr(output, "Warning: Module bpf_oom 1.1 is ") != NULL));
		done_term();

		t = new_term(0);
		CHECK_INT(show_status(&s, 0, JSON_SHORT, &t), 0);
		end_term(&t);
		CHECK(strstr(output, cases[i].json));
		CHECK(cases[i].warns == (strstr(output, "[\"Module bpf_oom 1.1 is ") != NULL));
		done_term();
	}
}

static void add(struct entry *e, const char *field)
{
	CHECK_INT(entry_add(e, field, strlen(field)), 0);
}

static const char *const kill_fields[] = {
	"MESSAGE=OOM in /work.slice: killed hog (pid 123, /work.slice/low.service, priority 10 "
	"from /work.slice/low.service by rule low), triggered by db (pid 99, "
	"/work.slice/db.service)\n"
	"The limit is memory.max=64.0M of /work.slice, with 64.0M in use.",
	"MESSAGE_ID=" MESSAGE_ID_KILL,
	"PRIORITY=4",
	"_PID=1",
	"OOMPOLICY_POLICY=default",
	"OOMPOLICY_DECISION=killed",
	"OOMPOLICY_RULE=low",
	"OOMPOLICY_EFFECTIVE_PRIORITY=10",
	"OOMPOLICY_PRIORITY_SOURCE=/work.slice/low.service",
	"OOMPOLICY_KILL=cgroup",
	"OOMPOLICY_MEMBERS=2",
	"OOMPOLICY_CONFIG=1",
	"OOMPOLICY_DOMAIN=/work.slice",
	"OOMPOLICY_DOMAIN_ID=4711",
	"OOMPOLICY_DOMAIN_TYPE=memcg",
	"OOMPOLICY_REMOTE=0",
	"OOMPOLICY_SYSRQ=0",
	"OOMPOLICY_CONSTRAINT=memcg",
	"OOMPOLICY_GFP_MASK=0xcc0",
	"OOMPOLICY_GFP_FLAGS=GFP_KERNEL",
	"OOMPOLICY_LIMITS=67108864 67108864 max 0 0 /work.slice\n"
	"67108864 max 1048576 4096 max /",
	"OOMPOLICY_RUNNERS_UP=99 d\\x20b 33 0 500 - 1048576 priority "
	"/work.slice/db.service\n"
	"98 a 33 -7 10 low 4096 preference /work.slice/low.service\n"
	"1 systemd 0 0 500 - 4096 spared /init.scope\n"
	"97 x 0 -1000 500 - 4096 oom-score-adj /a b\n"
	"96 y 0 0 500 - 4096 protected /c",
	"OOMPOLICY_ORDER=0",
	"OOMPOLICY_TASKS=12",
	"OOMPOLICY_CGROUPS=3",
	"OOMPOLICY_SELECT_NSEC=12345",
	"OOMPOLICY_HANDLER_NSEC=345678",
	"OOMPOLICY_SEQ=42",
	"OOMPOLICY_LOST=3",
	"OOMPOLICY_SUPPRESSED=0",
	"OOMPOLICY_VICTIM_PID=123",
	"OOMPOLICY_VICTIM_TID=123",
	"OOMPOLICY_VICTIM_COMM=hog",
	"OOMPOLICY_VICTIM_UID=1000",
	"OOMPOLICY_VICTIM_CGROUP=/work.slice/low.service",
	"OOMPOLICY_VICTIM_UNIT=low.service",
	"OOMPOLICY_VICTIM_OOM_SCORE_ADJ=0",
	"OOMPOLICY_VICTIM_ANON_BYTES=67108864",
	"OOMPOLICY_VICTIM_FILE_BYTES=1258291",
	"OOMPOLICY_VICTIM_SWAP_BYTES=0",
	"OOMPOLICY_TRIGGER_PID=99",
	"OOMPOLICY_TRIGGER_COMM=db",
	"OOMPOLICY_TRIGGER_CGROUP=/work.slice/db.service",
	"OOMPOLICY_MEMBER=124 hog 4096 /work.slice/low.service\n125 - 0 /work.slice/a",
	"OOMPOLICY_FREED_USEC=35123",
	"OOMPOLICY_FREED_BY=reaper",
	"OOMPOLICY_LEFT_BYTES=1258291",
	"OOMPOLICY_BACKEND=struct_ops",
	"OOMPOLICY_DECLARED=--declare",
	"OOMPOLICY_FROM_A_LATER_VERSION=one",
	"OOMPOLICY_FROM_A_LATER_VERSION=two",
};

static struct entry new_kill(void)
{
	struct entry e = {.real_usec = 1700000000123456};

	for (size_t i = 0; i < ARRAY_SIZE(kill_fields); i++)
		add(&e, kill_fields[i]);
	return e;
}

/* Every byte that others chose is hostile. */
static struct entry new_hostile(void)
{
	struct entry e = {.real_usec = 1700000001000000};

	add(&e, "MESSAGE=OOM in the system: killed e\\n\033[31m\nand another line\r");
	add(&e, "OOMPOLICY_DECISION=killed");
	add(&e, "OOMPOLICY_EFFECTIVE_PRIORITY=1000");
	add(&e, "OOMPOLICY_DOMAIN_TYPE=system");
	add(&e, "OOMPOLICY_DOMAIN=/");
	add(&e, "OOMPOLICY_VICTIM_PID=4194304");
	add(&e, "OOMPOLICY_VICTIM_COMM=e\nX=1\033%n\xff\"");
	add(&e, "OOMPOLICY_VICTIM_CGROUP=/evil\033[31m\xff%n%s\xe2\x80\xae");
	add(&e, "OOMPOLICY_GFP_MASK=\033[31m");
	add(&e, "OOMPOLICY_X\033[31m=\033[31m");
	add(&e, "OOMPOLICY_RUNNERS_UP=1 \033[31m\n\n1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7 8 \033[31m");
	add(&e, "OOMPOLICY_LIMITS=\033[31m 1 x");
	return e;
}

static struct entry new_none(void)
{
	struct entry e = {.real_usec = 1700000002000000};

	add(&e,
	    "MESSAGE=OOM in /a: left to the kernel, every task that could be killed is protected");
	add(&e, "OOMPOLICY_DECISION=no-opinion");
	add(&e, "OOMPOLICY_REASON=all-protected");
	add(&e, "OOMPOLICY_KILL_ERROR=-22");
	add(&e, "OOMPOLICY_POLICY=default");
	add(&e, "OOMPOLICY_DOMAIN_TYPE=memcg");
	add(&e, "OOMPOLICY_DOMAIN=/a/very/long/path/to/a.service");
	return e;
}

static void check_printable(void)
{
	for (const char *c = output; *c; c++)
		if ((unsigned char)*c < ' ' && *c != '\n')
			FAIL("a control byte 0x%02x is printed", (unsigned char)*c);
	CHECK(!strstr(output, "\xff"));
	CHECK(!strstr(output, "\xe2\x80\xae"));
}

static void test_list(void)
{
	_cleanup_(entry_done) struct entry a = new_kill(), b = new_hostile(), c = new_none();
	static const size_t widths[] = {80, 120, 0};

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		struct term t = new_term(widths[i]);
		char name[32];

		show_record_heading(&t);
		CHECK_INT(show_record_line(&a, &t), 0);
		CHECK_INT(show_record_line(&b, &t), 0);
		CHECK_INT(show_record_line(&c, &t), 0);
		end_term(&t);
		snprintf(name, sizeof(name), "list-%zu", widths[i]);
		compare(name);
		check_printable();
		if (widths[i])
			check_width(widths[i]);
		done_term();
	}
}

static void test_info(void)
{
	_cleanup_(entry_done) struct entry a = new_kill(), b = new_hostile(), c = new_none();
	struct term t = new_term(80);

	CHECK_INT(show_record(&a, &t), 0);
	fputc('\n', t.out);
	CHECK_INT(show_record(&b, &t), 0);
	fputc('\n', t.out);
	CHECK_INT(show_record(&c, &t), 0);
	end_term(&t);
	compare("info");
	check_width(80);
	check_printable();
	done_term();
}

static void test_json(void)
{
	_cleanup_(entry_done) struct entry a = new_kill(), b = new_hostile();
	struct json *array = json_new_array();
	struct term t = new_term(0);

	json_append(array, record_to_json(&a));
	json_append(array, record_to_json(&b));
	CHECK_INT(json_print(array, JSON_SHORT, t.out), 0);
	json_free(array);
	end_term(&t);
	compare("list.json");
	check_printable();
	for (const char *c = output; *c; c++)
		CHECK((unsigned char)*c < 0x80);
	done_term();
}

static struct process_row ranked[] = {
	{4194304,
	 1000,
	 -500,
	 {"e\n\033[31m\xff\"%n", 11},
	 12345678901,
	 73400320,
	 "/batch.slice/e\033[31mvil\xff\"%n",
	 10,
	 "batch",
	 "/batch.slice",
	 "cgroup",
	 "",
	 0,
	 "kill-cgroup"},
	{101,
	 0,
	 0,
	 {"helper", 6},
	 1,
	 4096,
	 "/batch.slice/small",
	 10,
	 "batch",
	 "/batch.slice",
	 "cgroup",
	 "",
	 4194304,
	 "kill-cgroup"},
	{102,
	 0,
	 0,
	 {"bash", 4},
	 2,
	 2097152,
	 "/user.slice/user-1000.slice/session-1.scope/deep",
	 500,
	 "",
	 "",
	 "",
	 "",
	 0,
	 ""},
	{103, 0, 0, {"leader", 6}, 2, 1097152, "/group", 500, "", "", "", "", 0, "oom-group"},
	{104,
	 0,
	 0,
	 {"along", 5},
	 2,
	 97152,
	 "/group/safe",
	 500,
	 "safe",
	 "/group/safe",
	 "",
	 "protected",
	 103,
	 "oom-group"},
	{105,
	 0,
	 0,
	 {"gone", 4},
	 3,
	 1024,
	 "",
	 900,
	 "database",
	 "/system.slice/db.service",
	 "process",
	 "",
	 0,
	 ""},
	{1, 0, 0, {"systemd", 7}, 4, 12582912, "/init.scope", 500, "", "", "", "init", 0, ""},
	{106,
	 0,
	 0,
	 {"sshd", 4},
	 5,
	 8388608,
	 "/system.slice/ssh.service",
	 500,
	 "shell",
	 "/system.slice/ssh.service",
	 "",
	 "protected",
	 0,
	 ""},
	{107,
	 0,
	 -1000,
	 {"udevd", 5},
	 6,
	 4194304,
	 "/system.slice/udev.service",
	 500,
	 "",
	 "",
	 "",
	 "oom-score-adj",
	 0,
	 ""},
	{108, 0, 0, {"later", 5}, 7, 0, "/a", 500, "", "", "", "of-a-later-version", 0, ""},
};

static void show_ranked(const struct ranking *ranking, size_t n_first, enum json_mode mode,
			const char *expected)
{
	struct term t = new_term(mode == JSON_OFF ? 80 : 0);

	CHECK_INT(show_ranking(ranking, n_first, mode, &t), 0);
	end_term(&t);
	compare(expected);
	if (mode == JSON_OFF)
		check_width(80);
	check_printable();
	done_term();
}

static void test_rank(void)
{
	struct ranking ranking = {
		.domain = "/",
		.outcome = {"default", "largest", "kill", "", 0, 7, 123, 45, 678901},
		.processes = ranked,
		.n_processes = ARRAY_SIZE(ranked),
	};

	show_ranked(&ranking, SIZE_MAX, JSON_OFF, "rank");
	show_ranked(&ranking, 2, JSON_PRETTY, "rank.json");
	/* A group that reaches beyond the domain, and a victim that is dying. */
	ranking.domain = "/batch.slice/small";
	ranking.outcome.outcome = "wait";
	ranking.outcome.dying_pid = 99;
	ranking.outcome.left_out = 0;
	show_ranked(&ranking, 1, JSON_OFF, "rank-wait");
	ranking.outcome.outcome = "kernel";
	ranking.outcome.reason = "all-protected";
	ranking.processes = &ranked[7];
	ranking.n_processes = 1;
	show_ranked(&ranking, SIZE_MAX, JSON_OFF, "rank-protected");
	ranking.outcome.reason = "no-policy";
	ranking.n_processes = 0;
	show_ranked(&ranking, SIZE_MAX, JSON_OFF, "rank-kernel");
}

static void test_filter(void)
{
	_cleanup_(entry_done) struct entry e = new_kill(), none = {};
	static const struct {
		struct entry_filter filter;
		bool matches;
	} cases[] = {
		{{}, true},
		{{.unit = "low.service"}, true},
		{{.unit = "low"}, true},
		{{.unit = "lo"}, false},
		{{.unit = "low.serv"}, false},
		{{.unit = "db"}, false},
		{{.policy = "default"}, true},
		{{.policy = "defaul"}, false},
		{{.since_usec = 1700000000123456}, true},
		{{.since_usec = 1700000000123457}, false},
		{{.until_usec = 1700000000123456}, true},
		{{.until_usec = 1700000000123455}, false},
	};
	uint64_t id;
	char text[ENTRY_ID_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (entry_matches(&e, &cases[i].filter) != cases[i].matches)
			FAIL("case %zu", i);
	add(&none, "MESSAGE=something else");
	CHECK(!entry_matches(&none, &cases[0].filter));

	entry_format_id(&e, text);
	CHECK_INT(entry_parse_id(text, &id), 0);
	CHECK(id == e.real_usec);
	CHECK_INT(entry_parse_id("", &id), -EINVAL);
	CHECK_INT(entry_parse_id("0x1", &id), -EINVAL);
	CHECK_INT(entry_parse_id("-1", &id), -EINVAL);
	CHECK_INT(entry_parse_id("11112222333344445", &id), -EINVAL);
}

static void test_times(void)
{
	/* 2023-11-14 22:13:20 UTC */
	const uint64_t now = 1700000000000000;
	static const struct {
		const char *text;
		uint64_t seconds; /* 0: none */
	} cases[] = {
		{"now", 1700000000},
		{"today", 1699920000},
		{"yesterday", 1699833600},
		{"2023-11-14 22:13:20", 1700000000},
		{"2023-11-14 22:13", 1699999980},
		{"2023-11-14", 1699920000},
		{"22:13:20", 1700000000},
		{"00:01", 1699920060},
		{"@5", 5},
		{"-1h", 1699996400},
		{"-1h 5s", 1699996395},
		{"2min ago", 1699999880},
		{"", 0},
		{"tomorrow", 0},
		{"2023-13-14", 0},
		{"2023-11-14 22", 0},
		{"2023-11-14x", 0},
		{"-", 0},
		{"-x", 0},
		{" ago", 0},
		{"@", 0},
		{"@99999999999999999999", 0},
	};

	setenv("TZ", "UTC", true);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t usec = 0;
		int r = text_parse_time(cases[i].text, now, &usec);

		if (r != (cases[i].seconds ? 0 : -EINVAL) || usec != cases[i].seconds * 1000000)
			FAIL("'%s' is %d, %llu", cases[i].text, r, (unsigned long long)usec);
	}
}

static void test_numbers(void)
{
	static const struct {
		uint64_t value;
		const char *bytes, *span;
	} cases[] = {
		{0, "0B", "0 ns"},
		{1023, "1023B", "1.0 us"},
		{1024, "1.0K", "1.0 us"},
		{1536, "1.5K", "1.5 us"},
		{1048575, "1023.9K", "1.0 ms"},
		{1048576, "1.0M", "1.0 ms"},
		{1000000000ULL << 10, "953.6G", "17 min"},
		{1ULL << 60, "1.0E", "13343 days"},
		{UINT64_MAX - 1, "15.9E", "213503 days"},
		{UINT64_MAX, "-", "213503 days"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char bytes[TEXT_BYTES_SIZE], span[TEXT_SPAN_SIZE];

		CHECK_STR(text_format_bytes(cases[i].value, bytes), cases[i].bytes);
		CHECK_STR(text_format_span(cases[i].value, span), cases[i].span);
	}
}

/* Wide and combining characters take the columns that a terminal gives them. */
static void test_columns(void)
{
	static const struct table_column columns[] = {
		{.title = "NAME", .flexible = true},
		{.title = "N", .align_right = true},
		{.title = "PATH", .flexible = true, .cut_start = true},
	};
	static const char *const cells[][3] = {
		{"short", "1", "/a"},
		{"\xe6\xb1\x89\xe5\xad\x97\xe6\xb1\x89\xe5\xad\x97\xe6\xb1\x89\xe5\xad\x97\xe6\xb1"
		 "\x89",
		 "22", "/a/path/that/is/too/long"},
		{"e\xcc\x81\xcc\x81t\xc3\xa9", "333",
		 "/\xe6\xb1\x89/\xe6\xb1\x89\xe5\xad\x97/x/y/z"},
	};
	struct table *table;
	struct term t = new_term(32);

	CHECK_INT(table_new(columns, ARRAY_SIZE(columns), &table), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		CHECK_INT(table_add(table, cells[i], COLOUR_NONE), 0);
	table_print(table, &t, 2);
	table_free(table);
	end_term(&t);
	compare("table");
	check_width(32);
	done_term();
}

static void test_colours(void)
{
	static const struct table_column columns[] = {{.title = "A"}};
	struct table *table;
	struct term t = new_term(0);

	t.colours = true;
	CHECK_INT(table_new(columns, 1, &table), 0);
	CHECK_INT(table_add(table, (const char *const[]){"x"}, COLOUR_RED), 0);
	table_print(table, &t, 0);
	table_free(table);
	end_term(&t);
	CHECK_STR(output, "\033[1mA\033[0m\n\033[31mx\033[0m\n");
	done_term();
}

static const struct test_case cases[] = {
	TEST_CASE(status),  TEST_CASE(list),	TEST_CASE(info),	  TEST_CASE(json),
	TEST_CASE(rank),    TEST_CASE(filter),	TEST_CASE(times),	  TEST_CASE(numbers),
	TEST_CASE(columns), TEST_CASE(colours), TEST_CASE(status_module),
};
TEST_MAIN(cases)
