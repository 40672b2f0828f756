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
 * Neither is a victim that the kernel cannot find. Who reads its /proc files at the time, as
 * journald does, has a reference to the address space, and frees it when its task has gone already.
 * And a cgroup's list of processes loses one whose main thread has ended before its last thread
 * frees the memory. So the victims' address spaces are noted as they are marked.
 *
 * Whoever waits for a victim that leaves goes back to the allocator, as if the kernel had found one
 * that is dying, and asks again. A system OOM sleeps between two attempts only where another task
 * holds oom_lock; a memcg OOM goes through its rounds of reclaim. Neither is new.
 *
 * Page tables that RCU frees (CONFIG_PT_RECLAIM, since 6.14) stay charged until the callbacks that
 * exit_mmap() has left behind have run. That is some milliseconds after the end of their grace
 * period, longest on the processor that the allocator keeps busy, and so no grace period tells. An
 * rcu_barrier() does, but it sleeps, and a system OOM must not: a worker passes it.
 *
 * Everything here is under oom_lock. Invariant: no OOM waits for longer than LEAVING_MAX for a
 * victim that is leaving. What is noted of one is kept up to the first OOM after its end.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cgroup.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "bpf_oom.h"
#include "compat.h"

/*
 * What is left to do for one that is leaving takes some milliseconds, and for RCU some more, but
 * its task may lose the processor meanwhile, and that of a virtual machine its host's: 1.1 s were
 * seen. One that is not through with it after so long is stuck, and another has to die. The kernel
 * has as much patience: its reaper gives up on a victim after three seconds.
 */
#define LEAVING_MAX (3 * HZ)

/* Where no OOM has looked at a victim for so long, RCU is through with its page tables. */
#define CALLBACKS_MAX (10 * HZ)

/* More at a time come of group kills alone, of which one that is found is enough. */
#define VICTIMS_MAX 16

static struct victim {
	struct mm_struct *mm;	  /* with a reference to the struct; NULL: a free entry */
	struct mem_cgroup *memcg; /* with a reference */
	bool is_leaving;
	unsigned long leaving_since; /* jiffies, when it was first waited for */
	unsigned long last_held;     /* jiffies, when it was last seen not to be torn down */
	unsigned long barrier; /* the number of the first one after that; 0: not yet torn down */
} victims[VICTIMS_MAX];

/* Of the RCU barriers: the last number given to a victim, and the last one passed. */
static unsigned long barrier_wanted, barrier_passed;

/* With a worker of its own, as there may be no memory for another one. NULL: nothing to pass. */
static struct workqueue_struct *barrier_queue;

static struct tracepoint *mark_victim;

static void victim_done(struct victim *v)
{
	mmdrop(v->mm);
	css_put(&v->memcg->css);
	*v = (struct victim){};
}

/* Under a spinlock of the task's. */
static void on_mark_victim(void *data, struct task_struct *task, uid_t uid)
{
	struct mm_struct *mm = task->signal->oom_mm;
	struct mem_cgroup *memcg;
	struct victim *entry = NULL;
	int i;

	for (i = 0; i < VICTIMS_MAX; i++) {
		if (victims[i].mm == mm)
			return;
		if (!victims[i].mm)
			entry = &victims[i];
	}
	if (!entry)
		return;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(task);
	if (memcg && css_tryget(&memcg->css)) {
		mmgrab(mm);
		*entry = (struct victim){.mm = mm, .memcg = memcg, .last_held = jiffies};
	}
	rcu_read_unlock();
}

/* __mmput() takes the reference to the executable away right after exit_mmap(). */
static bool is_torn_down(struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users) && !rcu_access_pointer(mm->exe_file);
}

static void pass_barrier(struct work_struct *work)
{
	unsigned long number = READ_ONCE(barrier_wanted);

	rcu_barrier();
	WRITE_ONCE(barrier_passed, number);
}

static DECLARE_WORK(barrier_work, pass_barrier);

static bool is_free(struct victim *v)
{
	if (!is_torn_down(v->mm)) {
		v->last_held = jiffies;
		return false;
	}
	if (!barrier_queue || (!v->barrier && time_after(jiffies, v->last_held + CALLBACKS_MAX)))
		return true;
	if (!v->barrier) {
		v->barrier = barrier_wanted + 1;
		WRITE_ONCE(barrier_wanted, v->barrier);
		queue_work(barrier_queue, &barrier_work);
	}
	return READ_ONCE(barrier_passed) >= v->barrier;
}

/* Has the reaper been there? It left what it cannot free. */
static bool is_reaped(struct mm_struct *mm)
{
	if (!mm_oom_skip(mm))
		return false;
	/* exit_mmap() says the same, of memory that has no users any more: seen in this order. */
	smp_rmb();
	return atomic_read(&mm->mm_users);
}

/* Is there something to wait for? */
static bool is_leaving(struct victim *v)
{
	return !is_free(v) && !is_reaped(v->mm);
}

static bool is_in_domain(const struct victim *v, const struct oom_control *oc)
{
	return v->mm && (!oc->memcg || mem_cgroup_is_descendant(v->memcg, oc->memcg));
}

static bool has_victims(const struct oom_control *oc)
{
	int i;

	for (i = 0; i < VICTIMS_MAX; i++) {
		if (is_in_domain(&victims[i], oc) && is_leaving(&victims[i]))
			return true;
	}
	return false;
}

static bool has_leaving(const struct oom_control *oc, bool declared)
{
	int i;

	for (i = 0; i < VICTIMS_MAX; i++) {
		struct victim *v = &victims[i];

		if (!is_in_domain(v, oc) || !is_leaving(v))
			continue;
		/* Nobody waits for memory where an OOM was declared: its victim is at its end. */
		if (declared && is_torn_down(v->mm))
			continue;
		if (!v->is_leaving) {
			v->is_leaving = true;
			v->leaving_since = jiffies;
		}
		if (time_before(jiffies, v->leaving_since + LEAVING_MAX))
			return true;
	}
	return false;
}

static int note_dying(struct task_struct *task, void *arg)
{
	bool *found = arg;

	*found = tsk_is_oom_victim(task) && !mm_oom_skip(task->signal->oom_mm);
	return *found;
}

/* Does the kernel, too, see one? */
static bool has_dying(struct oom_control *oc)
{
	struct task_struct *task;
	bool found = false;

	/*
	 * Spares the walk where no victim is in flight anywhere. The kernel counts one until its
	 * marked thread has gone, others may be longer about it.
	 */
	if (bpf_oom_victims && !atomic_read(bpf_oom_victims) && !has_victims(oc))
		return false;

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
	if (oc->order == -1)
		return BPF_OOM_NOBODY_DYING;
	if (has_dying(oc))
		return BPF_OOM_DYING;
	/* In this order: what a victim had is uncharged before it is no longer found. */
	if (has_leaving(oc, declared) || (!declared && has_room(oc)))
		return BPF_OOM_LEAVING;
	return BPF_OOM_NOBODY_DYING;
}

void bpf_oom_dying_begin(void)
{
	int i;

	for (i = 0; i < VICTIMS_MAX; i++) {
		if (victims[i].mm && is_free(&victims[i]))
			victim_done(&victims[i]);
	}
}

static void find_mark_victim(struct tracepoint *tp, void *data)
{
	if (strcmp(tp->name, "mark_victim") == 0)
		mark_victim = tp;
}

int bpf_oom_dying_init(void)
{
	int err;

	if (IS_ENABLED(CONFIG_PT_RECLAIM)) {
		barrier_queue = alloc_ordered_workqueue("bpf_oom", WQ_MEM_RECLAIM);
		if (!barrier_queue) {
			pr_err("no memory for a workqueue\n");
			return -ENOMEM;
		}
	}
	for_each_kernel_tracepoint(find_mark_victim, NULL);
	err = mark_victim ? tracepoint_probe_register(mark_victim, on_mark_victim, NULL) : -ENOENT;
	if (err) {
		pr_err("cannot trace mark_victim (%d)\n", err);
		if (barrier_queue)
			destroy_workqueue(barrier_queue);
	}
	return err;
}

void bpf_oom_dying_exit(void)
{
	int i;

	tracepoint_probe_unregister(mark_victim, on_mark_victim, NULL);
	tracepoint_synchronize_unregister();
	if (barrier_queue)
		destroy_workqueue(barrier_queue);
	for (i = 0; i < VICTIMS_MAX; i++) {
		if (victims[i].mm)
			victim_done(&victims[i]);
	}
}
