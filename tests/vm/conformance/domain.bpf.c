// SPDX-License-Identifier: GPL-2.0-only
/* A struct_ops policy as of the 2025 series, v1: of the processes in the memory cgroup that hit its
 * limit the youngest dies. Takes no reference of its own, oc->memcg has the kernel's. */
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
unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg) __ksym;
unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx) __ksym;
/* Kernels of 7.0 and later have another in its place. */
unsigned long bpf_mem_cgroup_events(struct mem_cgroup *memcg, int event) __ksym __weak;
void bpf_mem_cgroup_flush_stats(struct mem_cgroup *memcg) __ksym;
struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;
int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start,
		     unsigned int flags) __ksym;
struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it) __ksym;
void bpf_iter_css_destroy(struct bpf_iter_css *it) __ksym;
int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *css,
			  unsigned int flags) __ksym;
struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it) __ksym;
void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it) __ksym;

char _license[] SEC("license") = "GPL";

/* As of the last OOM of a memory cgroup. */
u64 domain_id;
u64 usage;
u64 anonymous;
u64 faults;
u64 n_cgroups; /* the domain and those below */
u64 n_processes;
char comm[16]; /* of who ran out of memory */
u64 uid_gid;
u64 cgroup_id;

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(youngest, struct oom_control *oc)
{
	struct task_struct *task, *victim = NULL;
	struct mem_cgroup *memcg = oc->memcg;
	struct cgroup_subsys_state *css;
	u64 latest = 0;
	int handled;

	if (!memcg)
		return 0;
	domain_id = memcg->css.cgroup->kn->id;
	bpf_mem_cgroup_flush_stats(memcg);
	usage = bpf_mem_cgroup_usage(memcg);
	anonymous = bpf_mem_cgroup_page_state(memcg, NR_ANON_MAPPED);

	if (bpf_ksym_exists(bpf_mem_cgroup_events))
		faults = bpf_mem_cgroup_events(memcg, PGFAULT);
	bpf_get_current_comm(comm, sizeof(comm));
	uid_gid = bpf_get_current_uid_gid();
	cgroup_id = bpf_get_current_cgroup_id();

	n_cgroups = 0;
	bpf_rcu_read_lock();
	bpf_for_each(css, css, &memcg->css, BPF_CGROUP_ITER_DESCENDANTS_PRE)
		n_cgroups++;
	bpf_rcu_read_unlock();

	n_processes = 0;
	bpf_for_each(css_task, task, &memcg->css, CSS_TASK_ITER_PROCS) {
		n_processes++;
		if (task->start_time <= latest)
			continue;
		latest = task->start_time;
		if (victim)
			bpf_task_release(victim);
		victim = bpf_task_acquire(task);
	}
	if (!victim)
		return 0;
	handled = bpf_oom_kill_process(oc, victim, "Youngest process") == 0;
	bpf_task_release(victim);
	return handled;
}

SEC(".struct_ops.link")
struct bpf_oom_ops youngest_ops = {
	.handle_out_of_memory = (void *)youngest,
	.name = "youngest",
};
