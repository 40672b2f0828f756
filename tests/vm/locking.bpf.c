// SPDX-License-Identifier: GPL-2.0-only
/* Programs that may run under a lock of a task, and call what takes one: the module has to refuse
 * them. Without the call they load. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct oom_control {
	int order;
} __attribute__((preserve_access_index));

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

/* Of net/bpf/bpf_dummy_struct_ops.c: one of the kernel's struct_ops, with nothing behind it. */
struct bpf_dummy_ops_state;

struct bpf_dummy_ops {
	int (*test_1)(struct bpf_dummy_ops_state *state);
};

extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern __s32 bpf_oom_awaits(struct oom_control *oc) __ksym;
extern __s64 bpf_oom_task_pages(struct task_struct *task) __ksym;

char LICENSE[] SEC("license") = "GPL";

const volatile __u8 calls;

SEC("tp_btf/select_bad_process_end")
int BPF_PROG(test_trace, struct oom_control *oc)
{
	return oc && oc->order && calls && bpf_oom_awaits(oc);
}

SEC("struct_ops/test_1")
int BPF_PROG(test_other_ops, struct bpf_dummy_ops_state *state)
{
	struct task_struct *task = bpf_task_from_pid(1);
	int result;

	if (!task)
		return 0;
	result = task->pid && calls && bpf_oom_task_pages(task) > 0;
	bpf_task_release(task);
	return result;
}

SEC(".struct_ops.link")
struct bpf_dummy_ops test_ops = {
	.test_1 = (void *)test_other_ops,
};
