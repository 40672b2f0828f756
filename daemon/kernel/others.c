/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds what others have attached to the hooks that our backends use. Both hooks are of interest
 * whichever backend is in use: the handlers are asked first, then each task goes by the other.
 *
 * Goes by ids alone, and keeps nothing open that is somebody else's: a descriptor would keep what
 * they want to be gone.
 */
#include "others.h"

#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "backend.h"
#include "base.h"
#include "btf.h"
#include "links.skel.h"
#include "util/basic.h"

#define OPS_VALUE "bpf_struct_ops_bpf_oom_ops"
#define OPS_HOOK "bpf_oom_ops"
#define TASK_HOOK "bpf_oom_evaluate_task"
/* One that the module has and the posted series has not. */
#define MODULE_FUNCTION "bpf_oom_kill_single_process"
/* What a struct_ops without a link needs to be attached. */
#define UPDATE_FUNCTION "bpf_struct_ops_map_update_elem"
#define TRAMPOLINE_FUNCTION "bpf_trampoline_link_prog"

/* enum bpf_struct_ops_state of include/linux/bpf.h: attached, of a map that has no link. */
#define OPS_STATE_INUSE 1U

/* A value: the kernel's own two words, the handler and the name, each at a cache line at most. */
#define VALUE_SIZE_MAX 512U

/* --- where the hooks are in the kernel's types */

static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *t,
					    const char *name)
{
	for (int i = 0; t && btf_is_struct(t) && i < btf_vlen(t); i++)
		if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), name) == 0)
			return &btf_members(t)[i];
	return NULL;
}

static void find_ops(const struct btf *btf, struct others_hooks *ret)
{
	__s32 id = btf__find_by_name_kind(btf, OPS_VALUE, BTF_KIND_STRUCT);
	const struct btf_member *data, *handler, *name;
	const struct btf_type *ops;

	if (id < 0)
		return;
	data = find_member(btf, btf__type_by_id(btf, (__u32)id), "data");
	ops = data ? btf__type_by_id(btf, data->type) : NULL;
	handler = find_member(btf, ops, "handle_out_of_memory");
	name = find_member(btf, ops, "name");
	if (!data || !handler || !name)
		return;
	ret->handler_offset = (data->offset + handler->offset) / 8;
	ret->name_offset = (data->offset + name->offset) / 8;
	if (ret->handler_offset + sizeof(uint64_t) <= VALUE_SIZE_MAX &&
	    ret->name_offset + OP_POLICY_NAME_LEN <= VALUE_SIZE_MAX)
		ret->ops_value_id = (uint32_t)id;
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

void others_find_hooks(const struct kernel_types *types, struct others_hooks *ret)
{
	const struct btf *btf = types->module ?: types->vmlinux;
	__s32 id;

	*ret = (struct others_hooks){};
	find_ops(btf, ret);
	id = btf__find_by_name_kind(btf, TASK_HOOK, BTF_KIND_FUNC);
	if (id > 0)
		ret->evaluate_id = (uint32_t)id;
	ret->is_module = has_function(btf, MODULE_FUNCTION);
	ret->has_update = has_function(types->vmlinux, UPDATE_FUNCTION);
	ret->has_trampoline = has_function(types->vmlinux, TRAMPOLINE_FUNCTION);
}

/* Types are counted anew in each module: is the one that @id counts in the kernel's or ours? */
static bool is_hooks_btf(uint32_t id)
{
	char name[64] = "";
	struct bpf_btf_info info = {.name = (uintptr_t)name, .name_len = sizeof(name)};
	__u32 size = sizeof(info);
	_cleanup_close_ int fd = bpf_btf_get_fd_by_id(id);

	return fd >= 0 && bpf_btf_get_info_by_fd(fd, &info, &size) == 0 &&
	       (strcmp(name, "vmlinux") == 0 || strcmp(name, KERNEL_MODULE) == 0);
}

/* --- looking */

struct scan {
	const struct others_hooks *hooks;
	const struct backend_driver *driver;
	const struct base *base;
	struct loader_other *items;
	int n;
};

static void add(struct scan *s, const struct loader_other *other)
{
	if (s->n < LOADER_OTHERS_MAX)
		s->items[s->n] = *other;
	s->n++;
}

/* Reads the policy of a struct_ops map. Returns whether it is one of bpf_oom_ops; its state is
 * given, too. */
static bool read_ops(const struct others_hooks *hooks, uint32_t map_id, struct loader_other *other,
		     uint32_t *ret_state, uint32_t *ret_flags)
{
	_Alignas(8) char value[VALUE_SIZE_MAX];
	_cleanup_close_ int fd = bpf_map_get_fd_by_id(map_id);
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), zero = 0;
	uint64_t program;

	if (fd < 0 || bpf_map_get_info_by_fd(fd, &info, &size) < 0 ||
	    info.type != BPF_MAP_TYPE_STRUCT_OPS || !hooks->ops_value_id ||
	    info.btf_vmlinux_value_type_id != hooks->ops_value_id ||
	    info.value_size > sizeof(value) ||
	    (info.btf_vmlinux_id && !is_hooks_btf(info.btf_vmlinux_id)) ||
	    bpf_map_lookup_elem(fd, &zero, value) < 0)
		return false;
	/* In what user space reads a program stands for its function (kernel/bpf/bpf_struct_ops.c,
	 * bpf_struct_ops_map_update_elem()). */
	memcpy(&program, value + hooks->handler_offset, sizeof(program));
	memcpy(other->name, value + hooks->name_offset, sizeof(other->name) - 1);
	other->hook = OPS_HOOK;
	other->map_id = map_id;
	other->program_id = (uint32_t)program;
	memcpy(ret_state, value + sizeof(uint32_t), sizeof(*ret_state));
	*ret_flags = info.map_flags;
	return true;
}

static void program_name(uint32_t id, char name[static OP_POLICY_NAME_LEN])
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (fd >= 0 && bpf_prog_get_info_by_fd(fd, &info, &size) == 0)
		snprintf(name, OP_POLICY_NAME_LEN, "%.*s", (int)sizeof(info.name), info.name);
}

static void look_at_link(struct scan *s, uint32_t id)
{
	_cleanup_close_ int fd = bpf_link_get_fd_by_id(id);
	struct loader_other other = {.link_id = id};
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	uint32_t state, flags;

	if (fd < 0 || bpf_link_get_info_by_fd(fd, &info, &size) < 0)
		return;
	if (info.type == BPF_LINK_TYPE_STRUCT_OPS) {
		if (!read_ops(s->hooks, info.struct_ops.map_id, &other, &state, &flags))
			return;
		other.order = s->driver->order_of(s->base, BACKEND_HOOK_HANDLER, id);
	} else if (info.type == BPF_LINK_TYPE_TRACING &&
		   info.tracing.attach_type == BPF_MODIFY_RETURN && s->hooks->evaluate_id &&
		   info.tracing.target_btf_id == s->hooks->evaluate_id &&
		   is_hooks_btf(info.tracing.target_obj_id)) {
		other.hook = TASK_HOOK;
		other.program_id = info.prog_id;
		other.order = s->driver->order_of(s->base, BACKEND_HOOK_EVALUATION, id);
		program_name(info.prog_id, other.name);
	} else {
		return;
	}
	if (!s->driver->owns_link(s->base, id))
		add(s, &other);
}

static void look_at_map(struct scan *s, uint32_t id)
{
	struct loader_other other = {};
	uint32_t state, flags;

	if (!read_ops(s->hooks, id, &other, &state, &flags) || (flags & BPF_F_LINK) ||
	    state != OPS_STATE_INUSE)
		return;
	other.order = s->driver->order_of(s->base, BACKEND_HOOK_HANDLER, 0);
	add(s, &other);
}

int others_find(const struct others_hooks *hooks, const struct backend_driver *driver,
		const struct base *b, struct loader_other items[static LOADER_OTHERS_MAX])
{
	struct scan s = {.hooks = hooks, .driver = driver, .base = b, .items = items};
	__u32 id = 0;

	while (bpf_link_get_next_id(id, &id) == 0)
		look_at_link(&s, id);
	if (errno != ENOENT)
		return -errno;
	id = 0;
	while (bpf_map_get_next_id(id, &id) == 0)
		look_at_map(&s, id);
	return errno != ENOENT ? -errno : s.n;
}

/* --- being told */

struct others_watch {
	struct op_links *skeleton;
	struct ring_buffer *ring;
	loader_attached_t attached; /* during a call */
	void *userdata;
};

static int pass(void *userdata, void *data, size_t size)
{
	struct others_watch *w = userdata;

	if (size >= sizeof(struct op_link_record))
		w->attached(data, w->userdata);
	return 0;
}

static void watch_freep(struct others_watch **w)
{
	others_watch_free(*w);
}

int others_watch_new(const struct others_hooks *hooks, struct others_watch **ret)
{
	_cleanup_(watch_freep) struct others_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->skeleton = op_links__open();
	if (!w->skeleton)
		return -errno;
	bpf_program__set_autoload(w->skeleton->progs.op_ops_made, hooks->has_update);
	bpf_program__set_autoload(w->skeleton->progs.op_func_made, hooks->has_trampoline);
	r = op_links__load(w->skeleton);
	if (r == 0)
		r = op_links__attach(w->skeleton);
	if (r < 0)
		return r;
	w->ring = ring_buffer__new(bpf_map__fd(w->skeleton->maps.op_link_events), pass, w, NULL);
	if (!w->ring)
		return -errno;
	*ret = TAKE_PTR(w);
	return 0;
}

struct others_watch *others_watch_free(struct others_watch *w)
{
	if (!w)
		return NULL;
	ring_buffer__free(w->ring);
	op_links__destroy(w->skeleton);
	free(w);
	return NULL;
}

int others_watch_fd(const struct others_watch *w)
{
	return ring_buffer__epoll_fd(w->ring);
}

void others_watch_consume(struct others_watch *w, loader_attached_t attached, void *userdata)
{
	w->attached = attached;
	w->userdata = userdata;
	(void)ring_buffer__consume(w->ring);
}
