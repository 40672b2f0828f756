// SPDX-License-Identifier: LGPL-2.1-or-later
#include "interface.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cgtree.h"

char reason[512];
struct op_interface *skel;
struct op_interface__bss *bss;
struct eater large, small;

bool attach(struct bpf_program *program)
{
	return bpf_program__attach(program) != NULL;
}

bool attach_evaluation(void)
{
	return attach(skel->progs.test_begin) && attach(skel->progs.test_evaluate) &&
	       attach(skel->progs.test_end);
}

bool attach_handler(void)
{
	return bpf_map__attach_struct_ops(skel->maps.test_ops) != NULL;
}

bool answer(const struct eater *e, int value)
{
	return bpf_map__update_elem(skel->maps.answers, &e->pid, sizeof(e->pid), &value,
				    sizeof(value), BPF_ANY) == 0;
}

uint64_t cgroup_id(const char *path)
{
	char absolute[PATH_MAX];
	struct stat st;

	snprintf(absolute, sizeof(absolute), "%s/%s", CGTREE_ROOT, path);
	return stat(absolute, &st) == 0 ? st.st_ino : 0;
}

int run_syscall_program(struct bpf_program *program, void *context, size_t size)
{
	/* The kernel writes the context back to where it comes from. */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context, .ctx_size_in = size);
	int r = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	return r < 0 ? r : (int)opts.retval;
}

int declare_with(struct declaration d)
{
	int r = run_syscall_program(skel->progs.test_declare, &d, sizeof(d));

	return r < 0 ? r : d.result;
}

int declare(uint64_t id, const char *text)
{
	if (text)
		strncpy(bss->text, text, sizeof(bss->text) - 1);
	return declare_with((struct declaration){.cgroup_id = id, .with_text = text != NULL});
}

int declare_memcg(void)
{
	return declare(cgroup_id(CGROUP), NULL);
}

int declare_system(void)
{
	bss->other_answer = BPF_EVAL_NEXT;
	return declare(0, NULL);
}

bool wait_until(const volatile bool *flag, bool value)
{
	for (unsigned i = 0; i < PATIENCE_POLLS; i++) {
		if (*flag == value)
			return true;
		usleep(POLL_USEC);
	}
	return false;
}

bool wait_gone(const struct eater *e)
{
	for (unsigned i = 0; i < PATIENCE_POLLS; i++) {
		if (!eater_lives(e))
			return true;
		usleep(POLL_USEC);
	}
	return false;
}

bool prepare_cgroup(void)
{
	return cgtree_create(CGROUP) == 0 && cgtree_write(CGROUP, "memory.max", LIMIT_BYTES) == 0 &&
	       (cgtree_write(CGROUP, "memory.swap.max", "0") == 0 || errno == ENOENT);
}

bool start_eaters(void)
{
	return prepare_cgroup() && eater_start(&large, CGROUP, LARGE_BYTES, 0) == 0 &&
	       eater_start(&small, CGROUP, SMALL_BYTES, 0) == 0 && kernel_log_mark() == 0;
}

bool only_dead(const struct eater *dead)
{
	return wait_gone(dead) && eater_lives(dead == &large ? &small : &large);
}

bool both_live(void)
{
	usleep(200 * 1000);
	return eater_lives(&large) && eater_lives(&small);
}

bool logged(const char *text)
{
	return kernel_log_read() == 0 && kernel_logged(text);
}

bool write_file(const char *path, const char *value)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
}

static int print_nothing(enum libbpf_print_level level _unused_, const char *format _unused_,
			 va_list args _unused_)
{
	return 0;
}

static const struct interface_test *find(const struct interface_test *tests, const char *name)
{
	for (; tests->name; tests++)
		if (strcmp(tests->name, name) == 0)
			return tests;
	return NULL;
}

static void list(const struct interface_test *tests)
{
	for (; tests->name; tests++)
		puts(tests->name);
}

/* Keeps what is attached until it is killed. */
static void __attribute__((noreturn)) stay_attached(void)
{
	puts("attached");
	fflush(stdout);
	for (;;)
		pause();
}

static bool stay(void)
{
	CHECK(attach_evaluation() && attach_handler());
	stay_attached();
}

/* Every selection of the kernel's ends with nobody. */
static bool stay_abort(void)
{
	bss->other_answer = BPF_EVAL_ABORT;
	CHECK(attach(skel->progs.test_evaluate));
	stay_attached();
}

/* Every selection comes to the module, and BPF has no say in it. */
static bool stay_watch(void)
{
	CHECK(attach(skel->progs.test_begin));
	stay_attached();
}

static const struct interface_test stay_tests[] = {
	{"stay", stay},
	{"stay-abort", stay_abort},
	{"stay-watch", stay_watch},
	{NULL, NULL},
};

/* interface list | interface list-v1 | interface NAME: runs one test; says why on standard error
 * when it fails. interface stay: attaches all programs and stays; interface stay-abort: attaches
 * one that aborts every selection; interface stay-watch: one that looks at each alone. */
int main(int argc, char **argv)
{
	const struct interface_test *test;
	bool ok;

	if (argc != 2)
		return 64;
	if (strcmp(argv[1], "list") == 0) {
		list(evaluate_tests);
		list(declare_tests);
		return 0;
	}
	if (strcmp(argv[1], "list-v1") == 0) {
		list(notify_tests);
		return 0;
	}
	test = find(evaluate_tests, argv[1])
		       ?: find(declare_tests, argv[1])
		       ?: find(notify_tests, argv[1]) ?: find(stay_tests, argv[1]);
	if (!test)
		return 64;

	if (!getenv("INTERFACE_VERBOSE"))
		libbpf_set_print(print_nothing);
	skel = op_interface__open_and_load();
	if (!skel) {
		fprintf(stderr, "cannot load the programs: %s\n", strerror(errno));
		return 1;
	}
	bss = skel->bss;
	ok = test->run();
	if (!ok)
		fprintf(stderr, "%s\n", reason);
	eater_stop(&large);
	eater_stop(&small);
	return ok ? 0 : 1;
}
