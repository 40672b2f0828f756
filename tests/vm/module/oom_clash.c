// SPDX-License-Identifier: GPL-2.0-only
/* Has a function of the BPF OOM interface, as a kernel with the series would: bpf_oom.ko must not
 * load beside it. One that bpf_oom.ko has not itself: of equal names in modules the newest is
 * found. */
#include <linux/module.h>

struct oom_control;

/* Never called: its name in kallsyms is what the test is about. */
bool bpf_handle_oom(struct oom_control *oc);
noinline bool bpf_handle_oom(struct oom_control *oc)
{
	return oc;
}

static int __init oom_clash_init(void)
{
	return 0;
}

static void __exit oom_clash_exit(void)
{
}

module_init(oom_clash_init);
module_exit(oom_clash_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test: a kernel that has the BPF OOM interface");
