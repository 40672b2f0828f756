/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order of the patterns and the ways to find one. Knows nothing of what a rule does.
 *
 * All patterns stand in one array, the one that wins first; its place there is a pattern's rank,
 * and the answer for a path is the lowest rank that matches. To try few of them, each pattern is
 * filed under one text that every match of it must have: the whole path or unit name where it has
 * no wildcards, else what it spells out at the beginning of the path, or at the beginning or the
 * end of the last component. Of the three it is the one that the fewest patterns share, because
 * thousands of rules tend to differ in one of them: /tenants.slice/t17-*, app-17@*.service,
 * a globstar and then worker-17.scope. Where too many share all three, as with *-17-*, it is the
 * longest text between two wildcards, which is looked for at every place of the path.
 *
 * Filed texts ("keys") are sorted, and each knows the longest other key that it begins with, its
 * parent. Those that a given text begins with are then found by one bisection: the last key that
 * is not after the text, its parent, the parent of that, and so on. For, let q be the longest key
 * that the text begins with: between q and the text all begin with q, so q is that last key or
 * among its ancestors; and so are all keys that q begins with.
 *
 * Invariant: every pattern that can match anything is filed once, so the answer is the same as if
 * all were tried.
 */
#include "config/index.h"

#include "config/glob.h"
#include "config/policy.h"
#include "util/basic.h"

#include <stdint.h>
#include <string.h>

#define NO_KEY SIZE_MAX
/* To look at every place costs as much as to try this many patterns, about. */
#define SHARED_MAX 256

enum pattern_class {
	CLASS_WILDCARD,
	CLASS_UNIT,   /* without wildcards */
	CLASS_CGROUP, /* likewise */
};

struct entry {
	const struct rule *rule;
	const struct pattern *pattern;
	enum pattern_class class;
	size_t n_literals;
	char *literal; /* unescaped; NULL for CLASS_WILDCARD */
};

/* What of a path a key is compared with. */
enum subject {
	SUBJECT_PATH,
	SUBJECT_NAME, /* the last component */
	SUBJECT_UNIT, /* likewise, as systemd names it */
	_SUBJECT_MAX,
};

struct slice {
	const char *text;
	size_t size;
};

struct key {
	struct slice slice;
	size_t parent;	       /* in keys, NO_KEY: none */
	size_t first, n_ranks; /* in ranks */
};

struct key_set {
	struct key *keys; /* sorted */
	size_t n_keys;
	size_t *ranks; /* key by key, each key's ascending */
};

enum {
	SET_CGROUP, /* whole paths */
	SET_UNIT,   /* whole names */
	SET_PATH_PREFIX,
	SET_NAME_PREFIX,
	SET_NAME_SUFFIX,
	SET_UNIT_PREFIX,
	SET_UNIT_SUFFIX,
	SET_MIDDLE, /* anywhere in the path */
	_SET_MAX,
};

static const struct {
	enum subject subject;
	bool backwards; /* read from its end */
} sets[_SET_MAX] = {
	[SET_CGROUP] = {SUBJECT_PATH, false},	   [SET_UNIT] = {SUBJECT_UNIT, false},
	[SET_PATH_PREFIX] = {SUBJECT_PATH, false}, [SET_NAME_PREFIX] = {SUBJECT_NAME, false},
	[SET_NAME_SUFFIX] = {SUBJECT_NAME, true},  [SET_UNIT_PREFIX] = {SUBJECT_UNIT, false},
	[SET_UNIT_SUFFIX] = {SUBJECT_UNIT, true},  [SET_MIDDLE] = {SUBJECT_PATH, false},
};

struct rule_index {
	struct entry *entries; /* the one that wins first */
	size_t n_entries;
	struct key_set sets[_SET_MAX];
};

/* While a set is built: a key and who is filed under it. */
struct filing {
	struct slice key;
	size_t rank;
};

static void key_set_done(struct key_set *set)
{
	free(set->keys);
	free(set->ranks);
	*set = (struct key_set){};
}

struct rule_index *index_free(struct rule_index *index)
{
	if (!index)
		return NULL;
	for (size_t i = 0; i < index->n_entries; i++)
		free(index->entries[i].literal);
	free(index->entries);
	for (size_t i = 0; i < _SET_MAX; i++)
		key_set_done(&index->sets[i]);
	free(index);
	return NULL;
}

static void index_freep(struct rule_index **index)
{
	index_free(*index);
}

static unsigned char byte_at(struct slice s, size_t i, bool backwards)
{
	return (unsigned char)s.text[backwards ? s.size - 1 - i : i];
}

/* The length of what @a and @b have in common. */
static size_t common_length(struct slice a, struct slice b, bool backwards)
{
	size_t n = a.size < b.size ? a.size : b.size, i = 0;

	while (i < n && byte_at(a, i, backwards) == byte_at(b, i, backwards))
		i++;
	return i;
}

static int slice_compare(struct slice a, struct slice b, bool backwards)
{
	size_t i = common_length(a, b, backwards);

	if (i < a.size && i < b.size)
		return byte_at(a, i, backwards) < byte_at(b, i, backwards) ? -1 : 1;
	return a.size < b.size ? -1 : a.size > b.size;
}

static bool slice_begins(struct slice text, struct slice key, bool backwards)
{
	return common_length(text, key, backwards) == key.size;
}

static int compare_filings(const void *a, const void *b, void *backwards)
{
	const struct filing *x = a, *y = b;
	int r = slice_compare(x->key, y->key, *(const bool *)backwards);

	if (r != 0)
		return r;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Sorts @filings. */
static int key_set_build(struct key_set *set, struct filing *filings, size_t n, bool backwards)
{
	key_set_done(set);
	if (n == 0)
		return 0;
	qsort_r(filings, n, sizeof(*filings), compare_filings, &backwards);
	set->keys = calloc(n, sizeof(*set->keys));
	set->ranks = calloc(n, sizeof(*set->ranks));
	if (!set->keys || !set->ranks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct key *key = set->n_keys ? &set->keys[set->n_keys - 1] : NULL;
		size_t parent = set->n_keys ? set->n_keys - 1 : NO_KEY;

		set->ranks[i] = filings[i].rank;
		if (key && slice_compare(key->slice, filings[i].key, backwards) == 0) {
			key->n_ranks++;
			continue;
		}
		while (parent != NO_KEY &&
		       !slice_begins(filings[i].key, set->keys[parent].slice, backwards))
			parent = set->keys[parent].parent;
		set->keys[set->n_keys++] = (struct key){
			.slice = filings[i].key,
			.parent = parent,
			.first = i,
			.n_ranks = 1,
		};
	}
	return 0;
}

/* The last key that is not after @text, or NO_KEY. */
static size_t key_set_find(const struct key_set *set, struct slice text, bool backwards)
{
	size_t low = 0, high = set->n_keys;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(set->keys[middle].slice, text, backwards) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? low - 1 : NO_KEY;
}

/* The longest text without wildcards or escapes. Each match has it: where a globstar is nothing at
 * all, the slashes on both sides of it are one. */
static struct slice find_longest(const char *text)
{
	struct slice best = {text, 0};

	while (*text) {
		size_t size = strcspn(text, "*?\\");

		if (size > best.size)
			best = (struct slice){text, size};
		text += size;
		if (*text == '\\' && text[1])
			text++;
		if (*text)
			text++;
	}
	return best;
}

/*
 * The key of a pattern with wildcards in each set, as slices of the pattern. An escaped character
 * ends a key as well: the slice could not hold it without its backslash. Returns the mask of the
 * sets that have one.
 */
static unsigned find_keys(const struct pattern *pattern, struct slice ret[_SET_MAX])
{
	const char *text = pattern->text, *slash = strrchr(text, '/');
	const char *name = slash ? slash + 1 : text, *suffix = name;
	bool is_cgroup = pattern->kind == PATTERN_CGROUP;

	ret[SET_MIDDLE] = find_longest(text);
	ret[SET_PATH_PREFIX] = (struct slice){text, strcspn(text, "*?\\")};
	ret[is_cgroup ? SET_NAME_PREFIX : SET_UNIT_PREFIX] =
		(struct slice){name, strcspn(name, "*?\\")};
	for (const char *c = name; *c; c++) {
		if (*c == '\\' && c[1])
			c++;
		else if (*c != '*' && *c != '?')
			continue;
		suffix = c + 1;
	}
	ret[is_cgroup ? SET_NAME_SUFFIX : SET_UNIT_SUFFIX] = (struct slice){suffix, strlen(suffix)};

	if (!is_cgroup)
		return 1U << SET_UNIT_PREFIX | 1U << SET_UNIT_SUFFIX | 1U << SET_MIDDLE;
	/* A globstar at the end is not one component, but its keys are empty, so each has them. */
	return 1U << SET_PATH_PREFIX | 1U << SET_NAME_PREFIX | 1U << SET_NAME_SUFFIX |
	       1U << SET_MIDDLE;
}

/* Of the sets in @mask the one where the fewest share the key, of equals the longest key.
 * SET_MIDDLE, the last, only where the others are bad. */
static size_t choose_set(const struct rule_index *index, const struct slice keys[_SET_MAX],
			 unsigned mask)
{
	size_t best = _SET_MAX, best_n = 0;

	for (size_t i = 0; i < _SET_MAX; i++) {
		const struct key_set *set = &index->sets[i];
		size_t n;

		if (!(mask & 1U << i) || (i == SET_MIDDLE && best_n <= SHARED_MAX))
			continue;
		n = set->keys[key_set_find(set, keys[i], sets[i].backwards)].n_ranks;
		if (best != _SET_MAX &&
		    (n > best_n || (n == best_n && keys[i].size <= keys[best].size)))
			continue;
		best = i;
		best_n = n;
	}
	return best;
}

/*
 * Builds the sets of patterns with wildcards: first each with all that could be in it, to see how
 * many share a key, then each with those that are best filed there.
 */
static int file_wildcards(struct rule_index *index)
{
	_cleanup_free_ struct filing *filings = calloc(index->n_entries + 1, sizeof(*filings));
	_cleanup_free_ unsigned char *chosen = calloc(index->n_entries + 1, sizeof(*chosen));
	struct slice keys[_SET_MAX];

	if (!filings || !chosen)
		return -ENOMEM;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = SET_PATH_PREFIX; i < _SET_MAX; i++) {
			size_t n = 0;
			int r;

			for (size_t rank = 0; rank < index->n_entries; rank++) {
				const struct entry *e = &index->entries[rank];

				if (e->class != CLASS_WILDCARD ||
				    !(find_keys(e->pattern, keys) & 1U << i) ||
				    (pass > 0 && chosen[rank] != i))
					continue;
				filings[n++] = (struct filing){.key = keys[i], .rank = rank};
			}
			r = key_set_build(&index->sets[i], filings, n, sets[i].backwards);
			if (r < 0)
				return r;
		}
		for (size_t rank = 0; rank < index->n_entries && pass == 0; rank++) {
			const struct entry *e = &index->entries[rank];

			if (e->class == CLASS_WILDCARD)
				chosen[rank] = (unsigned char)choose_set(
					index, keys, find_keys(e->pattern, keys));
		}
	}
	return 0;
}

static int file_literals(struct rule_index *index, size_t i, enum pattern_class class)
{
	_cleanup_free_ struct filing *filings = calloc(index->n_entries + 1, sizeof(*filings));
	size_t n = 0;

	if (!filings)
		return -ENOMEM;
	for (size_t rank = 0; rank < index->n_entries; rank++) {
		const struct entry *e = &index->entries[rank];

		if (e->class != class)
			continue;
		filings[n++] = (struct filing){
			.key = {e->literal, strlen(e->literal)},
			.rank = rank,
		};
	}
	return key_set_build(&index->sets[i], filings, n, sets[i].backwards);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->class != y->class)
		return x->class > y->class ? -1 : 1;
	if (x->n_literals != y->n_literals)
		return x->n_literals > y->n_literals ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule > y->rule ? -1 : 1;
	return x->pattern > y->pattern ? -1 : x->pattern < y->pattern;
}

static int add_entry(struct rule_index *index, const struct rule *rule,
		     const struct pattern *pattern)
{
	struct entry *e = &index->entries[index->n_entries];

	*e = (struct entry){
		.rule = rule,
		.pattern = pattern,
		.n_literals = glob_count_literals(pattern->text),
	};
	if (!glob_has_wildcard(pattern->text)) {
		e->class = pattern->kind == PATTERN_CGROUP ? CLASS_CGROUP : CLASS_UNIT;
		e->literal = glob_unescape(pattern->text);
		if (!e->literal)
			return -ENOMEM;
	}
	index->n_entries++;
	return 0;
}

int index_new(const struct config *c, struct rule_index **ret)
{
	_cleanup_(index_freep) struct rule_index *index = NULL;
	size_t n_patterns = 0;
	int r;

	for (size_t i = 0; i < c->n_rules; i++)
		n_patterns += c->rules[i].n_patterns;
	index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index->entries = calloc(n_patterns + 1, sizeof(*index->entries));
	if (!index->entries)
		return -ENOMEM;

	for (size_t i = 0; i < c->n_rules; i++)
		for (size_t j = 0; j < c->rules[i].n_patterns; j++) {
			const struct pattern *pattern = &c->rules[i].patterns[j];

			r = pattern->text ? add_entry(index, &c->rules[i], pattern) : 0;
			if (r < 0)
				return r;
		}
	qsort(index->entries, index->n_entries, sizeof(*index->entries), compare_entries);

	r = file_literals(index, SET_CGROUP, CLASS_CGROUP);
	if (r == 0)
		r = file_literals(index, SET_UNIT, CLASS_UNIT);
	if (r == 0)
		r = file_wildcards(index);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(index);
	return 0;
}

static void find_subjects(const char *path, struct slice ret[_SUBJECT_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	/*
	 * The root has no name, so no unit either. systemd puts one _ before a unit name that the
	 * cgroup file system might use itself, and before one that starts with _ (cg_escape() in
	 * systemd's basic/cgroup-util.c).
	 */
	const char *unit = name + (*name == '_');

	ret[SUBJECT_PATH] = (struct slice){path, strlen(path)};
	ret[SUBJECT_NAME] = (struct slice){name, strlen(name)};
	ret[SUBJECT_UNIT] = (struct slice){unit, strlen(unit)};
}

static bool entry_matches(const struct entry *e, const struct slice subjects[_SUBJECT_MAX])
{
	bool is_cgroup = e->pattern->kind == PATTERN_CGROUP;

	return glob_match(e->pattern->text, subjects[is_cgroup ? SUBJECT_PATH : SUBJECT_UNIT].text);
}

/* Tries what is filed in set @i under a key that @text begins with. Returns the lowest rank that
 * matches, or @best where none below that does. */
static size_t try_keys(const struct rule_index *index, size_t i, struct slice text,
		       const struct slice subjects[_SUBJECT_MAX], size_t best)
{
	const struct key_set *set = &index->sets[i];
	size_t at = key_set_find(set, text, sets[i].backwards);

	for (; at != NO_KEY; at = set->keys[at].parent) {
		const struct key *key = &set->keys[at];

		if (!slice_begins(text, key->slice, sets[i].backwards))
			continue;
		for (size_t j = 0; j < key->n_ranks; j++) {
			size_t rank = set->ranks[key->first + j];

			if (rank >= best)
				break;
			if (!entry_matches(&index->entries[rank], subjects))
				continue;
			best = rank;
			break;
		}
	}
	return best;
}

const struct rule *index_match(const struct rule_index *index, const char *path)
{
	struct slice subjects[_SUBJECT_MAX];
	size_t best = index->n_entries;

	find_subjects(path, subjects);
	/* Classes rank one before the other. */
	for (size_t i = 0; i < SET_PATH_PREFIX; i++) {
		const struct key_set *set = &index->sets[i];
		struct slice text = subjects[sets[i].subject];
		size_t found = key_set_find(set, text, false);

		if (found != NO_KEY && slice_compare(set->keys[found].slice, text, false) == 0)
			return index->entries[set->ranks[set->keys[found].first]].rule;
	}
	for (size_t i = SET_PATH_PREFIX; i < SET_MIDDLE; i++)
		best = try_keys(index, i, subjects[sets[i].subject], subjects, best);
	if (index->sets[SET_MIDDLE].n_keys > 0)
		for (struct slice rest = subjects[SUBJECT_PATH]; rest.size > 0;
		     rest.text++, rest.size--)
			best = try_keys(index, SET_MIDDLE, rest, subjects, best);
	return best < index->n_entries ? index->entries[best].rule : NULL;
}

int index_explain(const struct rule_index *index, const char *path,
		  int (*each)(const struct rule *rule, const struct pattern *pattern,
			      void *userdata),
		  void *userdata)
{
	struct slice subjects[_SUBJECT_MAX];

	find_subjects(path, subjects);
	for (size_t i = 0; i < index->n_entries; i++) {
		const struct entry *e = &index->entries[i];
		int r = entry_matches(e, subjects) ? each(e->rule, e->pattern, userdata) : 0;

		if (r != 0)
			return r;
	}
	return 0;
}
