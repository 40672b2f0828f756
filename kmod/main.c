// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading. The BPF core holds a reference to the module as long as a policy is
 * loaded, so unloading never finds one.
 *
 * What BPF can use of the module it finds in the module's BTF. Registrations of one without BTF
 * succeed (check_btf_kconfigs() of kernel/bpf/btf.c) and register nothing, and it would hook five
 * functions for nothing. build.sh does not make such a module; kbuild by itself does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "bpf_oom.h"
#include "compat.h"

static int __init bpf_oom_init(void)
{
	int err;

	err = bpf_oom_symbols_init();
	if (err)
		return err;
	if (!module_has_btf(THIS_MODULE)) {
		pr_err("built without BTF, so that BPF cannot see it: not loading; build it with "
		       "DKMS or its own Makefile, which say what is missing\n");
		return -ENOEXEC;
	}

	/* BPF registrations end with the module's BTF, there is nothing to undo. */
	err = bpf_oom_kfunc_init();
	if (!err)
		err = bpf_oom_policy_init();
	if (!err)
		err = bpf_oom_evaluate_init();
	if (!err)
		err = bpf_oom_memcg_init();
	if (err) {
		pr_err("cannot register with BPF (%d)\n", err);
		return err;
	}

	err = bpf_oom_dying_init();
	if (err)
		return err;
	err = bpf_oom_hook_init();
	if (err) {
		bpf_oom_dying_exit();
		return err;
	}

	pr_info("BPF OOM policies can be attached\n");
	return 0;
}

static void __exit bpf_oom_exit(void)
{
	bpf_oom_hook_exit();
	bpf_oom_dying_exit();
}

module_init(bpf_oom_init);
module_exit(bpf_oom_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("BPF struct_ops OOM handler for kernels without it");
MODULE_VERSION(BPF_OOM_VERSION);
