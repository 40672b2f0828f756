/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy model: what a valid configuration means, and the map entry that each cgroup gets.
 *
 * Owns the rules and their order of precedence. Does no I/O, reads no clock, logs nothing; the
 * parser (parser.h) fills it, the daemon asks it. A model that policy_finish() accepted never
 * changes again, so that a reload is the exchange of one pointer.
 */
#ifndef OP_POLICY_H
#define OP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct op_rule;
struct policy_index;

/*
 * Enforced limits. RULES_MAX bounds the time one cgroup's match takes (every rule with wildcards
 * is looked at once); PATTERN_LEN_MAX is PATH_MAX, the longest path the kernel gives out, without
 * the NUL. UNIT_LEN_MAX is UNIT_NAME_MAX of systemd's basic/unit-name.h, likewise. All in bytes
 * as written in the file, with backslashes.
 */
#define POLICY_RULES_MAX 10000
#define POLICY_PATTERN_LEN_MAX 4095
#define POLICY_UNIT_LEN_MAX 255
#define POLICY_RULE_NAME_MAX 255

enum backend {
	BACKEND_AUTO, /* the first that the running kernel can do */
	BACKEND_STRUCT_OPS,
	_BACKEND_MAX,
};

/* What a rule's pattern is compared with. */
enum rule_match {
	RULE_MATCH_CGROUP, /* the cgroup's path from the root, "/" is the root */
	RULE_MATCH_UNIT,   /* the last component of that path, unescaped as systemd escapes it */
};

struct rule {
	char *name; /* of the section: [Rule NAME] */
	char *file; /* where it was read, for messages */
	unsigned line;
	enum rule_match match;
	char *pattern;	   /* as glob.h has it; policy_check_pattern() accepts it */
	uint32_t priority; /* OP_PRIORITY_MIN..OP_PRIORITY_MAX */
	bool priority_set; /* unset: the policy's default */
	bool protect;
};

struct policy {
	char *policy_name; /* at most OP_POLICY_NAME_LEN - 1 bytes of [A-Za-z0-9_.:-] */
	uint32_t default_priority;
	enum backend backend;
	struct rule *rules; /* in the order of the file */
	size_t n_rules;
	struct policy_index *index; /* of the rules, NULL before policy_finish() */
};

/*
 * Returns a new model with every key at its default, no rules and the policy name "default", or
 * NULL when memory is out. The caller owns it.
 */
struct policy *policy_new(void);

/* Frees the model with its rules. Takes NULL; returns NULL. */
struct policy *policy_free(struct policy *p);

/*
 * Returns NULL when a rule may have @pattern, else what is wrong with it and what was expected,
 * as a static text. A Cgroup= pattern is absolute and normalized, a Unit= pattern ends in the
 * suffix of a unit type that has a cgroup.
 */
const char *policy_check_pattern(enum rule_match match, const char *pattern);

/* Returns NULL when a policy may have @name, else what was expected, as a static text. */
const char *policy_check_name(const char *name);

/* Likewise for the name of a rule. */
const char *policy_check_rule_name(const char *name);

/*
 * Appends @rule, whose strings the model then owns and which is left empty. Returns 0; -E2BIG
 * when there are POLICY_RULES_MAX rules already, -ENOMEM: @rule is as it was. Not after
 * policy_finish().
 */
int policy_add_rule(struct policy *p, struct rule *rule);

/* Frees what the rule owns. Takes NULL. */
void rule_done(struct rule *rule);

/*
 * Sorts the rules for policy_match(). Once, when the model is complete; a model without rules
 * needs it not. Returns 0 or -ENOMEM.
 */
int policy_finish(struct policy *p);

/*
 * The rule that decides for the cgroup @path itself, without inheritance, or NULL where none
 * matches. @path is absolute, normalized, "/" for the root; the result lives as long as @p.
 * Finds no rule before policy_finish().
 *
 * Order: a Cgroup= without wildcards wins over a Unit= without wildcards, which wins over any
 * pattern with wildcards; among these the one with more literal characters wins (slashes count);
 * if still tied, the later one.
 */
const struct rule *policy_match(const struct policy *p, const char *path);

/*
 * Compiles the map entry of the cgroup @path. Returns true and fills @ret when a rule matches the
 * cgroup itself, false when the cgroup inherits and gets no entry.
 */
bool policy_compile_cgroup(const struct policy *p, const char *path, struct op_rule *ret);

/* The entry under key 0: what a cgroup without any matching ancestor gets. */
void policy_compile_default(const struct policy *p, struct op_rule *ret);

/* "auto" for BACKEND_AUTO and so on; NULL for a value out of range. */
const char *backend_to_string(enum backend b);
/* Returns the backend, or -EINVAL. */
int backend_from_string(const char *s);

static inline void policy_freep(struct policy **p)
{
	policy_free(*p);
}

#endif
