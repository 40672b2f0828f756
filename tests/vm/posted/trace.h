/* SPDX-License-Identifier: GPL-2.0-only */
/* The posted series has no tracepoint where nobody is chosen, nor at the end. */
#ifndef _BPF_OOM_TRACE_H
#define _BPF_OOM_TRACE_H

static inline bool trace_select_bad_process_end_enabled(void)
{
	return false;
}

static inline void trace_select_bad_process_end(struct oom_control *oc)
{
}

/* Somebody always follows it: a kernel with the series asks, and names a policy, in each OOM. */
static inline bool trace_bpf_oom_end_enabled(void)
{
	return true;
}

static inline void trace_bpf_oom_end(struct oom_control *oc)
{
}

#endif
