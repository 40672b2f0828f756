// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is the memory that an OOM asks for on its way already? Owns the answer for every OOM, whoever
 * decides it: no policy and no selection is to take a second victim for memory that comes.
 *
 * The kernel counts a victim as dying up to MMF_OOM_SKIP. The reaper sets that when it has freed
 * what it can. exit_mmap() sets it too, but before free_pgtables() and tlb_finish_mmu(): page
 * tables are all still there, and of the pages those that wait for the TLB to be flushed, of a
 * small process every one. An allocator that looks just then, on another processor, finds neither
 * the memory nor a victim. And memory that came after the allocator's last look, but before the
 * victim is looked for, is missed in the same way. So there are two states more: a victim that is
 * leaving, and room that is there.
 *
 * Whoever waits for a victim that leaves goes back to the allocator, as if the kernel had found one
 * that is dying, and asks again. A system OOM sleeps between two attempts only where another task
 * holds oom_lock; a memcg OOM goes through its rounds of reclaim. Neither is new.
 *
 * Not seen is a victim whose threads are at their ends in another order: once its main thread is
 * gone, the cgroup's list of processes is without it, while its last thread frees the memory. The
 * kernel's own selection does not see that one either.
 *
 * Everything here is under oom_lock. Invariant: no OOM waits for longer than LEAVING_MAX for a
 * victim that is leaving, and those who wait all wait for the same one.
 */
#include <linux/cgroup.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/page_counter.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "bpf_oom.h"
#include "compat.h"

/*
 * What is left to do for one that is leaving takes some milliseconds, but its task may lose the
 * processor meanwhile, and that of a virtual machine its host's. One that is not through with it
 * after so long is stuck, and another has to die.
 */
#define LEAVING_MAX (HZ / 4)

/* The victim that is waited for. */
static struct mm_struct *leaving; /* with a reference to the struct; NULL: none */
static unsigned long leaving_since;

/* When an OOM last ended with a victim, a new one or one that was dying. */
static unsigned long last_victim;

/* __mmput() takes the reference to the executable away right after exit_mmap(). */
static bool is_torn_down(struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users) && !rcu_access_pointer(mm->exe_file);
}

static bool is_worth_waiting(struct mm_struct *mm)
{
	if (atomic_read(&mm->mm_users) || is_torn_down(mm))
		return false;
	if (!leaving) {
		mmgrab(mm);
		leaving = mm;
		leaving_since = jiffies;
	}
	return time_before(jiffies, leaving_since + LEAVING_MAX);
}

static int note_dying(struct task_struct *task, void *arg)
{
	enum bpf_oom_dying *found = arg;
	struct mm_struct *mm;

	if (!tsk_is_oom_victim(task))
		return 0;
	mm = task->signal->oom_mm;
	if (!mm_oom_skip(mm))
		*found = BPF_OOM_DYING;
	else if (is_worth_waiting(mm))
		*found = BPF_OOM_LEAVING;
	return *found != BPF_OOM_NOBODY_DYING;
}

static enum bpf_oom_dying find_victim(struct oom_control *oc)
{
	enum bpf_oom_dying found = BPF_OOM_NOBODY_DYING;
	struct task_struct *task;

	/*
	 * Spares the walk where no victim is in flight anywhere. The kernel counts one until its
	 * marked thread has gone, others may be longer about it.
	 */
	if (bpf_oom_victims && !atomic_read(bpf_oom_victims) &&
	    time_after_eq(jiffies, last_victim + LEAVING_MAX))
		return found;

	if (oc->memcg) {
		static_call(bpf_oom_scan_tasks)(oc->memcg, note_dying, &found);
		return found;
	}
	rcu_read_lock();
	for_each_process(task) {
		if (note_dying(task, &found))
			break;
	}
	rcu_read_unlock();
	return found;
}

static bool fits(struct page_counter *counter, unsigned long pages)
{
	return page_counter_read(counter) + pages <= READ_ONCE(counter->max);
}

/* As mem_cgroup_margin(), which mem_cgroup_out_of_memory() asks before it comes here. */
static bool has_room(const struct oom_control *oc)
{
	if (!oc->memcg || !fits(&oc->memcg->memory, 1UL << oc->order))
		return false;
	/* On the unified hierarchy that counter is another, see struct mem_cgroup. */
	return cgroup_subsys_on_dfl(memory_cgrp_subsys) ||
	       fits(&oc->memcg->memsw, 1UL << oc->order);
}

enum bpf_oom_dying bpf_oom_find_dying(struct oom_control *oc, bool declared)
{
	enum bpf_oom_dying found;

	if (oc->order == -1)
		return BPF_OOM_NOBODY_DYING;
	found = find_victim(oc);
	/* In this order: what a victim had is uncharged before it is no longer found. */
	if (found == BPF_OOM_NOBODY_DYING && !declared && has_room(oc))
		return BPF_OOM_LEAVING;
	return found;
}

void bpf_oom_dying_begin(void)
{
	if (!leaving || !is_torn_down(leaving))
		return;
	mmdrop(leaving);
	leaving = NULL;
}

void bpf_oom_dying_end(bool has_victim)
{
	if (has_victim)
		last_victim = jiffies;
}

void bpf_oom_dying_exit(void)
{
	if (leaving)
		mmdrop(leaving);
}
