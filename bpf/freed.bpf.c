// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sees the memory of victims come back: at the end of their address space, or when the kernel's OOM
 * reaper has emptied it, whichever is first. An object of its own, since all others do without.
 *
 * Every process that exits comes here, so where no victim is outstanding there is one look at a
 * number. The two exclude each other for one address space: both tracepoints fire under its
 * mmap_lock, exit_mmap() has it for writing (mm/mmap.c, mm/oom_kill.c).
 */
#include "freed.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * The reaper's tracepoint fires too where it had to leave parts to its next try: it is done where
 * no more than this part of what it may take is there. Not nothing, as the kernel's counters are
 * per processor, and the process may have gone on for a while after it was marked.
 */
#define OP_REAPED_PART 8

static __always_inline struct op_state *find_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&op_oom, &zero);
}

SEC("tp_btf/exit_mmap")
int BPF_PROG(op_exit_mmap, struct mm_struct *mm)
{
	struct op_state *state = find_state();
	struct outstanding *victim;
	__u64 key = (__u64)mm;

	if (!state || !state->n_outstanding)
		return 0;
	victim = bpf_map_lookup_elem(&op_outstanding, &key);
	if (victim)
		freed_note(state, key, victim, OP_FREED_EXIT, 0);
	return 0;
}

SEC("tp_btf/finish_task_reaping")
int BPF_PROG(op_reaped, int tid)
{
	struct op_state *state = find_state();
	struct outstanding *victim;
	struct task_struct *task;
	struct mm_struct *mm;
	__u64 key, left;

	if (!state || !state->n_outstanding)
		return 0;
	task = bpf_task_from_pid(tid);
	if (!task)
		return 0;
	mm = READ_ONLY(task)->signal->oom_mm;
	key = (__u64)mm;
	victim = bpf_map_lookup_elem(&op_outstanding, &key);
	if (mm && victim) {
		left = reapable_pages(mm);
		if (left <= victim->reapable_pages / OP_REAPED_PART)
			freed_note(state, key, victim, OP_FREED_REAPER,
				   left + mm_counter_pages(mm, OP_MM_FILEPAGES) +
					   mm_counter_pages(mm, OP_MM_SHMEMPAGES));
	}
	bpf_task_release(task);
	return 0;
}
