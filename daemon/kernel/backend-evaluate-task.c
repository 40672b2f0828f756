/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend evaluate_task: one program in the kernel's own selection, asked about each task.
 *
 * There is one instance for all policies: which of them answers is looked up when an OOM begins,
 * and its name is given to the kernel then, from a map. Names are staged with a configuration, at
 * the places of its index, which nobody reads before the switch.
 *
 * Owns the links of the programs, and the active names.
 */
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "backend.h"
#include "btf.h"
#include "evaluate.skel.h"
#include "links.h"
#include "why.h"

#define HOOK_FUNCTION "bpf_oom_evaluate_task"
#define NAME_FUNCTION "bpf_set_policy_name"

/* The names of the links' pins. */
#define BEGIN_LINK "begin"
#define EVALUATE_LINK "evaluate"

struct names {
	struct op_name items[OP_POLICIES_MAX];
	size_t n;
};

struct evaluation {
	int begin_fd, evaluate_fd; /* links; -EBADF: none */
	struct names active, staged;
	bool is_staged;
};

/* Does @btf have the function, with these parameters? Returns 0, -ENOENT, LOADER_E_KERNEL. */
static int check_function(const struct btf *btf, const char *function, const char *expected,
			  char why[static LOADER_WHY_SIZE])
{
	__s32 id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC);
	char parameters[256];

	if (id < 0)
		return -ENOENT;
	kernel_describe_parameters(btf, btf__type_by_id(btf, (__u32)id)->type, parameters,
				   sizeof(parameters));
	if (strcmp(parameters, expected) == 0)
		return 0;
	why_set(why,
		"The kernel's %s is of a kind that this version does not know: it takes "
		"(%s) where (%s) was expected.",
		function, parameters, expected);
	return LOADER_E_KERNEL;
}

static int check(const struct btf *btf, char why[static LOADER_WHY_SIZE])
{
	int r = check_function(btf, HOOK_FUNCTION, "task_struct *, oom_control *", why);

	if (r != 0)
		return r;
	r = check_function(btf, NAME_FUNCTION, "oom_control *", why);
	if (r == -ENOENT) {
		why_set(why,
			"The kernel's " HOOK_FUNCTION
			" is of a kind that this version does not know: there is no " NAME_FUNCTION
			" beside it.");
		return LOADER_E_KERNEL;
	}
	return r;
}

static bool is_evaluation(const char *name)
{
	return strcmp(name, EVALUATE_LINK) == 0 || strcmp(name, BEGIN_LINK) == 0;
}

/* The kernel cannot detach such a link. */
static const struct pins_step removal[] = {
	{.is_link = is_evaluation, .is_awaited = true},
	{},
};

static void evaluate_skeleton_freep(struct op_evaluate **skeleton)
{
	op_evaluate__destroy(*skeleton);
}

static struct evaluation *evaluation_new(void)
{
	struct evaluation *e = calloc(1, sizeof(*e));

	if (e)
		e->begin_fd = e->evaluate_fd = -EBADF;
	return e;
}

/* An OOM is decided only when it was seen to begin: so that comes last, and goes first. */
static int attach_programs(struct base *b, struct op_evaluate *skeleton)
{
	struct evaluation *e = b->state;

	e->evaluate_fd =
		base_keep_link(b, bpf_program__attach(skeleton->progs.op_evaluate), EVALUATE_LINK);
	if (e->evaluate_fd < 0)
		return e->evaluate_fd;
	e->begin_fd = base_keep_link(b, bpf_program__attach(skeleton->progs.op_begin), BEGIN_LINK);
	return e->begin_fd < 0 ? e->begin_fd : 0;
}

static int attach(struct base *b, char why[static LOADER_WHY_SIZE])
{
	_cleanup_(evaluate_skeleton_freep) struct op_evaluate *skeleton = NULL;
	int r;

	b->state = evaluation_new();
	if (!b->state)
		return -ENOMEM;
	skeleton = op_evaluate__open();
	if (!skeleton)
		return why_translate(-errno, why);
	skeleton->rodata->page_bytes = base_page_bytes();
	r = op_evaluate__load(skeleton);
	if (r < 0)
		return why_translate(r, why);
	r = base_keep_maps(b, skeleton->obj);
	if (r < 0)
		return r;
	r = attach_programs(b, skeleton);
	return r < 0 ? why_translate(r, why) : 0;
}

/*
 * Such a link cannot be given another program. For the moment that both are attached they have the
 * same maps, and thereby the same rules: the kernel asks ours where the other has no answer, and
 * gets the same.
 */
static int update(struct base *b, char why[static LOADER_WHY_SIZE])
{
	_cleanup_(evaluate_skeleton_freep) struct op_evaluate *skeleton = NULL;
	struct evaluation *e = b->state;
	int begin_fd = e->begin_fd, evaluate_fd = e->evaluate_fd, r;

	skeleton = op_evaluate__open();
	if (!skeleton)
		return why_translate(-errno, why);
	skeleton->rodata->page_bytes = base_page_bytes();
	r = base_reuse_maps(b, skeleton->obj);
	if (r < 0)
		return r;
	r = op_evaluate__load(skeleton);
	if (r < 0)
		return why_translate(r, why);
	pins_remove(&b->pins, PINS_LINK_PREFIX, BEGIN_LINK);
	pins_remove(&b->pins, PINS_LINK_PREFIX, EVALUATE_LINK);
	r = attach_programs(b, skeleton);
	if (r == 0)
		pins_wait_selection();
	safe_close(begin_fd);
	safe_close(evaluate_fd);
	return r < 0 ? why_translate(r, why) : 0;
}

static int adopt(struct base *b, bool is_other, char why[static LOADER_WHY_SIZE])
{
	struct loader_policy_status begin = {}, evaluate = {};
	struct evaluation *e;

	e = b->state = evaluation_new();
	if (!e)
		return -ENOMEM;
	e->begin_fd = pins_get(&b->pins, PINS_LINK_PREFIX, BEGIN_LINK);
	e->evaluate_fd = pins_get(&b->pins, PINS_LINK_PREFIX, EVALUATE_LINK);
	if (e->begin_fd >= 0)
		link_acquire_status(e->begin_fd, 0, &begin);
	if (e->evaluate_fd >= 0)
		link_acquire_status(e->evaluate_fd, 0, &evaluate);
	if (!begin.attached || !evaluate.attached || b->shared[SHARED_NAMES] < 0) {
		why_set(why, "A pinned link or the map of policy names is missing.");
		return LOADER_E_KERNEL;
	}
	return is_other ? update(b, why) : 0;
}

static void detach(struct base *b)
{
	struct evaluation *e = b->state;

	if (!e)
		return;
	safe_close(e->begin_fd);
	safe_close(e->evaluate_fd);
	free(e);
	b->state = NULL;
}

static int prepare(struct base *b, const char *const *names, size_t n_names, uint16_t *ret_slots,
		   char why[static LOADER_WHY_SIZE] _unused_)
{
	struct evaluation *e = b->state;

	if (n_names > OP_POLICIES_MAX)
		return -E2BIG;
	e->staged = (struct names){.n = n_names};
	for (size_t i = 0; i < n_names; i++) {
		snprintf(e->staged.items[i].text, sizeof(e->staged.items[i].text), "%s", names[i]);
		ret_slots[i] = (uint16_t)(i + 1); /* 0 is nobody's */
	}
	e->is_staged = true;
	return 0;
}

static int stage(struct base *b, uint32_t config)
{
	struct evaluation *e = b->state;
	const struct names *names = e->is_staged ? &e->staged : &e->active;

	for (uint32_t i = 0; i < names->n; i++) {
		uint32_t index = OP_NAMES_INDEX(config, i + 1);
		int r = bpf_map_update_elem(b->shared[SHARED_NAMES], &index, &names->items[i],
					    BPF_ANY);

		if (r < 0)
			return r;
	}
	return 0;
}

static void commit(struct base *b, uint64_t now_usec _unused_)
{
	struct evaluation *e = b->state;

	if (e->is_staged)
		e->active = e->staged;
	e->is_staged = false;
}

static void cancel(struct base *b)
{
	struct evaluation *e = b->state;

	e->is_staged = false;
}

static uint64_t expire(struct base *b _unused_, uint64_t now_usec _unused_)
{
	return UINT64_MAX;
}

/* All policies are one program, and need the one that tells it which of them answers. */
static void acquire_policies(const struct base *b, struct loader_policies *ret)
{
	const struct evaluation *e = b->state;
	struct loader_policy_status evaluate = {}, begin = {};

	link_acquire_status(e->evaluate_fd, 0, &evaluate);
	link_acquire_status(e->begin_fd, 0, &begin);
	evaluate.attached = evaluate.attached && begin.attached;
	for (size_t i = 0; i < e->active.n; i++) {
		ret->items[ret->n] = evaluate;
		ret->items[ret->n++].name = e->active.items[i].text;
	}
}

static bool owns_link(const struct base *b, uint32_t link_id)
{
	const struct evaluation *e = b->state;

	return link_id == link_acquire_id(e->evaluate_fd);
}

/* The kernel asks the program that came last first (kernel/bpf/trampoline.c, hlist_add_head()), and
 * handlers before its own selection. */
static enum loader_order order_of(const struct base *b, enum backend_hook hook, uint32_t link_id)
{
	const struct evaluation *e = b->state;

	if (hook == BACKEND_HOOK_HANDLER)
		return LOADER_ORDER_BEFORE;
	return link_id > link_acquire_id(e->evaluate_fd) ? LOADER_ORDER_BEFORE : LOADER_ORDER_AFTER;
}

/* The kernel lets nobody detach such a link but its owner (bpf_tracing_link_lops has no detach). */
static const char *forget(struct base *b _unused_, uint32_t slot _unused_)
{
	return NULL;
}

const struct backend_driver backend_evaluate_task = {
	.id = BACKEND_EVALUATE_TASK,
	.hook = HOOK_FUNCTION,
	.check = check,
	.yields = true,
	.removal = removal,
	.program = op_evaluate__elf_bytes,
	.attach = attach,
	.adopt = adopt,
	.detach = detach,
	.prepare = prepare,
	.stage = stage,
	.commit = commit,
	.cancel = cancel,
	.expire = expire,
	.acquire_policies = acquire_policies,
	.owns_link = owns_link,
	.order_of = order_of,
	.forget = forget,
};
