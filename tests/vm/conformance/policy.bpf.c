// SPDX-License-Identifier: GPL-2.0-only
/* A struct_ops policy as of the 2025 series, v1: of the memcg's processes the one with the highest
 * oom_score_adj dies, whatever its size. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#ifdef KERNEL_TYPES_ALONE
struct bpf_oom_ops {
	int (*handle_out_of_memory)(struct oom_control *oc);
	char name[64];
	struct bpf_oom *bpf_oom;
};
#endif

int bpf_oom_kill_process(struct oom_control *oc, struct task_struct *task,
			 const char *message__str) __ksym;
struct cgroup *bpf_cgroup_from_id(u64 cgid) __ksym;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *css,
			  unsigned int flags) __ksym;
struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it) __ksym;
void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it) __ksym;

char _license[] SEC("license") = "GPL";

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(by_score, struct oom_control *oc)
{
	struct task_struct *task, *victim = NULL;
	struct mem_cgroup *memcg = oc->memcg;
	struct cgroup *cgroup;
	int highest = -1000;
	int ret = 0;

	if (!memcg)
		return 0;
	cgroup = bpf_cgroup_from_id(memcg->css.cgroup->kn->id);
	if (!cgroup)
		return 0;
	bpf_for_each(css_task, task, &cgroup->self, CSS_TASK_ITER_PROCS) {
		int score = task->signal->oom_score_adj;

		if (score <= highest)
			continue;
		highest = score;
		if (victim)
			bpf_task_release(victim);
		victim = bpf_task_acquire(task);
	}
	if (victim) {
		ret = bpf_oom_kill_process(oc, victim, "OOM by score") == 0;
		bpf_task_release(victim);
	}
	bpf_cgroup_release(cgroup);
	return ret;
}

SEC(".struct_ops.link")
struct bpf_oom_ops by_score_ops = {
	.handle_out_of_memory = (void *)by_score,
	.name = "by_score",
};
