// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps the victims of late, so that the policy need not look at every task of a domain to find
 * one that is dying still. An object of its own, since the policy does without where the kernel's
 * tracepoint is another.
 */
#include "kernel.h"
#include "state.h"

char LICENSE[] SEC("license") = "GPL";

/* Fires for every victim, whoever chose it, and under oom_lock or task_lock: one at a time is not
 * promised, and a victim that is overwritten is found by the kernel's own check. */
SEC("tp_btf/mark_victim")
int BPF_PROG(op_mark_victim, struct task_struct *task)
{
	struct oom_state *state;
	__u32 zero = 0, next;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state)
		return 0;
	state->tracking = 1;
	next = state->next_recent++ & (OP_RECENT_MAX - 1);
	state->recent[next].start_boottime_nsec = task->group_leader->start_boottime;
	state->recent[next].pid = task->tgid;
	return 0;
}
