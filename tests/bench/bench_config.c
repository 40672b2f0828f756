/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a reload costs before the kernel is asked: text to model, and the entries of all cgroups.
 * For each shape of rules a line for N rules and N cgroups, N = 100, 1000, 10000; the best of
 * several runs. Exits with 1 when any shape takes more than LIMIT_COMPILE_MSEC for all cgroups.
 */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "bench.h"
#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/parser.h"
#include "config/policy.h"
#include "util/basic.h"

#define N_MAX CONFIG_RULES_MAX
#define RUNS 5
#define LIMIT_COMPILE_MSEC 100

/* Rule i's key, and the path of the cgroup that it matches; each with i once. */
static const struct shape {
	const char *name;
	const char *rule;
	const char *path;
} shapes[] = {
	{"exact paths", "Cgroup=/tenants.slice/t%d.slice", "/tenants.slice/t%d.slice"},
	{"exact units", "Unit=app-%d.service", "/system.slice/app-%d.service"},
	{"beginning of the path", "Cgroup=/tenants.slice/t%d-*", "/tenants.slice/t%d-x.slice"},
	{"everything below", "Cgroup=/tenants.slice/t%d.slice/**",
	 "/tenants.slice/t%d.slice/a.service"},
	{"beginning of the name", "Cgroup=/**/worker-%d-*", "/batch.slice/q/worker-%d-x"},
	{"name anywhere", "Cgroup=/**/worker-%d.scope", "/batch.slice/q/worker-%d.scope"},
	{"end of the name", "Cgroup=/kubepods.slice/**/*-%d.scope",
	 "/kubepods.slice/pod.slice/cri-%d.scope"},
	{"template units", "Unit=app-%d@*.service", "/system.slice/app.slice/app-%d@1.service"},
	{"middle of the name", "Cgroup=/**/*-%d-*", "/batch.slice/q/worker-%d-x"},
};

/* A format with one %d, which is not a literal of the caller. */
static char *format_number(const char *format, int i)
{
	const char *place = strstr(format, "%d");
	char *text;

	check(asprintf(&text, "%.*s%d%s", (int)(place - format), format, i, place + 2) >= 0,
	      "out of memory");
	return text;
}

static char *make_text(const struct shape *shape, int n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	check(f, "out of memory");
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *key = format_number(shape->rule, i);

		fprintf(f, "[Rule %d]\n%s\nPriority=%d\n", i, key, i % 1001);
	}
	check(fclose(f) == 0, "out of memory");
	return text;
}

/* Returns the milliseconds for all cgroups together. */
static double run(const struct shape *shape, int n, char **paths, double *ret_parse_msec)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_free_ char *text = make_text(shape, n);
	_cleanup_(config_freep) struct config *c = NULL;
	double start = now_msec(), parsed;
	size_t n_right = 0;

	check(parser_parse_buffer("bench", text, strlen(text), NULL, &diag, &c) == 0,
	      "the rules are refused");
	parsed = now_msec();
	for (int i = 0; i < n; i++) {
		struct op_entry entry;

		if (config_compile_cgroup(c, paths[i], &entry) &&
		    entry.cgroup.rule_index == (uint32_t)i)
			n_right++;
	}
	*ret_parse_msec = parsed - start;
	start = now_msec() - parsed;
	check(n_right == (size_t)n, "a cgroup has the wrong rule");
	return start;
}

static bool measure(const struct shape *shape, int n)
{
	double parse_msec = 1e9, compile_msec = 1e9;
	char **paths = calloc((size_t)n, sizeof(*paths));

	check(paths, "out of memory");
	for (int i = 0; i < n; i++)
		paths[i] = format_number(shape->path, i);
	for (int i = 0; i < RUNS; i++) {
		double parse, compile = run(shape, n, paths, &parse);

		compile_msec = compile < compile_msec ? compile : compile_msec;
		parse_msec = parse < parse_msec ? parse : parse_msec;
	}
	for (int i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
	printf("%-24s%8d%14.2f%16.2f%18.2f\n", shape->name, n, parse_msec, compile_msec,
	       compile_msec * 1e3 / n);
	return compile_msec <= LIMIT_COMPILE_MSEC;
}

int main(void)
{
	bool good = true;

	printf("%-24s%8s%14s%16s%18s\n", "patterns", "N", "parse [ms]", "compile [ms]",
	       "per cgroup [us]");
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		for (int n = 100; n <= N_MAX; n *= 10)
			good = measure(&shapes[i], n) && good;
	if (!good)
		fprintf(stderr, "bench_config: more than %d ms\n", LIMIT_COMPILE_MSEC);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
