/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the program that declares OOMs, of which a descriptor is all that is kept. Refuses to know
 * why an OOM is declared and what the kernel's answer means to people.
 */
#include "program-declare.h"

#include <fcntl.h>
#include <malloc.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base.h"
#include "declare.skel.h"
#include "util/basic.h"

struct program_declare {
	int program_fd;
};

static void declare_skeleton_freep(struct op_declare **skeleton)
{
	op_declare__destroy(*skeleton);
}

int program_declare_new(const struct base *b, char why[static LOADER_WHY_SIZE],
			struct program_declare **ret)
{
	_cleanup_(declare_skeleton_freep) struct op_declare *skeleton = NULL;
	_cleanup_(program_declare_freep) struct program_declare *d = NULL;
	int r;

	why[0] = '\0';
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->program_fd = -EBADF;

	skeleton = op_declare__open();
	if (!skeleton)
		return -errno;
	r = bpf_map__reuse_fd(skeleton->maps.op_oom, b->shared[SHARED_OOM]);
	if (r >= 0)
		r = op_declare__load(skeleton);
	/* libbpf gives -ESRCH for a kfunc that neither the kernel nor a module has. */
	if (r == -ESRCH) {
		snprintf(why, LOADER_WHY_SIZE,
			 "this kernel has no interface for declaring an OOM "
			 "(bpf_out_of_memory()); where it has no other OOM interface of its own, a "
			 "recent module bpf_oom.ko adds one");
		return LOADER_E_KERNEL;
	}
	/* As the posted series has it. */
	if (r == -EACCES) {
		snprintf(why, LOADER_WHY_SIZE,
			 "this kernel lets only the handlers of an OOM declare one "
			 "(bpf_out_of_memory())");
		return LOADER_E_KERNEL;
	}
	if (r < 0)
		return r;
	d->program_fd = fcntl(bpf_program__fd(skeleton->progs.op_declare_oom), F_DUPFD_CLOEXEC, 3);
	if (d->program_fd < 0)
		return -errno;
	*ret = TAKE_PTR(d);

	/* libbpf needed megabytes of type information, and libc would keep them. */
	op_declare__destroy(TAKE_PTR(skeleton));
	malloc_trim(0);
	return 0;
}

struct program_declare *program_declare_free(struct program_declare *d)
{
	if (!d)
		return NULL;
	safe_close(d->program_fd);
	free(d);
	return NULL;
}

int program_declare_run(const struct program_declare *d, uint64_t cgroup_id,
			const char text[static OP_DECLARED_LEN])
{
	struct op_declaration request = {.cgroup_id = cgroup_id};
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &request, .ctx_size_in = sizeof(request));
	int r;

	memcpy(request.text, text, sizeof(request.text));
	/* The kernel's name for running a program of type syscall at once. */
	r = bpf_prog_test_run_opts(d->program_fd, &options);
	return r < 0 ? r : request.result;
}
