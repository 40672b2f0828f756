// SPDX-License-Identifier: GPL-2.0-only
/*
 * An OOM handler that does as its loader says: kills one process, two or nobody, and returns a
 * given number, also when that is a lie. Built from the interface's description alone, without any
 * header of this project, so that it fails if the module's idea of the interface drifts.
 */
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

struct oom_control {
	int order;
} __attribute__((preserve_access_index));

struct bpf_oom_ops {
	int (*handle_out_of_memory)(struct oom_control *oc);
	char name[64];
};

extern int bpf_oom_kill_process(struct oom_control *oc, struct task_struct *task,
				const char *message__str) __ksym;
extern _Bool bpf_task_is_oom_victim(struct task_struct *task) __ksym;
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

char LICENSE[] SEC("license") = "GPL";

const volatile __s32 victim_pid;
const volatile __s32 second_pid; /* 0: there is no second victim */
const volatile __s32 result;
__u64 calls;
int last_order;	 /* of the last call's OOM */
int kill_result; /* of the last kill */
/* Was the task a victim, before and after it? */
int victim_before;
int victim_after;

static void kill_second(struct oom_control *oc)
{
	struct task_struct *task = bpf_task_from_pid(second_pid);

	if (!task)
		return;
	bpf_oom_kill_process(oc, task, "killed as well");
	bpf_task_release(task);
}

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(test_handle, struct oom_control *oc)
{
	struct task_struct *task;

	__sync_fetch_and_add(&calls, 1);
	/* Both types must be looked into, or the compiler only forward-declares them. */
	last_order = oc->order;
	if (!victim_pid)
		return result;
	task = bpf_task_from_pid(victim_pid);
	if (!task)
		return result;
	if (task->pid > 0) {
		victim_before = bpf_task_is_oom_victim(task);
		kill_result = bpf_oom_kill_process(oc, task, "killed by a test");
		victim_after = bpf_task_is_oom_victim(task);
	}
	bpf_task_release(task);
	if (second_pid)
		kill_second(oc);
	return result;
}

SEC(".struct_ops.link")
struct bpf_oom_ops test_ops = {
	.handle_out_of_memory = (void *)test_handle,
	.name = "oomtest",
};
