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
struct bpf_oom_memcg bpf_oom_memcg;
bool bpf_oom_can_evaluate;

DEFINE_STATIC_CALL_RET0(bpf_oom_out_of_memory, bpf_oom_out_of_memory_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_kill, bpf_oom_kill_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_scan_tasks, bpf_oom_scan_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_dump_header, bpf_oom_report_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_get_group, bpf_oom_group_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_page_state, bpf_oom_page_state_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_flush_stats, bpf_oom_flush_stats_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_badness, bpf_oom_badness_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_in_mempolicy, bpf_oom_mempolicy_fn);

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

/* The address of @name outside this module, or 0. The kernel's symbols are found before those of
 * modules, this one's among them. */
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

/* Without these the kernel's own evaluation stays in place and BPF is not asked about tasks. */
static void find_evaluation(void)
{
	unsigned long badness = lookup_foreign("oom_badness");
	unsigned long mempolicy = lookup_foreign("mempolicy_in_oom_domain");

	bpf_oom_can_evaluate = badness && (mempolicy || !IS_ENABLED(CONFIG_NUMA));
	if (!bpf_oom_can_evaluate) {
		pr_warn("no bpf_oom_evaluate_task on this kernel: it has no function %s\n",
			badness ? "mempolicy_in_oom_domain" : "oom_badness");
		return;
	}
	static_call_update(bpf_oom_badness, (void *)badness);
	if (mempolicy)
		static_call_update(bpf_oom_in_mempolicy, (void *)mempolicy);
}

/* The memory controller's; a kernel that has the kfuncs of memcg.c keeps its own. */
static void find_memcg(void)
{
	struct mem_cgroup **root = (void *)lookup_foreign("root_mem_cgroup");
	unsigned long index = lookup_foreign("mem_cgroup_stats_index");
	unsigned long state = lookup_foreign("memcg_page_state");
	unsigned long flush = lookup_foreign("mem_cgroup_flush_stats_ratelimited");

	if (root)
		bpf_oom_memcg.root = *root;
	bpf_oom_memcg.oom_lock = (void *)lookup_foreign("memcg_oom_lock");
	if (lookup_foreign("bpf_get_mem_cgroup"))
		return;
	if (!root || !index || !state || !flush) {
		pr_warn("no memcg kfuncs on this kernel: it has not all symbols they need\n");
		return;
	}
	bpf_oom_memcg.stats_index = (const u8 *)index;
	static_call_update(bpf_oom_page_state, (void *)state);
	static_call_update(bpf_oom_flush_stats, (void *)flush);
}

int bpf_oom_symbols_init(void)
{
	static const char *const provided[] = {
		"bpf_oom_kill_process",
		"bpf_handle_oom",
		"bpf_oom_evaluate_task",
		"bpf_out_of_memory",
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
	bpf_oom_kernel.oom_constraint_text = lookup_foreign("oom_constraint_text");
	kill = lookup_required("oom_kill_process", &err);
	if (err)
		return err;

	static_call_update(bpf_oom_out_of_memory, (void *)bpf_oom_kernel.out_of_memory);
	static_call_update(bpf_oom_scan_tasks, (void *)bpf_oom_kernel.mem_cgroup_scan_tasks);
	static_call_update(bpf_oom_dump_header, (void *)bpf_oom_kernel.dump_header);
	static_call_update(bpf_oom_kill, (void *)kill);
	static_call_update(bpf_oom_get_group, (void *)bpf_oom_kernel.mem_cgroup_get_oom_group);
	find_evaluation();
	find_memcg();
	return 0;
}
