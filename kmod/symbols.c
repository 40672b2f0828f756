// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the parts of mm/oom_kill.c that modules do not see. kallsyms_lookup_name() itself is
 * found with a kprobe, which resolves a name when it is registered and is gone again at once.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/module.h>

#include "bpf_oom.h"

struct mutex *bpf_oom_lock;
atomic_t *bpf_oom_victims;
struct bpf_oom_kernel bpf_oom_kernel;

DEFINE_STATIC_CALL_RET0(bpf_oom_out_of_memory, bpf_oom_out_of_memory_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_kill, bpf_oom_kill_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_scan_tasks, bpf_oom_scan_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_dump_header, bpf_oom_report_fn);

static unsigned long (*lookup_name)(const char *name);

static int find_lookup_name(void)
{
	struct kprobe kp = {.symbol_name = "kallsyms_lookup_name"};
	int err;

	err = register_kprobe(&kp);
	if (err < 0) {
		pr_err("cannot look up kernel symbols: kprobe on kallsyms_lookup_name failed "
		       "(%d)\n",
		       err);
		return -ENOENT;
	}
	lookup_name = (void *)kp.addr;
	unregister_kprobe(&kp);
	return 0;
}

/* The address of @name outside this module, or 0. */
static unsigned long lookup_foreign(const char *name)
{
	unsigned long addr = lookup_name(name);

	return addr && !within_module(addr, THIS_MODULE) ? addr : 0;
}

static unsigned long lookup_required(const char *name, int *err)
{
	unsigned long addr = lookup_foreign(name);

	if (!addr) {
		pr_err("this kernel has no function %s that can be hooked: not supported\n", name);
		*err = -ENOENT;
	}
	return addr;
}

int bpf_oom_symbols_init(void)
{
	static const char *const provided[] = {
		"bpf_oom_kill_process",
		"bpf_handle_oom",
		"bpf_oom_evaluate_task",
	};
	unsigned long kill;
	int err;
	int i;

	err = find_lookup_name();
	if (err)
		return err;

	for (i = 0; i < ARRAY_SIZE(provided); i++) {
		if (lookup_foreign(provided[i])) {
			pr_err("this kernel has the BPF OOM interface already (%s): not loading\n",
			       provided[i]);
			return -EOPNOTSUPP; /* modprobe takes EEXIST for success */
		}
	}

	bpf_oom_lock = (struct mutex *)lookup_required("oom_lock", &err);
	bpf_oom_victims = (atomic_t *)lookup_foreign("oom_victims");
	bpf_oom_kernel.out_of_memory = lookup_required("out_of_memory", &err);
	bpf_oom_kernel.oom_evaluate_task = lookup_required("oom_evaluate_task", &err);
	bpf_oom_kernel.mem_cgroup_scan_tasks = lookup_required("mem_cgroup_scan_tasks", &err);
	bpf_oom_kernel.dump_header = lookup_required("dump_header", &err);
	bpf_oom_kernel.mem_cgroup_get_oom_group = lookup_required("mem_cgroup_get_oom_group", &err);
	kill = lookup_required("oom_kill_process", &err);
	if (err)
		return err;

	static_call_update(bpf_oom_out_of_memory, (void *)bpf_oom_kernel.out_of_memory);
	static_call_update(bpf_oom_scan_tasks, (void *)bpf_oom_kernel.mem_cgroup_scan_tasks);
	static_call_update(bpf_oom_dump_header, (void *)bpf_oom_kernel.dump_header);
	static_call_update(bpf_oom_kill, (void *)kill);
	return 0;
}
