/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration as a model: what a valid set of files means, which policy answers for an OOM,
 * and the map entry that each cgroup gets.
 *
 * Owns the policies, rules and triggers, and which one wins. Does no I/O, reads no clock, logs
 * nothing; the parser (parser.h) fills it, the daemon asks it. A model that config_finish()
 * accepted never changes again, so that a reload is the exchange of one pointer.
 */
#ifndef OP_POLICY_H
#define OP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"

struct op_entry;
struct rule_index;

/*
 * Enforced limits, beside OP_POLICIES_MAX of bpf/oompolicy.h. Lengths are in bytes as written in
 * the file, with backslashes and without the NUL.
 *
 * Rules and patterns: patterns with wildcards are indexed by the text in them, but those that have
 * the same are tried one after the other for each new cgroup; so their number bounds that time
 * (about a millisecond), and the memory.
 * A rule's own patterns: more is a list that belongs into a slice, and a list without end.
 * Triggers: each is a file descriptor that the daemon polls, and work for the kernel at each
 * change of the pressure.
 * OOM controls: each is two file descriptors and a registration in the kernel.
 * PATTERN_LEN is PATH_MAX, the longest path that the kernel gives out.
 * DEPTH is OP_DEPTH_MAX: the kernel's side looks no further up, so a deeper cgroup has no rule.
 * UNIT_LEN is UNIT_NAME_MAX of systemd's basic/unit-name.h, USER_LEN is LOGIN_NAME_MAX.
 */
#define CONFIG_RULES_MAX 10000
#define CONFIG_PATTERNS_MAX 20000
#define CONFIG_RULE_PATTERNS_MAX 256
#define CONFIG_TRIGGERS_MAX 32
#define CONFIG_OOM_CONTROLS_MAX 32
#define CONFIG_PATTERN_LEN_MAX 4095
#define CONFIG_DEPTH_MAX 64
#define CONFIG_UNIT_LEN_MAX 255
#define CONFIG_USER_LEN_MAX 255
#define CONFIG_RULE_NAME_MAX 255

/* Documentation/accounting/psi.rst: what the kernel takes as the window of a trigger. */
#define CONFIG_WINDOW_MIN_USEC 500000ULL
#define CONFIG_WINDOW_MAX_USEC 10000000ULL

#define BACKEND_ENUMERATOR(name, word) BACKEND_##name = OP_BACKEND_##name,

enum backend {
	BACKEND_AUTO = OP_BACKEND_NONE, /* the first that the running kernel can do */
	OP_BACKENDS(BACKEND_ENUMERATOR) _BACKEND_MAX,
};

/* What becomes of the policy when the daemon is stopped. */
enum stop {
	STOP_REMOVE,
	STOP_KEEP,
	_STOP_MAX,
};

/* Which OOMs a policy answers for. */
enum policy_scope {
	POLICY_SCOPE_ANY,
	POLICY_SCOPE_SYSTEM, /* the whole system ran out */
	POLICY_SCOPE_MEMCG,  /* a cgroup reached its limit */
	_POLICY_SCOPE_MAX,
};

/* Who dies among processes of the same priority; the values are OP_VICTIM_*. */
enum policy_victim {
	POLICY_VICTIM_LARGEST,
	POLICY_VICTIM_BADNESS,
	POLICY_VICTIM_NEWEST,
	POLICY_VICTIM_OLDEST,
	_POLICY_VICTIM_MAX,
};

/* How much is killed. */
enum rule_kill {
	RULE_KILL_UNSET,   /* what memory.oom.group says */
	RULE_KILL_PROCESS, /* the victim alone */
	RULE_KILL_CGROUP,  /* all of the cgroup that the rule matched */
	_RULE_KILL_MAX,
};

/* Which key a pattern was written with, and so what it is compared with. */
enum pattern_kind {
	PATTERN_CGROUP, /* the cgroup's path from the root, "/" is the root */
	PATTERN_UNIT,	/* the last component of that path, unescaped as systemd escapes it */
	PATTERN_USER,	/* likewise: the user's slice */
	_PATTERN_KIND_MAX,
};

/* A [Policy NAME]. Every @file here and below belongs to the struct config. */
struct policy {
	char *name;	  /* at most OP_POLICY_NAME_LEN - 1 bytes of [A-Za-z0-9_.:-] */
	const char *file; /* where the section was read first; NULL: there was none */
	unsigned line;
	enum policy_scope scope;
	enum policy_victim victim;
	char *cgroup; /* exact, absolute and normalized: the subtree it answers for */
	uint32_t default_priority;
};

struct pattern {
	enum pattern_kind kind;
	char *text; /* as glob.h has it; NULL for a user that does not exist: matches nothing */
	char *user; /* PATTERN_USER: as it was written; NULL otherwise */
	const char *file;
	unsigned line;
};

/* A [Rule NAME]. */
struct rule {
	char *name;
	const char *file;
	unsigned line;
	struct pattern *patterns; /* at least one in a finished model */
	size_t n_patterns;
	uint32_t priority; /* OP_PRIORITY_MIN..OP_PRIORITY_MAX, 0 if not set */
	bool priority_set; /* unset: the default of the policy that answers */
	bool protect;
	bool protect_set;
	enum rule_kill kill;
};

/* A [Trigger NAME]: pressure that is declared an OOM. */
struct trigger {
	char *name;
	const char *file;
	unsigned line;
	char *cgroup; /* exact, absolute and normalized */
	bool full;    /* all tasks stalled, not some */
	uint64_t threshold_usec;
	uint64_t window_usec; /* CONFIG_WINDOW_MIN_USEC..CONFIG_WINDOW_MAX_USEC */
};

struct config {
	enum backend backend;
	uint32_t runners_up; /* how many a record names, 0..OP_RUNNERS_MAX */
	enum stop stop;
	/* RootOomControl=: whose memory.oom_control is listened to, beside the records */
	bool root_oom_control_off;
	char **oom_controls; /* exact paths of cgroup v1, none of them the root */
	size_t n_oom_controls;
	struct policy *policies; /* in the order of reading; at least one after config_finish() */
	size_t n_policies;
	struct rule *rules; /* in the order of reading: of equals the later wins */
	size_t n_rules;
	struct trigger *triggers;
	size_t n_triggers;
	char **files; /* names that the others point to */
	size_t n_files;
	struct rule_index *index; /* NULL before config_finish() */
};

/* Returns a new, empty model that the caller owns, or NULL when memory is out. */
struct config *config_new(void);

/* Frees the model with all it owns. Takes NULL; returns NULL. */
struct config *config_free(struct config *c);

/*
 * Filling a model, all before config_finish(). Each returns 0, -ENOMEM, or -E2BIG at the limit.
 *
 * config_add_policy() and its like append an entry with every key at its default, a copy of @name,
 * and where it was read: @file, which config_add_file() gave, and @line; NULL and 0 for nowhere. It
 * is the last of its array, which may move with each addition. The names are not compared with
 * those that are there. rule_add_pattern() takes over the strings of @pattern, which is left empty,
 * or leaves it as it was on an error; CONFIG_PATTERNS_MAX is config_finish()'s.
 */
int config_add_file(struct config *c, const char *file, const char **ret);
int config_add_policy(struct config *c, const char *name, const char *file, unsigned line);
int config_add_rule(struct config *c, const char *name, const char *file, unsigned line);
int config_add_trigger(struct config *c, const char *name, const char *file, unsigned line);
/* Takes over @path, or leaves it the caller's on an error. */
int config_add_oom_control(struct config *c, char *path);
int rule_add_pattern(struct rule *rule, struct pattern *pattern);

/* Drops all that config_add_oom_control() added. */
void config_reset_oom_controls(struct config *c);

/* Drops the patterns of @kind from the list. */
void rule_reset_patterns(struct rule *rule, enum pattern_kind kind);

/*
 * Completes the model: without any policy it gets one, "default", with everything at its default;
 * and sorts the rules for config_match(). Once. Returns 0, -ENOMEM, or -E2BIG when there are more
 * than CONFIG_PATTERNS_MAX patterns.
 */
int config_finish(struct config *c);

/*
 * These return NULL when the text is good, else what is wrong with it or what was expected, as a
 * static text. A Cgroup= pattern is absolute and normalized, a Unit= pattern ends in the suffix
 * of a unit type that has a cgroup; an exact path is written like a Cgroup= pattern, but has no
 * wildcard that is not escaped. @kind is not PATTERN_USER.
 */
const char *config_check_pattern(enum pattern_kind kind, const char *pattern);
const char *config_check_path(const char *path);
const char *config_check_policy_name(const char *name);
/* Also of a trigger. */
const char *config_check_rule_name(const char *name);

/* Returns NULL, or why no cgroup that can exist matches the good Cgroup= @pattern. */
const char *config_check_possible(const char *pattern);

/*
 * The policy that answers for an OOM of the domain @path ("/" for the system): the nearest
 * upwards whose Cgroup= is the domain or an ancestor of it, and whose Scope= has such OOMs. An
 * index of policies[], or SIZE_MAX where none answers. Not before config_finish().
 */
size_t config_policy_for(const struct config *c, const char *path, bool system_oom);

/* Whether two scopes have an OOM in common. */
bool policy_scopes_overlap(enum policy_scope a, enum policy_scope b);

/*
 * The rule that decides for the cgroup @path itself, without inheritance, or NULL where none
 * matches. @path is absolute, normalized, "/" for the root; the result lives as long as @c.
 * Finds no rule before config_finish().
 *
 * Order: a Cgroup= without wildcards wins over a Unit= or User= without wildcards, which wins over
 * any pattern with wildcards; among these the one with more literal characters wins (slashes
 * count); if still tied, the later rule. Each pattern of a list ranks by itself.
 */
const struct rule *config_match(const struct config *c, const char *path);

/*
 * Calls @each for every pattern that matches @path, the winner's first, then those that lost in
 * the order in which they would have won. Stops when @each returns non-zero, and returns that.
 * Tries every pattern: for people who ask why, not for each cgroup.
 */
int config_explain(const struct config *c, const char *path,
		   int (*each)(const struct rule *rule, const struct pattern *pattern,
			       void *userdata),
		   void *userdata);

/*
 * Compiles the map entry of the cgroup @path. Returns true and fills @ret when a rule matches the
 * cgroup itself, false when the cgroup inherits and gets no entry. Where Priority= is unset the
 * entry has OP_RULE_DEFAULT_PRIORITY, and OP_PRIORITY_DEFAULT as its priority.
 */
bool config_compile_cgroup(const struct config *c, const char *path, struct op_entry *ret);

/* The entry under OP_KEY_POLICY() for policies[i]. */
void config_compile_policy(const struct config *c, size_t i, struct op_entry *ret);

/* As the keys of the file spell them; "" for RULE_KILL_UNSET, NULL for a value out of range. */
const char *backend_to_string(enum backend value);
const char *stop_to_string(enum stop value);
const char *policy_scope_to_string(enum policy_scope value);
const char *policy_victim_to_string(enum policy_victim value);
const char *rule_kill_to_string(enum rule_kill value);
/* "Cgroup", "Unit" or "User". */
const char *pattern_kind_to_string(enum pattern_kind value);

/* Return the value, or -EINVAL. */
int backend_from_string(const char *s);
int stop_from_string(const char *s);
int policy_scope_from_string(const char *s);
int policy_victim_from_string(const char *s);
int rule_kill_from_string(const char *s);

static inline void config_freep(struct config **c)
{
	config_free(*c);
}

#endif
