/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be told without loading anything: the kernel's types, and what we may do. For
 * daemon/kernel/ alone. */
#ifndef OP_KERNEL_BTF_H
#define OP_KERNEL_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/module.h"
#include "types.h"

struct btf;
struct btf_type;
struct gfp_bits;

/* The types of the kernel, and of our module where it is loaded. Embedded; empty when zero. */
struct kernel_types {
	struct btf *vmlinux;
	struct btf *module; /* NULL: it is not, or has none */
	bool module_lacks_types;
};

/* Returns 0, LOADER_E_KERNEL with a sentence, or -ENOMEM. */
int kernel_types_init(struct kernel_types *t, char why[static LOADER_WHY_SIZE]);
void kernel_types_done(struct kernel_types *t);

/* Whether the module is loaded, but was built without types, as @sysfs has it. */
bool kernel_module_lacks_types(const char *sysfs);

/* The sentence for a @hook that neither the kernel nor a module has: the reason, and what to do. */
void kernel_explain_no_hook(const struct kernel_types *t, const char *hook,
			    char why[static LOADER_WHY_SIZE]);

/* As loader_permitted(), for what is in the module where @in_module. */
int kernel_check_privilege(bool in_module, char why[static LOADER_WHY_SIZE]);

/* What the kernel's types say about the flags of an allocation; none before 6.9. */
void kernel_find_gfp_bits(const struct btf *btf, struct gfp_bits *ret);

/* "oom_control *, cgroup *": the parameters of the function type @id, or of the pointer to one.
 * Returns how many, or -EINVAL where it is neither. */
int kernel_describe_parameters(const struct btf *btf, uint32_t id, char *buf, size_t size);

/* The type behind const, volatile and typedef, or NULL. */
const struct btf_type *kernel_skip_modifiers(const struct btf *btf, uint32_t id);

#endif
