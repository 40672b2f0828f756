// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the selection of search.bpf.h over a domain without an OOM, and clocks it. Kills nobody; all
 * its maps are its own.
 */
#include "bpf/search.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SLOT 1

/* asked */
__u64 domain_id = 0;
__u32 runners_max = 0;
/* answered */
__u32 reason = 0;
__u32 victim_pid = 0;
__u32 n_found = 0; /* runners-up */
__u32 priorities[OP_RUNNERS_MAX] = {};
__u64 search_nsec = 0;
__u64 record_nsec = 0; /* what it takes to name the runners-up */

SEC("syscall")
int run_search(void *ctx)
{
	struct op_state *state;
	__u32 zero = 0, i;
	__u64 begun, found;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state)
		return 0;
	state->config = 0;
	state->tracking = 1;
	state->runners_max = runners_max;

	begun = bpf_ktime_get_ns();
	reason = op_search(domain_id, SLOT);
	found = bpf_ktime_get_ns();
	record.priority = selection.best.rule.priority;
	record_runners(&runners);
	record_nsec = bpf_ktime_get_ns() - found;
	search_nsec = found - begun;
	victim_pid = selection.best.pid;
	n_found = runners.n;
	for (i = 0; i < OP_RUNNERS_MAX; i++)
		priorities[i] = runners.items[i].priority;
	return 0;
}
