/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns everything that is open towards BPF: the links that keep the policies in force, the maps
 * that they share, the ring buffers. Refuses to know what a rule means or what a record says.
 *
 * The interface of the kernel is told by its BTF alone, before anything is loaded: stock kernels
 * ignore parts of a struct_ops attach that later shapes of bpf_oom_ops need, so trying would not
 * fail but do something else.
 *
 * The name in the kernel's report is fixed when a struct_ops map is loaded. So each policy is an
 * instance of the same object, with a slot by which the rules refer to it. The first is the
 * director, whose maps all others use: for a reader there is one ring, and for a reload one switch.
 *
 * Invariant: what op_switch_map points to names attached slots only. Instances come before the
 * switch to the configuration that names them, and go after the switch away from it.
 */
#include "loader.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "cgroups.skel.h"
#include "config/basic.h"
#include "log.h"
#include "policy.skel.h"
#include "slots.h"
#include "victims.skel.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"
#define MODULE_NAME "bpf_oom"
#define MODULE_BTF "/sys/kernel/btf/" MODULE_NAME

#define HOOK_STRUCT "bpf_oom_ops"

/* What the kernel's report would call the director; it kills nobody. */
#define DIRECTOR_NAME "oompolicyd"

/* How much of libbpf's output is shown: the end of a verifier log holds the reason. */
#define LIBRARY_TAIL_SIZE 8192

/* The local struct bpf_oom_ops of policy.bpf.c, as it lies in the map's initial value. */
struct ops_value {
	void *handle_out_of_memory;
	char name[OP_POLICY_NAME_LEN];
};
_Static_assert(sizeof(struct ops_value) == sizeof(struct op_policy__op_policy_ops__bpf_oom_ops),
	       "bpf_oom_ops has more members than are known here");

/* The maps that all instances have in common. */
enum shared_map {
	SHARED_CONFIGS,
	SHARED_SWITCH,
	SHARED_EVENTS,
	SHARED_STATS,
	SHARED_OOM,
	_SHARED_MAX,
};

struct loader {
	struct loader_callbacks callbacks;
	int shared[_SHARED_MAX]; /* -EBADF before the director is loaded */
	uint32_t config;	 /* index of the configuration in force */
	struct slots slots;
	/* By slot. A link is all that an instance needs to stay: the object is closed again. */
	struct bpf_link *links[OP_SLOTS_MAX];
	struct bpf_link *victims; /* NULL: the policy looks for dying victims itself */
	struct ring_buffer *oom_ring;
	struct op_cgroups *cgroups; /* NULL: cgroups are not followed */
	struct ring_buffer *cgroup_ring;
};

static void why_set(char why[static LOADER_WHY_SIZE], const char *format, ...) _printf_(2, 3);

static void why_set(char why[static LOADER_WHY_SIZE], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, LOADER_WHY_SIZE, format, ap);
	va_end(ap);
}

/* libbpf's words are for developers: they go to the debug level, a line at a time. */
static int log_from_library(enum libbpf_print_level level, const char *format, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;
	int n;

	(void)level;
	if (!log_enabled(LOG_DEBUG))
		return 0;
	n = vasprintf(&text, format, ap);
	if (n < 0) {
		text = NULL;
		return 0;
	}
	rest = n > LIBRARY_TAIL_SIZE ? text + n - LIBRARY_TAIL_SIZE : text;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_debug("%s", line);
	return 0;
}

/* --- what the kernel has */

static const struct btf_type *skip_modifiers(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

/* The function type behind a pointer, or NULL. */
static const struct btf_type *callback_type(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = skip_modifiers(btf, id);

	if (!t || !btf_is_ptr(t))
		return NULL;
	t = skip_modifiers(btf, t->type);
	return t && btf_is_func_proto(t) ? t : NULL;
}

/* "struct oom_control *, struct cgroup *": the parameters, for the sentence. */
static void describe_parameters(const struct btf *btf, const struct btf_type *proto, char *buf,
				size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < btf_vlen(proto) && used < size; i++) {
		const struct btf_type *t = skip_modifiers(btf, btf_params(proto)[i].type);
		bool pointer = t && btf_is_ptr(t);
		const char *name;
		int n;

		if (pointer)
			t = skip_modifiers(btf, t->type);
		name = t ? btf__name_by_offset(btf, t->name_off) : NULL;
		n = snprintf(buf + used, size - used, "%s%s%s", i ? ", " : "",
			     name && *name ? name : "?", pointer ? " *" : "");
		if (n < 0)
			return;
		used += (size_t)n;
	}
}

static bool is_name_member(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = skip_modifiers(btf, id);

	return t && btf_is_array(t) && btf_array(t)->nelems == OP_POLICY_NAME_LEN;
}

int loader_check_hook(const struct btf *btf, char why[static LOADER_WHY_SIZE])
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
			const struct btf_type *proto = callback_type(btf, m->type);
			char parameters[256] = "";

			if (proto)
				describe_parameters(btf, proto, parameters, sizeof(parameters));
			if (!proto || btf_vlen(proto) != 1 ||
			    strcmp(parameters, "oom_control *") != 0) {
				why_set(why,
					"The kernel's " HOOK_STRUCT " is of a later kind than this "
					"version knows: handle_out_of_memory(%s) where "
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

static void btf_freep(struct btf **btf)
{
	btf__free(*btf);
}

static bool has_capability(int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	/* An old kernel or a filter: let bpf(2) itself be the judge. */
	if (syscall(SYS_capget, &header, data) < 0)
		return true;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static int check_privilege(bool in_module, char why[static LOADER_WHY_SIZE])
{
	if (has_capability(CAP_SYS_ADMIN))
		return 0;
	if (in_module) {
		why_set(why, "Not permitted: CAP_SYS_ADMIN is missing, which the kernel wants for "
			     "BPF that uses the types of a module (" MODULE_NAME ".ko).");
		return LOADER_E_PRIVILEGE;
	}
	if (!has_capability(CAP_BPF) || !has_capability(CAP_PERFMON)) {
		why_set(why, "Not permitted: CAP_BPF and CAP_PERFMON are needed to load a policy.");
		return LOADER_E_PRIVILEGE;
	}
	return 0;
}

int loader_supported(char why[static LOADER_WHY_SIZE])
{
	_cleanup_(btf_freep) struct btf *vmlinux = NULL, *module = NULL;
	bool in_module = false;
	int r;

	libbpf_set_print(log_from_library);

	vmlinux = btf__parse(VMLINUX_BTF, NULL);
	if (!vmlinux) {
		r = -errno;
		if (r == -ENOMEM)
			return r;
		why_set(why,
			"The kernel offers no type information (BTF) in " VMLINUX_BTF
			" (%s): a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed.",
			strerror(-r));
		return LOADER_E_KERNEL;
	}

	r = loader_check_hook(vmlinux, why);
	if (r == -ENOENT && access(MODULE_BTF, F_OK) >= 0) {
		module = btf__load_module_btf(MODULE_NAME, vmlinux);
		if (!module) {
			why_set(why, "The types of the module " MODULE_NAME ".ko in " MODULE_BTF
				     " do not fit the running kernel: build it for this kernel.");
			return LOADER_E_KERNEL;
		}
		in_module = true;
		r = loader_check_hook(module, why);
	}
	if (r == -ENOENT) {
		why_set(why,
			"The kernel has no OOM policy hook (no " HOOK_STRUCT " in its types): load "
			"the module " MODULE_NAME ".ko, or install its DKMS package.");
		return LOADER_E_KERNEL;
	}
	if (r != 0)
		return r;
	return check_privilege(in_module, why);
}

/* --- rules */

int loader_rules_init(struct loader_rules *r, size_t n_entries)
{
	uint32_t max_entries = OP_RULES_ENTRIES_MIN;
	int fd;

	*r = (struct loader_rules){.fd = -EBADF};
	if (n_entries > OP_RULES_ENTRIES_MAX)
		return -E2BIG;
	while (max_entries < OP_RULES_ENTRIES_MAX && max_entries / 2 < n_entries)
		max_entries *= 2;

	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "op_rules", sizeof(uint64_t), sizeof(struct op_rule),
			    max_entries, NULL);
	if (fd < 0)
		return fd;
	*r = (struct loader_rules){.fd = fd, .max_entries = max_entries};
	return 0;
}

void loader_rules_done(struct loader_rules *r)
{
	r->fd = safe_close(r->fd);
}

int loader_rules_fill(const struct loader_rules *r, const uint64_t *ids,
		      const struct op_rule *rules, size_t n)
{
	uint32_t n_done = (uint32_t)n;

	if (n > r->max_entries)
		return -E2BIG;
	if (n == 0 || bpf_map_update_batch(r->fd, ids, rules, &n_done, NULL) == 0)
		return 0;

	/* Not every kernel has it for every map. It tells how far it came; one by one tells why. */
	for (size_t i = n_done < n ? n_done : 0; i < n; i++) {
		int error = bpf_map_update_elem(r->fd, &ids[i], &rules[i], BPF_ANY);

		if (error < 0)
			return error;
	}
	return 0;
}

int loader_rules_set(const struct loader_rules *r, uint64_t id, const struct op_rule *rule)
{
	int error = bpf_map_update_elem(r->fd, &id, rule, BPF_NOEXIST);

	if (error == 0)
		return 1;
	if (error != -EEXIST)
		return error;
	return bpf_map_update_elem(r->fd, &id, rule, BPF_EXIST);
}

int loader_rules_remove(const struct loader_rules *r, uint64_t id, struct op_rule *ret)
{
	int error = bpf_map_lookup_and_delete_elem(r->fd, &id, ret);

	return error == -ENOENT ? 0 : error < 0 ? error : 1;
}

/* --- the policies */

static int load_error(int r, char why[static LOADER_WHY_SIZE])
{
	if (r == -ENOMEM)
		return r;
	if (r == -EPERM) {
		why_set(why, "The kernel did not permit loading the policy: CAP_BPF, CAP_PERFMON "
			     "and, for a hook in a module, CAP_SYS_ADMIN are needed.");
		return LOADER_E_PRIVILEGE;
	}
	if (r == -ENOSYS) {
		why_set(why, "The kernel has no BPF (CONFIG_BPF_SYSCALL).");
		return LOADER_E_KERNEL;
	}
	why_set(why,
		"The kernel refused to load the policy: %s. "
		"OOMPOLICYD_LOG_LEVEL=debug shows its reasons.",
		strerror(-r));
	return LOADER_E_KERNEL;
}

static void policy_skeleton_freep(struct op_policy **skeleton)
{
	op_policy__destroy(*skeleton);
}

static void list_shared(const struct op_policy *skeleton, struct bpf_map *ret[_SHARED_MAX])
{
	ret[SHARED_CONFIGS] = skeleton->maps.op_configs;
	ret[SHARED_SWITCH] = skeleton->maps.op_switch_map;
	ret[SHARED_EVENTS] = skeleton->maps.op_events;
	ret[SHARED_STATS] = skeleton->maps.op_stats;
	ret[SHARED_OOM] = skeleton->maps.op_oom;
}

/* Gives the instance the maps of the director, if that is loaded. */
static int reuse_shared(const struct loader *l, const struct op_policy *skeleton)
{
	struct bpf_map *maps[_SHARED_MAX];

	list_shared(skeleton, maps);
	for (size_t i = 0; i < _SHARED_MAX; i++) {
		int r = l->shared[i] < 0 ? 0 : bpf_map__reuse_fd(maps[i], l->shared[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Keeps the maps of the director. */
static int keep_shared(struct loader *l, const struct op_policy *skeleton)
{
	struct bpf_map *maps[_SHARED_MAX];

	list_shared(skeleton, maps);
	for (size_t i = 0; i < _SHARED_MAX; i++) {
		l->shared[i] = fcntl(bpf_map__fd(maps[i]), F_DUPFD_CLOEXEC, 3);
		if (l->shared[i] < 0)
			return -errno;
	}
	return 0;
}

/* Loads an instance of the policy and attaches it in @slot. */
static int attach_policy(struct loader *l, const char *name, uint32_t slot,
			 char why[static LOADER_WHY_SIZE])
{
	_cleanup_(policy_skeleton_freep) struct op_policy *skeleton = NULL;
	struct ops_value *ops;
	size_t size;
	int r;

	skeleton = op_policy__open();
	if (!skeleton)
		return load_error(-errno, why);

	ops = bpf_map__initial_value(skeleton->maps.op_policy_ops, &size);
	if (!ops || size != sizeof(*ops) || strlen(name) >= sizeof(ops->name))
		return -EINVAL;
	memset(ops->name, 0, sizeof(ops->name));
	memcpy(ops->name, name, strlen(name));
	memcpy((char *)skeleton->rodata->policy_name, ops->name, sizeof(ops->name));
	skeleton->rodata->slot = slot;
	skeleton->bss->daemon_tgid = (__u32)getpid();

	r = reuse_shared(l, skeleton);
	if (r < 0)
		return r;
	r = op_policy__load(skeleton);
	if (r < 0)
		return load_error(r, why);
	if (slot == OP_SLOT_DIRECTOR) {
		r = keep_shared(l, skeleton);
		if (r < 0)
			return r;
	}
	l->links[slot] = bpf_map__attach_struct_ops(skeleton->maps.op_policy_ops);
	return l->links[slot] ? 0 : load_error(-errno, why);
}

static void release_slot(uint32_t slot, void *userdata)
{
	struct loader *l = userdata;

	bpf_link__destroy(TAKE_PTR(l->links[slot]));
}

void loader_cancel(struct loader *l)
{
	slots_cancel(&l->slots, release_slot, l);
}

static int prepare(struct loader *l, const char *const *names, size_t n_names, uint16_t *ret_slots,
		   char why[static LOADER_WHY_SIZE])
{
	bool loaded = false;

	slots_begin(&l->slots);
	for (size_t i = 0; i < n_names; i++) {
		uint32_t slot;
		int r = slots_want(&l->slots, names[i], &slot);

		if (r == -EBUSY)
			why_set(why,
				"Too many policies of earlier configurations are still attached, "
				"as is usual for %llu seconds: try again then.",
				SLOTS_RETIRE_USEC / 1000000);
		if (r > 0)
			r = attach_policy(l, names[i], slot, why);
		if (r != 0)
			return r;
		ret_slots[i] = (uint16_t)slot;
		loaded = loaded || l->slots.items[slot].state == SLOT_STAGED;
	}
	/* libbpf needed megabytes of type information, and libc would keep them. */
	if (loaded)
		malloc_trim(0);
	return 0;
}

int loader_prepare(struct loader *l, const char *const *names, size_t n_names, uint16_t *ret_slots,
		   char why[static LOADER_WHY_SIZE])
{
	int r;

	why[0] = '\0';
	loader_expire(l);
	r = prepare(l, names, n_names, ret_slots, why);
	if (r != 0)
		loader_cancel(l);
	return r;
}

static uint64_t now_nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int loader_commit(struct loader *l, const struct loader_rules *rules, uint64_t *ret_switch_nsec,
		  char why[static LOADER_WHY_SIZE])
{
	struct op_switch next = {.config = (l->config + 1) % OP_CONFIGS_MAX};
	uint64_t begun = 0, done = 0;
	uint32_t zero = 0;
	int r;

	why[0] = '\0';
	r = bpf_map_update_elem(l->shared[SHARED_CONFIGS], &next.config, &rules->fd, BPF_ANY);
	if (r == 0) {
		begun = now_nsec();
		r = bpf_map_update_elem(l->shared[SHARED_SWITCH], &zero, &next, BPF_ANY);
		done = now_nsec();
	}
	if (r < 0) {
		loader_cancel(l);
		return load_error(r, why);
	}
	l->config = next.config;
	slots_commit(&l->slots, done / 1000);
	*ret_switch_nsec = done - begun;
	return 0;
}

uint64_t loader_expire(struct loader *l)
{
	return slots_expire(&l->slots, now_nsec() / 1000, release_slot, l);
}

/* --- the rings */

static int pass_oom(void *userdata, void *data, size_t size)
{
	struct loader *l = userdata;

	l->callbacks.oom(data, size, l->callbacks.userdata);
	return 0;
}

static int pass_cgroup(void *userdata, void *data, size_t size)
{
	struct loader *l = userdata;

	l->callbacks.cgroup(data, size, l->callbacks.userdata);
	return 0;
}

/* Optional: without it a new cgroup inherits until the next reload. */
static int follow_cgroups(struct loader *l)
{
	int r;

	l->cgroups = op_cgroups__open_and_load();
	if (!l->cgroups)
		return -errno;
	l->cgroup_ring = ring_buffer__new(bpf_map__fd(l->cgroups->maps.op_cgroup_events),
					  pass_cgroup, l, NULL);
	if (!l->cgroup_ring)
		return -errno;
	r = op_cgroups__attach(l->cgroups);
	return r < 0 ? r : 0;
}

static void unfollow_cgroups(struct loader *l)
{
	ring_buffer__free(TAKE_PTR(l->cgroup_ring));
	op_cgroups__destroy(TAKE_PTR(l->cgroups));
}

static void victims_skeleton_freep(struct op_victims **skeleton)
{
	op_victims__destroy(*skeleton);
}

/* Optional: without it the policy looks at every task for one that is dying. */
static int follow_victims(struct loader *l)
{
	_cleanup_(victims_skeleton_freep) struct op_victims *skeleton = NULL;
	int r;

	skeleton = op_victims__open();
	if (!skeleton)
		return -errno;
	r = bpf_map__reuse_fd(skeleton->maps.op_oom, l->shared[SHARED_OOM]);
	if (r >= 0)
		r = op_victims__load(skeleton);
	if (r < 0)
		return r;
	l->victims = bpf_program__attach(skeleton->progs.op_mark_victim);
	return l->victims ? 0 : -errno;
}

int loader_new(const struct loader_callbacks *callbacks, char why[static LOADER_WHY_SIZE],
	       struct loader **ret)
{
	_cleanup_(loader_freep) struct loader *l = NULL;
	int r;

	why[0] = '\0';
	libbpf_set_print(log_from_library);
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->callbacks = *callbacks;
	for (size_t i = 0; i < _SHARED_MAX; i++)
		l->shared[i] = -EBADF;

	r = attach_policy(l, DIRECTOR_NAME, OP_SLOT_DIRECTOR, why);
	if (r != 0)
		return r;
	l->oom_ring = ring_buffer__new(l->shared[SHARED_EVENTS], pass_oom, l, NULL);
	if (!l->oom_ring)
		return -errno;

	r = follow_victims(l);
	if (r < 0)
		log_debug("Cannot follow victims: %s, ignoring.", strerror(-r));
	r = follow_cgroups(l);
	if (r < 0) {
		log_warning("Cannot follow cgroups: %s. A new cgroup inherits until the next "
			    "reload, ignoring.",
			    strerror(-r));
		unfollow_cgroups(l);
	}
	*ret = TAKE_PTR(l);
	return 0;
}

struct loader *loader_free(struct loader *l)
{
	if (!l)
		return NULL;
	/* The director last: the others go by what it found for the OOM in hand. */
	for (uint32_t slot = OP_SLOTS_MAX; slot-- > 0;)
		bpf_link__destroy(l->links[slot]);
	bpf_link__destroy(l->victims);
	unfollow_cgroups(l);
	ring_buffer__free(l->oom_ring);
	for (size_t i = 0; i < _SHARED_MAX; i++)
		safe_close(l->shared[i]);
	free(l);
	return NULL;
}

int loader_oom_fd(const struct loader *l)
{
	return ring_buffer__epoll_fd(l->oom_ring);
}

int loader_cgroup_fd(const struct loader *l)
{
	return l->cgroup_ring ? ring_buffer__epoll_fd(l->cgroup_ring) : -EBADF;
}

int loader_consume_ooms(struct loader *l)
{
	return ring_buffer__consume(l->oom_ring);
}

int loader_consume_cgroups(struct loader *l)
{
	return l->cgroup_ring ? ring_buffer__consume(l->cgroup_ring) : 0;
}

uint64_t loader_count_cgroups_lost(const struct loader *l)
{
	return l->cgroups ? __atomic_load_n(&l->cgroups->bss->cgroups_lost, __ATOMIC_RELAXED) : 0;
}

uint64_t loader_count_ooms_lost(const struct loader *l)
{
	struct op_stats stats = {};
	uint32_t slot = 0;

	return bpf_map_lookup_elem(l->shared[SHARED_STATS], &slot, &stats) < 0 ? 0
									       : stats.events_lost;
}
