/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What applies to a cgroup: its rule, its priority, and the policy that answers for it. */
#ifndef OP_BUS_EFFECTIVE_H
#define OP_BUS_EFFECTIVE_H

#include <stdint.h>

#include "bus.h"

struct config;
struct view;

/* The name of the rule behind an entry, by its OP_RULE_* and its index; "": none applies. */
const char *effective_rule(const struct config *c, uint32_t flags, uint32_t rule_index);

/* The word for Kill= by OP_RULE_*. */
const char *effective_kill(uint32_t flags);

/* These are domain_policy(), walk_tree() and explain() of struct bus_provider. */
const char *effective_domain_policy(const struct view *view, const char *domain);
int effective_walk(const struct view *view, const char *domain, bus_tree_visit_t visit,
		   void *userdata);
int effective_explain(const struct view *view, const char *cgroup, struct effective_values *ret,
		      bus_candidate_visit_t visit, void *userdata);

#endif
