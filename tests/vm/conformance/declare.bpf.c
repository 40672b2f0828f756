// SPDX-License-Identifier: GPL-2.0-only
/* Declares an OOM as of the 2025 series, v1, for a memory cgroup that uses more than it may. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

int bpf_out_of_memory(struct mem_cgroup *memcg__nullable, int order, bool wait_on_oom_lock,
		      const char *constraint_text__nullable) __ksym;
struct mem_cgroup *bpf_get_root_mem_cgroup(void) __ksym;
struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym;
void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym;
unsigned long bpf_mem_cgroup_usage(struct mem_cgroup *memcg) __ksym;
unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int idx) __ksym;
void bpf_mem_cgroup_flush_stats(struct mem_cgroup *memcg) __ksym;
struct cgroup *bpf_cgroup_from_id(u64 cgid) __ksym;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym;

char _license[] SEC("license") = "GPL";

char constraint[] = "USAGE";

struct usage_request {
	u64 cgroup_id;
	u64 limit_pages;
	u64 result; /* 1: somebody was killed */
};

SEC("syscall")
int declare(struct usage_request *request)
{
	struct mem_cgroup *root, *memcg = NULL;
	struct cgroup *cgroup;
	u64 usage;

	cgroup = bpf_cgroup_from_id(request->cgroup_id);
	if (cgroup) {
		memcg = bpf_get_mem_cgroup(&cgroup->self);
		bpf_cgroup_release(cgroup);
	}
	if (!memcg)
		return 1;
	bpf_mem_cgroup_flush_stats(memcg);
	usage = bpf_mem_cgroup_usage(memcg);
	root = bpf_get_root_mem_cgroup();
	if (root) {
		if (memcg->css.id != root->css.id &&
		    bpf_mem_cgroup_page_state(memcg, NR_ANON_MAPPED) <= usage &&
		    usage > request->limit_pages)
			request->result = bpf_out_of_memory(memcg, 0, true, constraint);
		bpf_put_mem_cgroup(root);
	}
	bpf_put_mem_cgroup(memcg);
	return 0;
}
