// SPDX-License-Identifier: GPL-2.0-only
/* Task evaluation as of the 2023 series: processes of the cgroup with the lower priority go first,
 * a cgroup that is not in the map has priority 0. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum {
	NO_BPF_POLICY,
	BPF_EVAL_ABORT,
	BPF_EVAL_NEXT,
	BPF_EVAL_SELECT,
};

void set_oom_policy_name(struct oom_control *oc, const char *buf, size_t sz) __ksym;

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, u64);
	__type(value, int);
	__uint(max_entries, 24);
} cg_map SEC(".maps");

/* 0: selections, 1: of them, in vain */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 2);
} counts SEC(".maps");

static void count(u32 index)
{
	u64 *value = bpf_map_lookup_elem(&counts, &index);

	if (value)
		__sync_fetch_and_add(value, 1);
}

static int priority(struct task_struct *task)
{
	u64 id = task->cgroups->dfl_cgrp->kn->id;
	int *value = bpf_map_lookup_elem(&cg_map, &id);

	return value ? *value : 0;
}

SEC("fentry/bpf_set_policy_name")
int BPF_PROG(set_name, struct oom_control *oc)
{
	char name[] = "cg_prio";

	count(0);
	set_oom_policy_name(oc, name, sizeof(name));
	return 0;
}

SEC("tp_btf/select_bad_process_end")
int BPF_PROG(in_vain, struct oom_control *oc)
{
	count(1);
	return 0;
}

SEC("fmod_ret/bpf_oom_evaluate_task")
int BPF_PROG(evaluate, struct task_struct *task, struct oom_control *oc)
{
	struct task_struct *chosen = oc->chosen;
	int own, other;

	if (!chosen)
		return BPF_EVAL_SELECT;
	own = priority(task);
	other = priority(chosen);
	if (own < other)
		return BPF_EVAL_SELECT;
	return own > other ? BPF_EVAL_NEXT : NO_BPF_POLICY;
}
