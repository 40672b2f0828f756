// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of registered policies, which an OOM runs through.
 *
 * It is kept in load order under policies_lock and read under SRCU, since a policy may sleep.
 * Whoever takes a policy out waits for the readers before it returns: the kernel frees the
 * program's trampoline after that, and waits for no sleepable reader itself.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>

#include "bpf_oom.h"

struct bpf_oom {
	struct bpf_oom_ops *ops;
	struct list_head node;
};

DEFINE_STATIC_SRCU(policies_srcu);
static DEFINE_MUTEX(policies_lock);
static LIST_HEAD(policies);

/*
 * Everybody who runs out of memory waits for oom_lock. A handler takes some milliseconds; after
 * this long, with nobody killed, it has no say any more. What a kill takes, with its report on a
 * console that may be slow, is not its fault.
 */
#define HANDLER_MAX (5 * HZ)

/* When the handler that runs was called, in jiffies; under oom_lock. */
static unsigned long handler_begun;

bool bpf_oom_have_policies(void)
{
	return !list_empty(&policies);
}

bool bpf_oom_is_overdue(void)
{
	return time_after(jiffies, handler_begun + HANDLER_MAX);
}

/* Returns whether the handler has freed memory. */
static bool run_policy(struct bpf_oom_ops *ops, const char *name, struct oom_control *oc,
		       const bool *freed)
{
	int ret;

	handler_begun = jiffies;
	ret = ops->handle_out_of_memory(oc);
	if (!*freed && bpf_oom_is_overdue())
		pr_warn("the policy %s took %u ms and killed nobody: others and the kernel "
			"decide\n",
			name, jiffies_to_msecs(jiffies - handler_begun));
	return ret && *freed;
}

bool bpf_oom_run_policies(struct oom_control *oc, const bool *freed, const char **name)
{
	struct bpf_oom *policy;
	unsigned int noreclaim;
	bool handled = false;
	int idx;

	/*
	 * A policy may sleep, and yet not fault: whoever ran out of memory may hold the mmap_lock
	 * of its own process or, for a remote OOM, of another. And what it has the kernel allocate
	 * must not come to an OOM itself, which would wait for the oom_lock that is held here: it
	 * gets from the reserves, or fails.
	 */
	pagefault_disable();
	noreclaim = memalloc_noreclaim_save();
	idx = srcu_read_lock(&policies_srcu);
	list_for_each_entry_srcu(policy, &policies, node, srcu_read_lock_held(&policies_srcu)) {
		struct bpf_oom_ops *ops = policy->ops;

		*name = ops->name[0] ? ops->name : "bpf_defined_policy";
		handled = run_policy(ops, *name, oc, freed);
		if (handled)
			break;
	}
	*name = NULL;
	srcu_read_unlock(&policies_srcu, idx);
	memalloc_noreclaim_restore(noreclaim);
	pagefault_enable();
	return handled;
}

int bpf_oom_ops_reg(void *kdata, struct bpf_link *link)
{
	struct bpf_oom_ops *ops = kdata;
	struct bpf_oom *policy;
	int err = 0;

	policy = kzalloc(sizeof(*policy), GFP_KERNEL);
	if (!policy)
		return -ENOMEM;
	policy->ops = ops;

	mutex_lock(&policies_lock);
	if (ops->bpf_oom) {
		/* One map, two links: the second would register the same policy twice. */
		err = -EEXIST;
	} else {
		ops->bpf_oom = policy;
		list_add_tail_rcu(&policy->node, &policies);
	}
	mutex_unlock(&policies_lock);

	if (err)
		kfree(policy);
	return err;
}

void bpf_oom_ops_unreg(void *kdata, struct bpf_link *link)
{
	struct bpf_oom_ops *ops = kdata;
	struct bpf_oom *policy;

	mutex_lock(&policies_lock);
	policy = ops->bpf_oom;
	ops->bpf_oom = NULL;
	list_del_rcu(&policy->node);
	mutex_unlock(&policies_lock);

	synchronize_srcu(&policies_srcu);
	kfree(policy);
}

/* Puts the new policy in the old one's place: an OOM runs one of them, never none, never both. */
int bpf_oom_ops_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	struct bpf_oom_ops *ops = kdata, *old_ops = old_kdata;
	struct bpf_oom *policy, *old;
	int err = 0;

	if (ops == old_ops)
		return 0;

	policy = kzalloc(sizeof(*policy), GFP_KERNEL);
	if (!policy)
		return -ENOMEM;
	policy->ops = ops;

	mutex_lock(&policies_lock);
	if (ops->bpf_oom) {
		err = -EEXIST;
	} else {
		old = old_ops->bpf_oom;
		old_ops->bpf_oom = NULL;
		ops->bpf_oom = policy;
		list_replace_rcu(&old->node, &policy->node);
	}
	mutex_unlock(&policies_lock);

	if (err) {
		kfree(policy);
		return err;
	}
	synchronize_srcu(&policies_srcu);
	kfree(old);
	return 0;
}
