// SPDX-License-Identifier: GPL-2.0-only
/* Claims out_of_memory() for itself, as a live patch would: bpf_oom.ko must say so and not load. */
#include <linux/ftrace.h>
#include <linux/module.h>

static void notrace pass_through(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
				 struct ftrace_regs *fregs)
{
}

static struct ftrace_ops occupant = {
	.func = pass_through,
	.flags = FTRACE_OPS_FL_IPMODIFY,
};

static int __init oom_occupy_init(void)
{
	static char function[] = "out_of_memory";
	int err;

	err = ftrace_set_filter(&occupant, function, sizeof(function) - 1, 1);
	return err ?: register_ftrace_function(&occupant);
}

static void __exit oom_occupy_exit(void)
{
	unregister_ftrace_function(&occupant);
	ftrace_free_filter(&occupant);
}

module_init(oom_occupy_init);
module_exit(oom_occupy_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("test: somebody else replaced out_of_memory()");
