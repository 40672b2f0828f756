/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns everything that is open towards BPF: the two skeletons, the link that keeps the policy in
 * force, the ring buffers. Refuses to know what a rule means or what a record says.
 *
 * The interface of the kernel is told by its BTF alone, before anything is loaded: stock kernels
 * ignore parts of a struct_ops attach that later shapes of bpf_oom_ops need, so trying would not
 * fail but do something else.
 *
 * The name in the kernel's report is fixed when a struct_ops map is loaded. A policy of another
 * name is therefore a second instance of the program, complete with its rules, which the link is
 * switched to; it writes to the ring of the first, so that readers notice nothing.
 */
#include "loader.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "cgroups.skel.h"
#include "config/basic.h"
#include "log.h"
#include "policy.skel.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"
#define MODULE_NAME "bpf_oom"
#define MODULE_BTF "/sys/kernel/btf/" MODULE_NAME

#define HOOK_STRUCT "bpf_oom_ops"

/* How much of libbpf's output is shown: the end of a verifier log holds the reason. */
#define LIBRARY_TAIL_SIZE 8192

/* The local struct bpf_oom_ops of policy.bpf.c, as it lies in the map's initial value. */
struct ops_value {
	void *handle_out_of_memory;
	char name[OP_POLICY_NAME_LEN];
};
_Static_assert(sizeof(struct ops_value) == sizeof(struct op_policy__op_policy_ops__bpf_oom_ops),
	       "bpf_oom_ops has more members than are known here");

struct loader {
	struct loader_callbacks callbacks;
	struct op_policy *policy; /* the instance in force, or loaded to be */
	struct bpf_link *link;	  /* NULL before the first commit */
	char policy_name[OP_POLICY_NAME_LEN];
	int events_fd, stats_fd; /* our own, as they outlive the instance that made them */
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

int loader_rules_set(const struct loader_rules *r, uint64_t id, const struct op_rule *rule)
{
	int error = bpf_map_update_elem(r->fd, &id, rule, BPF_NOEXIST);

	if (error == 0)
		return 1;
	if (error != -EEXIST)
		return error;
	return bpf_map_update_elem(r->fd, &id, rule, BPF_EXIST);
}

int loader_rules_remove(const struct loader_rules *r, uint64_t id)
{
	int error = bpf_map_delete_elem(r->fd, &id);

	return error == -ENOENT ? 0 : error < 0 ? error : 1;
}

/* --- the policy */

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

/* Loads an instance of the policy, not in force yet. It shares the maps of @l if there are any. */
static int load_policy(const struct loader *l, const char *name, char why[static LOADER_WHY_SIZE],
		       struct op_policy **ret)
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
	skeleton->bss->daemon_tgid = (__u32)getpid();

	if (l->events_fd >= 0) {
		r = bpf_map__reuse_fd(skeleton->maps.op_events, l->events_fd);
		if (r >= 0)
			r = bpf_map__reuse_fd(skeleton->maps.op_stats, l->stats_fd);
		if (r < 0)
			return r;
	}

	r = op_policy__load(skeleton);
	if (r < 0)
		return load_error(r, why);
	*ret = TAKE_PTR(skeleton);
	return 0;
}

static int put_rules(const struct op_policy *skeleton, const struct loader_rules *rules)
{
	uint32_t slot = 0;

	return bpf_map_update_elem(bpf_map__fd(skeleton->maps.op_active), &slot, &rules->fd,
				   BPF_ANY);
}

/* Switches the link to @skeleton, which has its rules. */
static int switch_link(struct loader *l, const struct op_policy *skeleton)
{
	struct bpf_link *link;
	int r;

	if (l->link) {
		r = bpf_link__update_map(l->link, skeleton->maps.op_policy_ops);
		if (r != -EOPNOTSUPP)
			return r;
		/* The posted series cannot exchange: attach the new one behind the old one, which
		 * goes on deciding until it is detached. */
	}

	link = bpf_map__attach_struct_ops(skeleton->maps.op_policy_ops);
	if (!link)
		return -errno;
	bpf_link__destroy(l->link);
	l->link = link;
	return 0;
}

int loader_commit(struct loader *l, const char *policy_name, const struct loader_rules *rules,
		  char why[static LOADER_WHY_SIZE])
{
	_cleanup_(policy_skeleton_freep) struct op_policy *fresh = NULL;
	int r;

	why[0] = '\0';
	if (l->link && strcmp(policy_name, l->policy_name) == 0)
		return put_rules(l->policy, rules);

	if (strcmp(policy_name, l->policy_name) != 0) {
		r = load_policy(l, policy_name, why, &fresh);
		if (r != 0)
			return r;
	}
	r = put_rules(fresh ?: l->policy, rules);
	if (r < 0)
		return r;
	r = switch_link(l, fresh ?: l->policy);
	if (r < 0)
		return load_error(r, why);

	if (fresh) {
		op_policy__destroy(l->policy);
		l->policy = TAKE_PTR(fresh);
		snprintf(l->policy_name, sizeof(l->policy_name), "%s", policy_name);
		malloc_trim(0);
	}
	return 0;
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

static int open_oom_ring(struct loader *l)
{
	l->events_fd = fcntl(bpf_map__fd(l->policy->maps.op_events), F_DUPFD_CLOEXEC, 3);
	if (l->events_fd < 0)
		return -errno;
	l->stats_fd = fcntl(bpf_map__fd(l->policy->maps.op_stats), F_DUPFD_CLOEXEC, 3);
	if (l->stats_fd < 0)
		return -errno;
	l->oom_ring = ring_buffer__new(l->events_fd, pass_oom, l, NULL);
	return l->oom_ring ? 0 : -errno;
}

int loader_new(const char *policy_name, const struct loader_callbacks *callbacks,
	       char why[static LOADER_WHY_SIZE], struct loader **ret)
{
	_cleanup_(loader_freep) struct loader *l = NULL;
	int r;

	why[0] = '\0';
	libbpf_set_print(log_from_library);
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->callbacks = *callbacks;
	l->events_fd = l->stats_fd = -EBADF;
	snprintf(l->policy_name, sizeof(l->policy_name), "%s", policy_name);

	r = load_policy(l, policy_name, why, &l->policy);
	if (r != 0)
		return r;
	r = open_oom_ring(l);
	if (r < 0)
		return r;

	r = follow_cgroups(l);
	if (r < 0) {
		log_warning("Cannot follow cgroups: %s. A new cgroup inherits until the next "
			    "reload, ignoring.",
			    strerror(-r));
		unfollow_cgroups(l);
	}

	/* libbpf needed megabytes of type information, and libc would keep them. */
	malloc_trim(0);
	*ret = TAKE_PTR(l);
	return 0;
}

struct loader *loader_free(struct loader *l)
{
	if (!l)
		return NULL;
	bpf_link__destroy(l->link);
	unfollow_cgroups(l);
	ring_buffer__free(l->oom_ring);
	safe_close(l->stats_fd);
	safe_close(l->events_fd);
	op_policy__destroy(l->policy);
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

	return bpf_map_lookup_elem(l->stats_fd, &slot, &stats) < 0 ? 0 : stats.events_lost;
}
