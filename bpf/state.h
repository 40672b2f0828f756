/* SPDX-License-Identifier: GPL-2.0-only */
/* What the BPF programs keep between OOMs and tell each other; the daemon does not look. */
#ifndef OP_STATE_H
#define OP_STATE_H

#include "kernel.h"

/* Victims of late, to see which are dying still; with more of them every task is looked at. */
#define OP_RECENT_MAX 64

struct recent {
	__u32 pid; /* 0: free */
	__u32 pad;
	__u64 start_boottime_nsec;
};

/* The current OOM, as it was found when it began, and the victims of earlier ones. */
struct op_state {
	__u32 config; /* index into op_configs */
	__u32 number; /* of that configuration */
	__u32 slot;   /* of the handler that answers; 0: the recorder, as no policy does */
	__u32 next_recent;
	__u64 oom_number;  /* bpf_oom_number(), or without the module how often the memcg ran out */
	__u64 oom_control; /* its address, to be compared alone; 0: the OOM has ended */
	__u64 asked_nsec;  /* CLOCK_MONOTONIC when the last handler had been asked */
	__u64 asked[OP_SLOTS_MAX / 64]; /* a bit for each handler that was, by its slot */
	__u32 oom_tid;			/* of the thread that ran out of memory */
	__u32 has_answer;		/* 1: the handler that answers has been asked */
	__u64 tracking;			/* mark_victim is being followed */
	__u32 declaring_tid; /* the thread that is declaring an OOM just now; 0: none is */
	__u32 killing_tid;   /* the thread in which a policy kills just now; 0: none does */
	__u32 runners_max;   /* how many runners-up that configuration wants */
	__u32 killing_pid;   /* whom that kill is for */
	__u64 killing_nsec;  /* when its OOM began; 0: whom the kernel kills besides is no member */
	__u32 killing_members; /* these so far */
	__u32 kills_member;    /* killing_pid is a member of its group, whom the policy names */
	__u32 pad;
	__u32 n_outstanding; /* victims in op_outstanding */
	__u64 marked_mm;     /* key there of the victim whose record is to come; 0: none */
	char declared[OP_DECLARED_LEN]; /* what it gave as the constraint's text */
	struct recent recent[OP_RECENT_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct op_state);
} op_oom SEC(".maps");

#endif
