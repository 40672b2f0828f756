// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is the memory that an OOM asks for on its way already? Owns the answer, for policies that ask and
 * for this module: no policy is to take a second victim for memory that comes. Where BPF has no say
 * in an OOM nobody asks, and the kernel's own check is all there is.
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
 * frees the memory. So the victims are noted as they are marked, also where no program is there to
 * ask yet.
 *
 * A victim has three parts to give back, one after the other: its address space; what its files
 * hold, as those of a tmpfs that nobody else has open, until its last thread is through
 * exit_task_work(); and page tables that RCU frees (CONFIG_MMU_GATHER_RCU_TABLE_FREE). These stay
 * charged until the callbacks that exit_mmap() has left behind have run. That is some milliseconds
 * after the end of their grace period, longest on the processor that the allocator keeps busy, and
 * so no grace period tells. An rcu_barrier() does, but it sleeps, and a system OOM must not: a
 * worker passes it.
 *
 * Whoever waits for a victim that leaves goes back to the allocator, as if the kernel had found one
 * that is dying, and asks again. A system OOM sleeps between two attempts only where another task
 * holds oom_lock; a memcg OOM goes through its rounds of reclaim. Neither is new.
 *
 * Everything here is under oom_lock. Invariant: no OOM waits for a victim that has given nothing
 * back for STALL_MAX, and what is noted of it is forgotten then.
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
 * A task that is leaving may lose the processor meanwhile, and that of a virtual machine its
 * host's: 1.1 s were seen. One that gets no farther for this long is stuck, and another has to die.
 * One whose memory is on its way is waited for, however much that is.
 */
#define STALL_MAX (2 * HZ)

/* How often somebody looks after the victims where no OOM does. */
#define TIDY_DELAY (HZ / 2)

/* More at a time come of group kills alone, of which one that is found is enough. */
#define VICTIMS_MAX 16

/* What a victim gives back next. */
enum bpf_oom_stage {
	BPF_OOM_MEMORY,
	BPF_OOM_FILES,
	BPF_OOM_TABLES,
	BPF_OOM_NOTHING,
};

static struct bpf_oom_victim {
	struct mm_struct *mm;	  /* with a reference to the struct; NULL: a free entry */
	struct mem_cgroup *memcg; /* with a reference */
	struct task_struct *task; /* the process, with a reference */
	enum bpf_oom_stage stage; /* when it was last looked at, */
	unsigned long pages;	  /* and what the address space had then */
	unsigned long moved;	  /* jiffies, when either of the two was last seen to be another */
	unsigned long barrier;	  /* the number of the one for its page tables; 0: has none yet */
} victims[VICTIMS_MAX];

/* Of the RCU barriers: the last number given to a victim, and the last one passed. */
static unsigned long barrier_wanted, barrier_passed;

/* For the barriers, with a worker of its own, as there may be no memory for another one. */
static struct workqueue_struct *barrier_queue;

static struct tracepoint *mark_victim;

static void tidy(struct work_struct *work);
static DECLARE_DELAYED_WORK(tidy_work, tidy);

static void victim_done(struct bpf_oom_victim *v)
{
	mmdrop(v->mm);
	css_put(&v->memcg->css);
	put_task_struct(v->task);
	*v = (struct bpf_oom_victim){};
}

/* Under a spinlock of the task's. */
static void on_mark_victim(void *data, struct task_struct *task, uid_t uid)
{
	struct mm_struct *mm = task->signal->oom_mm;
	struct mem_cgroup *memcg;
	struct bpf_oom_victim *entry = NULL;
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
		*entry = (struct bpf_oom_victim){
			.mm = mm,
			.memcg = memcg,
			.task = get_task_struct(task->group_leader),
			.pages = ULONG_MAX,
			.moved = jiffies,
		};
		schedule_delayed_work(&tidy_work, TIDY_DELAY);
	}
	rcu_read_unlock();
}

/* __mmput() takes the reference to the executable away right after exit_mmap(). */
static bool is_torn_down(struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users) && !rcu_access_pointer(mm->exe_file);
}

/* exit_notify() follows exit_files() and exit_task_work() in do_exit(). */
static bool has_ended(struct task_struct *task)
{
	struct task_struct *thread;
	bool ended = true;

	rcu_read_lock();
	for_each_thread(task, thread) {
		ended = READ_ONCE(thread->exit_state);
		if (!ended)
			break;
	}
	rcu_read_unlock();
	return ended;
}

static void pass_barrier(struct work_struct *work)
{
	unsigned long number = READ_ONCE(barrier_wanted);

	rcu_barrier();
	WRITE_ONCE(barrier_passed, number);
}

static DECLARE_WORK(barrier_work, pass_barrier);

static bool has_passed_barrier(struct bpf_oom_victim *v)
{
	if (!IS_ENABLED(CONFIG_MMU_GATHER_RCU_TABLE_FREE))
		return true;
	if (!v->barrier) {
		v->barrier = barrier_wanted + 1;
		WRITE_ONCE(barrier_wanted, v->barrier);
		queue_work(barrier_queue, &barrier_work);
	}
	return READ_ONCE(barrier_passed) >= v->barrier;
}

static enum bpf_oom_stage find_stage(struct bpf_oom_victim *v)
{
	if (!is_torn_down(v->mm))
		return BPF_OOM_MEMORY;
	if (!has_ended(v->task))
		return BPF_OOM_FILES;
	return has_passed_barrier(v) ? BPF_OOM_NOTHING : BPF_OOM_TABLES;
}

static unsigned long count_pages(struct mm_struct *mm)
{
	return get_mm_rss(mm) + get_mm_counter(mm, MM_SWAPENTS) + mm_pgtables_bytes(mm) / PAGE_SIZE;
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

/* Is there something to wait for? Looks how far the victim is. */
static bool is_leaving(struct bpf_oom_victim *v)
{
	enum bpf_oom_stage stage = find_stage(v);
	unsigned long pages = stage == BPF_OOM_MEMORY ? count_pages(v->mm) : 0;

	if (stage == BPF_OOM_NOTHING || is_reaped(v->mm))
		return false;
	if (stage != v->stage || pages < v->pages) {
		v->stage = stage;
		v->pages = pages;
		v->moved = jiffies;
	}
	return time_before(jiffies, v->moved + STALL_MAX);
}

static void tidy(struct work_struct *work)
{
	bool any = false;
	int i;

	/* An OOM may hold it for long, and others wait for this worker. */
	if (!mutex_trylock(bpf_oom_lock)) {
		schedule_delayed_work(&tidy_work, TIDY_DELAY);
		return;
	}
	for (i = 0; i < VICTIMS_MAX; i++) {
		if (!victims[i].mm)
			continue;
		if (is_leaving(&victims[i]))
			any = true;
		else
			victim_done(&victims[i]);
	}
	mutex_unlock(bpf_oom_lock);
	if (any)
		schedule_delayed_work(&tidy_work, TIDY_DELAY);
}

/* Would the end of @task help the one that ran out? Not on other nodes than that may use. */
static bool can_help(struct task_struct *task, const struct oom_control *oc)
{
	return oc->memcg || bpf_oom_is_eligible(task, oc);
}

static struct bpf_oom_victim *find_leaving(const struct oom_control *oc, bool declared)
{
	int i;

	for (i = 0; i < VICTIMS_MAX; i++) {
		struct bpf_oom_victim *v = &victims[i];

		if (!v->mm || (oc->memcg && !mem_cgroup_is_descendant(v->memcg, oc->memcg)) ||
		    !is_leaving(v))
			continue;
		/* Nobody waits for memory where an OOM was declared: its victim is at its end. */
		if (declared && v->stage != BPF_OOM_MEMORY)
			continue;
		/* Of one that has ended nobody knows any more where its memory was. */
		if (!oc->memcg && oc->constraint != CONSTRAINT_NONE &&
		    (v->stage != BPF_OOM_MEMORY || !can_help(v->task, oc)))
			continue;
		return v;
	}
	return NULL;
}

struct bpf_oom_dying_search {
	const struct oom_control *oc;
	pid_t pid;
};

static int note_dying(struct task_struct *task, void *arg)
{
	struct bpf_oom_dying_search *search = arg;

	if (!tsk_is_oom_victim(task) || mm_oom_skip(task->signal->oom_mm) ||
	    !can_help(task, search->oc))
		return 0;
	search->pid = task_tgid_nr(task);
	return 1;
}

/* The one that the kernel, too, would see. */
static pid_t find_dying(struct oom_control *oc, bool has_leaving)
{
	struct bpf_oom_dying_search search = {.oc = oc};
	struct task_struct *task;

	/*
	 * Spares the walk where no victim is in flight anywhere. The kernel counts one until its
	 * marked thread has gone, others may be longer about it.
	 */
	if (bpf_oom_victims && !atomic_read(bpf_oom_victims) && !has_leaving)
		return 0;

	if (oc->memcg) {
		static_call(bpf_oom_scan_tasks)(oc->memcg, note_dying, &search);
		return search.pid;
	}
	rcu_read_lock();
	for_each_process(task) {
		if (note_dying(task, &search))
			break;
	}
	rcu_read_unlock();
	return search.pid;
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

struct bpf_oom_awaited bpf_oom_find_awaited(struct oom_control *oc, bool declared)
{
	struct bpf_oom_awaited awaited = {};
	struct bpf_oom_victim *v;

	if (oc->order == -1)
		return awaited;
	v = find_leaving(oc, declared);
	awaited.pid = find_dying(oc, v != NULL);
	if (awaited.pid) {
		awaited.what = BPF_OOM_AWAITS_DYING;
	} else if (v) {
		awaited.pid = task_tgid_nr(v->task);
		awaited.what = BPF_OOM_AWAITS_LEAVING;
	} else {
		/* What a victim had is uncharged before it is no longer found: seen in this order.
		 */
		smp_rmb();
		if (!declared && has_room(oc))
			awaited.what = BPF_OOM_AWAITS_ROOM;
	}
	return awaited;
}

static void find_mark_victim(struct tracepoint *tp, void *data)
{
	if (strcmp(tp->name, "mark_victim") == 0)
		mark_victim = tp;
}

int bpf_oom_dying_init(void)
{
	int err;

	barrier_queue = alloc_ordered_workqueue("bpf_oom", WQ_MEM_RECLAIM);
	if (!barrier_queue) {
		pr_err("no memory for a workqueue\n");
		return -ENOMEM;
	}
	for_each_kernel_tracepoint(find_mark_victim, NULL);
	err = mark_victim ? tracepoint_probe_register(mark_victim, on_mark_victim, NULL) : -ENOENT;
	if (err) {
		pr_err("cannot trace mark_victim (%d)\n", err);
		destroy_workqueue(barrier_queue);
	}
	return err;
}

void bpf_oom_dying_exit(void)
{
	int i;

	tracepoint_probe_unregister(mark_victim, on_mark_victim, NULL);
	tracepoint_synchronize_unregister();
	cancel_delayed_work_sync(&tidy_work);
	destroy_workqueue(barrier_queue);
	for (i = 0; i < VICTIMS_MAX; i++) {
		if (victims[i].mm)
			victim_done(&victims[i]);
	}
}
