// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells when anybody attaches a program that the kernel could ask about an OOM, so that the daemon
 * need not look for them.
 *
 * What it tells is no more than that it is time to look, and who did it: there may be another kind
 * of struct_ops behind it, or our own. An object of its own and of little worth: a kernel that is
 * locked down has no fexit, and the daemon looks on some other occasions then.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "GPL";

/* What is attached is attached seldom: a page holds 60 records. One that finds it full is missed,
 * which does no harm, as the daemon is about to look. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} op_link_events SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/bpf.h */
struct bpf_prog {
	enum bpf_attach_type expected_attach_type;
};

struct bpf_link {
	enum bpf_link_type type;
	struct bpf_prog *prog;
};

struct bpf_link_primer {
	struct bpf_link *link;
	__u32 id;
};

struct bpf_tramp_link {
	struct bpf_link link;
};

#pragma clang attribute pop

static __always_inline void tell(__u32 link_id)
{
	struct op_link_record *event = bpf_ringbuf_reserve(&op_link_events, sizeof(*event), 0);

	if (!event)
		return;
	event->link_id = link_id;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
}

/* The end of the way to a link of a struct_ops (kernel/bpf/bpf_struct_ops.c), and of other links
 * where the compiler has not made it a part of its callers. */
SEC("fexit/bpf_link_settle")
int BPF_PROG(op_link_made, struct bpf_link_primer *primer)
{
	if (READ_ONLY(primer)->link->type == BPF_LINK_TYPE_STRUCT_OPS)
		tell(primer->id);
	return 0;
}

/* A program that changes what a function returns (kernel/bpf/syscall.c, bpf_tracing_prog_attach());
 * its link has no id yet. */
SEC("fexit/bpf_trampoline_link_prog")
int BPF_PROG(op_func_made, struct bpf_tramp_link *tramp)
{
	if (READ_ONLY(tramp)->link.prog->expected_attach_type == BPF_MODIFY_RETURN)
		tell(0);
	return 0;
}

/* A struct_ops that is attached without a link (kernel/bpf/bpf_struct_ops.c). */
SEC("fexit/bpf_struct_ops_map_update_elem")
int BPF_PROG(op_ops_made)
{
	tell(0);
	return 0;
}
