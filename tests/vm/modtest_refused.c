// SPDX-License-Identifier: LGPL-2.1-or-later
/* Programs that bpf_oom.ko must not let be loaded. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "eater.h"
#include "forbidden.skel.h"
#include "locking.skel.h"
#include "modtest.h"
#include "nonsleepable.skel.h"
#include "util/basic.h"

static void nonsleepable_freep(struct op_nonsleepable **h)
{
	op_nonsleepable__destroy(*h);
}

/* All that a handler could do sleeps, so one that may not is a mistake. */
bool test_nonsleepable_refused(void)
{
	static char log[64 * 1024];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log,
		    .kernel_log_size = sizeof(log), .kernel_log_level = 1);
	_cleanup_(nonsleepable_freep) struct op_nonsleepable *h = op_nonsleepable__open_opts(&opts);

	CHECK(h);
	CHECK(op_nonsleepable__load(h) == -EINVAL);
	CHECK(strstr(log, "attach to unsupported member handle_out_of_memory"));
	return true;
}

static void forbidden_freep(struct op_forbidden **h)
{
	op_forbidden__destroy(*h);
}

/* A user could not undo it: it would hang every OOM. */
bool test_forbidden_kfunc_refused(void)
{
	_cleanup_(forbidden_freep) struct op_forbidden *h = op_forbidden__open();

	CHECK(h);
	CHECK(kernel_log_mark() == 0);
	CHECK(op_forbidden__load(h) == -EACCES);
	CHECK(kernel_log_read() == 0);
	CHECK(kernel_logged("a handler that calls bpf_arena_alloc_pages is refused"));
	return true;
}

static void locking_freep(struct op_locking **h)
{
	op_locking__destroy(*h);
}

/* Loads one of the two programs of the object. Returns what that said. */
static int load_locking(bool traces, bool calls)
{
	_cleanup_(locking_freep) struct op_locking *h = op_locking__open();

	if (!h)
		return -errno;
	h->rodata->calls = calls;
	bpf_program__set_autoload(h->progs.test_trace, traces);
	bpf_program__set_autoload(h->progs.test_other_ops, !traces);
	bpf_map__set_autocreate(h->maps.test_ops, !traces);
	return op_locking__load(h);
}

/* Under a lock of a task that it takes, it would wait for ever. */
bool test_locking_kfunc_refused(void)
{
	CHECK(load_locking(true, false) == 0);
	CHECK(load_locking(true, true) == -EACCES);
	CHECK(load_locking(false, false) == 0);
	CHECK(load_locking(false, true) == -EACCES);
	return true;
}
