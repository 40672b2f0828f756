// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the parts of mm/oom_kill.c that modules do not see. kallsyms_lookup_name() itself is
 * found with a kprobe, which resolves a name when it is registered and is gone again at once.
 *
 * None of these is ever called through a pointer, that one neither: the kernel removes the ENDBR of
 * functions that it calls directly alone, and where the processor checks indirect branches (IBT)
 * such a call ends in a BUG (arch/x86/kernel/cet.c). tests/lint/module.sh holds this.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>

#include "bpf_oom.h"

struct mutex *bpf_oom_lock;
atomic_t *bpf_oom_victims;
struct bpf_oom_kernel bpf_oom_kernel;
struct bpf_oom_memcg bpf_oom_memcg;

typedef unsigned long bpf_oom_lookup_fn(const char *name);

DEFINE_STATIC_CALL_RET0(bpf_oom_lookup_name, bpf_oom_lookup_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_out_of_memory, bpf_oom_out_of_memory_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_kill, bpf_oom_kill_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_kill_more, bpf_oom_kill_more_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_scan_tasks, bpf_oom_scan_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_dump_header, bpf_oom_report_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_page_state, bpf_oom_page_state_fn);
DEFINE_STATIC_CALL_NULL(bpf_oom_flush_stats, bpf_oom_flush_stats_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_memcg_events, bpf_oom_memcg_events_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_tracing_helper, bpf_oom_helper_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_badness, bpf_oom_badness_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_in_mempolicy, bpf_oom_mempolicy_fn);
DEFINE_STATIC_CALL_RET0(bpf_oom_find_node, bpf_oom_node_fn);

static int find_lookup_name(void)
{
	struct kprobe kp = {.symbol_name = "kallsyms_lookup_name"};
	unsigned long address;
	int err;

	err = register_kprobe(&kp);
	if (err < 0) {
		pr_err("cannot look up kernel symbols: kprobe on kallsyms_lookup_name failed "
		       "(%d)\n",
		       err);
		return -ENOENT;
	}
	/* The kprobe may be past the beginning; the function itself knows where that is. */
	static_call_update(bpf_oom_lookup_name, (void *)kp.addr);
	unregister_kprobe(&kp);
	address = static_call(bpf_oom_lookup_name)("kallsyms_lookup_name");
	if (!address) {
		pr_err("cannot look up kernel symbols: kallsyms_lookup_name does not know "
		       "itself\n");
		return -ENOENT;
	}
	static_call_update(bpf_oom_lookup_name, (void *)address);
	return 0;
}

unsigned long bpf_oom_lookup(const char *name)
{
	unsigned long address = static_call(bpf_oom_lookup_name)(name);
	char symbol[KSYM_SYMBOL_LEN];

	if (!address)
		return 0;
	/* name+offset/size [module] */
	sprint_symbol(symbol, address);
	return strchr(symbol, '[') ? 0 : address;
}

/* Has the kernel or another module a symbol of this name? */
static bool is_provided(const char *name)
{
	unsigned long address = static_call(bpf_oom_lookup_name)(name);

	return address && !within_module(address, THIS_MODULE);
}

enum {
	BPF_OOM_FN_OUT_OF_MEMORY,
	BPF_OOM_FN_OOM_EVALUATE_TASK,
	BPF_OOM_FN_MEM_CGROUP_SCAN_TASKS,
	BPF_OOM_FN_DUMP_HEADER,
	BPF_OOM_FN_MEM_CGROUP_GET_OOM_GROUP,
	BPF_OOM_FN_OOM_KILL_PROCESS,
	BPF_OOM_FN_OOM_KILL_PROCESS_ALONE,
	BPF_OOM_FN_OOM_BADNESS,
	BPF_OOM_FN_FIND_NODE,
	BPF_OOM_FN_MEMPOLICY_IN_OOM_DOMAIN,
	BPF_OOM_FN_MEMCG_PAGE_STATE,
	BPF_OOM_FN_FLUSH_STATS,
	BPF_OOM_FN_MEMCG_EVENTS,
	BPF_OOM_FN_TRACING_HELPER,
};

static struct bpf_oom_function functions[] = {
	[BPF_OOM_FN_OUT_OF_MEMORY] = {"out_of_memory", "bool(oom_control*)", BPF_OOM_HOOKED},
	[BPF_OOM_FN_OOM_EVALUATE_TASK] = {"oom_evaluate_task", "s32(task_struct*,void*)",
					  BPF_OOM_HOOKED},
	[BPF_OOM_FN_MEM_CGROUP_SCAN_TASKS] = {"mem_cgroup_scan_tasks",
					      "void(mem_cgroup*,function*,void*)", BPF_OOM_HOOKED},
	[BPF_OOM_FN_DUMP_HEADER] = {"dump_header", "void(oom_control*)", BPF_OOM_HOOKED},
	[BPF_OOM_FN_MEM_CGROUP_GET_OOM_GROUP] = {"mem_cgroup_get_oom_group",
						 "mem_cgroup*(task_struct*,mem_cgroup*)",
						 BPF_OOM_HOOKED},
	[BPF_OOM_FN_OOM_KILL_PROCESS] = {"oom_kill_process", "void(oom_control*,char*)"},
	[BPF_OOM_FN_OOM_KILL_PROCESS_ALONE] = {"__oom_kill_process", "void(task_struct*,char*)"},
	[BPF_OOM_FN_OOM_BADNESS] = {"oom_badness", "s64(task_struct*,u64)"},
	[BPF_OOM_FN_FIND_NODE] = {"kernfs_find_and_get_node_by_id",
				  "kernfs_node*(kernfs_root*,u64)"},
	/* Called where there are nodes; elsewhere there is none. */
	[BPF_OOM_FN_MEMPOLICY_IN_OOM_DOMAIN] = {"mempolicy_in_oom_domain",
						"bool(task_struct*,nodemask_t*)",
						IS_ENABLED(CONFIG_NUMA) ? BPF_OOM_CALLED
									: BPF_OOM_OPTIONAL},
	[BPF_OOM_FN_MEMCG_PAGE_STATE] = {"memcg_page_state", "u64(mem_cgroup*,s32)",
					 BPF_OOM_OPTIONAL},
	[BPF_OOM_FN_FLUSH_STATS] = {"mem_cgroup_flush_stats_ratelimited", "void(mem_cgroup*)",
				    BPF_OOM_OPTIONAL},
	[BPF_OOM_FN_MEMCG_EVENTS] = {"memcg_events", "u64(mem_cgroup*,s32)", BPF_OOM_OPTIONAL},
	[BPF_OOM_FN_TRACING_HELPER] = {"tracing_prog_func_proto",
				       "bpf_func_proto*(bpf_func_id,bpf_prog*)", BPF_OOM_OPTIONAL},
};

static void set_calls(void)
{
	bpf_oom_kernel = (struct bpf_oom_kernel){
		.out_of_memory = functions[BPF_OOM_FN_OUT_OF_MEMORY].address,
		.oom_evaluate_task = functions[BPF_OOM_FN_OOM_EVALUATE_TASK].address,
		.mem_cgroup_scan_tasks = functions[BPF_OOM_FN_MEM_CGROUP_SCAN_TASKS].address,
		.dump_header = functions[BPF_OOM_FN_DUMP_HEADER].address,
		.mem_cgroup_get_oom_group = functions[BPF_OOM_FN_MEM_CGROUP_GET_OOM_GROUP].address,
	};
	static_call_update(bpf_oom_out_of_memory,
			   (void *)functions[BPF_OOM_FN_OUT_OF_MEMORY].address);
	static_call_update(bpf_oom_scan_tasks,
			   (void *)functions[BPF_OOM_FN_MEM_CGROUP_SCAN_TASKS].address);
	static_call_update(bpf_oom_dump_header, (void *)functions[BPF_OOM_FN_DUMP_HEADER].address);
	static_call_update(bpf_oom_kill, (void *)functions[BPF_OOM_FN_OOM_KILL_PROCESS].address);
	static_call_update(bpf_oom_kill_more,
			   (void *)functions[BPF_OOM_FN_OOM_KILL_PROCESS_ALONE].address);
	static_call_update(bpf_oom_badness, (void *)functions[BPF_OOM_FN_OOM_BADNESS].address);
	static_call_update(bpf_oom_find_node, (void *)functions[BPF_OOM_FN_FIND_NODE].address);
	if (functions[BPF_OOM_FN_TRACING_HELPER].address)
		static_call_update(bpf_oom_tracing_helper,
				   (void *)functions[BPF_OOM_FN_TRACING_HELPER].address);
	if (IS_ENABLED(CONFIG_NUMA))
		static_call_update(bpf_oom_in_mempolicy,
				   (void *)functions[BPF_OOM_FN_MEMPOLICY_IN_OOM_DOMAIN].address);
}

/* A hook is of use where the kernel calls the function, and has not made it a part of the caller.
 */
static bool has_calls(void)
{
	unsigned long select = bpf_oom_lookup("select_bad_process") ?: bpf_oom_kernel.out_of_memory;
	const struct {
		const char *name;
		unsigned long address, caller;
	} callees[] = {
		{"oom_evaluate_task", bpf_oom_kernel.oom_evaluate_task, select},
		{"mem_cgroup_scan_tasks", bpf_oom_kernel.mem_cgroup_scan_tasks, select},
		{"mem_cgroup_get_oom_group", bpf_oom_kernel.mem_cgroup_get_oom_group,
		 functions[BPF_OOM_FN_OOM_KILL_PROCESS].address},
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(callees); i++) {
		if (bpf_oom_calls(callees[i].caller, callees[i].address))
			continue;
		pr_err("this kernel does not call %s where it should, its compiler has inlined it: "
		       "not loading\n",
		       callees[i].name);
		return false;
	}
	return true;
}

/* The memory controller's; a kernel that has the kfuncs of memcg.c keeps its own. */
static void find_memcg(void)
{
	struct mem_cgroup **root = (void *)bpf_oom_lookup("root_mem_cgroup");
	unsigned long index = bpf_oom_lookup("mem_cgroup_stats_index");
	unsigned long state = functions[BPF_OOM_FN_MEMCG_PAGE_STATE].address;
	unsigned long flush = functions[BPF_OOM_FN_FLUSH_STATS].address;
	unsigned long events = functions[BPF_OOM_FN_MEMCG_EVENTS].address;

	if (root)
		bpf_oom_memcg.root = *root;
	bpf_oom_memcg.oom_lock = (void *)bpf_oom_lookup("memcg_oom_lock");
	if (is_provided("bpf_get_mem_cgroup"))
		return;
	if (!root || !index || !state || !flush) {
		pr_warn("no memcg kfuncs on this kernel: it has not all symbols they need\n");
		return;
	}
	bpf_oom_memcg.stats_index = (const u8 *)index;
	static_call_update(bpf_oom_page_state, (void *)state);
	static_call_update(bpf_oom_flush_stats, (void *)flush);
	if (!events)
		return;
	bpf_oom_memcg.events_index = (const u8 *)bpf_oom_lookup("mem_cgroup_events_index");
	static_call_update(bpf_oom_memcg_events, (void *)events);
}

int bpf_oom_symbols_init(void)
{
	static const char *const provided[] = {
		"bpf_oom_kill_process",
		"bpf_handle_oom",
		"bpf_oom_evaluate_task",
		"bpf_out_of_memory",
	};
	int err;
	int i;

	err = find_lookup_name();
	if (err)
		return err;

	for (i = 0; i < ARRAY_SIZE(provided); i++) {
		if (is_provided(provided[i])) {
			pr_err("this kernel has the BPF OOM interface already (%s): not loading\n",
			       provided[i]);
			return -EOPNOTSUPP; /* modprobe takes EEXIST for success */
		}
	}

	err = bpf_oom_fit_init();
	if (err)
		return err;
	bpf_oom_lock = (struct mutex *)bpf_oom_lookup("oom_lock");
	if (!bpf_oom_lock) {
		pr_err("this kernel has no oom_lock: not supported\n");
		return -ENOENT;
	}
	bpf_oom_victims = (atomic_t *)bpf_oom_lookup("oom_victims");
	if (!bpf_oom_find_functions(functions, ARRAY_SIZE(functions)))
		return -ENOENT;
	set_calls();
	if (!has_calls())
		return -ENOENT;
	find_memcg();
	return 0;
}
