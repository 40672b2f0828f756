/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the reading of the kernel's types (BTF) and of our capabilities. Refuses to know what a
 * backend needs of them.
 */
#include "btf.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <bpf/btf.h>

#include "daemon/record/gfp.h"
#include "util/basic.h"
#include "util/format.h"
#include "why.h"

#define SYSFS "/sys"
#define VMLINUX_BTF SYSFS "/kernel/btf/vmlinux"
#define MODULE_BTF SYSFS "/kernel/btf/" KERNEL_MODULE

void kernel_types_done(struct kernel_types *t)
{
	btf__free(t->module);
	btf__free(t->vmlinux);
	*t = (struct kernel_types){};
}

int kernel_types_init(struct kernel_types *t, char why[static LOADER_WHY_SIZE])
{
	int r;

	*t = (struct kernel_types){.vmlinux = btf__parse(VMLINUX_BTF, NULL)};
	if (!t->vmlinux) {
		r = -errno;
		if (r == -ENOMEM)
			return r;
		why_set(why,
			"The kernel offers no type information (BTF) in " VMLINUX_BTF
			" (%s): a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed.",
			strerror(-r));
		return LOADER_E_KERNEL;
	}
	if (access(MODULE_BTF, F_OK) < 0) {
		t->module_lacks_types = kernel_module_lacks_types(SYSFS);
		return 0;
	}
	t->module = btf__load_module_btf(KERNEL_MODULE, t->vmlinux);
	if (t->module)
		return 0;
	why_set(why, "The types of the module " KERNEL_MODULE ".ko in " MODULE_BTF
		     " do not fit the running kernel: build it for this kernel.");
	kernel_types_done(t);
	return LOADER_E_KERNEL;
}

bool kernel_module_lacks_types(const char *sysfs)
{
	_cleanup_free_ char *module = NULL, *types = NULL;

	module = format_string("%s/module/" KERNEL_MODULE, sysfs);
	types = format_string("%s/kernel/btf/" KERNEL_MODULE, sysfs);
	return module && types && access(module, F_OK) == 0 && access(types, F_OK) < 0;
}

/* With CONFIG_DEBUG_INFO_BTF_MODULES, struct module of include/linux/module.h has it. */
static bool keeps_types_of_modules(const struct btf *vmlinux)
{
	int id = btf__find_by_name_kind(vmlinux, "module", BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(vmlinux, (uint32_t)id);

	for (int i = 0; t && i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(vmlinux, btf_members(t)[i].name_off);

		if (name && strcmp(name, "btf_data") == 0)
			return true;
	}
	return false;
}

/* A function of a kernel that has an OOM interface itself, by which bpf_oom.ko knows it
 * (kmod/symbols.c, bpf_oom_symbols_init()); NULL: it has none. */
static const char *find_own_interface(const struct btf *vmlinux)
{
	static const char *const functions[] = {"bpf_oom_kill_process", "bpf_handle_oom",
						"bpf_oom_evaluate_task", "bpf_out_of_memory"};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (btf__find_by_name_kind(vmlinux, functions[i], BTF_KIND_FUNC) > 0)
			return functions[i];
	return NULL;
}

void kernel_explain_no_hook(const struct kernel_types *t, const char *hook,
			    char why[static LOADER_WHY_SIZE])
{
	const char *own = find_own_interface(t->vmlinux);

	if (own)
		why_set(why,
			"The kernel has an OOM interface of another kind (%s(), and no %s in its "
			"types), and the module " KERNEL_MODULE ".ko does not load beside that.",
			own, hook);
	else if (!t->module && !keeps_types_of_modules(t->vmlinux))
		why_set(why,
			"The kernel has no OOM policy hook (no %s in its types), and no module "
			"can add one, as it keeps no type information (BTF) of modules: a "
			"kernel built with CONFIG_DEBUG_INFO_BTF_MODULES=y is needed.",
			hook);
	else if (t->module)
		why_set(why,
			"The kernel has no OOM policy hook (no %s in its types), and the "
			"module " KERNEL_MODULE
			".ko that is loaded has none either: it is another version's. Install this "
			"version's, unload that one, and load it again.",
			hook);
	else if (t->module_lacks_types)
		why_set(why,
			"The kernel has no OOM policy hook (no %s in its types): the "
			"module " KERNEL_MODULE
			".ko is loaded, but was built without type information "
			"(BTF). Unload it, and build and load it again: \"dkms build\" says "
			"what is missing.",
			hook);
	else
		why_set(why,
			"The kernel has no OOM policy hook (no %s in its types), and the "
			"module " KERNEL_MODULE
			".ko, which adds it, is not loaded: \"modprobe " KERNEL_MODULE
			"\" and \"journalctl -k -g " KERNEL_MODULE
			"\" say why. If it is not found, install its DKMS package and the "
			"headers of this kernel.",
			hook);
}

const struct btf_type *kernel_skip_modifiers(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

int kernel_describe_parameters(const struct btf *btf, uint32_t id, char *buf, size_t size)
{
	const struct btf_type *proto = kernel_skip_modifiers(btf, id);
	size_t used = 0;

	buf[0] = '\0';
	if (proto && btf_is_ptr(proto))
		proto = kernel_skip_modifiers(btf, proto->type);
	if (!proto || !btf_is_func_proto(proto))
		return -EINVAL;
	for (int i = 0; i < btf_vlen(proto) && used < size; i++) {
		const struct btf_type *t = kernel_skip_modifiers(btf, btf_params(proto)[i].type);
		bool pointer = t && btf_is_ptr(t);
		const char *name;
		int n;

		if (pointer)
			t = kernel_skip_modifiers(btf, t->type);
		name = t ? btf__name_by_offset(btf, t->name_off) : NULL;
		n = snprintf(buf + used, size - used, "%s%s%s", i ? ", " : "",
			     name && *name ? name : "?", pointer ? " *" : "");
		if (n < 0)
			break;
		used += (size_t)n;
	}
	return btf_vlen(proto);
}

void kernel_find_gfp_bits(const struct btf *btf, struct gfp_bits *ret)
{
	*ret = (struct gfp_bits){};
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!btf_is_enum(t))
			continue;
		for (uint32_t i = 0; i < btf_vlen(t); i++) {
			const struct btf_enum *e = &btf_enum(t)[i];
			const char *name = btf__name_by_offset(btf, e->name_off);

			if (e->val >= 0 && name)
				gfp_bits_add(ret, name, (uint32_t)e->val);
		}
	}
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

int kernel_check_privilege(bool in_module, char why[static LOADER_WHY_SIZE])
{
	if (in_module && !has_capability(CAP_SYS_ADMIN)) {
		why_set(why, "Not permitted: CAP_SYS_ADMIN is missing, which the kernel wants for "
			     "BPF that uses the types of a module (" KERNEL_MODULE ".ko).");
		return LOADER_E_PRIVILEGE;
	}
	if (has_capability(CAP_SYS_ADMIN) ||
	    (has_capability(CAP_BPF) && has_capability(CAP_PERFMON)))
		return 0;
	why_set(why, "Not permitted: CAP_BPF and CAP_PERFMON are needed to load a policy.");
	return LOADER_E_PRIVILEGE;
}
