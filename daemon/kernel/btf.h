/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be told without loading anything: the kernel's types, and what we may do. For
 * daemon/kernel/ alone. */
#ifndef OP_KERNEL_BTF_H
#define OP_KERNEL_BTF_H

#include <stdbool.h>

#include "types.h"

#define KERNEL_MODULE "bpf_oom"

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

/* Notes this process as the one that is never chosen. */
struct op_switch;
void loader_note_self(struct op_switch *s);

#endif
