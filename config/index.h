/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The patterns of all rules, sorted so that the one that wins is found without trying them all.
 * Used by policy.c alone; policy.h says what wins.
 */
#ifndef OP_INDEX_H
#define OP_INDEX_H

#include <stddef.h>

struct config;
struct pattern;
struct rule;
struct rule_index;

/*
 * Returns 0 or -ENOMEM. The index points into the rules of @c, which must not change or move as
 * long as it lives; the caller gives it to index_free().
 */
int index_new(const struct config *c, struct rule_index **ret);
struct rule_index *index_free(struct rule_index *index);

const struct rule *index_match(const struct rule_index *index, const char *path);

int index_explain(const struct rule_index *index, const char *path,
		  int (*each)(const struct rule *rule, const struct pattern *pattern,
			      void *userdata),
		  void *userdata);

#endif
