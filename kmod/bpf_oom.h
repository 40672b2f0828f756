/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_oom: the BPF OOM interface on kernels that lack it.
 *
 * The module has these rooms:
 *   symbols.c  finds the kernel functions that are not exported
 *   fit.c      whether these are what the module takes them for
 *   hook.c     enters out_of_memory() just before victim selection, and the OOM report
 *   dying.c    whether the memory is on its way already
 *   policy.c   struct_ops bpf_oom_ops: what BPF programs register as
 *   policies.c the list of those that are registered, which an OOM runs through
 *   evaluate.c the kernel's selection, where BPF is asked about each task
 *   trace.h    the tracepoint for a selection that chose nobody
 *   kfunc.c    what a policy may call, and how a program declares an OOM
 *   kfunc-own.c the same beyond the posted series, and who may call what
 *   memcg.c    kfuncs on memory cgroups, where the kernel lacks them
 *   notify.c   the root's memory.oom_control of cgroup v1
 *
 * Everything that happens to one OOM happens under oom_lock, which every caller of
 * out_of_memory() holds. The state of the current OOM is therefore one static struct, and only
 * the task that holds the lock ever finds itself in it.
 */
#ifndef _BPF_OOM_H
#define _BPF_OOM_H

#include <linux/bpf.h>
#include <linux/oom.h>
#include <linux/static_call.h>
#include <linux/types.h>

#define BPF_OOM_NAME_MAX_LEN 64

/* Of a name that set_oom_policy_name() sets, with its terminator. */
#define POLICY_NAME_LEN 16

/* Of the text that stands for the constraint of a declared OOM, with its terminator. */
#define BPF_OOM_CONSTRAINT_MAX_LEN 64

/* The kernel's mark in oom_control.chosen: selection was aborted, nobody is to be killed. */
#define BPF_OOM_ABORTED ((struct task_struct *)-1UL)

struct bpf_link;
struct bpf_oom;
struct btf;

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

/*
 * In the series a policy may trust oc->memcg that is not NULL: pass it to kfuncs, and its css to
 * iterators. The verifier looks for a type of this name with that member, in the BTF that oc comes
 * with, which is the module's (btf_nested_type_is_trusted() of kernel/bpf/verifier.c). Whoever has
 * called out_of_memory() holds the memcg.
 */
struct oom_control__safe_trusted_or_null {
	struct mem_cgroup *memcg;
};

/* --- symbols.c */

extern struct mutex *bpf_oom_lock; /* the kernel's oom_lock */
extern atomic_t *bpf_oom_victims;  /* the kernel's oom_victims: in flight; NULL: not found */
/* Of the functions that are hooked. */
extern struct bpf_oom_kernel {
	unsigned long out_of_memory;
	unsigned long oom_evaluate_task;
	unsigned long mem_cgroup_scan_tasks;
	unsigned long dump_header;
	unsigned long mem_cgroup_get_oom_group;
} bpf_oom_kernel;

/* Of the memory controller, for memcg.c and notify.c. */
extern struct bpf_oom_memcg {
	struct mem_cgroup *root; /* NULL: nothing of this was found */
	const u8 *stats_index;	/* NULL: the kernel has the memcg kfuncs, or lacks what ours need */
	const u8 *events_index; /* NULL: events cannot be read */
	spinlock_t *oom_lock;	/* guards the oom_notify lists of cgroup v1; NULL: not found */
} bpf_oom_memcg;

typedef int bpf_oom_task_fn(struct task_struct *task, void *arg);
typedef bool bpf_oom_out_of_memory_fn(struct oom_control *oc);
typedef void bpf_oom_kill_fn(struct oom_control *oc, const char *message);
typedef void bpf_oom_kill_more_fn(struct task_struct *victim, const char *message);
typedef void bpf_oom_scan_fn(struct mem_cgroup *memcg, bpf_oom_task_fn *fn, void *arg);
typedef void bpf_oom_report_fn(struct oom_control *oc);
typedef unsigned long bpf_oom_page_state_fn(struct mem_cgroup *memcg, int idx);
typedef void bpf_oom_flush_stats_fn(struct mem_cgroup *memcg);
typedef unsigned long bpf_oom_memcg_events_fn(struct mem_cgroup *memcg, int event);
typedef const struct bpf_func_proto *bpf_oom_helper_fn(enum bpf_func_id id,
						       const struct bpf_prog *prog);
typedef long bpf_oom_badness_fn(struct task_struct *task, unsigned long totalpages);
typedef bool bpf_oom_mempolicy_fn(struct task_struct *task, const nodemask_t *mask);
typedef struct kernfs_node *bpf_oom_node_fn(struct kernfs_root *root, u64 id);

/*
 * Static calls, not function pointers: a direct call needs no ENDBR at its target, and the
 * kernel removes the ENDBR of functions that it never calls through a pointer itself.
 */
DECLARE_STATIC_CALL(bpf_oom_out_of_memory, bpf_oom_out_of_memory_fn);
DECLARE_STATIC_CALL(bpf_oom_kill, bpf_oom_kill_fn);
DECLARE_STATIC_CALL(bpf_oom_scan_tasks, bpf_oom_scan_fn);
DECLARE_STATIC_CALL(bpf_oom_dump_header, bpf_oom_report_fn);
DECLARE_STATIC_CALL(bpf_oom_kill_more, bpf_oom_kill_more_fn);
DECLARE_STATIC_CALL(bpf_oom_page_state, bpf_oom_page_state_fn);
DECLARE_STATIC_CALL(bpf_oom_flush_stats, bpf_oom_flush_stats_fn);
DECLARE_STATIC_CALL(bpf_oom_memcg_events, bpf_oom_memcg_events_fn);
DECLARE_STATIC_CALL(bpf_oom_tracing_helper, bpf_oom_helper_fn);
DECLARE_STATIC_CALL(bpf_oom_badness, bpf_oom_badness_fn);
DECLARE_STATIC_CALL(bpf_oom_in_mempolicy, bpf_oom_mempolicy_fn);
DECLARE_STATIC_CALL(bpf_oom_find_node, bpf_oom_node_fn);

/* Finds everything above. Returns 0; -EOPNOTSUPP if the kernel has the interface itself; -ENOENT
 * if it lacks a function this module stands on, or has another by that name. Each is explained in
 * the kernel log. */
int bpf_oom_symbols_init(void);
/* The address of @name in the kernel itself, or 0. Not of a module: those may be gone at once. */
unsigned long bpf_oom_lookup(const char *name);

/* --- fit.c */

/* Before the others here. Returns 0, or -ENOENT with the reason in the kernel log. */
int bpf_oom_fit_init(void);

/* A function of the kernel. */
struct bpf_oom_function {
	const char *name;
	const char *type; /* as fit.c writes types */
	enum {
		BPF_OOM_CALLED,
		BPF_OOM_HOOKED,	  /* and called: no clone of it may have callers of its own */
		BPF_OOM_OPTIONAL, /* called if it is there */
	} use;
	unsigned long address; /* 0: it is not there, or is another one */
	unsigned int n_bodies;
	char clone[64]; /* the name of one, or "" */
};

/* Finds the addresses. Returns whether all are there that have to be; says which are not, and why.
 */
bool bpf_oom_find_functions(struct bpf_oom_function *functions, size_t n);
/* Is the function at @callee called by that at @caller, where it can be seen in the latter's text?
 */
bool bpf_oom_calls(unsigned long caller, unsigned long callee);
/* The name of a type in @btf, where NULL is the kernel's, or "". */
const char *bpf_oom_btf_name(const struct btf *btf, u32 id);

/* --- dying.c */

/* What an OOM has to wait for. */
struct bpf_oom_awaited {
	enum {
		BPF_OOM_AWAITS_NOTHING,
		BPF_OOM_AWAITS_DYING,	/* a victim that holds memory, as the kernel sees it */
		BPF_OOM_AWAITS_LEAVING, /* one that the kernel sees no more, whose memory comes */
		BPF_OOM_AWAITS_ROOM,	/* nobody, there is memory now */
	} what;
	pid_t pid; /* of the victim in the initial pid namespace; 0: there is none */
};

/* Returns 0 or a negative errno, with the reason in the kernel log. */
int bpf_oom_dying_init(void);
/* Looks in the domain of @oc; for SysRq's nothing is awaited. A @declared OOM is one also where
 * there is room. Under oom_lock; does not sleep for a system OOM. */
struct bpf_oom_awaited bpf_oom_find_awaited(struct oom_control *oc, bool declared);
/* When no OOM comes here any more. */
void bpf_oom_dying_exit(void);

/* --- hook.c */

int bpf_oom_hook_init(void);
/* After this no task is inside the module's text by way of a hook. */
void bpf_oom_hook_exit(void);

/* Is @oc the OOM that the current task handles right now? */
bool bpf_oom_is_current(const struct oom_control *oc);
/* Is @oc the OOM for which the current task looks at tasks right now? */
bool bpf_oom_is_selecting(const struct oom_control *oc);
/* The number of @oc, if it is the OOM that the current task handles right now, from 1; otherwise 0.
 */
u64 bpf_oom_current_number(const struct oom_control *oc);
/* Is the current task inside out_of_memory(), with oom_lock held? */
bool bpf_oom_is_inside(void);
/* Does the current task allocate for a memcg that it is not in? Of the current OOM. */
bool bpf_oom_is_remote(void);

/*
 * Runs the OOM machinery for @oc, of which the report is to say @text in a line of its own; NULL
 * for nothing. Nobody to kill is no reason for a report here, nor for a panic. Under oom_lock, may
 * sleep. Returns whether anybody was killed, is dying, or memory was freed.
 */
bool bpf_oom_declare(struct oom_control *oc, const char *text);
/* While set, a kill takes one process alone. Of the current OOM. */
void bpf_oom_set_single(bool single);
/* A policy killed for the current OOM. */
void bpf_oom_set_memory_freed(void);
/* The name of what decides @oc, for the report; "default" for the kernel. Never NULL. */
const char *bpf_oom_policy_name(const struct oom_control *oc);
/* Names the policy of @oc if that is what the current task handles. @name may be unterminated. */
void bpf_oom_set_policy_name(const struct oom_control *oc, const char *name, size_t size);

/* BPF has a say in the current OOM. */
void bpf_oom_set_policed(void);
/* What @oc waits for, if the current task handles it and is asking policies or selecting; otherwise
 * NULL. Each who asks is told the same. Does not sleep. */
const struct bpf_oom_awaited *bpf_oom_get_awaited(const struct oom_control *oc);
/* Was a process killed by a policy for the current OOM? */
bool bpf_oom_has_killed(void);

/*
 * Was a victim of an earlier OOM dying when this one came here, and is not any more? Then memory
 * has come since, and nobody else is to die. Of the current OOM, before its first kill.
 */
bool bpf_oom_victim_left(void);

/* --- policy.c */

int bpf_oom_policy_init(void);

/* --- policies.c */

/* What the kernel calls for a struct_ops map that is attached, detached, and exchanged. */
int bpf_oom_ops_reg(void *kdata, struct bpf_link *link);
void bpf_oom_ops_unreg(void *kdata, struct bpf_link *link);
int bpf_oom_ops_update(void *kdata, void *old_kdata, struct bpf_link *link);

/* A glance without a lock: one that is registered just now may miss this OOM. */
bool bpf_oom_have_policies(void);

/*
 * Runs the registered policies in load order until one returns non-zero and memory was freed.
 * @freed is what bpf_oom_set_memory_freed() sets; @name is the policy that runs, NULL when none
 * does. Returns whether the OOM is handled. Under oom_lock, may sleep.
 */
bool bpf_oom_run_policies(struct oom_control *oc, const bool *freed, const char **name);
/* Has the policy that runs taken too long to have a say any more? */
bool bpf_oom_is_overdue(void);

/* --- evaluate.c */

int bpf_oom_evaluate_init(void);

/* What the death of the task gives back that a program is being asked about, in pages. LONG_MIN if
 * that is nothing, or no program is being asked for @oc. */
s64 bpf_oom_evaluated_pages(const struct oom_control *oc);

/* Can a thread of @task have memory where the allocation failed? As oom_cpuset_eligible(). */
bool bpf_oom_is_eligible(struct task_struct *task, const struct oom_control *oc);

/* Before the first task of a selection. */
void bpf_oom_begin_selection(struct oom_control *oc);
/* A bpf_oom_task_fn whose argument is the oom_control: takes or leaves @task, returns non-zero to
 * end the selection. Under oom_lock; does not sleep. */
int bpf_oom_evaluate(struct task_struct *task, void *arg);

/* --- kfunc.c */

/* Returns 0, or why the process must not or cannot be killed for @oc. */
int bpf_oom_check_victim(struct oom_control *oc, struct task_struct *task);
/* Kills it as the kernel does; the same errors. Under oom_lock. */
int bpf_oom_kill_victim(struct oom_control *oc, struct task_struct *task, const char *message);

/* --- kfunc-own.c */

int bpf_oom_kfunc_init(void);
/* The module's BTF. */
void bpf_oom_set_own_btf(const struct btf *btf);

/* --- memcg.c */

/* Without effect where !bpf_oom_memcg.stats_index. */
int bpf_oom_memcg_init(void);

/* --- notify.c */

#ifdef CONFIG_MEMCG_V1
/* A system OOM happens. Under oom_lock; does not sleep. */
void bpf_oom_notify_root(void);
/* A glance without a lock: one who has come just now may miss this OOM. */
bool bpf_oom_root_is_listened_to(void);
#else
static inline void bpf_oom_notify_root(void)
{
}
static inline bool bpf_oom_root_is_listened_to(void)
{
	return false;
}
#endif

#endif
