// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs on all interfaces of bpf_oom.ko; they do as their loader says. Built from the
 * interfaces' description alone, without any header of this project.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* How long a program waits at most, should the test fail to let it go. */
#define HOLD_NSEC 8000000000ULL
/* More steps than there are in that time. */
#define HOLD_OUTER (1 << 23)
#define HOLD_INNER (1 << 10)

enum oom_constraint { CONSTRAINT_NONE };

/* The numbers are the kernel's, whatever they are. */
enum node_stat_item { NR_ANON_MAPPED, NR_ISOLATED_ANON };

struct task_struct {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

struct cgroup_subsys_state {
	int id;
} __attribute__((preserve_access_index));

struct cgroup {
	struct cgroup_subsys_state self;
} __attribute__((preserve_access_index));

/* Looked into below, or the compiler only forward-declares it. */
struct mem_cgroup {
	struct cgroup_subsys_state css;
} __attribute__((preserve_access_index));

struct oom_control {
	struct mem_cgroup *memcg;
	int order;
	enum oom_constraint constraint;
} __attribute__((preserve_access_index));

struct bpf_oom_ops {
	int (*handle_out_of_memory)(struct oom_control *oc);
	char name[64];
};

extern void set_oom_policy_name(struct oom_control *oc, const char *buf, unsigned long sz) __ksym;
extern int bpf_oom_kill_process(struct oom_control *oc, struct task_struct *task,
				const char *message__str) __ksym;
extern int bpf_out_of_memory(struct mem_cgroup *memcg, int order, _Bool wait_on_oom_lock,
			     const char *constraint_text) __ksym;
extern struct mem_cgroup *bpf_get_root_mem_cgroup(void) __ksym;
extern struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym;
extern void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym;
extern unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg) __ksym;
extern unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx) __ksym;
extern void bpf_mem_cgroup_flush_stats(struct mem_cgroup *memcg) __ksym;
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgroup) __ksym;

char LICENSE[] SEC("license") = "GPL";

/* --- task evaluation */

/* What to answer for a process, and for all others. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __s32);
	__type(value, __s32);
} answers SEC(".maps");

__s32 other_answer;

__u32 name_size; /* 0: set no name */
char name[64];

__u64 evaluated;    /* tasks that were asked for */
__u64 begun;	    /* OOMs that came to selection */
__u64 asked_before; /* tasks that were asked for until the last of them began */
__u64 ended;	    /* OOMs in which nobody was chosen */
__s32 end_order;    /* of the last of them */
_Bool end_memcg;
_Bool end_root; /* bpf_get_root_mem_cgroup() found it from a tracing program */

SEC("fentry/bpf_set_policy_name")
int BPF_PROG(test_begin, struct oom_control *oc)
{
	__u32 size = name_size & (sizeof(name) - 1);

	begun++;
	asked_before = evaluated;
	if (size)
		set_oom_policy_name(oc, name, size);
	return 0;
}

SEC("fmod_ret/bpf_oom_evaluate_task")
int BPF_PROG(test_evaluate, struct task_struct *task, struct oom_control *oc)
{
	__s32 tgid = task->tgid;
	__s32 *answer = bpf_map_lookup_elem(&answers, &tgid);

	evaluated++;
	return answer ? *answer : other_answer;
}

SEC("tp_btf/select_bad_process_end")
int BPF_PROG(test_end, struct oom_control *oc)
{
	struct mem_cgroup *root;

	ended++;
	/* To the verifier any argument of a module's tracepoint may be NULL. */
	if (!oc)
		return 0;
	end_order = oc->order;
	end_memcg = oc->memcg != 0;
	root = bpf_get_root_mem_cgroup();
	if (root) {
		end_root = 1;
		bpf_put_mem_cgroup(root);
	}
	return 0;
}

/* --- waiting for the loader, with a lock or a reference in hand */

_Bool hold; /* wait while this is set */
_Bool holding;

__u64 hold_end_nsec;

static int hold_step(__u32 i, void *unused)
{
	return !*(volatile _Bool *)&hold || bpf_ktime_get_ns() > hold_end_nsec;
}

static int hold_round(__u32 i, void *unused)
{
	return bpf_loop(HOLD_INNER, hold_step, 0, 0) < HOLD_INNER;
}

static void hold_on(void)
{
	hold_end_nsec = bpf_ktime_get_ns() + HOLD_NSEC;
	holding = 1;
	bpf_loop(HOLD_OUTER, hold_round, 0, 0);
	holding = 0;
}

/* The process that waits at its exit, when it has left its address space and holds the memory. */
__s32 hold_exit_pid;

SEC("fentry/exit_mmap")
int BPF_PROG(test_exit)
{
	if (hold && bpf_get_current_pid_tgid() >> 32 == (__u32)hold_exit_pid)
		hold_on();
	return 0;
}

/* --- a handler */

__s32 kill_pid; /* 0: nobody */
_Bool declare_inside;

__u64 handled;
__s32 kill_result;
__s32 kill_constraint; /* what the kernel says after the kill */
__s32 inside_result;

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(test_handle, struct oom_control *oc)
{
	struct task_struct *task;

	handled++;
	if (hold)
		hold_on();
	if (declare_inside)
		inside_result = bpf_out_of_memory(0, 0, 0, 0);
	if (!kill_pid)
		return 0;
	task = bpf_task_from_pid(kill_pid);
	if (!task)
		return 0;
	kill_result = bpf_oom_kill_process(oc, task, "killed by a test");
	kill_constraint = oc->constraint;
	bpf_task_release(task);
	return kill_result == 0;
}

SEC(".struct_ops.link")
struct bpf_oom_ops test_ops = {
	.handle_out_of_memory = (void *)test_handle,
	.name = "interface",
};

/* --- declared OOMs and memory cgroups */

char text[128];

struct declaration {
	__u64 cgroup_id; /* 0: NULL for the system */
	__s32 order;
	__u32 wait;
	__u32 with_text;
	__u32 with_hold; /* between the memcg and its OOM */
	__s32 result;	 /* of bpf_out_of_memory(); 1000: the cgroup has no memcg */
};

static struct mem_cgroup *memcg_of(__u64 cgroup_id)
{
	struct cgroup *cgroup = bpf_cgroup_from_id(cgroup_id);
	struct mem_cgroup *memcg;

	if (!cgroup)
		return 0;
	memcg = bpf_get_mem_cgroup(&cgroup->self);
	bpf_cgroup_release(cgroup);
	return memcg;
}

SEC("syscall")
int test_declare(struct declaration *d)
{
	const char *constraint = d->with_text ? text : 0;
	struct mem_cgroup *memcg;

	if (!d->cgroup_id) {
		d->result = bpf_out_of_memory(0, d->order, d->wait, constraint);
		return 0;
	}
	d->result = 1000;
	memcg = memcg_of(d->cgroup_id);
	if (memcg) {
		if (d->with_hold)
			hold_on();
		d->result = bpf_out_of_memory(memcg, d->order, d->wait, constraint);
		bpf_put_mem_cgroup(memcg);
	}
	return 0;
}

struct numbers {
	__u64 cgroup_id;
	__s64 css_id; /* 0: the cgroup has no memcg */
	__u64 usage_pages;
	__u64 anon_pages;
	__u64 not_counted; /* what is told of an item that memcgs do not count, */
	__u64 negative;	   /* and of two that do not exist */
	__u64 beyond;
};

SEC("syscall")
int test_numbers(struct numbers *n)
{
	struct mem_cgroup *memcg = memcg_of(n->cgroup_id);

	n->css_id = memcg ? memcg->css.id : 0;
	if (!memcg)
		return 0;
	n->usage_pages = bpf_mem_cgroup_usage(memcg);
	bpf_mem_cgroup_flush_stats(memcg);
	n->anon_pages = bpf_mem_cgroup_page_state(
		memcg, bpf_core_enum_value(enum node_stat_item, NR_ANON_MAPPED));
	n->not_counted = bpf_mem_cgroup_page_state(
		memcg, bpf_core_enum_value(enum node_stat_item, NR_ISOLATED_ANON));
	n->negative = bpf_mem_cgroup_page_state(memcg, -1);
	n->beyond = bpf_mem_cgroup_page_state(memcg, 1 << 20);
	bpf_put_mem_cgroup(memcg);
	return 0;
}
