// SPDX-License-Identifier: GPL-2.0-only
/* Asks fit.c of bpf_oom.ko about functions of this kernel: the parameters name one that has a
 * clone, and one that there are several of. Says how many of the answers are right. */
#include <linux/module.h>

#include "bpf_oom.h"

static char *clone, *twin;
module_param(clone, charp, 0);
module_param(twin, charp, 0);

static int n_asked, n_passed;

static void check(const char *what, bool passed)
{
	n_asked++;
	n_passed += passed;
	if (!passed)
		pr_err("oom_fit: wrong about %s\n", what);
}

static bool is_found(const char *name, const char *type, int use)
{
	struct bpf_oom_function function = {.name = name, .type = type, .use = use};

	return bpf_oom_find_functions(&function, 1);
}

static int __init oom_fit_init(void)
{
	int err = bpf_oom_symbols_init();
	unsigned long caller, other;

	if (err)
		return err;
	caller = bpf_oom_kernel.out_of_memory;
	other = bpf_oom_lookup("select_bad_process");
	check("a function as it is",
	      is_found("out_of_memory", "bool(oom_control*)", BPF_OOM_HOOKED));
	check("another type", !is_found("out_of_memory", "s32(oom_control*)", BPF_OOM_HOOKED));
	check("no function", !is_found("no_such_function", "void()", BPF_OOM_CALLED));
	check("a clone", !is_found(clone, "", BPF_OOM_HOOKED));
	check("two of a name", !is_found(twin, "", BPF_OOM_CALLED));
	check("a call", bpf_oom_calls(other ?: caller, bpf_oom_kernel.oom_evaluate_task));
	check("no call", !bpf_oom_calls(caller, bpf_oom_lookup("kallsyms_lookup_name")));
	pr_info("oom_fit: passed %d of %d\n", n_passed, n_asked);
	return 0;
}

static void __exit oom_fit_exit(void)
{
}

module_init(oom_fit_init);
module_exit(oom_fit_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test: what bpf_oom.ko thinks of a kernel's functions");
