// SPDX-License-Identifier: GPL-2.0-only
/* Task evaluation as of the 2023 series, with what it answers in the programs' own words, and with
 * programs named like what they attach to: who has the highest oom_score_adj dies. Notes what it
 * sees of each OOM. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* mm/oom_kill.c */
enum {
	NO_BPF_POLICY,
	BPF_EVAL_ABORT,
	BPF_EVAL_NEXT,
	BPF_EVAL_SELECT,
};

/* include/linux/oom.h */
enum {
	POLICY_NAME_LEN = 16,
};

extern void set_oom_policy_name(struct oom_control *oc, const char *buf, size_t sz) __ksym;

char _license[] SEC("license") = "GPL";

char name[] = "score_adj";

struct victim {
	u64 pid;
	u64 cgroup_id;
	u64 points;
};

struct victim victim; /* the last one */
u64 n_selections;
u64 n_vain; /* of them */
u64 n_evaluated;
u64 n_killed;
u64 domain_id;
u64 domain_pages;

SEC("fentry/bpf_set_policy_name")
int BPF_PROG(bpf_set_policy_name, struct oom_control *oc)
{
	n_selections++;
	domain_id = oc->memcg ? oc->memcg->css.cgroup->kn->id : 0;
	domain_pages = oc->totalpages;
	set_oom_policy_name(oc, name, POLICY_NAME_LEN);
	return 0;
}

SEC("fmod_ret/bpf_oom_evaluate_task")
int BPF_PROG(bpf_oom_evaluate_task, struct task_struct *task, struct oom_control *oc)
{
	struct task_struct *chosen = oc->chosen;
	int own = task->signal->oom_score_adj, other;

	n_evaluated++;
	/* One that dies already is the kernel's to judge; so is a request by SysRq. */
	if (task->signal->oom_mm || oc->order == -1)
		return NO_BPF_POLICY;
	if (!chosen)
		return BPF_EVAL_SELECT;
	other = chosen->signal->oom_score_adj;
	if (own == other)
		return NO_BPF_POLICY;
	return own > other ? BPF_EVAL_SELECT : BPF_EVAL_NEXT;
}

SEC("tp_btf/select_bad_process_end")
int BPF_PROG(select_bad_process_end, struct oom_control *oc)
{
	n_vain++;
	return 0;
}

SEC("fentry/oom_kill_process")
int BPF_PROG(oom_kill_process, struct oom_control *oc, const char *message)
{
	struct task_struct *task = oc->chosen;

	n_killed++;
	victim.pid = task->tgid;
	victim.cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	victim.points = oc->chosen_points;
	return 0;
}
