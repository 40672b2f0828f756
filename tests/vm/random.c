// SPDX-License-Identifier: LGPL-2.1-or-later
#include "random.h"

#include <string.h>

#include "util/basic.h"

#define PROCESSES_MIN 3
#define PROCESSES_MAX 10
#define INNER_MAX 6
#define DEPTH_MAX 3 /* of inner cgroups; the processes' own are one level below */
/* Sizes are multiples of this, each used once: twice what a counter of the kernel may be off
 * (percpu_counter batches) and what the trigger's size at the OOM may be off together. */
#define SIZE_STEP_MIB 4
#define ROOM_MIB 2
/* What a process costs its cgroup beyond the table's numbers, at most. */
#define OVERHEAD_PAGES_MAX (2 * PAGES_PER_MIB)
#define MARGIN_PAGES_MIN (2 * PAGES_PER_MIB)
#define RANDOM_SUFFIX_MAX 24

/* splitmix64: one state, no library whose sequence may change. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned random_below(uint64_t *state, unsigned n)
{
	return (unsigned)(random_next(state) % n);
}

static bool random_chance(uint64_t *state, unsigned percent)
{
	return random_below(state, 100) < percent;
}

/* How the cgroups of a table are named. */
struct naming {
	bool protect_all; /* nothing gets a rule that would lift its ancestor's protection */
	bool language;	  /* Kill= and memory.oom.group too */
	/* One of the two alone: a kernel that kills each of a group with its memory.oom.group. */
	bool kill_alone, group_alone;
};

static void random_suffix(uint64_t *state, const struct naming *naming,
			  char buf[static RANDOM_SUFFIX_MAX])
{
	static const char *const kills[] = {"", "s", "k", "k"};
	const char *kill = naming->language ? kills[random_below(state, ARRAY_SIZE(kills))] : "";
	const char *group = naming->language && random_chance(state, 20) ? "-og" : "";
	unsigned kind = random_below(state, 100);

	if (naming->group_alone)
		kill = *kill ? "s" : "";
	if (naming->kill_alone)
		group = "";
	if (kind < 40)
		snprintf(buf, RANDOM_SUFFIX_MAX, "%s%s%s", group, *kill && kind < 10 ? "-pdef" : "",
			 kind < 10 ? kill : "");
	else if (kind < 55 || naming->protect_all)
		snprintf(buf, RANDOM_SUFFIX_MAX, "%s-prot", group);
	else
		/* Few different ones, so that ties are common. */
		snprintf(buf, RANDOM_SUFFIX_MAX, "%s-p%03u%s", group, random_below(state, 11) * 100,
			 kill);
}

static void random_join(const char *parent, char letter, unsigned number, const char *suffix,
			char buf[static RANDOM_PATH_MAX])
{
	int n = snprintf(buf, RANDOM_PATH_MAX, "%s%s%c%u%s", parent, *parent ? "/" : "", letter,
			 number, suffix);

	/* The deepest is far shorter. */
	if (n < 0 || n >= RANDOM_PATH_MAX)
		abort();
}

static void random_make_tree(uint64_t *state, struct random_table *t, size_t n)
{
	char inner[INNER_MAX + 1][RANDOM_PATH_MAX] = {""};
	unsigned depth[INNER_MAX + 1] = {0};
	struct naming naming = {.protect_all = random_chance(state, 15),
				.language = t->scenario.needs & NEEDS_LANGUAGE};
	/* The cgroup of another policy. */
	bool has_policy = naming.language && !naming.protect_all && random_chance(state, 70);
	char suffix[RANDOM_SUFFIX_MAX];
	unsigned n_inner = 1;

	if (model_kills_no_single) {
		naming.kill_alone = random_chance(state, 50);
		naming.group_alone = !naming.kill_alone;
	}

	if (has_policy) {
		snprintf(inner[n_inner], sizeof(inner[n_inner]), "inner");
		depth[n_inner++] = 1;
	}

	for (size_t i = 0; i < n; i++) {
		unsigned parent = random_below(state, n_inner);

		while (n_inner <= INNER_MAX && depth[parent] < DEPTH_MAX &&
		       random_chance(state, 50)) {
			random_suffix(state, &naming, suffix);
			random_join(inner[parent], 'n', n_inner,
				    naming.protect_all && depth[parent] == 0 ? "-prot" : suffix,
				    inner[n_inner]);
			depth[n_inner] = depth[parent] + 1;
			parent = n_inner++;
		}
		random_suffix(state, &naming, suffix);
		/* A rule of its own takes a process out of its group. */
		if (naming.language && !naming.protect_all && random_chance(state, 60))
			suffix[0] = '\0';
		random_join(inner[parent], 't', (unsigned)i,
			    naming.protect_all && depth[parent] == 0 ? "-prot" : suffix,
			    t->paths[i]);
	}
}

/* The trigger's cgroup or one above it. */
static void random_choose_domain(uint64_t *state, struct random_table *t, size_t trigger)
{
	const char *path = t->paths[trigger];
	unsigned up = random_below(state, 4);

	snprintf(t->domain, sizeof(t->domain), "%s", path);
	while (up-- > 0 && *t->domain) {
		char *slash = strrchr(t->domain, '/');

		*(slash ? slash : t->domain) = '\0';
	}
}

static int random_score(uint64_t *state)
{
	static const int scores[] = {0, 0, 0, 0, 0, -1000, -500, -200, 200, 500, 1000};

	return scores[random_below(state, ARRAY_SIZE(scores))];
}

struct model_verdict random_mark_victim(struct scenario *s, uint64_t limit_pages)
{
	struct model_task tasks[SCENARIO_ROWS_MAX];
	struct model_verdict v;
	bool dies[SCENARIO_ROWS_MAX] = {};
	size_t n = scenario_count_rows(s);

	scenario_to_tasks(s, tasks);
	model_choose(tasks, n, s->domain, limit_pages,
		     s->needs & NEEDS_DAEMON ? model_find_policy(scenario_top(s), s->domain) : NULL,
		     &v);
	if (v.killer != MODEL_NOBODY)
		model_find_group(tasks, n, s->domain, &v, dies);
	for (size_t i = 0; i < n; i++) {
		s->rows[i].flags &= ~(ROW_VICTIM | ROW_MEMBER);
		if (dies[i])
			s->rows[i].flags |= i == v.index ? ROW_VICTIM : ROW_MEMBER;
	}
	s->killer = v.killer == MODEL_POLICY   ? KILLER_POLICY
		    : v.killer == MODEL_KERNEL ? KILLER_KERNEL
					       : KILLER_NOBODY;
	return v;
}

/*
 * The limit is known only when the processes have filled their memory, and the kernel's choice
 * hangs on it. Badness is linear in the limit, so a victim that leads at both ends of what the
 * limit can be leads in between.
 */
static bool random_is_certain(struct random_table *t, size_t n)
{
	struct model_task tasks[SCENARIO_ROWS_MAX];
	struct model_verdict low, high;
	uint64_t pages = 0;
	unsigned members = 0;

	scenario_to_tasks(&t->scenario, tasks);
	for (size_t i = 0; i < n; i++)
		if (model_domain_contains(t->domain, tasks[i].path)) {
			pages += tasks[i].pages;
			members++;
		}
	high = random_mark_victim(&t->scenario, pages + members * OVERHEAD_PAGES_MAX);
	low = random_mark_victim(&t->scenario, pages);
	t->verdict = low;
	return low.killer != MODEL_NOBODY && low.index == high.index &&
	       low.margin_pages >= MARGIN_PAGES_MIN && high.margin_pages >= MARGIN_PAGES_MIN;
}

void random_make_table(uint64_t seed, unsigned number, unsigned needs, struct random_table *ret)
{
	uint64_t state = seed * 1000003 + number;
	size_t n = PROCESSES_MIN + random_below(&state, PROCESSES_MAX - PROCESSES_MIN + 1);
	/* A few more than are used, so that there are gaps; not many, as filling takes time. */
	unsigned sizes[PROCESSES_MAX], n_sizes = n + 2 < PROCESSES_MAX ? n + 2 : PROCESSES_MAX;
	size_t trigger = random_below(&state, (unsigned)n);

	*ret = (struct random_table){};
	snprintf(ret->name, sizeof(ret->name), "random-%u", number);
	ret->scenario = (struct scenario){
		.name = ret->name, .needs = needs, .domain = ret->domain, .room_mib = ROOM_MIB};
	if (needs & NEEDS_LANGUAGE)
		/* Those that have another policy inside. */
		ret->scenario.top = model_policies[1 + random_below(&state, 4)].path;
	random_make_tree(&state, ret, n);
	random_choose_domain(&state, ret, trigger);
	for (unsigned i = 0; i < n_sizes; i++) {
		unsigned other = random_below(&state, i + 1);

		sizes[i] = sizes[other];
		sizes[other] = (i + 1) * SIZE_STEP_MIB;
	}
	for (size_t i = 0; i < n; i++)
		ret->scenario.rows[i] = (struct row){
			.path = ret->paths[i],
			/* At the OOM the trigger has grown to its size. */
			.fill_mib = sizes[i] - (i == trigger ? ROOM_MIB : 0),
			.flags = i == trigger ? ROW_TRIGGER : 0,
		};
	do {
		for (size_t i = 0; i < n; i++)
			ret->scenario.rows[i].oom_score_adj = random_score(&state);
	} while (!random_is_certain(ret, n));
}
