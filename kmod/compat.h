/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels this module is built for; all of it, and nothing else. */
#ifndef _BPF_OOM_COMPAT_H
#define _BPF_OOM_COMPAT_H

#include <linux/btf.h>
#include <linux/mm_types.h>
#include <linux/oom.h>
#include <linux/sched/coredump.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "bpf_oom needs Linux 6.12 or newer: older ones have no struct_ops links in modules"
#endif

/* Trusted arguments became the only kind, and the flag for them went away. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

/* Has the reaper or exit_mmap() given this address space up? */
static inline bool mm_oom_skip(struct mm_struct *mm)
{
	return test_bit(MMF_OOM_SKIP, &mm->flags);
}

#endif
