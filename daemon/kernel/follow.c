/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the programs that follow what the kernel does by itself, and their links. Refuses to know
 * what is made of what they see.
 *
 * Invariant: no policy depends on anything here; where it does not work the journal says less, and
 * new cgroups inherit until the next reload.
 */
#include "follow.h"

#include <assert.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base.h"
#include "btf.h"
#include "cgroups.skel.h"
#include "freed.skel.h"
#include "util/basic.h"
#include "util/log.h"
#include "victims.skel.h"

#define VICTIMS_LINK "victims"
#define SELECTION_END_LINK "selection_end"
#define OOM_END_LINK "oom_end"

/* How a tracepoint shows in BTF: DECLARE_TRACE() of include/linux/tracepoint.h and bpf_probe.h. */
#define SELECTION_END_TYPE "btf_trace_select_bad_process_end"
#define OOM_END_TYPE "btf_trace_bpf_oom_end"

static const struct {
	const char *program, *link, *type;
} followers[] = {
	{"op_exit_mmap", "exit_mmap", "btf_trace_exit_mmap"},
	{"op_reaped", "reaped", "btf_trace_finish_task_reaping"},
};
static_assert(ARRAY_SIZE(followers) == FOLLOW_FREED_MAX, "a follower for each");

/* --- the memory of victims */

static void freed_skeleton_freep(struct op_freed **skeleton)
{
	op_freed__destroy(*skeleton);
}

static void freed_init(struct follow_victims *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		f->freed_fds[i] = -EBADF;
		f->has_freed[i] = false;
	}
}

static void freed_done(struct follow_victims *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		f->freed_fds[i] = safe_close(f->freed_fds[i]);
}

static void freed_check(struct follow_victims *f, const struct btf *btf)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		f->has_freed[i] =
			btf__find_by_name_kind(btf, followers[i].type, BTF_KIND_TYPEDEF) >= 0;
		if (!f->has_freed[i])
			log_debug("The kernel has no %s: not every record will say when the "
				  "victim's memory was back.",
				  followers[i].type);
	}
}

static int freed_load(struct follow_victims *f, struct base *b)
{
	_cleanup_(freed_skeleton_freep) struct op_freed *skeleton = op_freed__open();
	struct bpf_program *programs[ARRAY_SIZE(followers)];
	int r;

	if (!skeleton)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++) {
		programs[i] = bpf_object__find_program_by_name(skeleton->obj, followers[i].program);
		if (!programs[i])
			return -ENOENT;
		bpf_program__set_autoload(programs[i], f->has_freed[i]);
	}
	r = base_reuse_maps(b, skeleton->obj);
	if (r >= 0)
		r = op_freed__load(skeleton);
	for (size_t i = 0; i < ARRAY_SIZE(followers) && r >= 0; i++)
		if (f->has_freed[i])
			r = f->freed_fds[i] = base_keep_link(b, bpf_program__attach(programs[i]),
							     followers[i].link);
	return r;
}

static void freed_remove_pins(struct base *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		pins_remove(&b->pins, PINS_LINK_PREFIX, followers[i].link);
}

static void freed_start(struct follow_victims *f, struct base *b)
{
	int before[ARRAY_SIZE(followers)], r;

	/* Those of before go after ours have come: a victim is told of once, whoever sees it. */
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		before[i] = TAKE_FD(f->freed_fds[i]);
	freed_remove_pins(b);
	r = freed_load(f, b);
	if (r < 0) {
		log_warning("Cannot follow the memory of victims: %s. When it was back is not "
			    "recorded, ignoring.",
			    strerror(-r));
		freed_done(f);
		freed_remove_pins(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		safe_close(before[i]);
}

static bool freed_adopt(struct follow_victims *f, struct base *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(followers); i++)
		f->freed_fds[i] = pins_get(&b->pins, PINS_LINK_PREFIX, followers[i].link);
	return f->freed_fds[0] >= 0;
}

/* --- victims of the kernel */

static void victims_skeleton_freep(struct op_victims **skeleton)
{
	op_victims__destroy(*skeleton);
}

void follow_victims_init(struct follow_victims *f)
{
	*f = (struct follow_victims){
		.victims_fd = -EBADF, .selection_end_fd = -EBADF, .oom_end_fd = -EBADF};
	freed_init(f);
}

void follow_victims_done(struct follow_victims *f)
{
	freed_done(f);
	f->oom_end_fd = safe_close(f->oom_end_fd);
	f->selection_end_fd = safe_close(f->selection_end_fd);
	f->victims_fd = safe_close(f->victims_fd);
}

void follow_victims_check(struct follow_victims *f, const struct kernel_types *types)
{
	/* The types of a module continue those of the kernel. */
	const struct btf *btf = types->module ?: types->vmlinux;

	f->has_selection_end =
		btf__find_by_name_kind(btf, SELECTION_END_TYPE, BTF_KIND_TYPEDEF) >= 0;
	f->has_oom_end = btf__find_by_name_kind(btf, OOM_END_TYPE, BTF_KIND_TYPEDEF) >= 0;
	freed_check(f, types->vmlinux);
}

static void victims_remove_pins(struct base *b)
{
	pins_remove(&b->pins, PINS_LINK_PREFIX, VICTIMS_LINK);
	pins_remove(&b->pins, PINS_LINK_PREFIX, SELECTION_END_LINK);
	pins_remove(&b->pins, PINS_LINK_PREFIX, OOM_END_LINK);
}

static int victims_load(struct follow_victims *f, struct base *b)
{
	_cleanup_(victims_skeleton_freep) struct op_victims *skeleton = NULL;
	int r;

	skeleton = op_victims__open();
	if (!skeleton)
		return -errno;
	bpf_program__set_autoload(skeleton->progs.op_select_end, f->has_selection_end);
	bpf_program__set_autoload(skeleton->progs.op_oom_end, f->has_oom_end);
	skeleton->rodata->tells_end = f->has_oom_end;
	r = base_reuse_maps(b, skeleton->obj);
	if (r >= 0)
		r = op_victims__load(skeleton);
	if (r < 0)
		return r;
	/* What marks leaves records to the ends, which are there before it. */
	if (f->has_oom_end)
		r = f->oom_end_fd = base_keep_link(
			b, bpf_program__attach(skeleton->progs.op_oom_end), OOM_END_LINK);
	if (r >= 0 && f->has_selection_end)
		r = f->selection_end_fd = base_keep_link(
			b, bpf_program__attach(skeleton->progs.op_select_end), SELECTION_END_LINK);
	if (r >= 0)
		r = f->victims_fd = base_keep_link(
			b, bpf_program__attach(skeleton->progs.op_mark_victim), VICTIMS_LINK);
	return r;
}

/* Without it a policy looks at every task for one that is dying, and what the kernel does where a
 * policy has no opinion is not in the record. */
void follow_victims_start(struct follow_victims *f, struct base *b)
{
	/* Two that follow the kernel at a time do no harm: the first of them leaves the other
	 * nothing to complete. */
	int victims_fd = TAKE_FD(f->victims_fd), selection_end_fd = TAKE_FD(f->selection_end_fd);
	int oom_end_fd = TAKE_FD(f->oom_end_fd), r;

	victims_remove_pins(b);
	r = victims_load(f, b);
	if (r >= 0) {
		freed_start(f, b);
	} else {
		log_warning("Cannot follow the kernel's own kills: %s. Whom it kills where a "
			    "policy has no opinion is not recorded, ignoring.",
			    strerror(-r));
		follow_victims_done(f);
		victims_remove_pins(b);
	}
	safe_close(victims_fd);
	safe_close(selection_end_fd);
	safe_close(oom_end_fd);
}

bool follow_victims_adopt(struct follow_victims *f, struct base *b)
{
	f->victims_fd = pins_get(&b->pins, PINS_LINK_PREFIX, VICTIMS_LINK);
	f->selection_end_fd = pins_get(&b->pins, PINS_LINK_PREFIX, SELECTION_END_LINK);
	f->oom_end_fd = pins_get(&b->pins, PINS_LINK_PREFIX, OOM_END_LINK);
	return freed_adopt(f, b) && f->victims_fd >= 0;
}

uint64_t follow_victims_hash(uint64_t hash)
{
	const void *data;
	size_t size;

	data = op_victims__elf_bytes(&size);
	hash = note_hash(hash, data, size);
	data = op_freed__elf_bytes(&size);
	return note_hash(hash, data, size);
}

/* --- cgroups */

static int pass_cgroup(void *userdata, void *data, size_t size)
{
	const struct follow_cgroups *f = userdata;

	f->take(data, size, f->userdata);
	return 0;
}

static int cgroups_load(struct follow_cgroups *f)
{
	int r;

	f->skeleton = op_cgroups__open_and_load();
	if (!f->skeleton)
		return -errno;
	f->ring = ring_buffer__new(bpf_map__fd(f->skeleton->maps.op_cgroup_events), pass_cgroup, f,
				   NULL);
	if (!f->ring)
		return -errno;
	r = op_cgroups__attach(f->skeleton);
	return r < 0 ? r : 0;
}

int follow_cgroups_start(struct follow_cgroups *f,
			 void (*take)(const void *data, size_t size, void *userdata),
			 void *userdata)
{
	int r;

	*f = (struct follow_cgroups){.take = take, .userdata = userdata};
	r = cgroups_load(f);
	if (r < 0)
		follow_cgroups_done(f);
	return r;
}

void follow_cgroups_done(struct follow_cgroups *f)
{
	ring_buffer__free(TAKE_PTR(f->ring));
	op_cgroups__destroy(TAKE_PTR(f->skeleton));
}

int follow_cgroups_fd(const struct follow_cgroups *f)
{
	return f->ring ? ring_buffer__epoll_fd(f->ring) : -EBADF;
}

int follow_cgroups_consume(struct follow_cgroups *f)
{
	int r = f->ring ? ring_buffer__consume(f->ring) : 0;

	return r < 0 ? r : 0;
}

uint64_t follow_cgroups_count_lost(const struct follow_cgroups *f)
{
	return f->skeleton ? __atomic_load_n(&f->skeleton->bss->cgroups_lost, __ATOMIC_RELAXED) : 0;
}
