/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which shapes of the kernel's hooks are taken, on type information made for the purpose. */
#include "daemon/kernel/backend.h"

#include <bpf/btf.h>
#include <errno.h>

#include "daemon/kernel/backends.h"
#include "daemon/kernel/btf.h"
#include "files.h"
#include "test.h"
#include "util/basic.h"

/* What to put into struct bpf_oom_ops. */
struct shape {
	const char *parameters[3]; /* names of structs that are pointed to */
	const char *other;	   /* name of one more member */
	int name_length;	   /* 0: no name */
	bool no_handler;
};

static int judge(const struct shape *s, char why[static LOADER_WHY_SIZE])
{
	struct btf *btf = btf__new_empty();
	int t_int, t_char, t_proto, t_handler, t_name, structs[3], r;

	CHECK(btf);
	t_int = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	t_char = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	for (int i = 0; i < 3 && s->parameters[i]; i++)
		structs[i] = btf__add_ptr(btf, btf__add_struct(btf, s->parameters[i], 8));
	t_proto = btf__add_func_proto(btf, t_int);
	for (int i = 0; i < 3 && s->parameters[i]; i++)
		CHECK_INT(btf__add_func_param(btf, "p", structs[i]), 0);
	t_handler = btf__add_ptr(btf, t_proto);
	t_name = btf__add_array(btf, t_int, t_char, (__u32)s->name_length);

	CHECK(btf__add_struct(btf, "bpf_oom_ops", 80) > 0);
	if (!s->no_handler)
		CHECK_INT(btf__add_field(btf, "handle_out_of_memory", t_handler, 0, 0), 0);
	if (s->name_length)
		CHECK_INT(btf__add_field(btf, "name", t_name, 64, 0), 0);
	if (s->other)
		CHECK_INT(btf__add_field(btf, s->other, t_int, 576, 0), 0);

	why[0] = '\0';
	r = backend_struct_ops.check(btf, why);
	btf__free(btf);
	return r;
}

static void test_known(void)
{
	static const struct shape plain = {.parameters = {"oom_control"}, .name_length = 64};
	static const struct shape posted = {
		.parameters = {"oom_control"}, .name_length = 64, .other = "bpf_oom"};
	char why[LOADER_WHY_SIZE];

	CHECK_INT(judge(&plain, why), 0);
	CHECK_INT(judge(&posted, why), 0);
}

/* Each later or unknown shape is refused, and the sentence says what was found. */
static void test_refused(void)
{
	static const struct {
		struct shape shape;
		const char *told;
	} table[] = {
		{{.parameters = {"bpf_oom_ctx", "oom_control"},
		  .name_length = 64,
		  .other = "handle_cgroup_offline"},
		 "(bpf_oom_ctx *, oom_control *)"},
		{{.parameters = {"oom_control", "bpf_struct_ops_link"}, .name_length = 64},
		 "(oom_control *, bpf_struct_ops_link *)"},
		{{.parameters = {"oom_control", "cgroup"}, .name_length = 64},
		 "(oom_control *, cgroup *)"},
		{{.parameters = {"mem_cgroup"}, .name_length = 64}, "(mem_cgroup *)"},
		{{.parameters = {NULL}, .name_length = 64}, "handle_out_of_memory()"},
		{{.parameters = {"oom_control"}, .name_length = 64, .other = "on_exit"}, "on_exit"},
		{{.parameters = {"oom_control"}, .name_length = 16}, "member name"},
		{{.parameters = {"oom_control"}}, "lacks name"},
		{{.no_handler = true, .name_length = 64}, "lacks handle_out_of_memory"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char why[LOADER_WHY_SIZE];

		if (judge(&table[i].shape, why) != LOADER_E_KERNEL || !strstr(why, table[i].told))
			FAIL("row %zu: \"%s\", expected \"%s\" in it", i, why, table[i].told);
	}
}

static void test_none(void)
{
	struct btf *btf = btf__new_empty();
	char why[LOADER_WHY_SIZE];

	CHECK(btf);
	CHECK_INT(backend_struct_ops.check(btf, why), -ENOENT);
	btf__add_struct(btf, "oom_control", 8);
	CHECK_INT(backend_struct_ops.check(btf, why), -ENOENT);
	btf__free(btf);
}

/* A function of @name with a pointer to each of the structs of @parameters. */
static void add_function(struct btf *btf, const char *name, const char *const parameters[2])
{
	int types[2] = {}, number, proto;

	for (size_t i = 0; i < 2 && parameters[i]; i++)
		types[i] = btf__add_ptr(btf, btf__add_struct(btf, parameters[i], 8));
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	proto = btf__add_func_proto(btf, number);
	for (size_t i = 0; i < 2 && parameters[i]; i++)
		btf__add_func_param(btf, "parameter", types[i]);
	CHECK(btf__add_func(btf, name, BTF_FUNC_GLOBAL, proto) > 0);
}

static void test_evaluate(void)
{
	static const struct {
		const char *evaluate[2], *name[2];
		int result;
		const char *told;
	} table[] = {
		{{"task_struct", "oom_control"}, {"oom_control"}, 0, ""},
		{{"oom_control"}, {"oom_control"}, LOADER_E_KERNEL, "(oom_control *)"},
		{{"oom_control", "task_struct"},
		 {"oom_control"},
		 LOADER_E_KERNEL,
		 "(oom_control *, "},
		{{"task_struct", "oom_control"}, {NULL}, LOADER_E_KERNEL, "no bpf_set_policy_name"},
		{{"task_struct", "oom_control"},
		 {"task_struct"},
		 LOADER_E_KERNEL,
		 "(task_struct *)"},
		{{NULL}, {"oom_control"}, -ENOENT, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct btf *btf = btf__new_empty();
		char why[LOADER_WHY_SIZE] = "";
		int r;

		CHECK(btf);
		if (table[i].evaluate[0])
			add_function(btf, "bpf_oom_evaluate_task", table[i].evaluate);
		if (table[i].name[0])
			add_function(btf, "bpf_set_policy_name", table[i].name);
		r = backend_evaluate_task.check(btf, why);
		if (r != table[i].result || !strstr(why, table[i].told))
			FAIL("row %zu: %d and \"%s\"", i, r, why);
		btf__free(btf);
	}
}

/* The types of a kernel with @member in its struct module. */
static struct btf *new_kernel(const char *member)
{
	struct btf *btf = btf__new_empty();
	int number;

	CHECK(btf);
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	CHECK(btf__add_struct(btf, "module", 4) > 0);
	CHECK_INT(btf__add_field(btf, member, number, 0, 0), 0);
	return btf;
}

/* Not there, there without types, and where neither is of use, are three things to mend. */
static void test_no_hook(void)
{
	static const struct {
		const char *member;
		bool module_lacks_types;
		const char *told;
		const char *function; /* of the kernel; NULL: none */
		bool has_module;
	} table[] = {
		{"btf_data", false, "modprobe bpf_oom\" and \"journalctl -k -g bpf_oom\" say why."},
		{"btf_data", true, "bpf_oom.ko is loaded, but was built without type information"},
		{"name", false, "a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES=y is needed."},
		{"name", true, "a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES=y is needed."},
		{"btf_data", false, "another kind (bpf_oom_evaluate_task(), ",
		 "bpf_oom_evaluate_task"},
		{"btf_data", false, "bpf_oom.ko does not load beside that.", "bpf_handle_oom"},
		{"btf_data", false, "bpf_oom.ko that is loaded has none either",
		 .has_module = true},
	};
	static const char *const parameters[2] = {"oom_control"};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct kernel_types types = {.vmlinux = new_kernel(table[i].member),
					     .module_lacks_types = table[i].module_lacks_types};
		char why[LOADER_WHY_SIZE] = "";

		if (table[i].has_module)
			types.module = btf__new_empty();
		if (table[i].function)
			add_function(types.vmlinux, table[i].function, parameters);
		kernel_explain_no_hook(&types, "bpf_oom_ops", why);
		if (!strstr(why, table[i].told) || !strstr(why, "no bpf_oom_ops in its types"))
			FAIL("row %zu: \"%s\", expected \"%s\" in it", i, why, table[i].told);
		kernel_types_done(&types);
	}
}

static void test_module_lacks_types(void)
{
	static const char *const below[] = {"/module", "/kernel", "/kernel/btf"};
	char root[] = "/tmp/test_backend_hook.XXXXXX", path[64];

	CHECK(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		snprintf(path, sizeof(path), "%s%s", root, below[i]);
		CHECK(mkdir(path, 0700) == 0);
	}
	CHECK(!kernel_module_lacks_types(root));
	snprintf(path, sizeof(path), "%s/module/bpf_oom", root);
	CHECK(mkdir(path, 0700) == 0);
	CHECK(kernel_module_lacks_types(root));
	snprintf(path, sizeof(path), "%s/kernel/btf/bpf_oom", root);
	files_write(path, "");
	CHECK(!kernel_module_lacks_types(root));
	CHECK(files_remove(root) == 0);
}

/* Each backend but auto has a driver, and auto begins with the best. */
static void test_drivers(void)
{
	const struct backend_driver *d = NULL;

	for (int id = BACKEND_AUTO + 1; id < _BACKEND_MAX; id++) {
		d = backends_find((enum backend)id);
		CHECK(d && (int)d->id == id);
		CHECK(backends_next(NULL, d->id) == d && !backends_next(d, d->id));
	}
	CHECK(!backends_find(BACKEND_AUTO));
	d = backends_next(NULL, BACKEND_AUTO);
	CHECK(d == &backend_struct_ops);
	d = backends_next(d, BACKEND_AUTO);
	CHECK(d == &backend_evaluate_task);
	CHECK(!backends_next(d, BACKEND_AUTO));
}

/* Which link goes in which step, whoever has pinned it. */
static void test_removal(void)
{
	static const struct {
		const char *name;
		int step; /* -1: it keeps no policy in the kernel */
	} table[] = {{"1", 0},	   {"12", 0},  {"0", 1},	{"evaluate", 2},
		     {"begin", 2}, {"00", -1}, {"victims", -1}, {"", -1}};
	const struct pins_removal removal = backends_removal();

	CHECK_INT(removal.n, 3);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		for (int step = 0; step < 3; step++)
			if (removal.steps[step].is_link(table[i].name) != (step == table[i].step))
				FAIL("'%s' in step %d", table[i].name, step);
	CHECK(removal.steps[0].is_detached && removal.steps[1].is_detached);
	CHECK(removal.steps[2].is_awaited && !removal.steps[2].is_detached);
}

static const struct test_case cases[] = {
	TEST_CASE(known),    TEST_CASE(refused), TEST_CASE(none),
	TEST_CASE(evaluate), TEST_CASE(no_hook), TEST_CASE(module_lacks_types),
	TEST_CASE(drivers),  TEST_CASE(removal),
};
TEST_MAIN(cases)
