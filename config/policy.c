/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the rules, what they may hold and which one wins. Knows no file format.
 *
 * Invariant: between policy_finish() and policy_free() nothing changes, so the index may point
 * into the rules. Most rules of a large configuration name one cgroup or unit, and those are
 * found by bisection; only patterns with wildcards are tried one after the other, best first.
 */
#include "config/policy.h"

#include "bpf/oompolicy.h"
#include "config/basic.h"
#include "config/escape.h"
#include "config/glob.h"

#include <assert.h>
#include <string.h>

/* A pattern without wildcards, unescaped. */
struct literal {
	char *text;
	const struct rule *rule;
};

struct literal_set {
	struct literal *items; /* sorted by text, each text once */
	size_t n_items;
};

struct wildcard {
	size_t n_literals;
	const struct rule *rule;
};

struct policy_index {
	struct literal_set cgroups;
	struct literal_set units;
	struct wildcard *wildcards; /* the one that wins first */
	size_t n_wildcards;
};

static const char *const backend_names[] = {
	[BACKEND_AUTO] = "auto",
	[BACKEND_STRUCT_OPS] = "struct_ops",
};
static_assert(ARRAY_SIZE(backend_names) == _BACKEND_MAX, "a name for each backend");

const char *backend_to_string(enum backend b)
{
	if ((size_t)b >= ARRAY_SIZE(backend_names))
		return NULL;
	return backend_names[b];
}

int backend_from_string(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(backend_names); i++)
		if (strcmp(s, backend_names[i]) == 0)
			return (int)i;
	return -EINVAL;
}

static void literal_set_done(struct literal_set *set)
{
	for (size_t i = 0; i < set->n_items; i++)
		free(set->items[i].text);
	free(set->items);
}

static struct policy_index *index_free(struct policy_index *index)
{
	if (!index)
		return NULL;
	literal_set_done(&index->cgroups);
	literal_set_done(&index->units);
	free(index->wildcards);
	free(index);
	return NULL;
}

static void index_freep(struct policy_index **index)
{
	index_free(*index);
}

void rule_done(struct rule *rule)
{
	if (!rule)
		return;
	free(rule->name);
	free(rule->file);
	free(rule->pattern);
	*rule = (struct rule){};
}

struct policy *policy_new(void)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->default_priority = OP_PRIORITY_DEFAULT;
	p->backend = BACKEND_AUTO;
	p->policy_name = strdup("default");
	if (!p->policy_name)
		return policy_free(p);
	return p;
}

struct policy *policy_free(struct policy *p)
{
	if (!p)
		return NULL;
	index_free(p->index);
	for (size_t i = 0; i < p->n_rules; i++)
		rule_done(&p->rules[i]);
	free(p->rules);
	free(p->policy_name);
	free(p);
	return NULL;
}

static const char *check_escapes(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p != '\\')
			continue;
		p++;
		if (*p != '*' && *p != '?' && *p != '\\')
			return "a backslash must be followed by *, ? or another backslash; "
			       "write \\\\ for a backslash in the name";
	}
	return NULL;
}

static const char *check_cgroup_pattern(const char *pattern)
{
	if (pattern[0] != '/')
		return "expected a path that starts with /, the root of the cgroup tree";
	if (strlen(pattern) > POLICY_PATTERN_LEN_MAX)
		return "path too long, expected at most 4095 bytes";
	static_assert(POLICY_PATTERN_LEN_MAX == 4095, "the limit in the message above");
	if (pattern[1] == '\0')
		return NULL;

	for (const char *p = pattern; *p;) {
		const char *component = ++p;
		size_t length = strcspn(component, "/");

		p += length;
		if (length == 0)
			return "empty path component, expected no // and no / at the end";
		if ((length == 1 && component[0] == '.') ||
		    (length == 2 && component[0] == '.' && component[1] == '.'))
			return "path component \".\" or \"..\", expected a normalized path";
		for (size_t i = 0; i < length; i++) {
			if ((unsigned char)component[i] < 0x20 || component[i] == 0x7f)
				return "control byte in the path, expected printable characters; "
				       "? matches any byte";
			if (component[i] == '\\' && i + 1 < length)
				i++;
			else if (component[i] == '*' && i + 1 < length && component[i + 1] == '*' &&
				 length > 2)
				return "** beside other characters, expected it to be a whole path "
				       "component";
		}
	}
	return check_escapes(pattern);
}

static const char *check_unit_pattern(const char *pattern)
{
	/* The unit types that systemd gives a cgroup to. */
	static const char *const suffixes[] = {".service", ".scope", ".slice",
					       ".socket",  ".mount", ".swap"};
	/* VALID_CHARS of systemd's basic/unit-name.c, and the wildcards. */
	static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789:-_.@\\*?";
	size_t length = strlen(pattern);

	if (length > POLICY_UNIT_LEN_MAX)
		return "unit name too long, expected at most 255 bytes";
	static_assert(POLICY_UNIT_LEN_MAX == 255, "the limit in the message above");
	if (strchr(pattern, '/'))
		return "a slash in a unit name, expected a name like sshd.service; "
		       "Cgroup= takes paths";
	if (strspn(pattern, valid) != length)
		return "a character that no unit name has, expected letters, digits and : - _ . @ "
		       "\\\\ * ?";
	if (strstr(pattern, "**"))
		return "** in a unit name, expected * or ?";
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t suffix_length = strlen(suffixes[i]);

		if (length > suffix_length &&
		    strcmp(pattern + length - suffix_length, suffixes[i]) == 0)
			return check_escapes(pattern);
	}
	return "expected a unit name that ends in .service, .scope, .slice, .socket, .mount or "
	       ".swap";
}

const char *policy_check_pattern(enum rule_match match, const char *pattern)
{
	if (match == RULE_MATCH_CGROUP)
		return check_cgroup_pattern(pattern);
	return check_unit_pattern(pattern);
}

const char *policy_check_name(const char *name)
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.:-";
	size_t length = strlen(name);

	if (length == 0 || length >= OP_POLICY_NAME_LEN || strspn(name, valid) != length)
		return "expected 1 to 63 letters, digits and _ . : -";
	static_assert(OP_POLICY_NAME_LEN == 64, "the limit in the message above");
	return NULL;
}

const char *policy_check_rule_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > POLICY_RULE_NAME_MAX)
		return "expected 1 to 255 bytes";
	static_assert(POLICY_RULE_NAME_MAX == 255, "the limit in the message above");
	for (size_t i = 0; i < length;) {
		size_t n = escape_printable_length(name + i, length - i);

		if (n == 0)
			return "expected printable UTF-8";
		i += n;
	}
	return NULL;
}

int policy_add_rule(struct policy *p, struct rule *rule)
{
	assert(!p->index);

	if (p->n_rules >= POLICY_RULES_MAX)
		return -E2BIG;
	/* Doubles at each power of two. */
	if ((p->n_rules & (p->n_rules - 1)) == 0) {
		size_t n = p->n_rules ? 2 * p->n_rules : 1;
		struct rule *rules = reallocarray(p->rules, n, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		p->rules = rules;
	}
	p->rules[p->n_rules++] = TAKE(*rule, (struct rule){});
	return 0;
}

static int compare_literals(const void *a, const void *b)
{
	const struct literal *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	if (r != 0)
		return r;
	return x->rule > y->rule ? -1 : x->rule < y->rule; /* the later rule first */
}

static int compare_literal_text(const void *text, const void *literal)
{
	return strcmp(text, ((const struct literal *)literal)->text);
}

static int compare_wildcards(const void *a, const void *b)
{
	const struct wildcard *x = a, *y = b;

	if (x->n_literals != y->n_literals)
		return x->n_literals > y->n_literals ? -1 : 1;
	return x->rule > y->rule ? -1 : x->rule < y->rule;
}

static int literal_set_add(struct literal_set *set, const struct rule *rule)
{
	char *text = glob_unescape(rule->pattern);

	if (!text)
		return -ENOMEM;
	set->items[set->n_items++] = (struct literal){.text = text, .rule = rule};
	return 0;
}

static void literal_set_sort(struct literal_set *set)
{
	size_t n = 0;

	if (set->n_items == 0)
		return;
	qsort(set->items, set->n_items, sizeof(*set->items), compare_literals);
	for (size_t i = 1; i < set->n_items; i++) {
		if (strcmp(set->items[i].text, set->items[n].text) == 0)
			free(set->items[i].text);
		else
			set->items[++n] = set->items[i];
	}
	set->n_items = n + 1;
}

static const struct rule *literal_set_find(const struct literal_set *set, const char *text)
{
	const struct literal *found;

	if (set->n_items == 0)
		return NULL;
	found = bsearch(text, set->items, set->n_items, sizeof(*set->items), compare_literal_text);
	return found ? found->rule : NULL;
}

int policy_finish(struct policy *p)
{
	_cleanup_(index_freep) struct policy_index *index = NULL;

	assert(!p->index);

	index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	/* Each as if all rules were of its kind: a few pointers a rule too many, but no counting.
	 */
	index->cgroups.items = calloc(p->n_rules + 1, sizeof(*index->cgroups.items));
	index->units.items = calloc(p->n_rules + 1, sizeof(*index->units.items));
	index->wildcards = calloc(p->n_rules + 1, sizeof(*index->wildcards));
	if (!index->cgroups.items || !index->units.items || !index->wildcards)
		return -ENOMEM;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];
		int r = 0;

		if (glob_has_wildcard(rule->pattern))
			index->wildcards[index->n_wildcards++] = (struct wildcard){
				.n_literals = glob_count_literals(rule->pattern),
				.rule = rule,
			};
		else if (rule->match == RULE_MATCH_CGROUP)
			r = literal_set_add(&index->cgroups, rule);
		else
			r = literal_set_add(&index->units, rule);
		if (r < 0)
			return r;
	}
	literal_set_sort(&index->cgroups);
	literal_set_sort(&index->units);
	qsort(index->wildcards, index->n_wildcards, sizeof(*index->wildcards), compare_wildcards);

	p->index = TAKE_PTR(index);
	return 0;
}

const struct rule *policy_match(const struct policy *p, const char *path)
{
	const struct policy_index *index = p->index;
	const struct rule *rule;
	const char *unit;

	if (!index)
		return NULL;

	rule = literal_set_find(&index->cgroups, path);
	if (rule)
		return rule;

	/*
	 * The root has no name, so no unit either. systemd puts one _ before a unit name that the
	 * cgroup file system might use itself, and before one that starts with _ (cg_escape() in
	 * systemd's basic/cgroup-util.c).
	 */
	unit = strrchr(path, '/');
	unit = unit ? unit + 1 : path;
	if (*unit == '_')
		unit++;
	rule = literal_set_find(&index->units, unit);
	if (rule)
		return rule;

	for (size_t i = 0; i < index->n_wildcards; i++) {
		rule = index->wildcards[i].rule;
		if (glob_match(rule->pattern, rule->match == RULE_MATCH_UNIT ? unit : path))
			return rule;
	}
	return NULL;
}

bool policy_compile_cgroup(const struct policy *p, const char *path, struct op_rule *ret)
{
	const struct rule *rule = policy_match(p, path);

	if (!rule)
		return false;
	*ret = (struct op_rule){
		.priority = rule->priority_set ? rule->priority : p->default_priority,
		.index = (__u32)(rule - p->rules),
		.flags = rule->protect ? OP_RULE_PROTECT : 0,
	};
	return true;
}

void policy_compile_default(const struct policy *p, struct op_rule *ret)
{
	*ret = (struct op_rule){
		.priority = p->default_priority,
		.index = OP_RULE_NONE,
	};
}
