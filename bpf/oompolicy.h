/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What the BPF programs and the daemon tell each other: map values, event records, limits.
 *
 * This is the only header that both sides include. It holds fixed-width fields alone: no
 * pointers, no bools, no enums as fields, every gap spelt out, a unit for every number. The
 * sizes are asserted below. A change of any layout raises OP_ABI_VERSION; a reader that meets
 * another version drops the record and counts it as lost. So does a change of what the programs
 * keep in maps among themselves (state.h, record.bpf.h): a daemon that finds the maps of another
 * build gives them to its own programs where the version is the same.
 */
#ifndef OOMPOLICY_H
#define OOMPOLICY_H

#ifndef __VMLINUX_TYPES__
#include <linux/types.h>
#endif

#define OP_ABI_VERSION 6

#define OP_PRIORITY_MIN 0
#define OP_PRIORITY_MAX 1000
#define OP_PRIORITY_DEFAULT 500

/* BPF_OOM_NAME_MAX_LEN of the kernel interface, with the terminating NUL. */
#define OP_POLICY_NAME_LEN 64
/* TASK_COMM_LEN of include/linux/sched.h, with the terminating NUL. */
#define OP_COMM_LEN 16
/*
 * A cgroup path in a record, with the terminating NUL. Systemd's deepest usual path stays under
 * 300 bytes; a longer one is cut and flagged, the id still tells which cgroup it was.
 */
#define OP_PATH_LEN 512
/* The text of a declared OOM, with the terminating NUL. */
#define OP_DECLARED_LEN 64
/* NAME_MAX: the longest cgroup name, without the NUL. */
#define OP_CGROUP_NAME_MAX 255
/* How many ancestors a walk upwards visits; deeper cgroups get no opinion. */
#define OP_DEPTH_MAX 64
/* How many of those that were not chosen a record names; a power of 2. */
#define OP_RUNNERS_MAX 8
/* How many cgroups, from the one that ran out upwards, a record has the limits of: twice as deep as
 * systemd's and containers' hierarchies are. */
#define OP_LEVELS_MAX 16

/*
 * --- the rules: one hash map holds a whole configuration, so that one switch exchanges it.
 *
 * Key: a cgroup id, for a cgroup that a rule matches or that a policy answers for; the others
 * inherit, the rule and the policy each from the nearest ancestor that has one. Or OP_KEY_POLICY()
 * of a handler's slot, for what that policy is. Or 0, which no cgroup has as its id, for the
 * configuration as a whole. Or OP_KEY_ORDER(), see below.
 */

#define OP_KEY_CONFIG 0ULL
#define OP_KEY_POLICY(slot) ((1ULL << 63) | (slot))
#define OP_KEY_ORDER(i) ((1ULL << 62) | (i))

/*
 * The order: cgroups whose entry sets a priority below the default of some policy, by that
 * priority, so that a search among thousands of cgroups begins where the victim is. Keys count from
 * 0 without a gap; the first config.n_sorted of them are sorted, and those that came later follow
 * as they came. The cgroup may be gone. An entry is in the order before its cgroup's own is in the
 * map. Without OP_CONFIG_ORDERED the order is not to be used.
 */
#define OP_CONFIG_ORDERED (1U << 0) /* in config.flags */
#define OP_ORDER_LATER_MAX 256

#define OP_RULE_NONE 0xffffffffU /* in place of an index where no [Rule] applies */

#define OP_RULE_MATCH (1U << 0)		   /* a rule is here; without it only policies are */
#define OP_RULE_PROTECT (1U << 1)	   /* nothing in this cgroup is ever chosen */
#define OP_RULE_DEFAULT_PRIORITY (1U << 2) /* the policy that answers gives the priority */
#define OP_RULE_KILL_PROCESS (1U << 3)	   /* Kill=process */
#define OP_RULE_KILL_CGROUP (1U << 4)	   /* Kill=cgroup: all of the cgroup with this entry */

/*
 * Each policy is a handler of its own, as the kernel's report names the handler; every OOM asks
 * them until one has killed, in an order that none of them knows: kernels differ in it. Whichever
 * is asked first looks up who answers, and the others go by that, so that a switch in between
 * cannot leave an OOM without an answer. A handler keeps its slot as long as it is attached. Slot 0
 * is the recorder: it kills nobody, and leaves the record of an OOM that no policy answers for.
 */
#define OP_POLICIES_MAX 32
#define OP_SLOT_RECORDER 0
#define OP_SLOTS_MAX 128 /* those of the next configuration are attached beside the active ones */

#define OP_VICTIM_LARGEST 0 /* rss + swap + page tables */
#define OP_VICTIM_BADNESS 1 /* the same with oom_score_adj, as the kernel's own killer */
#define OP_VICTIM_NEWEST 2  /* by start time */
#define OP_VICTIM_OLDEST 3

/* The value for every kind of key. */
struct op_entry {
	union {
		/* of a cgroup: the rule that matches it, the policies that answer from there down,
		 * or both */
		struct {
			__u32 priority;	   /* 0..1000, the lowest dies first */
			__u32 rule_index;  /* of the [Rule], or OP_RULE_NONE */
			__u32 flags;	   /* OP_RULE_* */
			__u16 slot_memcg;  /* policy for OOMs of memcgs; 0: as above */
			__u16 slot_system; /* the same for OOMs of the system: only at the root */
		} cgroup;
		/* of OP_KEY_POLICY() */
		struct {
			__u32 default_priority; /* 0..1000 */
			__u32 victim;		/* OP_VICTIM_* */
			__u32 pad[2];
		} policy;
		/* of OP_KEY_CONFIG */
		struct {
			__u32 number;
			__u32 flags;	   /* OP_CONFIG_* */
			__u32 n_sorted;	   /* of the order */
			__u32 runners_max; /* that a record names: 0..OP_RUNNERS_MAX */
		} config;
		/* of OP_KEY_ORDER() */
		struct {
			__u64 cgroup_id;
			__u32 priority; /* as in the cgroup's own entry */
			__u32 pad;
		} order;
	};
};

/*
 * The maps of configurations wait in the slots of an array of maps; op_switch says which is active.
 * A map is staged in the next slot, so that the current OOM keeps the one it began with.
 */
#define OP_CONFIGS_MAX 8

struct op_switch {
	__u32 config;	   /* index into op_configs */
	__u32 follows;	   /* OP_FOLLOWS_* */
	__u32 daemon_tgid; /* never chosen; 0: no daemon runs */
	/* When that process started, the lower half of so many OP_TICK_NSEC of CLOCK_BOOTTIME:
	 * another one may have its id after a daemon that was killed. */
	__u32 daemon_start_ticks;
};

/* Of what the kernel does for OOMs, what is followed: */
#define OP_FOLLOWS_NOTHING 0
#define OP_FOLLOWS_ALL 1
#define OP_FOLLOWS_OWN \
	2 /* those that policies of this set were asked about; another set is there */

/* The unit in which /proc/PID/stat has times (USER_HZ of x86 and arm64). */
#define OP_TICK_NSEC 10000000ULL

/*
 * op_names: what the kernel's report calls a policy, where it is not a handler of its own that has
 * a name. Staged with a configuration, like its map.
 */
#define OP_NAMES_MAX (OP_CONFIGS_MAX * OP_POLICIES_MAX)
#define OP_NAMES_INDEX(config, slot) ((config) * OP_POLICIES_MAX + (slot) - 1)

struct op_name {
	char text[OP_POLICY_NAME_LEN];
};

/* --- records. Each starts with this header. */

#define OP_RECORD_OOM 1		 /* struct op_oom_record, on op_events */
#define OP_RECORD_CGROUP_MKDIR 2 /* struct op_cgroup_record, on op_cgroups */
#define OP_RECORD_CGROUP_RMDIR 3 /* struct op_cgroup_record, on op_cgroups; path is empty */
#define OP_RECORD_MEMBER 4 /* struct op_member_record, on op_events, before its OOM's record */
#define OP_RECORD_FREED 5  /* struct op_freed_record, on op_events, after its OOM's record */

struct op_record_header {
	__u32 version; /* OP_ABI_VERSION */
	__u32 type;    /* OP_RECORD_* */
	__u32 size;    /* of the whole record, bytes */
	__u32 pad;
	__u64 seq;	  /* counts the records of this ring from 1; a gap is the number lost */
	__u64 ktime_nsec; /* CLOCK_MONOTONIC when the record was begun */
};

struct op_cgroup_record {
	struct op_record_header header;
	__u64 id;	    /* cgroup id: the inode number of its directory */
	__u32 hierarchy_id; /* 0 is the unified hierarchy */
	__u32 pad;
	char path[OP_PATH_LEN]; /* from the hierarchy's root, NUL-terminated */
};

/* What became of the OOM. */
#define OP_DECISION_KILLED 1  /* the victim was killed by this policy */
#define OP_DECISION_NONE 2    /* no opinion, and what came of it is not known */
#define OP_DECISION_WAITING 3 /* a victim in the domain is still dying: nobody was killed */
#define OP_DECISION_KERNEL 4  /* no opinion, and the kernel's own killer chose the victim */
#define OP_DECISION_NOBODY 5  /* no opinion, and the kernel found nobody to kill either */

/* Why, where the decision is not OP_DECISION_KILLED. */
#define OP_REASON_NONE 0
#define OP_REASON_NO_CANDIDATE 1  /* no killable task in the domain at all */
#define OP_REASON_ALL_PROTECTED 2 /* killable tasks there are, each in a protected cgroup */
#define OP_REASON_VICTIM_DYING 3  /* victim: the task that is still dying */
#define OP_REASON_NO_POLICY 4	  /* no policy answers for this domain, or none is loaded */
#define OP_REASON_DOMAIN_GONE 5	  /* the memcg of the OOM could not be looked up */
#define OP_REASON_VICTIM_GONE 6	  /* the chosen task exited before it could be killed */
#define OP_REASON_KILL_FAILED 7	  /* kill_error says why */
#define OP_REASON_CONSTRAINT 8	  /* cpuset or memory policy: only the kernel knows who helps */
#define OP_REASON_NOT_UNIFIED 9	  /* the memcg belongs to a cgroup v1 hierarchy */
#define OP_REASON_NOT_ASKED 10	  /* no policy was asked: there is no domain in the record */
#define OP_REASON_UNFINISHED 11	  /* the kernel ended the selection, or the chosen task exited */
#define OP_REASON_UNSEEN 12	  /* the processes of a cgroup could not be looked at */

#define OP_OOM_MEMCG (1U << 0)	  /* a memcg ran out, not the system */
#define OP_OOM_SYSRQ (1U << 1)	  /* SysRq-f asked for it: order is -1 */
#define OP_OOM_REMOTE (1U << 2)	  /* the trigger is not a member of the domain */
#define OP_OOM_PATH_CUT (1U << 3) /* a path did not fit OP_PATH_LEN */
#define OP_OOM_DECLARED (1U << 4) /* somebody declared it: the text is in declared */

/* Who asked the policies. */
#define OP_BACKEND_NONE 0 /* nobody */

/* F(NAME, word) of each, the best first; the numbers begin at 1, and stay. */
#define OP_BACKENDS(F)                                                     \
	F(STRUCT_OPS, struct_ops)	/* handlers of the kernel's OOM */ \
	F(EVALUATE_TASK, evaluate_task) /* a program in the kernel's selection */

#define OP_BACKEND_ENUMERATOR(name, word) OP_BACKEND_##name,
enum op_backend {
	_OP_BACKEND_MIN = OP_BACKEND_NONE,
	OP_BACKENDS(OP_BACKEND_ENUMERATOR) _OP_BACKEND_MAX,
};

struct op_task {
	__u32 pid;		   /* thread group id in the initial pid namespace; 0: no task */
	__u32 tid;		   /* thread id, likewise */
	__u32 uid;		   /* real uid in the initial user namespace */
	__s32 oom_score_adj;	   /* -1000..1000 */
	__u64 start_boottime_nsec; /* CLOCK_BOOTTIME when the thread group started */
	__u64 cgroup_id;
	__u64 anon_pages;
	__u64 file_pages;
	__u64 shmem_pages;
	__u64 swap_pages;
	__u64 pgtables_bytes;
	char comm[OP_COMM_LEN]; /* untrusted bytes, NUL-terminated */
};

/* Why one that was looked at was not chosen. */
#define OP_RUNNER_PRIORITY 1   /* its priority is higher than the victim's */
#define OP_RUNNER_PREFERENCE 2 /* of the same priority the policy's Victim= prefers another */
#define OP_RUNNER_PROTECTED 3  /* its cgroup is protected */
#define OP_RUNNER_ADJ 4	       /* its oom_score_adj is -1000 */
#define OP_RUNNER_SPARED 5     /* it is init, or the daemon */

struct op_runner {
	__u32 pid;	  /* thread group id in the initial pid namespace */
	__u32 uid;	  /* real uid in the initial user namespace */
	__u32 priority;	  /* effective */
	__u32 rule_index; /* of the [Rule] behind it, or OP_RULE_NONE */
	__s32 oom_score_adj;
	__u32 reason; /* OP_RUNNER_* */
	__u64 cgroup_id;
	__u64 size_pages;	/* rss, swap and page tables, when it was looked at */
	char comm[OP_COMM_LEN]; /* untrusted bytes, NUL-terminated; empty: it is gone */
	char path[OP_PATH_LEN]; /* empty: its cgroup is gone */
};

/* What a cgroup may use and uses. */
#define OP_PAGES_UNLIMITED (~0ULL)

struct op_level {
	__u64 cgroup_id;
	__u64 usage_pages;	/* memory.current */
	__u64 max_pages;	/* memory.max */
	__u64 high_pages;	/* memory.high */
	__u64 swap_usage_pages; /* memory.swap.current */
	__u64 swap_max_pages;	/* memory.swap.max */
};

struct op_oom_record {
	struct op_record_header header;
	__u32 decision;	  /* OP_DECISION_* */
	__u32 reason;	  /* OP_REASON_* */
	__u32 flags;	  /* OP_OOM_* */
	__s32 kill_error; /* negative errno of the kill, or 0 */
	__s32 order;	  /* of the allocation: 2^order pages; -1 for SysRq */
	__u32 gfp_mask;
	__u32 constraint;   /* enum oom_constraint: 0 none, 1 cpuset, 2 memory policy, 3 memcg */
	__u32 priority;	    /* the victim's, effective */
	__u32 rule_index;   /* of the [Rule] behind it, or OP_RULE_NONE */
	__u32 nr_tasks;	    /* thread groups looked at */
	__u32 nr_cgroups;   /* cgroups looked at */
	__u32 suppressed;   /* OOMs like this one that left no record, since the last that did */
	__u32 config;	    /* number of the configuration that decided */
	__u32 kill;	    /* OP_RULE_KILL_PROCESS, OP_RULE_KILL_CGROUP, or 0 */
	__u32 n_members;    /* killed with the victim; each has left an OP_RECORD_MEMBER */
	__u32 backend;	    /* OP_BACKEND_* */
	__u32 n_levels;	    /* in levels */
	__u32 n_runners;    /* in runners */
	__u64 source_id;    /* the cgroup whose entry gave the priority; 0: the policy's default */
	__u64 domain_id;    /* cgroup id of the memcg that ran out; 0: the system */
	__u64 select_nsec;  /* spent until the victim was chosen */
	__u64 handler_nsec; /* spent in all, with the kernel's report */
	struct op_task trigger; /* who allocated */
	struct op_task victim;	/* who died, or is dying; pid 0: nobody */
	char policy[OP_POLICY_NAME_LEN];
	char declared[OP_DECLARED_LEN]; /* empty unless OP_OOM_DECLARED */
	char domain_path[OP_PATH_LEN];	/* "/" for the system */
	char trigger_path[OP_PATH_LEN];
	char victim_path[OP_PATH_LEN];
	char source_path[OP_PATH_LEN];	       /* empty for the policy's default */
	struct op_level levels[OP_LEVELS_MAX]; /* the domain, and its ancestors below the root */
	/* The next first. A record ends behind the last that there is. */
	struct op_runner runners[OP_RUNNERS_MAX];
};

/* Not as what is left out: the verifier of 6.12 knows no bounds of a product below zero. */
#define OP_OOM_RECORD_SIZE(n_runners)                                               \
	(sizeof(struct op_oom_record) - OP_RUNNERS_MAX * sizeof(struct op_runner) + \
	 (n_runners) * sizeof(struct op_runner))

/* One process that died with the victim, by Kill=cgroup or memory.oom.group. Its sequence number
 * counts with the OOMs'. */
struct op_member_record {
	struct op_record_header header;
	struct op_task task;
	char path[OP_PATH_LEN];
};

/* How the memory of a victim came back. */
#define OP_FREED_EXIT 1	  /* the last that used its address space is gone */
#define OP_FREED_REAPER 2 /* the kernel's OOM reaper emptied it: the process is there still */

/*
 * The memory of the victim of a record is back. It counts with no others: the header has the
 * sequence number of that record, so that one that finds the ring full leaves no gap.
 */
struct op_freed_record {
	struct op_record_header header; /* ktime_nsec: when it was back */
	__u64 oom_ktime_nsec;		/* of the header of that record */
	__u64 killed_nsec;		/* CLOCK_MONOTONIC when the kernel marked it as a victim */
	__u64 left_pages;	/* rss and swap that the reaper may not take; 0 at the exit */
	__u32 pid;		/* thread group id in the initial pid namespace */
	__u32 by;		/* OP_FREED_* */
	char comm[OP_COMM_LEN]; /* untrusted bytes, NUL-terminated */
};

/* --- op_link_events: somebody has attached something. Of one build alone, and without a header. */
struct op_link_record {
	__u32 link_id; /* 0: it has none, or none yet */
	__u32 pid;     /* of the process that did it */
	char comm[OP_COMM_LEN];
};

/* --- op_stats: one element, counters since the object was loaded. */
struct op_stats {
	__u64 runs;		/* times the handler ran */
	__u64 records;		/* the sequence number of the last record */
	__u64 kills;		/* victims it killed */
	__u64 events_lost;	/* OOM records that found the ring full */
	__u64 cgroups_lost;	/* cgroup records that found the ring full */
	__u64 handler_nsec;	/* spent in the handler, in all */
	__u64 handler_max_nsec; /* the longest run */
};

/* --- what declare.bpf.c is run with. */
struct op_declaration {
	__u64 cgroup_id; /* 0: the system */
	__s32 result;	 /* 1: progress, 0: none, or a negative errno */
	__u32 pad;
	char text[OP_DECLARED_LEN]; /* what the kernel's report gives as the constraint */
};

/* --- what rank.bpf.c is run with, and what it leaves in op_ranked. */

/*
 * Processes of which a run says all; of more it keeps those that would die first. A power of two.
 * Far more than anybody reads, and 100 KiB of the kernel's memory.
 */
#define OP_RANK_MAX 1024

/* Why a process would not be chosen. */
#define OP_NEVER_NOT 0	     /* it could be */
#define OP_NEVER_PROTECTED 1 /* its cgroup is */
#define OP_NEVER_DYING 2     /* a victim already, which holds memory still: an OOM waits for it */
#define OP_NEVER_DEAD 3	     /* a victim already, whose memory is gone */
#define OP_NEVER_INIT 4
#define OP_NEVER_DAEMON 5    /* oompolicyd itself */
#define OP_NEVER_SCORE_ADJ 6 /* oom_score_adj is -1000 */
#define OP_NEVER_NO_MEMORY 7 /* it has none any more */
#define OP_NEVER_VFORK 8     /* it runs in its parent's memory */
#define OP_NEVER_SHARED 9    /* one that would never be chosen has its memory, too */

struct op_ranked {
	__u64 cgroup_id;
	__u64 source_id; /* the cgroup whose entry applies; 0: none */
	__u64 start_boottime_nsec;
	__u64 points; /* by the policy's Victim=, more dies sooner; of no use where it never does */
	__u64 size_pages; /* rss + swap + page tables */
	__u32 pid;
	__u32 uid; /* real uid in the initial user namespace */
	__s32 oom_score_adj;
	__u32 priority;	  /* effective */
	__u32 rule_index; /* of the [Rule] behind it, or OP_RULE_NONE */
	__u32 rule_flags; /* OP_RULE_* */
	__u32 never;	  /* OP_NEVER_* */
	__u32 found;	  /* place in the order of the search: the first found wins among equals */
	char comm[OP_COMM_LEN]; /* untrusted bytes, NUL-terminated */
};

struct op_rank_run {
	/* asked */
	__u64 domain_id;   /* cgroup id, of the root for the system */
	__u64 total_pages; /* oom_control.totalpages, as an OOM there would have it */
	__u32 is_memcg;	   /* 0: the system */
	/* answered */
	__u32 reason;	    /* OP_REASON_NONE, or why no policy would answer */
	__u32 slot;	    /* of the policy that would */
	__u32 victim;	    /* its OP_VICTIM_* */
	__u32 first_pid;    /* that the selection prefers to all others; 0: nobody may be chosen */
	__u32 dying_pid;    /* of a victim of an earlier OOM; 0: there is none */
	__u32 nr_tasks;	    /* thread groups looked at */
	__u32 nr_cgroups;   /* cgroups looked at */
	__u32 nr_protected; /* cgroups with tasks that are protected */
	__u32 n_ranked;	    /* in op_ranked, in no order */
	__u32 n_left_out;
	__u32 pad;
	__u64 nsec; /* that it took */
};

_Static_assert(sizeof(struct op_entry) == 16, "op_entry layout");
_Static_assert(sizeof(((struct op_entry *)0)->cgroup) == 16, "op_entry.cgroup layout");
_Static_assert(sizeof(((struct op_entry *)0)->policy) == 16, "op_entry.policy layout");
_Static_assert(sizeof(((struct op_entry *)0)->config) == 16, "op_entry.config layout");
_Static_assert(sizeof(((struct op_entry *)0)->order) == 16, "op_entry.order layout");
_Static_assert(sizeof(struct op_switch) == 16, "op_switch layout");
_Static_assert(sizeof(struct op_member_record) == 32 + 88 + OP_PATH_LEN, "op_member_record layout");
_Static_assert(sizeof(struct op_freed_record) == 32 + 32 + OP_COMM_LEN, "op_freed_record layout");
_Static_assert(sizeof(struct op_record_header) == 32, "op_record_header layout");
_Static_assert(sizeof(struct op_cgroup_record) == 48 + OP_PATH_LEN, "op_cgroup_record layout");
_Static_assert(sizeof(struct op_task) == 88, "op_task layout");
_Static_assert(sizeof(struct op_runner) == 56 + OP_PATH_LEN, "op_runner layout");
_Static_assert(sizeof(struct op_level) == 48, "op_level layout");
_Static_assert(OP_OOM_RECORD_SIZE(0) ==
		       32 + 72 + 32 + 2 * 88 + 2 * 64 + 4 * OP_PATH_LEN + OP_LEVELS_MAX * 48,
	       "op_oom_record layout");
_Static_assert(sizeof(struct op_declaration) == 16 + OP_DECLARED_LEN, "op_declaration layout");
_Static_assert(sizeof(struct op_ranked) == 88, "op_ranked layout");
_Static_assert(sizeof(struct op_rank_run) == 72, "op_rank_run layout");
_Static_assert(sizeof(struct op_link_record) == 24, "op_link_record layout");
_Static_assert(sizeof(struct op_stats) == 56, "op_stats layout");

#endif
