// SPDX-License-Identifier: GPL-2.0-only
/* A handler that the module has to refuse: what it calls allocates memory as anybody does, and
 * would wait for the OOM that it is called for. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __arena __attribute__((address_space(1)))

struct oom_control {
	int order;
} __attribute__((preserve_access_index));

struct bpf_oom_ops {
	int (*handle_out_of_memory)(struct oom_control *oc);
	char name[64];
};

struct {
	__uint(type, 33); /* BPF_MAP_TYPE_ARENA: the build machine's headers may be older */
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
} arena SEC(".maps");

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *address, __u32 n_pages,
					   int node, __u64 flags) __ksym;

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops.s/handle_out_of_memory")
int BPF_PROG(test_handle, struct oom_control *oc)
{
	return bpf_arena_alloc_pages(&arena, 0, 1, -1, 0) && oc->order;
}

SEC(".struct_ops.link")
struct bpf_oom_ops test_ops = {
	.handle_out_of_memory = (void *)test_handle,
	.name = "forbidden",
};
