/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels this module is built for; all of it, and nothing else. */
#ifndef _BPF_OOM_COMPAT_H
#define _BPF_OOM_COMPAT_H

#include <linux/btf.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/oom.h>
#include <linux/sched/coredump.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "bpf_oom needs Linux 6.12 or newer: older ones have no struct_ops links in modules"
#endif

/* Trusted arguments became the only kind, and the flag for them went away. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

/*
 * Has the module types for BPF? find_module_sections() of kernel/module/main.c notes the size
 * before the init function is called, and nothing takes it back.
 */
static inline bool module_has_btf(const struct module *module)
{
#ifdef CONFIG_DEBUG_INFO_BTF_MODULES
	return module->btf_data_size > 0;
#else
	return false;
#endif
}

/* As cpuset_mems_allowed_intersects(). */
static inline bool mems_allowed_intersect(struct task_struct *a, struct task_struct *b)
{
#ifdef CONFIG_CPUSETS
	return nodes_intersects(a->mems_allowed, b->mems_allowed);
#else
	return true;
#endif
}

/* Do memcgs count the item @idx, less than MEMCG_NR_STAT or NR_VM_EVENT_ITEMS? @index is
 * mem_cgroup_stats_index[] or mem_cgroup_events_index[]. */
static inline bool memcg_item_counted(const u8 *index, int idx)
{
	return index[idx] != U8_MAX;
}

#ifdef CONFIG_MEMCG_V1
/* struct mem_cgroup_eventfd_list of mm/memcontrol-v1.c: a link of mem_cgroup.oom_notify. */
struct bpf_oom_listener {
	struct list_head list;
	struct eventfd_ctx *eventfd;
};
#endif

/* Has the reaper or exit_mmap() given this address space up? */
static inline bool mm_oom_skip(struct mm_struct *mm)
{
#ifdef NUM_MM_FLAG_BITS /* 6.18: the flags are a bitmap of their own, with helpers */
	return mm_flags_test(MMF_OOM_SKIP, mm);
#else
	return test_bit(MMF_OOM_SKIP, &mm->flags);
#endif
}

#endif
