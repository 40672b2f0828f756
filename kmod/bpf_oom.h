/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_oom: the BPF OOM interface on kernels that lack it.
 *
 * The module has four rooms:
 *   symbols.c  finds the kernel functions that are not exported
 *   hook.c     enters out_of_memory() just before victim selection, and the OOM report
 *   policy.c   struct_ops bpf_oom_ops: the list of registered policies
 *   kfunc.c    what a policy may call
 *
 * Everything that happens to one OOM happens under oom_lock, which every caller of
 * out_of_memory() holds. The state of the OOM in hand is therefore one static struct, and only
 * the task that holds the lock ever finds itself in it.
 */
#ifndef _BPF_OOM_H
#define _BPF_OOM_H

#include <linux/oom.h>
#include <linux/static_call.h>
#include <linux/types.h>

#define BPF_OOM_NAME_MAX_LEN 64

struct bpf_oom;

/* The posted interface: its names, order and types are what a BPF object is checked against. */
struct bpf_oom_ops {
	/**
	 * @handle_out_of_memory: called before the kernel selects a victim; sleepable, with
	 * oom_lock held. Returns 1 if it freed memory, 0 if it has no opinion.
	 */
	int (*handle_out_of_memory)(struct oom_control *oc);

	/** @name: printed in the OOM report as oom_policy=<name> */
	char name[BPF_OOM_NAME_MAX_LEN];

	/* private: set while registered */
	struct bpf_oom *bpf_oom;
};

/* --- symbols.c */

extern struct mutex *bpf_oom_lock; /* the kernel's oom_lock */
extern atomic_t *bpf_oom_victims;  /* the kernel's oom_victims: in flight; NULL: not found */
extern struct bpf_oom_kernel {
	unsigned long out_of_memory;
	unsigned long oom_evaluate_task;
	unsigned long mem_cgroup_scan_tasks;
	unsigned long dump_header;
	unsigned long mem_cgroup_get_oom_group;
} bpf_oom_kernel;

typedef int bpf_oom_task_fn(struct task_struct *task, void *arg);
typedef bool bpf_oom_out_of_memory_fn(struct oom_control *oc);
typedef void bpf_oom_kill_fn(struct oom_control *oc, const char *message);
typedef void bpf_oom_scan_fn(struct mem_cgroup *memcg, bpf_oom_task_fn *fn, void *arg);
typedef void bpf_oom_report_fn(struct oom_control *oc);

/*
 * Static calls, not function pointers: a direct call needs no ENDBR at its target, and the
 * kernel removes the ENDBR of functions that it never calls through a pointer itself.
 */
DECLARE_STATIC_CALL(bpf_oom_out_of_memory, bpf_oom_out_of_memory_fn);
DECLARE_STATIC_CALL(bpf_oom_kill, bpf_oom_kill_fn);
DECLARE_STATIC_CALL(bpf_oom_scan_tasks, bpf_oom_scan_fn);
DECLARE_STATIC_CALL(bpf_oom_dump_header, bpf_oom_report_fn);

/* Finds everything above. Returns 0; -EOPNOTSUPP if the kernel has the interface itself; -ENOENT
 * if it lacks a function this module stands on. Either is explained in the kernel log. */
int bpf_oom_symbols_init(void);

/* --- hook.c */

int bpf_oom_hook_init(void);
/* After this no task is inside the module's text by way of a hook. */
void bpf_oom_hook_exit(void);

/* Is @oc the OOM that the current task handles right now? */
bool bpf_oom_is_current(const struct oom_control *oc);
/* While set, a kill takes one process alone. Of the OOM in hand. */
void bpf_oom_set_single(bool single);
/* A policy killed for the OOM in hand. */
void bpf_oom_set_memory_freed(void);

/* --- policy.c */

int bpf_oom_policy_init(void);

/* A glance without a lock: one that is registered just now may miss this OOM. */
bool bpf_oom_have_policies(void);

/*
 * Runs the registered policies in load order until one returns non-zero and memory was freed.
 * @freed is what bpf_oom_set_memory_freed() sets; @name is the policy that runs, NULL when none
 * does. Returns whether the OOM is handled. Under oom_lock, may sleep.
 */
bool bpf_oom_run_policies(struct oom_control *oc, const bool *freed, const char **name);

/* --- kfunc.c */

int bpf_oom_kfunc_init(void);

#endif
