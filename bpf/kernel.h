/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel as the BPF programs see it: the members that they read, and how to read what
 * differs from one kernel to the next. All drift between kernels is here and nowhere else.
 *
 * The structs name only what is used; CO-RE finds the real offsets when the object is loaded, so
 * no generated vmlinux.h is needed to build. Members that only some kernels have are read behind
 * bpf_core_field_exists().
 */
#ifndef OP_KERNEL_H
#define OP_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <linux/version.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "oompolicy.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic_long_t;

/* include/linux/percpu_counter.h; .count is what the kernel's get_mm_counter() returns too. */
struct percpu_counter {
	__s64 count;
};

/* include/linux/mm_types.h */
struct mm_struct {
	struct percpu_counter rss_stat[4];
	atomic_long_t pgtables_bytes;
	unsigned long flags;
};

/* Since 6.18 the flags are a bitmap in a struct. */
typedef struct {
	unsigned long __mm_flags[1];
} mm_flags_t;

struct mm_struct___bitmap {
	mm_flags_t flags;
};

struct kernfs_node {
	__u64 id;
	const char *name;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

/* include/linux/cgroup_subsys.h; each kernel has its own numbers. */
enum cgroup_subsys_id {
	memory_cgrp_id,
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	int nr_descendants;	/* that are not dying */
	int nr_populated_csets; /* that hold tasks, descendants' not counted */
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup_subsys_state *subsys[1]; /* one for each enum cgroup_subsys_id */
};

/* 7.2 counts them in the css instead, for each controller. */
struct cgroup_subsys_state___populated {
	int nr_populated_csets;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* one for each enum cgroup_subsys_id */
	struct css_set
		*dom_cset; /* of the process, where its threads are in cgroups of their own */
	struct cgroup *dfl_cgrp;
};

/* In pages, where there is no limit PAGE_COUNTER_MAX. */
struct page_counter {
	atomic_long_t usage;
	unsigned long high;
	unsigned long max;
};

enum memcg_memory_event {
	MEMCG_OOM = 3,
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	atomic_long_t memory_events[1]; /* one for each enum memcg_memory_event */
	struct page_counter memory;
	struct page_counter swap; /* version 2 only */
	bool oom_group;		  /* memory.oom.group */
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct completion;

struct signal_struct {
	struct mm_struct *oom_mm;
	short oom_score_adj;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct cred *real_cred;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct completion *vfork_done;
	__u64 start_boottime;
	char comm[OP_COMM_LEN];
};

/* include/linux/oom.h */
enum oom_constraint {
	CONSTRAINT_NONE,
	CONSTRAINT_CPUSET,
	CONSTRAINT_MEMORY_POLICY,
	CONSTRAINT_MEMCG,
};

struct oom_control {
	unsigned long totalpages;
	struct mem_cgroup *memcg;
	unsigned int gfp_mask;
	int order;
	struct task_struct *chosen; /* referenced; -1: the selection was aborted */
	enum oom_constraint constraint;
};

#pragma clang attribute pop

/* The interface of the posted series (v1). libbpf matches the members by name. */
struct bpf_oom_ops {
	int (*handle_out_of_memory)(struct oom_control *oc);
	char name[OP_POLICY_NAME_LEN];
};

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
/* The build machine's uapi headers may be older than the kernel the object is for. */
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
#endif

/* Open-coded iterators: opaque, sizes from include/uapi/linux/bpf.h and kernel/bpf/task_iter.c. */
struct bpf_iter_css {
	__u64 opaque[3];
} __attribute__((aligned(8)));

struct bpf_iter_css_task {
	__u64 opaque[1];
} __attribute__((aligned(8)));

struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));

#define OP_TASK_ITER_ALL_PROCS 0	 /* BPF_TASK_ITER_ALL_PROCS, kernel/bpf/task_iter.c */
#define OP_TASK_ITER_PROC_THREADS 2	 /* BPF_TASK_ITER_PROC_THREADS, kernel/bpf/task_iter.c */
#define OP_CGROUP_ITER_DESCENDANTS_PRE 2 /* BPF_CGROUP_ITER_DESCENDANTS_PRE, uapi/linux/bpf.h */
#define OP_CSS_TASK_ITER_PROCS 1	 /* CSS_TASK_ITER_PROCS, include/linux/cgroup.h */

extern int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start,
			    unsigned int flags) __ksym __weak;
extern struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it) __ksym __weak;
extern void bpf_iter_css_destroy(struct bpf_iter_css *it) __ksym __weak;

extern int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *css,
				 unsigned int flags) __ksym __weak;
extern struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it) __ksym __weak;
extern void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it) __ksym __weak;

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
			     unsigned int flags) __ksym __weak;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym __weak;

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym;
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
extern long bpf_task_under_cgroup(struct task_struct *task, struct cgroup *ancestor) __ksym;
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

/* From the kernel with the series, or from bpf_oom.ko. */
extern int bpf_oom_kill_process(struct oom_control *oc, struct task_struct *task,
				const char *message__str) __ksym;
/* From bpf_oom.ko alone: the same for one process, whatever memory.oom.group says. */
extern int bpf_oom_kill_single_process(struct oom_control *oc, struct task_struct *task,
				       const char *message__str) __ksym __weak;

/* Likewise: for one more process, after the victim, and without a report of its own. */
extern int bpf_oom_kill_member(struct oom_control *oc, struct task_struct *task,
			       const char *message__str) __ksym __weak;
/* Likewise: the process whose memory this OOM has to wait for, -1 if there is memory now, 0 if
 * nothing is awaited. */
extern __s32 bpf_oom_awaits(struct oom_control *oc) __ksym __weak;
/* Likewise: the number of the OOM, which no other one has; 0: it is not that of the current task.
 */
extern __u64 bpf_oom_number(struct oom_control *oc) __ksym __weak;
/* Likewise: what the death of the process gives back, in pages; negative: nothing. For handlers and
 * programs that user space runs; the second, of the process that is asked about, for
 * fmod_ret/bpf_oom_evaluate_task. */
extern __s64 bpf_oom_task_pages(struct task_struct *task) __ksym __weak;
extern __s64 bpf_oom_asked_pages(struct oom_control *oc) __ksym __weak;
/* Likewise: bpf_cgroup_from_id() that no cgroup namespace limits. */
extern struct cgroup *bpf_oom_cgroup_from_id(__u64 id) __ksym __weak;

/* Likewise: what the report calls the policy. Keeps 15 bytes. */
extern void set_oom_policy_name(struct oom_control *oc, const char *buf, size_t sz) __ksym __weak;

/* What bpf_oom_evaluate_task() may be made to return. */
#define OP_NO_BPF_POLICY 0   /* the kernel goes on as it would */
#define OP_BPF_EVAL_ABORT 1  /* nobody is to be killed */
#define OP_BPF_EVAL_NEXT 2   /* not this one */
#define OP_BPF_EVAL_SELECT 3 /* this one, as far as has been seen */

/*
 * From a kernel that has them or from bpf_oom.ko. Given the css of the cgroup itself the second
 * finds that of its memory controller. What came after the posted series takes flags where the
 * first has a bool: 0 means the same in both.
 */
extern int bpf_out_of_memory(struct mem_cgroup *memcg__nullable, int order, bool wait_on_oom_lock,
			     const char *constraint_text__nullable) __ksym;
extern struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym;
extern void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym;

/* The kernel's PAGE_SIZE: who loads the object sets it where it is another, as on arm64 it may be.
 */
const volatile __u32 page_bytes = 4096;

/* Kernel constants that are macros, and so not in BTF. */
#define OP_PAGE_COUNTER_MAX (__LONG_MAX__ / page_bytes) /* PAGE_COUNTER_MAX, page_counter.h */
#define OP_PF_KTHREAD 0x00200000			/* PF_KTHREAD, include/linux/sched.h */
/* include/linux/sched/coredump.h, and since 6.18 mm_types.h */
#define OP_MMF_OOM_SKIP 21     /* MMF_OOM_SKIP */
#define OP_MMF_MULTIPROCESS 26 /* MMF_MULTIPROCESS */
#define OP_OOM_SCORE_ADJ_MIN (-1000)

#define OP_PID_INIT 1

/* enum of include/linux/mm_types_task.h */
#define OP_MM_FILEPAGES 0
#define OP_MM_ANONPAGES 1
#define OP_MM_SWAPENTS 2
#define OP_MM_SHMEMPAGES 3

/*
 * The same pointer, for reading only. Where a program reads a pointer by way of one that the
 * verifier trusts, the verifier looks up to four names up in all of the kernel's types to learn
 * whether it may trust that one too (btf_nested_type_is_trusted() of 6.12), and it does so on every
 * path: most of the time that loading took. What is read by this one is trusted nowhere, and the
 * code is the same.
 */
#define READ_ONLY(pointer) bpf_core_cast(pointer, typeof(*(pointer)))

/* A reference, or NULL. Before 6.12.58, and in some later ones, the kernel's function finds only
 * what the cgroup namespace of whoever ran out of memory has. */
static __always_inline struct cgroup *cgroup_from_id(__u64 id)
{
	if (bpf_ksym_exists(bpf_oom_cgroup_from_id))
		return bpf_oom_cgroup_from_id(id);
	return bpf_cgroup_from_id(id);
}

static __always_inline __u64 not_negative(__s64 n)
{
	return n > 0 ? n : 0;
}

/* A macro, since CO-RE relocates an array index only where the front end sees a constant. */
#define mm_counter_pages(mm, member) not_negative((mm)->rss_stat[member].count)

static __always_inline __u64 mm_pgtables_pages(struct mm_struct *mm)
{
	return (__u64)mm->pgtables_bytes.counter / page_bytes;
}

static __always_inline unsigned long mm_flags(struct mm_struct *mm)
{
	const struct mm_struct___bitmap *bitmap = (const void *)mm;

	return bpf_core_field_exists(bitmap->flags.__mm_flags) ? bitmap->flags.__mm_flags[0]
							       : mm->flags;
}

static __always_inline bool mm_oom_skip(struct mm_struct *mm)
{
	return mm_flags(mm) & (1UL << OP_MMF_OOM_SKIP);
}

/* May several processes have this address space, as by clone(CLONE_VM)? Not those of vfork(). */
static __always_inline bool mm_is_shared(struct mm_struct *mm)
{
	return mm_flags(mm) & (1UL << OP_MMF_MULTIPROCESS);
}

/* Are there tasks in the cgroup itself? */
static __always_inline bool cgroup_has_tasks(struct cgroup *cgroup)
{
	const struct cgroup_subsys_state___populated *self = (const void *)&cgroup->self;

	return bpf_core_field_exists(self->nr_populated_csets) ? self->nr_populated_csets
							       : cgroup->nr_populated_csets;
}

/* The parent, or NULL of the root. @cgroup is for reading only, and the parent is too. */
static __always_inline struct cgroup *cgroup_parent(struct cgroup *cgroup)
{
	struct cgroup_subsys_state *parent = cgroup->self.parent;

	return parent ? parent->cgroup : NULL;
}

static __always_inline struct bpf_iter_num *begin_ancestors(struct bpf_iter_num *count)
{
	bpf_iter_num_new(count, 0, OP_DEPTH_MAX);
	(void)bpf_iter_num_destroy; /* as in bpf_for(): clang has no type of it otherwise */
	return count;
}

/*
 * Goes from @cgroup, which is for reading only, to the root: @cgroup itself first, and no more than
 * OP_DEPTH_MAX of them. The count is the bound that the verifier asks for.
 */
#define for_each_ancestor(cgroup)                                                    \
	for (struct bpf_iter_num it_ __attribute__((cleanup(bpf_iter_num_destroy))), \
	     *count_ = begin_ancestors(&it_);                                        \
	     (cgroup) && bpf_iter_num_next(count_); (cgroup) = cgroup_parent(cgroup))

/* Pages that the cgroup and its descendants use; without the memory controller, those of its
 * nearest ancestor with it. @cgroup is for reading only. */
static __always_inline __u64 cgroup_usage_pages(struct cgroup *cgroup)
{
	__u64 memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgroup_subsys_state *css;

	for_each_ancestor(cgroup) {
		css = ((struct cgroup_subsys_state *const *)(void *)&cgroup->subsys)[memory];
		if (css)
			return not_negative(
				bpf_core_cast(css, struct mem_cgroup)->memory.usage.counter);
	}
	return 0;
}

static __always_inline struct cgroup *task_cgroup(struct task_struct *task)
{
	return READ_ONLY(task)->cgroups->dfl_cgrp;
}

/* The cgroup in whose cgroup.procs the process is listed. */
static __always_inline struct cgroup *process_cgroup(struct task_struct *task)
{
	return READ_ONLY(task)->cgroups->dom_cset->dfl_cgrp;
}

#endif
