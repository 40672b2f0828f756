// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports cgroups that appear and disappear, so that the daemon need not poll.
 *
 * Apart from the policy's object: it needs nothing of the OOM interface and outlives a policy
 * that is exchanged. The tracepoints fire under cgroup_mutex, so records are in order and the
 * counters need no atomics. A record that finds the ring full shows as a gap in the sequence,
 * after which the daemon walks the tree anew.
 */
#include "kernel.h"

char LICENSE[] SEC("license") = "GPL";

/* 256 KiB: over 400 records, more than a container runtime makes before the daemon runs once. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} op_cgroup_events SEC(".maps");

__u64 cgroups_lost = 0;
static __u64 records; /* sequence number of the last record */

static __always_inline void report(struct cgroup *cgrp, __u32 type, const char *path)
{
	struct op_cgroup_record *event;
	__u64 seq = ++records;

	event = bpf_ringbuf_reserve(&op_cgroup_events, sizeof(*event), 0);
	if (!event) {
		cgroups_lost++;
		return;
	}
	event->header.version = OP_ABI_VERSION;
	event->header.type = type;
	event->header.size = sizeof(*event);
	event->header.pad = 0;
	event->header.seq = seq;
	event->header.ktime_nsec = bpf_ktime_get_ns();
	event->id = READ_ONLY(cgrp)->kn->id;
	event->hierarchy_id = READ_ONLY(cgrp)->root->hierarchy_id;
	event->pad = 0;
	event->path[0] = '\0';
	if (path)
		bpf_probe_read_kernel_str(event->path, sizeof(event->path), path);
	bpf_ringbuf_submit(event, 0);
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(op_mkdir, struct cgroup *cgrp, const char *path)
{
	report(cgrp, OP_RECORD_CGROUP_MKDIR, path);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(op_rmdir, struct cgroup *cgrp, const char *path)
{
	report(cgrp, OP_RECORD_CGROUP_RMDIR, NULL);
	return 0;
}
