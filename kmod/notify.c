// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wakes those who listen on the root's memory.oom_control (cgroup v1), as the kernel does for other
 * memory cgroups: mem_cgroup_oom_notify_cb() in mm/memcontrol-v1.c, for the root alone.
 */
#include <linux/eventfd.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/spinlock.h>

#include "bpf_oom.h"
#include "compat.h"

bool bpf_oom_root_is_listened_to(void)
{
	return bpf_oom_memcg.root && bpf_oom_memcg.oom_lock &&
	       !list_empty(&bpf_oom_memcg.root->oom_notify);
}

void bpf_oom_notify_root(void)
{
	struct bpf_oom_listener *listener;

	if (!bpf_oom_root_is_listened_to())
		return;
	spin_lock(bpf_oom_memcg.oom_lock);
	list_for_each_entry(listener, &bpf_oom_memcg.root->oom_notify, list)
		eventfd_signal(listener->eventfd);
	spin_unlock(bpf_oom_memcg.oom_lock);
}
