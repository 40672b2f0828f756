// SPDX-License-Identifier: GPL-2.0-only
/* The posted series has no kfuncs but those of kfunc.c, and these are for handlers alone. */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>

#include "bpf_oom.h"
#include "compat.h"

void bpf_oom_set_own_btf(const struct btf *btf)
{
}

BTF_KFUNCS_START(bpf_oom_handler_kfuncs)
BTF_ID_FLAGS(func, bpf_oom_kill_process, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_task_is_oom_victim, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_out_of_memory, KF_SLEEPABLE | KF_TRUSTED_ARGS)
BTF_KFUNCS_END(bpf_oom_handler_kfuncs)

static const struct btf_kfunc_id_set bpf_oom_handler_set = {
	.owner = THIS_MODULE,
	.set = &bpf_oom_handler_kfuncs,
};

int bpf_oom_kfunc_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &bpf_oom_handler_set);
}
