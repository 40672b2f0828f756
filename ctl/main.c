/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line and the exit status. Both are described in oompolicyctl(1). */
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "bpf/oompolicy.h"
#include "bus-client.h"
#include "config/diagnostics.h"
#include "config/layers.h"
#include "config/policy.h"
#include "config/value.h"
#include "entry.h"
#include "installed-module.h"
#include "journal-reader.h"
#include "json.h"
#include "replies.h"
#include "show.h"
#include "term.h"
#include "text.h"
#include "util/basic.h"
#include "util/bytes.h"
#include "util/escape.h"
#include "util/path.h"

/* Where systemd has the unified hierarchy; read for memory use alone. */
#define CGROUP_ROOT "/sys/fs/cgroup"

/* How many records --follow shows of those that are there already. */
#define FOLLOW_LINES 10

struct arguments {
	enum json_mode json;
	bool pager, legend, all, yes, follow;
	struct entry_filter filter;
	size_t n_last;		 /* SIZE_MAX: all */
	const char *directory;	 /* of the journal; NULL: this machine's */
	const char *cgroup_root; /* for tests */
	char **rest;
	int n_rest;
};

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void complain(const char *format, ...) _printf_(1, 2);

/* Something said by others may be in the text. */
static void complain(const char *format, ...)
{
	_cleanup_free_ char *clean = NULL;
	va_list ap;

	va_start(ap, format);
	clean = text_format_printable(format, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, clean ?: strerror(ENOMEM));
}

static int print_help(void)
{
	printf("oompolicyctl [OPTION...] COMMAND\n\n"
	       "Asks and steers the OOM policy daemon.\n\n"
	       "Commands:\n"
	       "  status              The daemon, and the policies as the kernel has them\n"
	       "  tree [CGROUP]       Cgroups by who dies first, with priority, rule, memory use\n"
	       "  rank [CGROUP]       Processes by who would die first, and why\n"
	       "  explain CGROUP      Which rule holds for a cgroup, and which others match\n"
	       "  list                The OOMs in the journal\n"
	       "  info [ID...]        All about some of them, or the last\n"
	       "  check [FILE]        Check the configuration and report all errors\n"
	       "  reload              Make the daemon reload, and wait for the outcome\n"
	       "  declare CGROUP      Declare an OOM of a cgroup, or of the system with /\n"
	       "  metrics             OpenMetrics text\n\n"
	       "Options:\n"
	       "  -h --help           Show this help\n"
	       "     --version        Show the version\n"
	       "     --json=MODE      short, pretty or off\n"
	       "     --no-pager       Do not start a pager\n"
	       "     --no-legend      No headings and explanations\n"
	       "  -a --all            tree: cgroups without processes too\n"
	       "  -n --lines=N        list, info: the last N that fit; rank: the first N\n"
	       "  -f --follow         list: go on with new ones\n"
	       "  -S --since=TIME     list, info: not before\n"
	       "  -U --until=TIME     list, info: not after\n"
	       "  -u --unit=UNIT      list, info: victims of this unit\n"
	       "     --policy=NAME    list, info: answered by this policy\n"
	       "  -D --directory=DIR  list, info: the journal there\n"
	       "     --yes            declare: do not ask\n\n"
	       "See oompolicyctl(1).\n");
	return EXIT_SUCCESS;
}

/* The exit status for a failure of the bus client, whose sentence is printed. */
static int bus_failure(int r, const char *why)
{
	complain("%s", why);
	switch (r) {
	case -ENOTCONN:
	case -EOPNOTSUPP:
		return EX_UNAVAILABLE;
	case -EACCES:
		return EX_NOPERM;
	case -EBADMSG:
		return EX_CONFIG;
	case -EINVAL:
		return EX_USAGE;
	default:
		return EXIT_FAILURE;
	}
}

/* Ends the output. Returns @status, or EXIT_FAILURE when something could not be written or made. */
static int finish(struct term *t, int r, int status)
{
	int error = term_done(t);

	if (r == 0)
		r = error;
	if (r == 0)
		return status;
	complain("%s", strerror(-r));
	return EXIT_FAILURE;
}

/* --- what asks the daemon */

/* Returns EXIT_SUCCESS and what is for status_report_done(), or the exit status of a failure. */
static int acquire_status(struct status_report *ret)
{
	char why[BUS_CLIENT_WHY_SIZE];
	int r;

	r = bus_client_get_status(ret, why);
	if (r < 0)
		return bus_failure(r, why);
	/* A failure leaves it unknown. */
	if (*ret->module_version && ret->is_of_this_machine &&
	    installed_module_acquire_version(NULL, &ret->module_installed) == 0)
		ret->module_installed = strdup("");
	return EXIT_SUCCESS;
}

static int run_status(const struct arguments *a)
{
	_cleanup_(status_report_done) struct status_report status = {};
	int r = acquire_status(&status);
	struct term t;

	if (r != EXIT_SUCCESS)
		return r;
	term_init(&t, a->pager, a->legend);
	r = show_status(&status, now_usec(), a->json, &t);
	return finish(&t, r, status_is_good(&status) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int run_metrics(const struct arguments *a)
{
	_cleanup_(status_report_done) struct status_report status = {};
	int r = acquire_status(&status);
	struct term t;

	if (r != EXIT_SUCCESS)
		return r;
	term_init(&t, false, a->legend);
	/* JSON has all of it in that of the status. */
	r = a->json == JSON_OFF ? show_metrics(&status, &t)
				: show_status(&status, now_usec(), a->json, &t);
	return finish(&t, r, EXIT_SUCCESS);
}

static int run_tree(const struct arguments *a)
{
	_cleanup_(tree_done) struct tree tree = {};
	char why[BUS_CLIENT_WHY_SIZE];
	struct term t;
	int r;

	r = bus_client_get_tree(a->n_rest ? a->rest[0] : "/", &tree, why);
	if (r < 0)
		return bus_failure(r, why);
	tree_acquire(&tree, a->cgroup_root);
	term_init(&t, a->pager, a->legend);
	r = tree_sort(&tree, a->all);
	if (r == 0)
		r = show_tree(&tree, a->json, &t);
	return finish(&t, r, EXIT_SUCCESS);
}

static int run_rank(const struct arguments *a)
{
	_cleanup_(ranking_done) struct ranking ranking = {};
	char why[BUS_CLIENT_WHY_SIZE];
	struct term t;
	int r;

	r = bus_client_get_ranking(a->n_rest ? a->rest[0] : "/", &ranking, why);
	if (r < 0)
		return bus_failure(r, why);
	term_init(&t, a->pager, a->legend);
	return finish(&t, show_ranking(&ranking, a->n_last, a->json, &t), EXIT_SUCCESS);
}

static int run_explain(const struct arguments *a)
{
	_cleanup_(explanation_done) struct explanation explanation = {};
	char why[BUS_CLIENT_WHY_SIZE];
	struct term t;
	int r;

	r = bus_client_explain(a->rest[0], &explanation, why);
	if (r < 0)
		return bus_failure(r, why);
	term_init(&t, a->pager, a->legend);
	return finish(&t, show_explanation(&explanation, a->json, &t), EXIT_SUCCESS);
}

/* What a change came to: a sentence, or {"ok":...,"message":...}. */
static int show_outcome(const struct arguments *a, int r, const char *why)
{
	_cleanup_(json_freep) struct json *object = NULL;

	if (a->json != JSON_OFF) {
		object = json_new_object();
		json_add_boolean(object, "ok", r == 0);
		json_add_text(object, "message", why);
		if (json_print(object, a->json, stdout) < 0)
			return EXIT_FAILURE;
	}
	if (r < 0)
		return bus_failure(r, why);
	if (a->json == JSON_OFF) {
		_cleanup_free_ char *clean = escape_printable(why, strlen(why));

		printf("%s\n", clean ?: "");
	}
	return EXIT_SUCCESS;
}

static int run_reload(const struct arguments *a)
{
	char why[BUS_CLIENT_WHY_SIZE];
	int r;

	r = bus_client_reload(why);
	return show_outcome(a, r, why);
}

/* Whether the person at the terminal wants it. */
static bool ask(const char *cgroup)
{
	_cleanup_free_ char *escaped = text_escape(cgroup, strlen(cgroup));
	char answer[16];

	if (strcmp(cgroup, "/") == 0)
		printf("Declare that the system is out of memory? This kills processes. [y/N] ");
	else
		printf("Declare an OOM of %s? This kills processes there. [y/N] ", escaped ?: "it");
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return strcmp(answer, "y\n") == 0 || strcmp(answer, "Y\n") == 0 ||
	       strcmp(answer, "yes\n") == 0;
}

static int run_declare(const struct arguments *a)
{
	char why[BUS_CLIENT_WHY_SIZE];
	int r;

	if (!path_is_normalized(a->rest[0], OP_DEPTH_MAX)) {
		complain("Expected the path of a cgroup from the root of the tree, like "
			 "/batch.slice, or / for the system.");
		return EX_USAGE;
	}
	if (!a->yes && isatty(STDIN_FILENO) != 1) {
		complain("There is nobody to ask: --yes declares the OOM without asking.");
		return EX_USAGE;
	}
	if (!a->yes && !ask(a->rest[0])) {
		complain("Nothing was declared.");
		return EXIT_FAILURE;
	}
	r = bus_client_declare(a->rest[0], why);
	return show_outcome(a, r, why);
}

/* --- what reads the journal */

struct listing {
	const struct arguments *arguments;
	const struct term *term;
	struct json *array; /* NULL: as they come */
	size_t n;
};

static int list_record(struct entry *e, void *userdata)
{
	struct listing *l = userdata;
	_cleanup_(json_freep) struct json *object = NULL;
	int r;

	if (l->arguments->json == JSON_OFF) {
		if (l->n == 0 && l->term->legend)
			show_record_heading(l->term);
		r = show_record_line(e, l->term);
	} else if (l->array) {
		json_append(l->array, record_to_json(e));
		r = 0;
	} else {
		object = record_to_json(e);
		r = json_print(object, l->arguments->json, l->term->out);
	}
	l->n++;
	if (l->arguments->follow && fflush(l->term->out) != 0)
		return -EIO;
	return r;
}

static int info_record(struct entry *e, void *userdata)
{
	struct listing *l = userdata;
	int r = journal_reader_add_freed(l->arguments->directory, e);

	if (r < 0)
		return r;
	if (l->arguments->json != JSON_OFF)
		return list_record(e, userdata);
	if (l->n++ > 0)
		fputc('\n', l->term->out);
	return show_record(e, l->term);
}

static bool is_filtered(const struct entry_filter *f)
{
	return f->unit || f->policy || f->since_usec || f->until_usec;
}

/* journald keeps the system's journal from those who are not in its groups. */
static void say_nothing_found(const struct arguments *a)
{
	complain("%s%s.",
		 is_filtered(&a->filter) ? "No record of an OOM fits"
					 : "There is no record of an OOM in the journal",
		 geteuid() == 0 ? ""
				: "; only root and members of the groups adm and systemd-journal "
				  "may see the records of the system");
}

static int end_listing(struct listing *l, struct term *t, int r)
{
	size_t n = l->n;

	if (r >= 0 && l->array)
		r = json_print(l->array, l->arguments->json, t->out);
	l->array = json_free(l->array);
	if (r >= 0 && n == 0 && l->arguments->json == JSON_OFF)
		say_nothing_found(l->arguments);
	return finish(t, r < 0 ? r : 0, EXIT_SUCCESS);
}

static int run_list(const struct arguments *a)
{
	size_t n_last = a->follow && a->n_last == SIZE_MAX ? FOLLOW_LINES : a->n_last;
	struct listing l = {.arguments = a};
	struct term t;
	int r;

	term_init(&t, a->pager && !a->follow, a->legend);
	l.term = &t;
	if (a->json != JSON_OFF && !a->follow)
		l.array = json_new_array();
	r = journal_reader_read(a->directory, &a->filter, n_last, a->follow, list_record, &l);
	return end_listing(&l, &t, r);
}

static int run_info(const struct arguments *a)
{
	bool filtered = is_filtered(&a->filter) || a->n_last != SIZE_MAX;
	struct listing l = {.arguments = a};
	struct term t;
	int r = 0;

	/* Known before anything is shown. */
	for (int i = 0; i < a->n_rest; i++) {
		uint64_t id;

		if (entry_parse_id(a->rest[i], &id) < 0) {
			complain("'%s' is no id, see the first column of `%s list`.", a->rest[i],
				 program_invocation_short_name);
			return EX_USAGE;
		}
	}
	term_init(&t, a->pager, a->legend);
	l.term = &t;
	if (a->json != JSON_OFF)
		l.array = json_new_array();
	if (a->n_rest == 0)
		r = journal_reader_read(a->directory, &a->filter, filtered ? a->n_last : 1, false,
					info_record, &l);
	for (int i = 0; i < a->n_rest && r >= 0; i++) {
		_cleanup_(entry_done) struct entry e = {};
		uint64_t id = 0;

		entry_parse_id(a->rest[i], &id);
		r = journal_reader_find(a->directory, id, &e);
		if (r == -ENOENT)
			complain("There is no record %s.", a->rest[i]);
		if (r == 0)
			r = info_record(&e, &l);
	}
	if (r == -ENOENT) {
		json_free(l.array);
		return finish(&t, 0, EXIT_FAILURE);
	}
	return end_listing(&l, &t, r);
}

/* --- what asks nobody */

static struct json *diagnostics_to_json(const struct diagnostics *diag)
{
	struct json *array = json_new_array();

	for (size_t i = 0; i < diag->n_items; i++) {
		struct json *object = json_new_object();

		json_add_text(object, "level",
			      diag->items[i].level == DIAGNOSTIC_ERROR ? "error" : "warning");
		json_add_text(object, "message", diag->items[i].message);
		json_append(array, object);
	}
	return array;
}

static int run_check(const struct arguments *a)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(json_freep) struct json *object = NULL;
	const char *path = a->n_rest ? a->rest[0] : NULL;
	int r, status;

	r = layers_load_system(path, &diag, &config);
	status = r == 0 ? EXIT_SUCCESS : r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
	if (a->json != JSON_OFF) {
		object = json_new_object();
		json_add_boolean(object, "ok", r == 0);
		json_add(object, "diagnostics", diagnostics_to_json(&diag));
		return json_print(object, a->json, stdout) < 0 ? EXIT_FAILURE : status;
	}
	diagnostics_print(&diag, stderr);
	if (r < 0 && diag.n_items == 0)
		complain("%s: %s", path ?: "configuration", strerror(-r));
	if (r == 0)
		printf("%s: no errors; policies: %zu, rules: %zu, triggers: %zu\n",
		       path ?: "configuration", config->n_policies, config->n_rules,
		       config->n_triggers);
	return status;
}

/* --- the command line */

static const struct {
	const char *name;
	int (*run)(const struct arguments *a);
	int n_min, n_max; /* arguments */
} commands[] = {
	{"status", run_status, 0, 0},	{"tree", run_tree, 0, 1},
	{"rank", run_rank, 0, 1},	{"explain", run_explain, 1, 1},
	{"list", run_list, 0, 0},	{"info", run_info, 0, 1000},
	{"check", run_check, 0, 1},	{"reload", run_reload, 0, 0},
	{"declare", run_declare, 1, 1}, {"metrics", run_metrics, 0, 0},
};

static int run_command(struct arguments *a, int argc, char *argv[])
{
	if (argc == 0) {
		complain("Expected a command, see --help.");
		return EX_USAGE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		if (argc - 1 < commands[i].n_min || argc - 1 > commands[i].n_max) {
			complain("%s: too %s arguments, see --help.", argv[0],
				 argc - 1 < commands[i].n_min ? "few" : "many");
			return EX_USAGE;
		}
		a->rest = argv + 1;
		a->n_rest = argc - 1;
		return commands[i].run(a);
	}
	complain("There is no command '%s', see --help.", argv[0]);
	return EX_USAGE;
}

enum {
	OPTION_VERSION = 256,
	OPTION_JSON,
	OPTION_NO_PAGER,
	OPTION_NO_LEGEND,
	OPTION_POLICY,
	OPTION_YES,
	OPTION_CGROUP_ROOT,
};

/* Returns 0, or -EINVAL after a complaint. */
static int parse_option(struct arguments *a, int option, const char *value)
{
	uint64_t number;
	int r = 0;

	switch (option) {
	case OPTION_JSON:
		r = json_mode_from_string(value);
		if (r < 0)
			complain("--json=%s: expected short, pretty or off.", value);
		else
			a->json = (enum json_mode)r;
		break;
	case OPTION_NO_PAGER:
		a->pager = false;
		break;
	case OPTION_NO_LEGEND:
		a->legend = false;
		break;
	case 'a':
		a->all = true;
		break;
	case 'n':
		r = value_parse_number(value, SIZE_MAX - 1, &number);
		if (r < 0)
			complain("--lines=%s: expected a number.", value);
		else
			a->n_last = number;
		break;
	case 'f':
		a->follow = true;
		break;
	case 'S':
	case 'U':
		r = text_parse_time(value, now_usec(),
				    option == 'S' ? &a->filter.since_usec : &a->filter.until_usec);
		if (r < 0)
			complain("'%s' is no time: expected one like 2026-01-31 12:00, 12:00, "
				 "today, yesterday, -1h or @SECONDS.",
				 value);
		break;
	case 'u':
		a->filter.unit = value;
		break;
	case OPTION_POLICY:
		a->filter.policy = value;
		break;
	case 'D':
		a->directory = value;
		break;
	case OPTION_YES:
		a->yes = true;
		break;
	case OPTION_CGROUP_ROOT:
		a->cgroup_root = value;
		break;
	default:
		r = -EINVAL;
	}
	return r < 0 ? -EINVAL : 0;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"json", required_argument, NULL, OPTION_JSON},
		{"no-pager", no_argument, NULL, OPTION_NO_PAGER},
		{"no-legend", no_argument, NULL, OPTION_NO_LEGEND},
		{"all", no_argument, NULL, 'a'},
		{"lines", required_argument, NULL, 'n'},
		{"follow", no_argument, NULL, 'f'},
		{"since", required_argument, NULL, 'S'},
		{"until", required_argument, NULL, 'U'},
		{"unit", required_argument, NULL, 'u'},
		{"policy", required_argument, NULL, OPTION_POLICY},
		{"directory", required_argument, NULL, 'D'},
		{"yes", no_argument, NULL, OPTION_YES},
		/* Not in the manual: another place than the kernel's, for tests. */
		{"cgroup-root", required_argument, NULL, OPTION_CGROUP_ROOT},
		{},
	};
	struct arguments arguments = {
		.pager = true,
		.legend = true,
		.n_last = SIZE_MAX,
		.cgroup_root = CGROUP_ROOT,
	};
	int c;

	while ((c = getopt_long(argc, argv, "han:fS:U:u:D:", options, NULL)) >= 0) {
		if (c == 'h')
			return print_help();
		if (c == OPTION_VERSION) {
			printf("oompolicyctl %s\n", OOMPOLICYD_VERSION);
			return EXIT_SUCCESS;
		}
		if (parse_option(&arguments, c, optarg) < 0)
			return EX_USAGE;
	}
	return run_command(&arguments, argc - optind, argv + optind);
}
