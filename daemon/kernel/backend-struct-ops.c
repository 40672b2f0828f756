/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend struct_ops: each policy is a handler of the kernel's OOM.
 *
 * The name in the kernel's report is fixed when a struct_ops map is loaded. So each policy is an
 * instance of the same object, with a slot by which the rules refer to it. The first is the
 * recorder, whose maps all others use: for a reader there is one ring, and for a reload one switch.
 *
 * Owns the links that keep the policies in the kernel. Invariant: an instance is attached before
 * the switch to a configuration that names its slot, and stays for as long as an OOM may have begun
 * under one. In which order the kernel asks them nothing here depends on.
 */
#include <assert.h>
#include <malloc.h>
#include <string.h>
#include <sys/epoll.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "backend.h"
#include "btf.h"
#include "links.h"
#include "policy.skel.h"
#include "slots.h"
#include "util/log.h"
#include "why.h"

#define HOOK_STRUCT "bpf_oom_ops"

/* What the kernel's report would call the recorder; it kills nobody. */
#define RECORDER_NAME "oompolicyd"

/* The local struct bpf_oom_ops of policy.bpf.c, as it lies in the map's initial value. */
struct ops_value {
	void *handle_out_of_memory;
	char name[OP_POLICY_NAME_LEN];
};
static_assert(sizeof(struct ops_value) == sizeof(struct op_policy__op_policy_ops__bpf_oom_ops),
	      "bpf_oom_ops has more members than are known here");

struct handlers {
	struct slots slots;
	/* By slot. A link is all that an instance needs to stay: the object is closed again. */
	int links[OP_SLOTS_MAX];	 /* -EBADF: none */
	uint32_t programs[OP_SLOTS_MAX]; /* ids, which a link of this kind does not tell */
};

static bool is_name_member(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = kernel_skip_modifiers(btf, id);

	return t && btf_is_array(t) && btf_array(t)->nelems == OP_POLICY_NAME_LEN;
}

static int check(const struct btf *btf, char why[static LOADER_WHY_SIZE])
{
	bool has_handler = false, has_name = false;
	const struct btf_type *ops;
	__s32 id;

	id = btf__find_by_name_kind(btf, HOOK_STRUCT, BTF_KIND_STRUCT);
	if (id < 0)
		return -ENOENT;
	ops = btf__type_by_id(btf, (__u32)id);

	for (int i = 0; i < btf_vlen(ops); i++) {
		const struct btf_member *m = &btf_members(ops)[i];
		const char *name = btf__name_by_offset(btf, m->name_off);

		if (strcmp(name, "handle_out_of_memory") == 0) {
			char parameters[256];

			if (kernel_describe_parameters(btf, m->type, parameters,
						       sizeof(parameters)) != 1 ||
			    strcmp(parameters, "oom_control *") != 0) {
				why_set(why,
					"The kernel's " HOOK_STRUCT " is newer than this version "
					"supports: handle_out_of_memory(%s) where "
					"(oom_control *) was expected.",
					parameters);
				return LOADER_E_KERNEL;
			}
			has_handler = true;
		} else if (strcmp(name, "name") == 0 && is_name_member(btf, m->type))
			has_name = true;
		else if (strcmp(name, "bpf_oom") != 0) { /* a private member of the posted series */
			why_set(why,
				"The kernel's " HOOK_STRUCT " is of a kind that this version does "
				"not know: it has a member %.64s.",
				name);
			return LOADER_E_KERNEL;
		}
	}
	if (!has_handler || !has_name) {
		why_set(why,
			"The kernel's " HOOK_STRUCT
			" is of a kind that this version does not know: "
			"it lacks %s.",
			has_handler ? "name" : "handle_out_of_memory");
		return LOADER_E_KERNEL;
	}
	return 0;
}

static void policy_skeleton_freep(struct op_policy **skeleton)
{
	op_policy__destroy(*skeleton);
}

/* Loads an instance of the policy for @slot. Without one in @ret the result is not 0. */
static int load_policy(struct base *b, const char *name, uint32_t slot, struct op_policy **ret,
		       char why[static LOADER_WHY_SIZE])
{
	_cleanup_(policy_skeleton_freep) struct op_policy *skeleton = NULL;
	struct ops_value *ops;
	size_t size;
	int r;

	skeleton = op_policy__open();
	if (!skeleton)
		return why_translate(-errno, why);

	ops = bpf_map__initial_value(skeleton->maps.op_policy_ops, &size);
	if (!ops || size != sizeof(*ops) || strlen(name) >= sizeof(ops->name))
		return -EINVAL;
	memset(ops->name, 0, sizeof(ops->name));
	memcpy(ops->name, name, strlen(name));
	memcpy((char *)skeleton->rodata->policy_name, ops->name, sizeof(ops->name));
	skeleton->rodata->slot = slot;
	skeleton->rodata->page_bytes = base_page_bytes();

	r = base_reuse_maps(b, skeleton->obj);
	if (r < 0)
		return r;
	r = op_policy__load(skeleton);
	if (r < 0)
		return why_translate(r, why);
	*ret = TAKE_PTR(skeleton);
	return 0;
}

/* Pins are named by their slot. */
static void name_pin(char name[static PINS_NAME_SIZE], uint32_t slot)
{
	snprintf(name, PINS_NAME_SIZE, "%u", slot);
}

static bool is_recorder(const char *name)
{
	return strcmp(name, "0") == 0;
}

static bool is_policy(const char *name)
{
	return *name >= '1' && *name <= '9';
}

/* The recorder after the others: those of versions with OP_ABI_VERSION 5 go by what it found for
 * the current OOM. */
static const struct pins_step removal[] = {
	{.is_link = is_policy, .is_detached = true},
	{.is_link = is_recorder, .is_detached = true},
	{},
};

/* What is attached under @slot, for the next daemon. */
static void keep_slot(struct base *b, uint32_t slot, const char *name)
{
	struct handlers *h = b->state;
	struct note_slot *noted = &b->pins.note->slots[slot];

	noted->program_id = h->programs[slot];
	/* The recorder has its name by its slot. */
	if (slot != OP_SLOT_RECORDER)
		snprintf(noted->name, sizeof(noted->name), "%s", name);
}

static void watch(struct base *b, const char *name, uint32_t slot)
{
	struct handlers *h = b->state;
	int r = link_watch(b->detach_fd, h->links[slot], slot);

	if (r < 0)
		log_debug("Cannot watch whether '%s' is detached: %s, ignoring.", name,
			  strerror(-r));
}

/* Loads an instance of the policy and attaches it in @slot. */
static int attach_policy(struct base *b, const char *name, uint32_t slot,
			 char why[static LOADER_WHY_SIZE])
{
	_cleanup_(policy_skeleton_freep) struct op_policy *skeleton = NULL;
	struct handlers *h = b->state;
	char pin[PINS_NAME_SIZE];
	int r;

	r = load_policy(b, name, slot, &skeleton, why);
	if (!skeleton)
		return r;
	if (slot == OP_SLOT_RECORDER && b->shared[SHARED_SWITCH] < 0) {
		r = base_keep_maps(b, skeleton->obj);
		if (r < 0)
			return r;
	}
	name_pin(pin, slot);
	r = base_keep_link(b, bpf_map__attach_struct_ops(skeleton->maps.op_policy_ops), pin);
	if (r < 0)
		return why_translate(r, why);
	h->links[slot] = r;
	h->programs[slot] = link_acquire_program(bpf_program__fd(skeleton->progs.op_handle_oom));
	keep_slot(b, slot, name);
	watch(b, name, slot);
	return 0;
}

/*
 * Puts this build's program in the place of the one that is attached in @slot, so that an OOM has
 * one of them. The kernel takes a map for that which was attached before: libbpf writes its value
 * on that occasion alone.
 */
static int update_policy(struct base *b, const char *name, uint32_t slot,
			 char why[static LOADER_WHY_SIZE])
{
	_cleanup_(policy_skeleton_freep) struct op_policy *skeleton = NULL;
	struct handlers *h = b->state;
	struct bpf_link *link;
	int r;

	r = load_policy(b, name, slot, &skeleton, why);
	if (!skeleton)
		return r;
	link = bpf_map__attach_struct_ops(skeleton->maps.op_policy_ops);
	if (!link)
		return why_translate(-errno, why);
	r = bpf_link__detach(link);
	bpf_link__destroy(link);
	if (r >= 0)
		r = bpf_link_update(h->links[slot], bpf_map__fd(skeleton->maps.op_policy_ops),
				    NULL);
	if (r < 0)
		return why_translate(r, why);
	h->programs[slot] = link_acquire_program(bpf_program__fd(skeleton->progs.op_handle_oom));
	keep_slot(b, slot, name);
	return 0;
}

static void release_slot(uint32_t slot, void *userdata)
{
	struct base *b = userdata;
	struct handlers *h = b->state;
	char pin[PINS_NAME_SIZE];

	name_pin(pin, slot);
	b->pins.note->slots[slot] = (struct note_slot){};
	pins_remove(&b->pins, PINS_LINK_PREFIX, pin);
	h->links[slot] = safe_close(h->links[slot]);
}

static int prepare(struct base *b, const char *const *names, size_t n_names, uint16_t *ret_slots,
		   char why[static LOADER_WHY_SIZE])
{
	struct handlers *h = b->state;
	bool loaded = false;

	slots_begin(&h->slots);
	for (size_t i = 0; i < n_names; i++) {
		uint32_t slot;
		int r = slots_want(&h->slots, names[i], &slot);

		if (r == -EBUSY)
			why_set(why,
				"Too many policies of earlier configurations are still attached, "
				"as is usual for %llu seconds: try again then.",
				SLOTS_RETIRE_USEC / 1000000);
		if (r > 0)
			r = attach_policy(b, names[i], slot, why);
		if (r != 0)
			return r;
		ret_slots[i] = (uint16_t)slot;
		loaded = loaded || h->slots.items[slot].state == SLOT_STAGED;
	}
	/* libbpf needed megabytes of type information, and libc would keep them. */
	if (loaded)
		malloc_trim(0);
	return 0;
}

static struct handlers *handlers_new(void)
{
	struct handlers *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	for (uint32_t slot = 0; slot < OP_SLOTS_MAX; slot++)
		h->links[slot] = -EBADF;
	return h;
}

static int attach(struct base *b, char why[static LOADER_WHY_SIZE])
{
	b->state = handlers_new();
	return b->state ? attach_policy(b, RECORDER_NAME, OP_SLOT_RECORDER, why) : -ENOMEM;
}

/* Takes over the link of @slot. Returns false where it is gone or was detached. */
static bool adopt_link(struct base *b, const char *name, uint32_t slot)
{
	struct loader_policy_status status = {};
	struct handlers *h = b->state;
	char pin[PINS_NAME_SIZE];
	int fd;

	name_pin(pin, slot);
	fd = pins_get(&b->pins, PINS_LINK_PREFIX, pin);
	if (fd >= 0)
		link_acquire_status(fd, 0, &status);
	if (!status.attached) {
		safe_close(fd);
		return false;
	}
	h->links[slot] = fd;
	h->programs[slot] = b->pins.note->slots[slot].program_id;
	watch(b, name, slot);
	return true;
}

static int adopt(struct base *b, bool update, char why[static LOADER_WHY_SIZE])
{
	struct handlers *h;
	int r;

	/* The posted series has nothing for it. */
	if (update && !b->is_module)
		return -EOPNOTSUPP;
	h = b->state = handlers_new();
	if (!h)
		return -ENOMEM;
	if (!adopt_link(b, RECORDER_NAME, OP_SLOT_RECORDER)) {
		why_set(why, "Another program has detached the handler '" RECORDER_NAME
			     "', which records OOMs that no policy answers for.");
		return LOADER_E_KERNEL;
	}
	r = update ? update_policy(b, RECORDER_NAME, OP_SLOT_RECORDER, why) : 0;
	for (uint32_t slot = 0; slot < OP_SLOTS_MAX && r == 0; slot++) {
		const char *name = b->pins.note->slots[slot].name;

		if (slot == OP_SLOT_RECORDER)
			continue;
		/* One without a name was being attached, or was being let go of. */
		if (!*name || !adopt_link(b, name, slot)) {
			release_slot(slot, b);
			continue;
		}
		slots_adopt(&h->slots, slot, name);
		if (update)
			r = update_policy(b, name, slot, why);
	}
	if (update)
		malloc_trim(0);
	return r;
}

static void detach(struct base *b)
{
	struct handlers *h = b->state;

	if (!h)
		return;
	for (uint32_t slot = 0; slot < OP_SLOTS_MAX; slot++)
		safe_close(h->links[slot]);
	free(h);
	b->state = NULL;
}

static int stage(struct base *b _unused_, uint32_t config _unused_)
{
	return 0;
}

static void commit(struct base *b, uint64_t now_usec)
{
	struct handlers *h = b->state;

	slots_commit(&h->slots, now_usec);
}

static void cancel(struct base *b)
{
	struct handlers *h = b->state;

	slots_cancel(&h->slots, release_slot, b);
}

static uint64_t expire(struct base *b, uint64_t now_usec)
{
	struct handlers *h = b->state;

	return slots_expire(&h->slots, now_usec, release_slot, b);
}

static const char *slot_name(const struct handlers *h, uint32_t slot)
{
	return slot == OP_SLOT_RECORDER ? RECORDER_NAME : h->slots.items[slot].name;
}

static void acquire_policies(const struct base *b, struct loader_policies *ret)
{
	const struct handlers *h = b->state;

	for (uint32_t slot = 0; slot < OP_SLOTS_MAX && ret->n <= OP_POLICIES_MAX; slot++) {
		struct loader_policy_status *status = &ret->items[ret->n];

		if (slot != OP_SLOT_RECORDER && h->slots.items[slot].state != SLOT_ACTIVE)
			continue;
		status->name = slot_name(h, slot);
		link_acquire_status(h->links[slot], h->programs[slot], status);
		ret->n++;
	}
}

static bool owns_link(const struct base *b, uint32_t link_id)
{
	const struct handlers *h = b->state;

	for (uint32_t slot = 0; slot < OP_SLOTS_MAX; slot++)
		if (h->links[slot] >= 0 && link_acquire_id(h->links[slot]) == link_id)
			return true;
	return false;
}

/*
 * The module asks handlers in the order in which they were attached, which that of their links is,
 * and the code of the posted series those first that came last. The kernel's own selection comes
 * after them.
 */
static enum loader_order order_of(const struct base *b, enum backend_hook hook, uint32_t link_id)
{
	const struct handlers *h = b->state;

	if (hook == BACKEND_HOOK_EVALUATION)
		return LOADER_ORDER_AFTER;
	if (!link_id)
		return LOADER_ORDER_UNKNOWN;
	/* Of the policies that are used: nobody minds who is asked before the others. */
	for (uint32_t slot = 0; slot < OP_SLOTS_MAX; slot++) {
		uint32_t id = h->slots.items[slot].state == SLOT_ACTIVE
				      ? link_acquire_id(h->links[slot])
				      : 0;

		if (id && (b->is_module ? link_id < id : link_id > id))
			return LOADER_ORDER_BEFORE;
	}
	return LOADER_ORDER_AFTER;
}

static bool is_attached(int link_fd)
{
	struct loader_policy_status status = {};

	if (link_fd >= 0)
		link_acquire_status(link_fd, 0, &status);
	return status.attached;
}

/* Takes what is left of the policy in @slot out of the kernel, at once. */
static void drop_link(struct base *b, uint32_t slot)
{
	struct handlers *h = b->state;
	char pin[PINS_NAME_SIZE];

	name_pin(pin, slot);
	pins_remove(&b->pins, PINS_LINK_PREFIX, pin);
	if (h->links[slot] >= 0)
		(void)bpf_link_detach(h->links[slot]);
	h->links[slot] = safe_close(h->links[slot]);
}

static int restore(struct base *b, char why[static LOADER_WHY_SIZE])
{
	struct handlers *h = b->state;
	int r = 0;

	for (uint32_t slot = 0; r == 0 && slot < OP_SLOTS_MAX; slot++) {
		enum slot_state state = h->slots.items[slot].state;

		if (slot != OP_SLOT_RECORDER && state != SLOT_ACTIVE && state != SLOT_RETIRED)
			continue;
		if (is_attached(h->links[slot]))
			continue;
		drop_link(b, slot);
		r = attach_policy(b, slot_name(h, slot), slot, why);
	}
	malloc_trim(0);
	return r;
}

static const char *forget(struct base *b, uint32_t slot)
{
	struct handlers *h = b->state;

	/* It would be told for ever. */
	epoll_ctl(b->detach_fd, EPOLL_CTL_DEL, h->links[slot], NULL);
	return slot_name(h, slot);
}

const struct backend_driver backend_struct_ops = {
	.id = BACKEND_STRUCT_OPS,
	.hook = HOOK_STRUCT,
	.check = check,
	.honoured_kills = OP_RULE_KILL_PROCESS | OP_RULE_KILL_CGROUP,
	.removal = removal,
	.program = op_policy__elf_bytes,
	.attach = attach,
	.adopt = adopt,
	.detach = detach,
	.prepare = prepare,
	.stage = stage,
	.commit = commit,
	.cancel = cancel,
	.expire = expire,
	.acquire_policies = acquire_policies,
	.restore = restore,
	.owns_link = owns_link,
	.order_of = order_of,
	.forget = forget,
};
