/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the module says of itself, read from a tree of plain files that stands for sysfs. */
#include "daemon/bus/loaded-module.h"

#include "files.h"
#include "test.h"
#include "util/basic.h"

#define LONG_NAME "a_name_of_a_function_that_is_longer_than_that_of_any_function_we_hook"

static char sysfs[] = "/tmp/test_module.XXXXXX";

static void make(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", sysfs, path);
	CHECK(mkdir(full, 0755) == 0);
}

static void write_file(const char *path, const char *text)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", sysfs, path);
	files_write(full, text);
}

static void tree_begin(void)
{
	memcpy(sysfs + sizeof(sysfs) - 7, "XXXXXX", 6);
	CHECK(mkdtemp(sysfs));
	make("/module");
}

static void tree_end(void)
{
	CHECK_INT(files_remove(sysfs), 0);
}

static void test_not_loaded(void)
{
	struct loaded_module module = {.version = "x", .n_hooks = 1};

	tree_begin();
	loaded_module_acquire(sysfs, &module);
	CHECK_STR(module.version, "");
	CHECK_INT(module.n_hooks, 0);
	tree_end();
}

/* One that does not name what it hooks, and so has no such parameter, or none at all. */
static void test_older_module(void)
{
	struct loaded_module module;

	tree_begin();
	make("/module/bpf_oom");
	write_file("/module/bpf_oom/version", "0.2\n");
	loaded_module_acquire(sysfs, &module);
	CHECK_STR(module.version, "0.2");
	CHECK_INT(module.n_hooks, 0);
	make("/module/bpf_oom/parameters");
	loaded_module_acquire(sysfs, &module);
	CHECK_STR(module.version, "0.2");
	CHECK_INT(module.n_hooks, 0);
	tree_end();
}

static void test_hooks(void)
{
	static const struct {
		const char *text;
		const char *hooks; /* with a blank after each */
	} cases[] = {
		{"dump_header,mem_cgroup_get_oom_group,mem_cgroup_scan_tasks,oom_evaluate_task,"
		 "out_of_memory\n",
		 "dump_header mem_cgroup_get_oom_group mem_cgroup_scan_tasks oom_evaluate_task "
		 "out_of_memory "},
		{"out_of_memory\n", "out_of_memory "},
		{"dump_header.constprop.0,b", "dump_header.constprop.0 b "},
		{"", ""},
		{"\n", ""},
		{",,a,,b,\n", "a b "},
		{"a,out of memory,\033[31m,\xff,b\n", "a b "},
		{"a," LONG_NAME ",b\n", "a b "},
		{"0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h\n", "0 1 2 3 4 5 6 7 8 9 a b c d e f "},
	};

	tree_begin();
	make("/module/bpf_oom");
	make("/module/bpf_oom/parameters");
	write_file("/module/bpf_oom/version", "1.0\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct loaded_module module;
		char seen[1024] = "";
		size_t used = 0;

		write_file("/module/bpf_oom/parameters/hooks", cases[i].text);
		loaded_module_acquire(sysfs, &module);
		CHECK_STR(module.version, "1.0");
		for (size_t j = 0; j < module.n_hooks; j++)
			used += (size_t)snprintf(seen + used, sizeof(seen) - used, "%s ",
						 module.hooks[j]);
		CHECK_STR(seen, cases[i].hooks);
	}
	tree_end();
}

/* D-Bus takes no text that is not UTF-8. */
static void test_version_that_is_no_text(void)
{
	struct loaded_module module;

	tree_begin();
	make("/module/bpf_oom");
	write_file("/module/bpf_oom/version", "1\xff\n");
	loaded_module_acquire(sysfs, &module);
	CHECK_STR(module.version, "");
	tree_end();
}

static const struct test_case cases[] = {
	TEST_CASE(not_loaded),
	TEST_CASE(older_module),
	TEST_CASE(hooks),
	TEST_CASE(version_that_is_no_text),
};
TEST_MAIN(cases)
