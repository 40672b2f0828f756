// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks the kernel's way from the beginning of an OOM to the kill of its victim, whoever selects:
 * the same two places with and without the module, which calls both functions itself.
 */
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* One OOM at a time: the loader clears them before it makes one. */
__u64 begun_nsec;
__u64 selection_nsec;
__u64 kills;

/* The module asks again after its policies had no opinion: the first call counts. */
SEC("kprobe/out_of_memory")
int selection_begin(void *ctx)
{
	if (!begun_nsec)
		begun_nsec = bpf_ktime_get_ns();
	return 0;
}

SEC("kprobe/oom_kill_process")
int selection_end(void *ctx)
{
	if (!begun_nsec || kills++)
		return 0;
	selection_nsec = bpf_ktime_get_ns() - begun_nsec;
	return 0;
}
