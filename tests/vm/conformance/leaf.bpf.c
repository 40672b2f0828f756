// SPDX-License-Identifier: GPL-2.0-only
/* A struct_ops policy as of the 2025 series, v1: of the cgroups without children below the limit
 * that was hit, or of all, the one that holds most memory, page cache apart, dies as a whole. */
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
bool bpf_task_is_oom_victim(struct task_struct *task) __ksym;
struct mem_cgroup *bpf_get_root_mem_cgroup(void) __ksym;
struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym;
void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym;
unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg) __ksym;
unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx) __ksym;
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

/* What happened, for whoever loads this. */
u64 n_ooms;
u64 n_killed;
u64 last_leaf; /* cgroup id */

static unsigned long without_cache(struct mem_cgroup *memcg)
{
	unsigned long usage = bpf_mem_cgroup_usage(memcg);
	unsigned long cache = bpf_mem_cgroup_page_state(memcg, NR_FILE_PAGES);

	return cache < usage ? usage - cache : 0;
}

/* The leaf with most memory at or below @domain, with a reference. */
static struct mem_cgroup *find_largest(struct mem_cgroup *domain)
{
	struct mem_cgroup *memcg, *largest = NULL;
	struct cgroup_subsys_state *css;
	unsigned long size, most = 0;

	bpf_rcu_read_lock();
	bpf_for_each(css, css, &domain->css, BPF_CGROUP_ITER_DESCENDANTS_POST) {
		if (css->cgroup->nr_descendants > 0)
			continue;
		memcg = bpf_get_mem_cgroup(css);
		if (!memcg)
			continue;
		size = without_cache(memcg);
		if (size <= most) {
			bpf_put_mem_cgroup(memcg);
			continue;
		}
		most = size;
		if (largest)
			bpf_put_mem_cgroup(largest);
		largest = memcg;
	}
	bpf_rcu_read_unlock();
	return largest;
}

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(largest_leaf, struct oom_control *oc)
{
	struct mem_cgroup *domain = oc->memcg, *leaf;
	struct task_struct *task;
	int handled = 0;

	domain = domain ? bpf_get_mem_cgroup(&domain->css) : bpf_get_root_mem_cgroup();
	if (!domain)
		return 0;
	leaf = find_largest(domain);
	bpf_put_mem_cgroup(domain);
	if (!leaf)
		return 0;

	n_ooms++;
	last_leaf = leaf->css.cgroup->kn->id;
	bpf_for_each(css_task, task, &leaf->css, CSS_TASK_ITER_PROCS) {
		if (!bpf_task_is_oom_victim(task)) {
			if (bpf_oom_kill_process(oc, task, "Largest leaf") != 0)
				continue;
			n_killed++;
		}
		handled = 1;
	}
	bpf_put_mem_cgroup(leaf);
	return handled;
}

SEC(".struct_ops.link")
struct bpf_oom_ops largest_leaf_ops = {
	.handle_out_of_memory = (void *)largest_leaf,
	.name = "largest_leaf",
};
