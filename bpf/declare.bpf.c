// SPDX-License-Identifier: GPL-2.0-only
/*
 * Declares an OOM: what the daemon runs when a trigger fires or the administrator asks for it.
 *
 * Owns the way from a cgroup's id to the kernel's OOM machinery. Decides nothing: the OOM that it
 * begins comes to the policies like any other, in this very call. What it says meanwhile in op_oom
 * tells them whose OOM it is; the daemon has one thread, so there is one declaration at a time.
 *
 * An object of its own, since a kernel without bpf_out_of_memory() does without.
 */
#include "kernel.h"
#include "state.h"

#include <linux/errno.h>

char LICENSE[] SEC("license") = "GPL";

/*
 * Does not wait for oom_lock: who holds it is freeing memory already. -ENOENT is a cgroup that is
 * gone, or is of a version 1 hierarchy; -ENODATA one without the memory controller, where a limit
 * further up is what its processes run into.
 */
static __always_inline int declare_memcg(__u64 id, const char *text)
{
	struct mem_cgroup *memcg;
	struct cgroup *cgrp;
	int r = -ENODATA;

	cgrp = cgroup_from_id(id);
	if (!cgrp)
		return -ENOENT;
	memcg = bpf_get_mem_cgroup(&cgrp->self);
	if (memcg) {
		r = bpf_out_of_memory(memcg, 0, false, text);
		bpf_put_mem_cgroup(memcg);
	}
	bpf_cgroup_release(cgrp);
	return r;
}

SEC("syscall")
int op_declare_oom(struct op_declaration *request)
{
	struct op_state *state;
	__u32 zero = 0;

	state = bpf_map_lookup_elem(&op_oom, &zero);
	if (!state) {
		request->result = -EINVAL;
		return 0;
	}
	__builtin_memcpy(state->declared, request->text, sizeof(state->declared));
	state->declared[sizeof(state->declared) - 1] = '\0';
	state->declaring_tid = (__u32)bpf_get_current_pid_tgid();

	if (request->cgroup_id)
		request->result = declare_memcg(request->cgroup_id, state->declared);
	else
		request->result = bpf_out_of_memory(NULL, 0, false, state->declared);

	state->declaring_tid = 0;
	state->declared[0] = '\0';
	return 0;
}
