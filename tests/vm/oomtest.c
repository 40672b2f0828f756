// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Runs victim tables inside the test machine and prints one result line for each. Chooses which
 * ones and reports; how one is run is in scenario.h. Expects to be root on cgroup v2, and leaves
 * the daemon to the script that calls it.
 */
#include <getopt.h>
#include <inttypes.h>
#include <regex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/libbpf.h>

#include "dryrun.h"
#include "model.h"
#include "random.h"
#include "scenario.h"
#include "util/basic.h"
#include "victims.h"

#define SETTLE_MSEC 300
/* There are many random ones, and each is checked by the kernel's counters too. */
#define RANDOM_SETTLE_MSEC 50
#define RANDOM_SEED_DEFAULT 1
#define RANDOM_COUNT_DEFAULT 200

enum verb { VERB_CONFIG, VERB_LIST, VERB_CREATE, VERB_TABLES, VERB_RANDOM };

struct request {
	enum verb verb;
	unsigned needs; /* exactly these */
	const char *group;
	bool evaluates; /* the daemon's backend is evaluate_task */
	bool is_posted; /* the kernel has the posted series */
	bool has_pattern;
	regex_t pattern; /* of "GROUP/NAME" */
	uint64_t seed;
	unsigned first, count;
	struct scenario_options options;
};

static void print_usage(FILE *f)
{
	fprintf(f,
		"Usage: oomtest [OPTION...] config | list | create | tables | random\n"
		"\n"
		"config   print the policy that all tables are written for, with its backend\n"
		"list     print the names of the chosen tables\n"
		"create   make the cgroups of the chosen tables\n"
		"tables   run the chosen tables\n"
		"random   run random tables against the model, which must be right about the\n"
		"         daemon's Rank before the OOM, too\n"
		"\n"
		"  --needs=LIST     choose the tables that need just this, of: daemon, no-daemon,\n"
		"                   module, small, existing, language; random knows no-daemon,\n"
		"                   daemon, and daemon,language\n"
		"  --backend=NAME   of the daemon: struct_ops (the default) or evaluate_task, "
		"which\n"
		"                   leaves out tables of Kill= and of other handlers\n"
		"  --posted         the kernel has the posted series: it asks the handler that "
		"came\n"
		"                   last first, and kills no process of a memory.oom.group alone\n"
		"  --group=NAME     what --pattern sees before the table's name and a slash\n"
		"  --pattern=REGEX  choose by GROUP/NAME\n"
		"  --seed=N         of the random tables\n"
		"  --count=N        how many random tables\n"
		"  --only=N         run this random table alone\n"
		"  --crowd=N        so many empty cgroups in each random domain\n"
		"  --kills=FILE     append what the journal has to say\n");
}

static int parse_needs(char *list, unsigned *ret)
{
	static const char *const names[] = {"daemon", "no-daemon", "module",
					    "small",  "existing",  "language"};
	char *save = NULL;

	*ret = 0;
	for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(names) && strcmp(names[i], word) != 0)
			i++;
		if (i == ARRAY_SIZE(names))
			return -EINVAL;
		*ret |= 1U << i;
	}
	return 0;
}

/* Does the table say something of the backend evaluate_task, too? Its choice is made after that of
 * every handler, and it has no say in how much is killed. */
static bool is_for_evaluation(const struct scenario *s)
{
	for (size_t i = 0; i < scenario_count_rows(s); i++) {
		struct model_rule rule, plain;

		model_ignores_kill = false;
		model_find_rule(s->rows[i].path, NULL, &rule);
		model_ignores_kill = true;
		model_find_rule(s->rows[i].path, NULL, &plain);
		if (s->rows[i].flags & ROW_VICTIM && rule.kill != plain.kill)
			return false;
	}
	return !s->handlers[0].used;
}

/* Does it say how much of a memory.oom.group is killed, other than the kernel would? */
static bool splits_group(const struct scenario *s)
{
	bool has_group = false, has_kill = false;

	for (size_t i = 0; i < scenario_count_rows(s); i++) {
		struct model_rule rule;
		bool no_single = model_kills_no_single;

		model_kills_no_single = false;
		model_find_rule(s->rows[i].path, NULL, &rule);
		model_kills_no_single = no_single;
		has_kill = has_kill || rule.kill != MODEL_KILL_UNSET;
		has_group = has_group || model_find_oom_group("", s->rows[i].path) > 0;
	}
	return has_group && has_kill;
}

static bool is_chosen(const struct request *q, const struct scenario *s)
{
	char name[256];

	if (s->needs != q->needs)
		return false;
	/* Random ones are judged by the model, which knows the backend. */
	if (q->evaluates && q->verb != VERB_RANDOM && !is_for_evaluation(s))
		return false;
	if (q->is_posted && q->verb != VERB_RANDOM &&
	    (splits_group(s) ||
	     (s->needs & NEEDS_DAEMON && s->handlers[0].used && !s->handlers[0].runs)))
		return false;
	snprintf(name, sizeof(name), "%s/%s", q->group, s->name);
	return !q->has_pattern || regexec(&q->pattern, name, 0, NULL, 0) == 0;
}

static void report(const struct scenario *s, const struct scenario_outcome *o)
{
	if (o->passed) {
		printf("ok %s\n", s->name);
	} else {
		scenario_print(s, o, stdout);
		printf("not ok %s: %s\n", s->name, o->reason);
	}
	fflush(stdout);
}

static bool run_tables(const struct request *q)
{
	bool passed = true;

	for (size_t i = 0; i < victims_count(); i++) {
		struct scenario s = *victims_table(i);
		struct scenario_outcome o;

		if (!is_chosen(q, &s))
			continue;
		scenario_run(&s, &q->options, NULL, &o);
		report(&s, &o);
		passed = passed && o.passed;
	}
	return passed;
}

static void expect_model(struct scenario *s, const struct scenario_outcome *o,
			 char reason[static SCENARIO_REASON_MAX])
{
	random_mark_victim(s, o->limit_pages);
	if (s->needs & NEEDS_DAEMON)
		dryrun_compare(s, o, reason);
}

static void explain_random(const struct request *q, const struct random_table *t)
{
	static const char *const killers[] = {[MODEL_NOBODY] = "nobody",
					      [MODEL_POLICY] = "the policy",
					      [MODEL_KERNEL] = "the kernel"};

	printf("# the model: %s kills %s, priority %u%s%.*s, %" PRIu64 " pages ahead\n",
	       killers[t->verdict.killer], t->paths[t->verdict.index], t->verdict.rule.priority,
	       t->verdict.rule.source_len ? " from " : " by default",
	       (int)t->verdict.rule.source_len, t->paths[t->verdict.index],
	       t->verdict.margin_pages == MODEL_MARGIN_MAX ? 0 : t->verdict.margin_pages);
	printf("# again: oomtest --seed=%" PRIu64 " --only=%s random\n", q->seed,
	       t->name + strlen("random-"));
}

static bool run_random(const struct request *q)
{
	unsigned failed = 0, by_policy = 0;
	time_t start = time(NULL);

	printf("# seed %" PRIu64 "\n", q->seed);
	for (unsigned i = q->first; i < q->first + q->count; i++) {
		struct scenario_outcome o;
		struct random_table t;

		random_make_table(q->seed, i, q->needs, &t);
		if (!is_chosen(q, &t.scenario))
			continue;
		/* The daemon keeps its order of few cgroups that came after the configuration. */
		if (q->options.crowd && system("oompolicyd --reload >/dev/null") != 0)
			printf("# the reload before %s failed\n", t.name);
		scenario_run(&t.scenario, &q->options, expect_model, &o);
		if (!o.passed)
			explain_random(q, &t);
		report(&t.scenario, &o);
		by_policy += t.scenario.killer == KILLER_POLICY;
		failed += !o.passed;
	}
	printf("# %u tables, %u for the policy to decide, %u failed, %jd s\n", q->count, by_policy,
	       failed, (intmax_t)(time(NULL) - start));
	return failed == 0;
}

static int run_request(const struct request *q)
{
	int r = 0;

	if (q->verb == VERB_CONFIG) {
		printf("[Daemon]\nBackend=%s\n\n", q->evaluates ? "evaluate_task" : "struct_ops");
		scenario_print_config(stdout);
	}
	if (q->verb == VERB_TABLES)
		return run_tables(q) ? EXIT_SUCCESS : EXIT_FAILURE;
	if (q->verb == VERB_RANDOM)
		return run_random(q) ? EXIT_SUCCESS : EXIT_FAILURE;
	for (size_t i = 0; i < victims_count() && r == 0; i++) {
		if (!is_chosen(q, victims_table(i)))
			continue;
		if (q->verb == VERB_LIST)
			puts(victims_table(i)->name);
		else if (q->verb == VERB_CREATE)
			r = scenario_create_cgroups(victims_table(i));
	}
	if (r < 0)
		fprintf(stderr, "oomtest: cannot make the cgroups: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int parse_number(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return errno || end == s || *end ? -EINVAL : 0;
}

static int parse_verb(const char *word, enum verb *ret)
{
	static const char *const verbs[] = {[VERB_CONFIG] = "config",
					    [VERB_LIST] = "list",
					    [VERB_CREATE] = "create",
					    [VERB_TABLES] = "tables",
					    [VERB_RANDOM] = "random"};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(word, verbs[i]) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

static int parse_arguments(int argc, char **argv, struct request *q)
{
	static const struct option options[] = {
		{"needs", required_argument, NULL, 'n'},
		{"backend", required_argument, NULL, 'b'},
		{"group", required_argument, NULL, 'g'},
		{"pattern", required_argument, NULL, 'p'},
		{"seed", required_argument, NULL, 's'},
		{"count", required_argument, NULL, 'c'},
		{"only", required_argument, NULL, 'o'},
		{"kills", required_argument, NULL, 'k'},
		{"crowd", required_argument, NULL, 'w'},
		{"posted", no_argument, NULL, 'P'},
		{},
	};
	uint64_t number = 0;
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'n') {
			r = parse_needs(optarg, &q->needs);
		} else if (c == 'p') {
			if (*optarg && regcomp(&q->pattern, optarg, REG_EXTENDED | REG_NOSUB) != 0)
				return -EINVAL;
			q->has_pattern = *optarg;
		} else if (c == 'g') {
			q->group = optarg;
		} else if (c == 'b') {
			q->evaluates = strcmp(optarg, "evaluate_task") == 0;
			if (!q->evaluates && strcmp(optarg, "struct_ops") != 0)
				return -EINVAL;
		} else if (c == 'P') {
			q->is_posted = true;
		} else if (c == 's') {
			r = parse_number(optarg, &q->seed);
		} else if (c == 'c') {
			r = parse_number(optarg, &number);
			q->count = (unsigned)number;
		} else if (c == 'o') {
			r = parse_number(optarg, &number);
			q->first = (unsigned)number;
			q->count = 1;
		} else if (c == 'w') {
			r = parse_number(optarg, &number);
			q->options.crowd = (unsigned)number;
		} else if (c == 'k') {
			q->options.kills = fopen(optarg, "ae");
			if (!q->options.kills)
				return -errno;
		} else {
			return -EINVAL;
		}
	}
	if (r < 0 || argc - optind != 1)
		return -EINVAL;
	return parse_verb(argv[optind], &q->verb);
}

/* The one that watches must not be what dies, nor wait for its own pages to be read again. */
static int protect_self(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/oom_score_adj", "we");

	if (!f || fputs("-1000", f) < 0 || fflush(f) != 0)
		return -errno;
	return mlockall(MCL_CURRENT | MCL_FUTURE) < 0 ? -errno : 0;
}

static int drop_message(enum libbpf_print_level level _unused_, const char *format _unused_,
			va_list ap _unused_)
{
	return 0;
}

int main(int argc, char **argv)
{
	struct request q = {.group = "",
			    .needs = NEEDS_DAEMON,
			    .seed = RANDOM_SEED_DEFAULT,
			    .count = RANDOM_COUNT_DEFAULT,
			    .options.settle_msec = SETTLE_MSEC};
	int r = parse_arguments(argc, argv, &q);

	if (r == 0 && (q.verb == VERB_TABLES || q.verb == VERB_RANDOM))
		r = protect_self();
	if (r < 0) {
		fprintf(stderr, "oomtest: %s\n", strerror(-r));
		print_usage(stderr);
		return 2;
	}
	model_ignores_kill = q.evaluates;
	model_kills_no_single = q.is_posted;
	q.options.newest_first = q.is_posted;
	if (q.verb == VERB_RANDOM)
		q.options.settle_msec = RANDOM_SETTLE_MSEC;
	libbpf_set_print(drop_message);
	signal(SIGPIPE, SIG_IGN);
	return run_request(&q);
}
