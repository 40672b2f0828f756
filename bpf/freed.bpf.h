/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Victims whose memory is not back yet. Three see a part of it: who marks a victim begins, who
 * sends its record says which that is, and who sees the memory come back ends it, which may be
 * before the record is sent.
 *
 * Invariant: the one that takes a victim out of the map sends its event, so there is one at the
 * most; and none before its OOM's record is in the ring.
 */
#ifndef OP_FREED_BPF_H
#define OP_FREED_BPF_H

#include "maps.bpf.h"
#include "state.h"

/*
 * More victims at a time than machines have domains that run out at once. Of those that find no
 * place here it is not said when their memory was back.
 */
#define OP_OUTSTANDING_MAX 256

/*
 * The end of an address space may be missed: since 7.0 these programs can be preempted, and one is
 * left out where it would run inside itself. Its address is another one's later, whose end is not
 * the victim's. So an entry is believed for this long alone.
 */
#define OP_OUTSTANDING_NSEC (300 * 1000000000ULL)

struct outstanding {
	/* Without a sequence number as long as its record is not sent, without a time as long as
	 * the memory is not back. */
	struct op_freed_record event;
	__u64 reapable_pages; /* what the reaper could take when it was marked: anonymous, swap */
};

/*
 * By the address of the mm_struct, which is nobody else's meanwhile: a victim's signal_struct holds
 * it (mark_oom_victim() of mm/oom_kill.c).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OP_OUTSTANDING_MAX);
	__type(key, __u64);
	__type(value, struct outstanding);
} op_outstanding SEC(".maps");

static __always_inline __u64 reapable_pages(struct mm_struct *mm)
{
	return mm_counter_pages(mm, OP_MM_ANONPAGES) + mm_counter_pages(mm, OP_MM_SWAPENTS);
}

/* Takes the victim out, and sends its event if nobody else did. A copy, as its place in the map
 * may be another's at once. */
static __always_inline void freed_end(struct op_state *state, __u64 mm,
				      const struct outstanding *victim)
{
	struct op_freed_record event = victim->event;

	if (bpf_map_delete_elem(&op_outstanding, &mm))
		return;
	__sync_fetch_and_sub(&state->n_outstanding, 1);
	if (event.header.seq)
		bpf_ringbuf_output(&op_events, &event, sizeof(event), 0);
}

static __always_inline bool is_stale(const struct outstanding *victim, __u64 now)
{
	return now - victim->event.killed_nsec > OP_OUTSTANDING_NSEC;
}

/* Takes the victim out without an event. */
static __always_inline void freed_forget(struct op_state *state, __u64 mm)
{
	if (!bpf_map_delete_elem(&op_outstanding, &mm))
		__sync_fetch_and_sub(&state->n_outstanding, 1);
}

/* The memory of the victim that was marked last, once; 0: there is none. */
static __always_inline __u64 take_marked(struct op_state *state)
{
	__u64 mm = state->marked_mm;

	state->marked_mm = 0;
	return mm;
}

/* The record that is being sent is the victim's that was marked last. */
__noinline int op_freed_expect(__u64 seq, __u64 ktime_nsec)
{
	struct outstanding *victim;
	struct op_state *state;
	__u32 zero = 0;
	__u64 mm;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	mm = state ? take_marked(state) : 0;
	victim = mm ? bpf_map_lookup_elem(&op_outstanding, &mm) : NULL;
	if (!victim)
		return 0;
	victim->event.oom_ktime_nsec = ktime_nsec;
	/* A full barrier, as in freed_note(): one of the two sees what the other wrote. */
	__sync_lock_test_and_set(&victim->event.header.seq, seq);
	if (victim->event.header.ktime_nsec)
		freed_end(state, mm, victim);
	return 0;
}

/* There is no record of it. */
__noinline int op_freed_cancel(void)
{
	struct op_state *state;
	__u32 zero = 0;
	__u64 mm;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	mm = state ? take_marked(state) : 0;
	if (mm)
		freed_forget(state, mm);
	return 0;
}

/* The memory is back. */
static __always_inline void freed_note(struct op_state *state, __u64 mm, struct outstanding *victim,
				       __u32 by, __u64 left_pages)
{
	__u64 now = bpf_ktime_get_ns();

	if (is_stale(victim, now)) {
		freed_forget(state, mm);
		return;
	}
	victim->event.by = by;
	victim->event.left_pages = left_pages;
	__sync_lock_test_and_set(&victim->event.header.ktime_nsec, now);
	if (victim->event.header.seq)
		freed_end(state, mm, victim);
}

#endif
