/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what all backends have: the choice among them, the maps of configurations and the switch,
 * the ring buffers, and the programs that follow what the kernel does. Refuses to know how a policy
 * gets into the kernel's OOM, what a rule means, and what a record says.
 *
 * What the kernel can do is told by its BTF, before anything is loaded: stock kernels ignore parts
 * of a struct_ops attach that later shapes of bpf_oom_ops need, so trying would not fail but do
 * something else.
 *
 * Invariant: what op_switch_map points to names policies that the backend has ready. They come
 * before the switch to the configuration that names them, and go after the switch away from it.
 */
#include "loader.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "cgroups.skel.h"
#include "clock.h"
#include "loader-backend.h"
#include "log.h"
#include "victims.skel.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"
#define MODULE_NAME "bpf_oom"
#define MODULE_BTF "/sys/kernel/btf/" MODULE_NAME

/* How a tracepoint shows in BTF: DECLARE_TRACE() of include/linux/tracepoint.h and bpf_probe.h. */
#define SELECTION_END_TYPE "btf_trace_select_bad_process_end"

/* How much of libbpf's output is shown: the end of a verifier log holds the reason. */
#define LIBRARY_TAIL_SIZE 8192

/* The best first. */
static const struct backend_driver *const backends[] = {&backend_struct_ops,
							&backend_evaluate_task};

static const char *const shared_names[] = {
	[SHARED_CONFIGS] = "op_configs",
	[SHARED_SWITCH] = "op_switch_map",
	[SHARED_EVENTS] = "op_events",
	[SHARED_STATS] = "op_stats",
	[SHARED_OOM] = "op_oom",
	[SHARED_PENDING] = "op_pending",
	[SHARED_REPETITIONS] = "op_repetitions",
	[SHARED_NAMES] = "op_names",
};
_Static_assert(ARRAY_SIZE(shared_names) == _SHARED_MAX, "a name for each");

void loader_set_why(char why[static LOADER_WHY_SIZE], const char *format, ...)
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

/* The types of the kernel, and of our module where it is loaded. */
struct kernel_types {
	struct btf *vmlinux;
	struct btf *module; /* NULL: it is not */
};

static void kernel_types_done(struct kernel_types *t)
{
	btf__free(t->module);
	btf__free(t->vmlinux);
	*t = (struct kernel_types){};
}

static int kernel_types_init(struct kernel_types *t, char why[static LOADER_WHY_SIZE])
{
	int r;

	*t = (struct kernel_types){.vmlinux = btf__parse(VMLINUX_BTF, NULL)};
	if (!t->vmlinux) {
		r = -errno;
		if (r == -ENOMEM)
			return r;
		loader_set_why(why,
			       "The kernel offers no type information (BTF) in " VMLINUX_BTF
			       " (%s): a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed.",
			       strerror(-r));
		return LOADER_E_KERNEL;
	}
	if (access(MODULE_BTF, F_OK) < 0)
		return 0;
	t->module = btf__load_module_btf(MODULE_NAME, t->vmlinux);
	if (t->module)
		return 0;
	loader_set_why(why, "The types of the module " MODULE_NAME ".ko in " MODULE_BTF
			    " do not fit the running kernel: build it for this kernel.");
	kernel_types_done(t);
	return LOADER_E_KERNEL;
}

const struct btf_type *loader_skip_modifiers(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

int loader_describe_parameters(const struct btf *btf, uint32_t id, char *buf, size_t size)
{
	const struct btf_type *proto = loader_skip_modifiers(btf, id);
	size_t used = 0;

	buf[0] = '\0';
	if (proto && btf_is_ptr(proto))
		proto = loader_skip_modifiers(btf, proto->type);
	if (!proto || !btf_is_func_proto(proto))
		return -EINVAL;
	for (int i = 0; i < btf_vlen(proto) && used < size; i++) {
		const struct btf_type *t = loader_skip_modifiers(btf, btf_params(proto)[i].type);
		bool pointer = t && btf_is_ptr(t);
		const char *name;
		int n;

		if (pointer)
			t = loader_skip_modifiers(btf, t->type);
		name = t ? btf__name_by_offset(btf, t->name_off) : NULL;
		n = snprintf(buf + used, size - used, "%s%s%s", i ? ", " : "",
			     name && *name ? name : "?", pointer ? " *" : "");
		if (n < 0)
			break;
		used += (size_t)n;
	}
	return btf_vlen(proto);
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

int loader_permitted(char why[static LOADER_WHY_SIZE])
{
	if (has_capability(CAP_SYS_ADMIN) ||
	    (has_capability(CAP_BPF) && has_capability(CAP_PERFMON)))
		return 0;
	loader_set_why(why, "Not permitted: CAP_BPF and CAP_PERFMON are needed to load a policy.");
	return LOADER_E_PRIVILEGE;
}

static int check_privilege(bool in_module, char why[static LOADER_WHY_SIZE])
{
	if (in_module && !has_capability(CAP_SYS_ADMIN)) {
		loader_set_why(
			why, "Not permitted: CAP_SYS_ADMIN is missing, which the kernel wants for "
			     "BPF that uses the types of a module (" MODULE_NAME ".ko).");
		return LOADER_E_PRIVILEGE;
	}
	return loader_permitted(why);
}

/* Whether the kernel has what @backend needs, and we may use it. */
static int check_backend(const struct backend_driver *backend, const struct kernel_types *types,
			 char why[static LOADER_WHY_SIZE])
{
	bool in_module = false;
	int r;

	r = backend->check(types->vmlinux, why);
	if (r == -ENOENT && types->module) {
		in_module = true;
		r = backend->check(types->module, why);
	}
	if (r == -ENOENT) {
		loader_set_why(why,
			       "The kernel has no OOM policy hook (no %s in its types): load the "
			       "module " MODULE_NAME ".ko, or install its DKMS package.",
			       backend->hook);
		return LOADER_E_KERNEL;
	}
	return r != 0 ? r : check_privilege(in_module, why);
}

static bool is_wanted(const struct backend_driver *backend, enum backend wanted)
{
	return wanted == BACKEND_AUTO || backend->id == wanted;
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

int loader_translate_error(int r, char why[static LOADER_WHY_SIZE])
{
	if (r == -ENOMEM)
		return r;
	if (r == -EPERM) {
		loader_set_why(why,
			       "The kernel did not permit loading the policy: CAP_BPF, CAP_PERFMON "
			       "and, for a hook in a module, CAP_SYS_ADMIN are needed.");
		return LOADER_E_PRIVILEGE;
	}
	if (r == -ENOSYS) {
		loader_set_why(why, "The kernel has no BPF (CONFIG_BPF_SYSCALL).");
		return LOADER_E_KERNEL;
	}
	loader_set_why(why,
		       "The kernel refused to load the policy: %s. "
		       "OOMPOLICYD_LOG_LEVEL=debug shows its reasons.",
		       strerror(-r));
	return LOADER_E_KERNEL;
}

int loader_reuse_maps(const struct loader *l, struct bpf_object *object)
{
	for (size_t i = 0; i < _SHARED_MAX; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared_names[i]);
		int r = map && l->shared[i] >= 0 ? bpf_map__reuse_fd(map, l->shared[i]) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int loader_keep_maps(struct loader *l, struct bpf_object *object)
{
	for (size_t i = 0; i < _SHARED_MAX; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared_names[i]);

		if (!map)
			continue;
		l->shared[i] = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3);
		if (l->shared[i] < 0)
			return -errno;
	}
	return 0;
}

/* --- configurations */

void loader_cancel(struct loader *l)
{
	l->backend->cancel(l);
}

int loader_prepare(struct loader *l, const char *const *names, size_t n_names, uint16_t *ret_slots,
		   char why[static LOADER_WHY_SIZE])
{
	int r;

	why[0] = '\0';
	loader_expire(l);
	r = l->backend->prepare(l, names, n_names, ret_slots, why);
	if (r != 0)
		loader_cancel(l);
	return r;
}

int loader_commit(struct loader *l, const struct loader_rules *rules, uint64_t *ret_switch_nsec,
		  char why[static LOADER_WHY_SIZE])
{
	struct op_switch next = {.config = (l->config + 1) % OP_CONFIGS_MAX,
				 .follows = l->victims != NULL};
	uint64_t begun = 0, done = 0;
	uint32_t zero = 0;
	int r;

	why[0] = '\0';
	r = bpf_map_update_elem(l->shared[SHARED_CONFIGS], &next.config, &rules->fd, BPF_ANY);
	if (r == 0)
		r = l->backend->stage(l, next.config);
	if (r == 0) {
		begun = clock_now_nsec();
		r = bpf_map_update_elem(l->shared[SHARED_SWITCH], &zero, &next, BPF_ANY);
		done = clock_now_nsec();
	}
	if (r < 0) {
		loader_cancel(l);
		return loader_translate_error(r, why);
	}
	l->config = next.config;
	l->backend->commit(l, done / 1000);
	*ret_switch_nsec = done - begun;
	return 0;
}

uint64_t loader_expire(struct loader *l)
{
	return l->backend->expire(l, clock_now_usec());
}

/* --- the rings */

static int pass_oom(void *userdata, void *data, size_t size)
{
	struct loader *l = userdata;

	return l->callbacks.oom(data, size, l->callbacks.userdata);
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

static void unfollow_kernel(struct loader *l)
{
	bpf_link__destroy(TAKE_PTR(l->selection_end));
	bpf_link__destroy(TAKE_PTR(l->victims));
}

/* Optional: without it a policy looks at every task for one that is dying, and what the kernel does
 * where a policy has no opinion is not in the record. */
static int follow_kernel(struct loader *l, bool has_selection_end)
{
	_cleanup_(victims_skeleton_freep) struct op_victims *skeleton = NULL;
	int r;

	skeleton = op_victims__open();
	if (!skeleton)
		return -errno;
	bpf_program__set_autoload(skeleton->progs.op_select_end, has_selection_end);
	r = loader_reuse_maps(l, skeleton->obj);
	if (r >= 0)
		r = op_victims__load(skeleton);
	if (r < 0)
		return r;
	l->victims = bpf_program__attach(skeleton->progs.op_mark_victim);
	if (!l->victims)
		return -errno;
	if (!has_selection_end)
		return 0;
	l->selection_end = bpf_program__attach(skeleton->progs.op_select_end);
	return l->selection_end ? 0 : -errno;
}

static bool has_selection_end(const struct kernel_types *types)
{
	/* The types of a module continue those of the kernel. */
	return btf__find_by_name_kind(types->module ?: types->vmlinux, SELECTION_END_TYPE,
				      BTF_KIND_TYPEDEF) >= 0;
}

static void detach_backend(struct loader *l)
{
	if (l->backend)
		l->backend->detach(l);
	l->backend = NULL;
	for (size_t i = 0; i < _SHARED_MAX; i++)
		l->shared[i] = safe_close(l->shared[i]);
}

/* Attaches the first backend that is @wanted and works; why none better does is kept. */
static int attach_backend(struct loader *l, enum backend wanted, const struct kernel_types *types,
			  char why[static LOADER_WHY_SIZE])
{
	int first = LOADER_E_KERNEL;

	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		int r;

		if (!is_wanted(backends[i], wanted))
			continue;
		r = check_backend(backends[i], types, why);
		if (r == 0) {
			l->backend = backends[i];
			r = l->backend->attach(l, why);
			if (r == 0)
				return 0;
			detach_backend(l);
		}
		if (r < 0)
			return r;
		if (!l->why_not_better[0]) {
			first = r;
			memcpy(l->why_not_better, why, sizeof(l->why_not_better));
		}
	}
	memcpy(why, l->why_not_better, sizeof(l->why_not_better));
	return first;
}

int loader_new(enum backend wanted, const struct loader_callbacks *callbacks,
	       char why[static LOADER_WHY_SIZE], struct loader **ret)
{
	_cleanup_(kernel_types_done) struct kernel_types types = {};
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
	l->detach_fd = epoll_create1(EPOLL_CLOEXEC);

	r = kernel_types_init(&types, why);
	if (r != 0)
		return r;
	r = attach_backend(l, wanted, &types, why);
	if (r != 0)
		return r;
	l->oom_ring = ring_buffer__new(l->shared[SHARED_EVENTS], pass_oom, l, NULL);
	if (!l->oom_ring)
		return -errno;

	r = follow_kernel(l, has_selection_end(&types));
	if (r < 0) {
		log_warning(
			"Cannot follow the kernel's own kills: %s. Whom it kills where a policy "
			"has no opinion is not recorded, ignoring.",
			strerror(-r));
		unfollow_kernel(l);
	}
	r = follow_cgroups(l);
	if (r < 0) {
		log_warning("Cannot follow cgroups: %s. A new cgroup inherits until the next "
			    "reload, ignoring.",
			    strerror(-r));
		unfollow_cgroups(l);
	}
	loader_find_gfp_bits(types.vmlinux, &l->gfp_bits);
	/* Megabytes of type information were needed, and libc would keep them. */
	kernel_types_done(&types);
	malloc_trim(0);
	*ret = TAKE_PTR(l);
	return 0;
}

struct loader *loader_free(struct loader *l)
{
	if (!l)
		return NULL;
	/* What follows the kernel goes last: a record may still wait for it. */
	if (l->backend)
		l->backend->detach(l);
	unfollow_kernel(l);
	unfollow_cgroups(l);
	ring_buffer__free(l->oom_ring);
	for (size_t i = 0; i < _SHARED_MAX; i++)
		safe_close(l->shared[i]);
	safe_close(l->detach_fd);
	free(l);
	return NULL;
}

const struct gfp_bits *loader_gfp_bits(const struct loader *l)
{
	return &l->gfp_bits;
}

enum backend loader_backend(const struct loader *l)
{
	return l->backend->id;
}

const char *loader_why_not_better(const struct loader *l)
{
	return l->why_not_better;
}

int loader_oom_fd(const struct loader *l)
{
	return ring_buffer__epoll_fd(l->oom_ring);
}

int loader_cgroup_fd(const struct loader *l)
{
	return l->cgroup_ring ? ring_buffer__epoll_fd(l->cgroup_ring) : -EBADF;
}

int loader_state_fd(const struct loader *l)
{
	return l->shared[SHARED_OOM];
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

/* --- what the kernel has of it */

void loader_acquire_policies(const struct loader *l, struct loader_policies *ret)
{
	*ret = (struct loader_policies){};
	l->backend->acquire_policies(l, ret);
}

void loader_acquire_stats(const struct loader *l, struct op_stats *ret)
{
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(l->shared[SHARED_STATS], &zero, ret) < 0)
		*ret = (struct op_stats){};
}

int loader_detach_fd(const struct loader *l)
{
	return l->detach_fd;
}

const char *loader_next_detached(struct loader *l)
{
	struct epoll_event event;

	if (epoll_wait(l->detach_fd, &event, 1, 0) != 1)
		return NULL;
	return l->backend->forget(l, event.data.u32);
}
