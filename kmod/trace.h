/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoint of the 2023 series, oom:select_bad_process_end, and one of our own. They sit
 * beside the kernel's events of the system "oom"; BPF reaches them as tp_btf.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM oom

#if !defined(_BPF_OOM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _BPF_OOM_TRACE_H

#include <linux/oom.h>
#include <linux/tracepoint.h>

#include "bpf_oom.h"

/* clang-format off */

/* Selection looked at every task and chose none. Not fired when it was aborted. */
TRACE_EVENT(select_bad_process_end,

	TP_PROTO(struct oom_control *oc),

	TP_ARGS(oc),

	TP_STRUCT__entry(
		__array(char, policy_name, POLICY_NAME_LEN)
	),

	TP_fast_assign(
		strscpy(__entry->policy_name, bpf_oom_policy_name(oc), POLICY_NAME_LEN);
	),

	TP_printk("policy_name=%s", __entry->policy_name)
);

/* Not of the series: an OOM is over, with all that were killed for it. Under oom_lock. */
TRACE_EVENT(bpf_oom_end,

	TP_PROTO(struct oom_control *oc),

	TP_ARGS(oc),

	TP_STRUCT__entry(
		__field(int, order)
	),

	TP_fast_assign(
		__entry->order = oc->order;
	),

	TP_printk("order=%d", __entry->order)
);

/* clang-format on */

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
