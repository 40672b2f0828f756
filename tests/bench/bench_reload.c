/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a reload of N rules over N cgroups costs outside of the kernel's verifier, with the daemon's
 * own code: text to model, and the walk of a tree of directories with the entries of all and the
 * kernel's map of them. The tree is made in memory, as cgroups are; a third of the rules are exact
 * paths, a third units, a third patterns, and each matches one cgroup.
 *
 * Medians of several runs. Exits with 1 when the largest N takes more than LIMIT_MSEC. Filling the
 * map needs root.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "bench.h"
#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "daemon/cgroups/cgroup.h"
#include "daemon/cgroups/tracker.h"
#include "util/basic.h"

#define N_MAX CONFIG_RULES_MAX
#define RUNS 9
/* The target of a whole reload, of which this is nearly all. */
#define LIMIT_MSEC 200.0

static const struct shape {
	const char *rule;
	const char *parent;
	const char *name;
} shapes[] = {
	{"Cgroup=/tenants.slice/t%d.slice", "/tenants.slice", "t%d.slice"},
	{"Unit=app-%d.service", "/system.slice", "app-%d.service"},
	{"Cgroup=/batch.slice/**/worker-%d-*", "/batch.slice/queue.slice", "worker-%d-x"},
};

enum figure {
	FIGURE_PARSE,	/* text to model */
	FIGURE_COMPILE, /* the entries of all paths, without a walk */
	FIGURE_WALK,	/* the tree alone */
	FIGURE_STAGE,	/* the walk, the entries, and the map filled with them */
	FIGURE_MAP,	/* what of that is the kernel's map */
	FIGURE_FREE,	/* the old model and the old map */
	FIGURE_RELOAD,	/* parse, stage and free */
	_FIGURE_MAX,
};

static const char *const figure_names[_FIGURE_MAX] = {"parse", "compile", "walk",  "stage",
						      "map",   "free",	  "reload"};

/* A format with one %d, which is not a literal of the caller. */
static void format_number(const char *format, int i, char buf[static PATH_MAX])
{
	const char *place = strstr(format, "%d");

	snprintf(buf, PATH_MAX, "%.*s%d%s", (int)(place - format), format, i, place + 2);
}

static char *make_text(int n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	check(f, "out of memory");
	for (int i = 0; i < n; i++) {
		char rule[PATH_MAX];

		format_number(shapes[i % (int)ARRAY_SIZE(shapes)].rule, i, rule);
		fprintf(f, "[Rule rule-%d]\n%s\nPriority=%d\n\n", i, rule, i % 1001);
	}
	check(fclose(f) == 0, "out of memory");
	return text;
}

static void make_path(int i, char buf[static PATH_MAX])
{
	const struct shape *shape = &shapes[i % (int)ARRAY_SIZE(shapes)];
	char name[PATH_MAX];

	format_number(shape->name, i, name);
	check(snprintf(buf, PATH_MAX, "%s/%s", shape->parent, name) < PATH_MAX, "a long path");
}

static void make_directory(const char *root, const char *path)
{
	char absolute[2 * PATH_MAX];

	snprintf(absolute, sizeof(absolute), "%s%s", root, path);
	check(mkdir(absolute, 0755) == 0 || errno == EEXIST, "cannot make the tree");
}

/* Adds the cgroups @from to @to to the tree. */
static void grow_tree(const char *root, int from, int to)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		char upper[PATH_MAX];

		for (const char *end = shapes[i].parent; *end; end += strcspn(end, "/")) {
			end++;
			snprintf(upper, sizeof(upper), "%.*s",
				 (int)(end - shapes[i].parent + (long)strcspn(end, "/")),
				 shapes[i].parent);
			make_directory(root, upper);
		}
	}
	for (int i = from; i < to; i++) {
		char path[PATH_MAX];

		make_path(i, path);
		make_directory(root, path);
	}
}

struct removal {
	char (*paths)[256];
	size_t n;
};

static int note_path(const char *path, uint64_t id _unused_, void *userdata)
{
	struct removal *r = userdata;

	if (r->n < N_MAX + 16)
		snprintf(r->paths[r->n++], sizeof(r->paths[0]), "%s", path);
	return 0;
}

/* A parent comes before its children in a walk, so they go in the reverse order. */
static void remove_tree(const char *root)
{
	struct removal r = {.paths = calloc(N_MAX + 16, sizeof(r.paths[0]))};
	char absolute[2 * PATH_MAX];

	if (!r.paths || cgroup_walk(root, note_path, &r) < 0)
		return;
	while (r.n-- > 0) {
		snprintf(absolute, sizeof(absolute), "%s%s", root, r.paths[r.n]);
		rmdir(absolute);
	}
	free(r.paths);
}

static int count_visit(const char *path _unused_, uint64_t id _unused_, void *userdata)
{
	++*(size_t *)userdata;
	return 0;
}

static struct config *parse(const char *text)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	struct config *c = NULL;

	check(parser_parse_buffer("bench", text, strlen(text), NULL, &diag, &c) == 0,
	      "the rules are refused");
	return c;
}

/* Makes a map with @n entries as the tracker does. */
static void fill_map(int n)
{
	uint64_t *ids = calloc((size_t)n, sizeof(*ids));
	struct op_entry *entries = calloc((size_t)n, sizeof(*entries));
	struct loader_rules map;

	check(ids && entries, "out of memory");
	for (int i = 0; i < n; i++)
		ids[i] = (uint64_t)i + 1;
	check(loader_rules_init(&map, (size_t)n) == 0 &&
		      loader_rules_fill(&map, ids, entries, (size_t)n) == 0,
	      "cannot make the kernel's map, which needs root");
	loader_rules_done(&map);
	free(ids);
	free(entries);
}

static void run(const char *root, const char *text, char **paths, int n,
		double ret_msec[static _FIGURE_MAX])
{
	static const uint16_t slots[OP_POLICIES_MAX] = {1};
	struct tracker tracker;
	struct config *c;
	size_t n_visited = 0;
	int n_right = 0;
	double start = now_msec();

	c = parse(text);
	ret_msec[FIGURE_PARSE] = now_msec() - start;

	start = now_msec();
	for (int i = 0; i < n; i++) {
		struct op_entry entry;

		n_right += config_compile_cgroup(c, paths[i], &entry) &&
			   entry.cgroup.rule_index == (uint32_t)i;
	}
	ret_msec[FIGURE_COMPILE] = now_msec() - start;
	check(n_right == n, "a cgroup has the wrong rule");

	start = now_msec();
	check(cgroup_walk(root, count_visit, &n_visited) == 0 && n_visited >= (size_t)n,
	      "the tree is not complete");
	ret_msec[FIGURE_WALK] = now_msec() - start;

	start = now_msec();
	fill_map(n);
	ret_msec[FIGURE_MAP] = now_msec() - start;

	start = now_msec();
	check(tracker_init(root, c, slots, 1, &tracker) == 0,
	      "cannot stage the entries, which needs root");
	ret_msec[FIGURE_STAGE] = now_msec() - start;
	check(tracker.n_ruled == (size_t)n, "not every cgroup has a rule");

	start = now_msec();
	tracker_done(&tracker);
	config_free(c);
	ret_msec[FIGURE_FREE] = now_msec() - start;

	ret_msec[FIGURE_RELOAD] =
		ret_msec[FIGURE_PARSE] + ret_msec[FIGURE_STAGE] + ret_msec[FIGURE_FREE];
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Returns the milliseconds of a whole reload. */
static double measure(const char *root, int n)
{
	_cleanup_free_ char *text = make_text(n);
	double msec[_FIGURE_MAX][RUNS], sample[_FIGURE_MAX];
	char **paths = calloc((size_t)n, sizeof(*paths));

	check(paths, "out of memory");
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		make_path(i, path);
		paths[i] = strdup(path);
		check(paths[i], "out of memory");
	}
	for (int i = 0; i < RUNS; i++) {
		run(root, text, paths, n, sample);
		for (int f = 0; f < _FIGURE_MAX; f++)
			msec[f][i] = sample[f];
	}
	for (int f = 0; f < _FIGURE_MAX; f++) {
		qsort(msec[f], RUNS, sizeof(msec[f][0]), compare);
		printf("figure native_%s_%d %.2f ms, the median of %d\n", figure_names[f], n,
		       msec[f][RUNS / 2], RUNS);
	}
	for (int i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
	return msec[FIGURE_RELOAD][RUNS / 2];
}

int main(void)
{
	char root[] = "/dev/shm/bench_reload.XXXXXX";
	double msec = 0;
	int made = 0;
	struct statfs fs;

	check(mkdtemp(root) && statfs(root, &fs) == 0, "cannot make a directory in /dev/shm");
	check(fs.f_type == TMPFS_MAGIC, "/dev/shm is not in memory");
	for (int n = 100; n <= N_MAX; n *= 10) {
		grow_tree(root, made, n);
		made = n;
		msec = measure(root, n);
	}
	remove_tree(root);
	if (msec > LIMIT_MSEC)
		fprintf(stderr, "bench_reload: %.1f ms are over %.0f ms\n", msec, LIMIT_MSEC);
	return msec > LIMIT_MSEC ? EXIT_FAILURE : EXIT_SUCCESS;
}
