// SPDX-License-Identifier: GPL-2.0-only
/* The list of handlers as the posted series runs it: the one that came last is asked first, and
 * none can be exchanged. */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "bpf_oom.h"

struct bpf_oom {
	struct bpf_oom_ops *ops;
	struct list_head node;
};

DEFINE_STATIC_SRCU(policies_srcu);
static DEFINE_MUTEX(policies_lock);
static LIST_HEAD(policies);

bool bpf_oom_have_policies(void)
{
	return !list_empty(&policies);
}

bool bpf_oom_is_overdue(void)
{
	return false;
}

bool bpf_oom_run_policies(struct oom_control *oc, const bool *freed, const char **name)
{
	struct bpf_oom *policy;
	bool handled = false;
	int idx;

	idx = srcu_read_lock(&policies_srcu);
	list_for_each_entry_srcu(policy, &policies, node, srcu_read_lock_held(&policies_srcu)) {
		struct bpf_oom_ops *ops = policy->ops;

		*name = ops->name[0] ? ops->name : "bpf_defined_policy";
		handled = ops->handle_out_of_memory(oc) && *freed;
		if (handled)
			break;
	}
	*name = NULL;
	srcu_read_unlock(&policies_srcu, idx);
	return handled;
}

int bpf_oom_ops_reg(void *kdata, struct bpf_link *link)
{
	struct bpf_oom_ops *ops = kdata;
	struct bpf_oom *policy = kzalloc(sizeof(*policy), GFP_KERNEL);

	if (!policy)
		return -ENOMEM;
	policy->ops = ops;
	mutex_lock(&policies_lock);
	ops->bpf_oom = policy;
	list_add_rcu(&policy->node, &policies);
	mutex_unlock(&policies_lock);
	return 0;
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

/* As the kernel answers where there is no such function. */
int bpf_oom_ops_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	return -EOPNOTSUPP;
}
