// SPDX-License-Identifier: GPL-2.0-only
/* struct_ops bpf_oom_ops: what BPF programs register as, and what they may do. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/ctype.h>
#include <linux/module.h>

#include "bpf_oom.h"
#include "compat.h"

static int bpf_oom_ops_init(struct btf *btf)
{
	bpf_oom_set_own_btf(btf);
	return 0;
}

/*
 * The kernel's functions that a handler must not call: they take the mmap_lock of a process, which
 * whoever ran out of memory may hold, or fault, or allocate in a way that no flag of the task
 * changes. Of kernels that lack one the name is nobody's.
 */
static const char *const forbidden_kfuncs[] = {
	"bpf_arena_alloc_pages",	 "bpf_arena_reserve_pages",
	"bpf_copy_from_user_dynptr",	 "bpf_copy_from_user_str",
	"bpf_copy_from_user_str_dynptr", "bpf_copy_from_user_task_dynptr",
	"bpf_copy_from_user_task_str",	 "bpf_copy_from_user_task_str_dynptr",
	"bpf_crypto_ctx_create",
};

/* The verifier asks before it has changed the program: a call of a kfunc has the id of its type. */
static bool calls_forbidden(const struct bpf_prog *prog)
{
	const char *name;
	u32 i;
	int k;

	for (i = 0; i < prog->len; i++) {
		const struct bpf_insn *insn = &prog->insnsi[i];

		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg != BPF_PSEUDO_KFUNC_CALL ||
		    insn->off)
			continue;
		name = bpf_oom_btf_name(NULL, insn->imm);
		for (k = 0; k < ARRAY_SIZE(forbidden_kfuncs); k++) {
			if (strcmp(name, forbidden_kfuncs[k]))
				continue;
			pr_info("a handler that calls %s is refused: it could hang every OOM\n",
				name);
			return true;
		}
	}
	return false;
}

static int bpf_oom_ops_check_member(const struct btf_type *t, const struct btf_member *member,
				    const struct bpf_prog *prog)
{
	/* The kfuncs that do anything sleep; a program that cannot call them is a mistake. */
	if (__btf_member_bit_offset(t, member) / 8 !=
		    offsetof(struct bpf_oom_ops, handle_out_of_memory) ||
	    !prog->sleepable)
		return -EINVAL;
	return calls_forbidden(prog) ? -EACCES : 0;
}

/* The name goes to the kernel log: one line of printable ASCII. */
static int copy_name(char *dst, const char *src)
{
	size_t len = strnlen(src, BPF_OOM_NAME_MAX_LEN);
	size_t i;

	if (len == BPF_OOM_NAME_MAX_LEN)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!isascii(src[i]) || !isgraph(src[i]))
			return -EINVAL;
	}
	memcpy(dst, src, len);
	return 1; /* the member is taken care of */
}

static int bpf_oom_ops_init_member(const struct btf_type *t, const struct btf_member *member,
				   void *kdata, const void *udata)
{
	const struct bpf_oom_ops *uops = udata;
	struct bpf_oom_ops *ops = kdata;

	if (__btf_member_bit_offset(t, member) / 8 == offsetof(struct bpf_oom_ops, name))
		return copy_name(ops->name, uops->name);
	return 0;
}

static int bpf_oom_ops_validate(void *kdata)
{
	struct bpf_oom_ops *ops = kdata;

	return ops->handle_out_of_memory ? 0 : -EINVAL;
}

static bool bpf_oom_ops_is_valid_access(int off, int size, enum bpf_access_type type,
					const struct bpf_prog *prog,
					struct bpf_insn_access_aux *info)
{
	return bpf_tracing_btf_ctx_access(off, size, type, prog, info);
}

/* Kernel memory is read-only to a policy: bpf_memory_freed must not be its to set. */
static int bpf_oom_ops_btf_struct_access(struct bpf_verifier_log *log,
					 const struct bpf_reg_state *reg, int off, int size)
{
	return -EACCES;
}

/* Of the helpers of tracing programs, which the series offers, those that neither fault nor wait;
 * and of those that every program has, all but the ones that fault. As for kfuncs above. */
static const struct bpf_func_proto *bpf_oom_ops_func_proto(enum bpf_func_id id,
							   const struct bpf_prog *prog)
{
	switch (id) {
	case BPF_FUNC_copy_from_user:
	case BPF_FUNC_copy_from_user_task:
		return NULL;
	case BPF_FUNC_cgrp_storage_delete:
	case BPF_FUNC_cgrp_storage_get:
	case BPF_FUNC_current_task_under_cgroup:
	case BPF_FUNC_get_current_ancestor_cgroup_id:
	case BPF_FUNC_get_current_cgroup_id:
	case BPF_FUNC_get_current_comm:
	case BPF_FUNC_get_current_uid_gid:
	case BPF_FUNC_task_storage_delete:
	case BPF_FUNC_task_storage_get:
		return static_call(bpf_oom_tracing_helper)(id, prog)
			       ?: bpf_base_func_proto(id, prog);
	default:
		return bpf_base_func_proto(id, prog);
	}
}

static const struct bpf_verifier_ops bpf_oom_verifier_ops = {
	.get_func_proto = bpf_oom_ops_func_proto,
	.is_valid_access = bpf_oom_ops_is_valid_access,
	.btf_struct_access = bpf_oom_ops_btf_struct_access,
};

static int bpf_oom_stub_handle_out_of_memory(struct oom_control *oc)
{
	return 0;
}

static struct bpf_oom_ops bpf_oom_stubs = {
	.handle_out_of_memory = bpf_oom_stub_handle_out_of_memory,
};

static struct bpf_struct_ops bpf_bpf_oom_ops = {
	.verifier_ops = &bpf_oom_verifier_ops,
	.init = bpf_oom_ops_init,
	.check_member = bpf_oom_ops_check_member,
	.init_member = bpf_oom_ops_init_member,
	.validate = bpf_oom_ops_validate,
	.reg = bpf_oom_ops_reg,
	.unreg = bpf_oom_ops_unreg,
	.update = bpf_oom_ops_update,
	.cfi_stubs = &bpf_oom_stubs,
	.name = "bpf_oom_ops",
	.owner = THIS_MODULE,
};

int bpf_oom_policy_init(void)
{
	BTF_TYPE_EMIT(struct oom_control__safe_trusted_or_null);
	return register_bpf_struct_ops(&bpf_bpf_oom_ops, bpf_oom_ops);
}
