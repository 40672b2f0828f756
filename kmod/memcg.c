// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memcg kfuncs of the 2025 series, for kernels that do not have them (7.0 does): memory cgroups
 * and their numbers, for programs of every type. Knows nothing of OOMs.
 *
 * The units are those of the series: pages, and for a few items what the kernel counts them in.
 * The kernel's own kfuncs, since 7.0, return bytes. Where it has them ours must not even be
 * compiled: pahole leaves functions out of a module's BTF that the kernel's BTF has already, and
 * resolve_btfids then misses them. Kbuild looks, and says BPF_OOM_KERNEL_HAS_MEMCG_KFUNCS.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/cgroup.h>
#include <linux/memcontrol.h>
#include <linux/module.h>

#include "bpf_oom.h"
#include "compat.h"

#ifndef BPF_OOM_KERNEL_HAS_MEMCG_KFUNCS

__bpf_kfunc_start_defs();

/**
 * bpf_get_root_mem_cgroup - the memory cgroup that all others are below
 *
 * Return: a reference for bpf_put_mem_cgroup(); NULL without the memory controller.
 */
__bpf_kfunc struct mem_cgroup *bpf_get_root_mem_cgroup(void)
{
	/* The root is never freed, and its references are not counted. */
	return mem_cgroup_disabled() ? NULL : bpf_oom_memcg.root;
}

/**
 * bpf_get_mem_cgroup - the memory cgroup of a css
 * @css: of any controller, or the cgroup's own (&cgroup->self)
 *
 * Return: a reference for bpf_put_mem_cgroup(); NULL if the cgroup has no memory controller of its
 * own, or is gone.
 */
__bpf_kfunc struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css)
{
	struct mem_cgroup *memcg = NULL;

	if (mem_cgroup_disabled())
		return NULL;
	rcu_read_lock();
	if (css->ss != &memory_cgrp_subsys)
		css = rcu_dereference(css->cgroup->subsys[memory_cgrp_id]);
	if (css && css_tryget(css))
		memcg = mem_cgroup_from_css(css);
	rcu_read_unlock();
	return memcg;
}

/**
 * bpf_put_mem_cgroup - give back what the two above returned
 * @memcg: the reference
 */
__bpf_kfunc void bpf_put_mem_cgroup(struct mem_cgroup *memcg)
{
	css_put(&memcg->css);
}

/**
 * bpf_mem_cgroup_usage - memory charged to a memcg and those below it
 * @memcg: memory cgroup
 *
 * Return: pages; memory.current in another unit. For the root, what was charged below it.
 */
__bpf_kfunc unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg)
{
	return page_counter_read(&memcg->memory);
}

/**
 * bpf_mem_cgroup_page_state - an item of a memcg's statistics, its children's included
 * @memcg: memory cgroup
 * @idx: of enum node_stat_item or enum memcg_stat_item
 *
 * As of the last flush, see bpf_mem_cgroup_flush_stats().
 *
 * Return: pages (bytes for items whose names end in _B, KiB for those in _KB); all bits set if
 * there is no such item or memcgs do not count it.
 */
__bpf_kfunc unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx)
{
	if (idx < 0 || idx >= MEMCG_NR_STAT || !memcg_item_counted(bpf_oom_memcg.stats_index, idx))
		return -1UL;
	return static_call(bpf_oom_page_state)(memcg, idx);
}

/**
 * bpf_mem_cgroup_events - how often an event has happened in a memcg and those below it
 * @memcg: memory cgroup
 * @event: of enum vm_event_item
 *
 * As of the last flush, see bpf_mem_cgroup_flush_stats().
 *
 * Return: a count, of the kernel's own unit; all bits set if there is no such event, or memcgs do
 * not count it.
 */
__bpf_kfunc unsigned long bpf_mem_cgroup_events(struct mem_cgroup *memcg, int event)
{
	if (!bpf_oom_memcg.events_index || event < 0 || event >= NR_VM_EVENT_ITEMS ||
	    !memcg_item_counted(bpf_oom_memcg.events_index, event))
		return -1UL;
	return static_call(bpf_oom_memcg_events)(memcg, event);
}

/**
 * bpf_mem_cgroup_flush_stats - bring the statistics up to date
 * @memcg: memory cgroup
 *
 * Rate-limited: does nothing while the kernel's own flush, every two seconds, is not late.
 */
__bpf_kfunc void bpf_mem_cgroup_flush_stats(struct mem_cgroup *memcg)
{
	static_call(bpf_oom_flush_stats)(memcg);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(bpf_oom_memcg_kfuncs)
BTF_ID_FLAGS(func, bpf_get_root_mem_cgroup, KF_ACQUIRE | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_get_mem_cgroup, KF_ACQUIRE | KF_RET_NULL | KF_RCU)
BTF_ID_FLAGS(func, bpf_put_mem_cgroup, KF_RELEASE)
BTF_ID_FLAGS(func, bpf_mem_cgroup_usage, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_mem_cgroup_page_state, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_mem_cgroup_events, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_mem_cgroup_flush_stats, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpf_oom_memcg_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_memcg_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_memcg_kfuncs,
};

int bpf_oom_memcg_init(void)
{
	if (!bpf_oom_memcg.stats_index)
		return 0;
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_UNSPEC, &bpf_oom_memcg_set);
}

#else

int bpf_oom_memcg_init(void)
{
	return 0;
}

#endif
