/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the programs that see the memory of victims come back, and their links. Refuses to know what
 * is made of it.
 *
 * Invariant: no policy depends on anything here; where it does not work the journal says less.
 */
#include "follow.h"

#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "backend.h"
#include "freed.skel.h"
#include "util/basic.h"
#include "util/log.h"

/* How a tracepoint shows in BTF: DECLARE_TRACE() of include/linux/tracepoint.h and bpf_probe.h. */
static const struct {
	const char *program, *link, *type;
} followers[] = {
	{"op_exit_mmap", "exit_mmap", "btf_trace_exit_mmap"},
	{"op_reaped", "reaped", "btf_trace_finish_task_reaping"},
};
_Static_assert(ARRAY_SIZE(followers) == LOADER_FREED_MAX, "a follower for each");

static void skeleton_freep(struct op_freed **skeleton)
{
	op_freed__destroy(*skeleton);
}

void loader_freed_init(struct loader *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		l->freed_fds[i] = -EBADF;
		l->has_freed[i] = false;
	}
}

void loader_freed_done(struct loader *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		l->freed_fds[i] = safe_close(l->freed_fds[i]);
}

void loader_freed_check(struct loader *l, const struct btf *btf)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		l->has_freed[i] =
			btf__find_by_name_kind(btf, followers[i].type, BTF_KIND_TYPEDEF) >= 0;
		if (!l->has_freed[i])
			log_debug("The kernel has no %s: not every record will say when the "
				  "victim's memory was back.",
				  followers[i].type);
	}
}

static int load(struct loader *l)
{
	_cleanup_(skeleton_freep) struct op_freed *skeleton = op_freed__open();
	struct bpf_program *programs[ARRAY_SIZE(followers)];
	int r;

	if (!skeleton)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		programs[i] = bpf_object__find_program_by_name(skeleton->obj, followers[i].program);
		if (!programs[i])
			return -ENOENT;
		bpf_program__set_autoload(programs[i], l->has_freed[i]);
	}
	r = base_reuse_maps(&l->base, skeleton->obj);
	if (r >= 0)
		r = op_freed__load(skeleton);
	for (size_t i = 0; i < ARRAY_SIZE(followers) && r >= 0; i++)
		if (l->has_freed[i])
			r = l->freed_fds[i] = base_keep_link(
				&l->base, bpf_program__attach(programs[i]), followers[i].link);
	return r;
}

static void remove_pins(struct loader *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		pins_remove(&l->base.pins, PINS_LINK_PREFIX, followers[i].link);
}

void loader_freed_follow(struct loader *l)
{
	int before[ARRAY_SIZE(followers)], r;

	/* Those of before go after ours have come: a victim is told of once, whoever sees it. */
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		before[i] = TAKE_FD(l->freed_fds[i]);
	remove_pins(l);
	r = load(l);
	if (r < 0) {
		log_warning("Cannot follow the memory of victims: %s. When it was back is not "
			    "recorded, ignoring.",
			    strerror(-r));
		loader_freed_done(l);
		remove_pins(l);
	}
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		safe_close(before[i]);
}

bool loader_freed_adopt(struct loader *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		l->freed_fds[i] = pins_get(&l->base.pins, PINS_LINK_PREFIX, followers[i].link);
	return l->freed_fds[0] >= 0;
}

uint64_t loader_freed_hash(uint64_t hash)
{
	const void *data;
	size_t size;

	data = op_freed__elf_bytes(&size);
	return note_hash(hash, data, size);
}
