// SPDX-License-Identifier: GPL-2.0-only
/*
 * An OOM handler that is right in all but one: it is none of those that may sleep. Like
 * handler.bpf.c built without any header of this project.
 */
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct oom_control {
	int order;
} __attribute__((preserve_access_index));

struct bpf_oom_ops {
	int (*handle_out_of_memory)(struct oom_control *oc);
	char name[64];
};

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/handle_out_of_memory")
int BPF_PROG(test_nonsleepable, struct oom_control *oc)
{
	return oc->order > 0;
}

SEC(".struct_ops.link")
struct bpf_oom_ops test_ops = {
	.handle_out_of_memory = (void *)test_nonsleepable,
	.name = "nonsleepable",
};
