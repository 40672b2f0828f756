/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line and the exit status. Both are described in oompolicyd(8). */
#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#include "config/diagnostics.h"
#include "config/layers.h"
#include "config/policy.h"
#include "control.h"
#include "daemon/bus/introspect.h"
#include "daemon/kernel/loader.h"
#include "manager.h"
#include "util/basic.h"
#include "util/log.h"

/* What systemd and the LSB use for "insufficient privilege"-like refusals to run. */
#define EXIT_PRIVILEGE 77
static_assert(EX_USAGE == 64 && EX_UNAVAILABLE == 69 && EX_NOPERM == EXIT_PRIVILEGE &&
		      EX_CONFIG == 78,
	      "the statuses of oompolicyd(8)");

static void complain(const char *format, ...) _printf_(1, 2);

static void complain(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static int print_help(void)
{
	printf("oompolicyd [OPTION...]\n\n"
	       "Makes the kernel kill by the administrator's order when memory has run out.\n\n"
	       "  -h --help           Show this help\n"
	       "     --version        Show the version\n"
	       "     --config=FILE    Read this file alone, not those of oompolicy.conf(5)\n"
	       "     --check[=FILE]   Check the configuration, report all errors, and exit\n"
	       "     --cat-config     Show the files that apply, and which are masked\n"
	       "     --reload         Make the running daemon reload, wait for the outcome\n"
	       "     --remove         Take the policies of a daemon that has ended out of the "
	       "kernel\n"
	       "     --declare=CGROUP Declare an OOM of this cgroup, / being the system: have the\n"
	       "                      running daemon's policy kill, now\n"
	       "     --bus-introspect Print the D-Bus interface as XML\n\n"
	       "See oompolicyd(8) and oompolicy.conf(5).\n");
	return EXIT_SUCCESS;
}

/* Without a @path all files that apply. */
static int check(const char *path)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(config_freep) struct config *config = NULL;
	const char *what = path ?: "configuration";
	int r;

	r = layers_load_system(path, &diag, &config);
	diagnostics_print(&diag, stderr);
	if (r < 0 && diag.n_items == 0)
		fprintf(stderr, "%s: %s\n", what, strerror(-r));
	if (r < 0)
		return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
	printf("%s: %zu policies, %zu rules, %zu triggers, no errors\n", what, config->n_policies,
	       config->n_rules, config->n_triggers);
	return EXIT_SUCCESS;
}

static int cat_config(void)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(layers_done) struct layers layers = {};
	int r;

	r = layers_acquire("", &diag, &layers);
	if (r == 0)
		r = layers_print(&layers, &diag, stdout);
	diagnostics_print(&diag, stderr);
	if (r < 0 && diag.n_items == 0)
		complain("cannot show the configuration: %s", strerror(-r));
	if (r < 0)
		return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
	return EXIT_SUCCESS;
}

static int reload(void)
{
	char message[CONTROL_MESSAGE_SIZE];
	int r = control_request_reload(message);

	/* As ExecReload= it would only repeat what the daemon itself has logged. */
	if (r == -ENOTCONN || !log_is_journal())
		fprintf(r < 0 ? stderr : stdout, "%s\n", message);
	return r == 0 ? EXIT_SUCCESS : r == -EINVAL ? EX_CONFIG : EXIT_FAILURE;
}

static int declare(const char *cgroup)
{
	char message[CONTROL_MESSAGE_SIZE];
	int r = control_request_declare(cgroup, message);

	fprintf(r < 0 ? stderr : stdout, "%s\n", message);
	return r == 0 ? EXIT_SUCCESS : r == -EOPNOTSUPP ? EX_UNAVAILABLE : EXIT_FAILURE;
}

static int remove_policies(void)
{
	char why[LOADER_WHY_SIZE] = "";
	int r = control_is_running() ? -EBUSY : loader_remove_pinned(why);

	if (r == -EBUSY)
		fprintf(stderr, "A daemon is running: stop it, which takes its policies out of the "
				"kernel.\n");
	else if (r < 0)
		fprintf(stderr, "%s Nothing was removed.\n", why);
	else
		printf("%s\n", r ? "The policies are no longer active."
				 : "There are no policies without a daemon.");
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int print_interface(void)
{
	int r = introspect_print(stdout);

	if (r < 0)
		complain("cannot print the D-Bus interface: %s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const char *config_path)
{
	_cleanup_(manager_freep) struct manager *manager = NULL;
	int r;

	r = manager_new(config_path, &manager);
	switch (r) {
	case 0:
		break;
	case MANAGER_E_CONFIG:
		return EX_CONFIG;
	case MANAGER_E_KERNEL:
		return EX_UNAVAILABLE;
	case MANAGER_E_PRIVILEGE:
		return EXIT_PRIVILEGE;
	default:
		return EXIT_FAILURE;
	}
	return manager_run(manager) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What the daemon is to do; the first is what it does without an option. */
enum verb {
	VERB_RUN,
	VERB_HELP,
	VERB_VERSION,
	VERB_CHECK,
	VERB_CAT_CONFIG,
	VERB_RELOAD,
	VERB_REMOVE,
	VERB_DECLARE,
	VERB_BUS_INTROSPECT,
};

struct arguments {
	enum verb verb;
	const char *config_path; /* NULL: all files that apply */
	const char *value;	 /* of the verb's option; NULL: it has none */
};

/* Returns 0, or the exit status where the command line is none. */
static int parse_arguments(int argc, char *argv[], struct arguments *ret)
{
	/* Above every letter; the verbs follow it. */
	enum { OPTION_CONFIG = 256, OPTION_VERB };
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPTION_VERB + VERB_VERSION},
		{"config", required_argument, NULL, OPTION_CONFIG},
		{"check", optional_argument, NULL, OPTION_VERB + VERB_CHECK},
		{"cat-config", no_argument, NULL, OPTION_VERB + VERB_CAT_CONFIG},
		{"reload", no_argument, NULL, OPTION_VERB + VERB_RELOAD},
		{"remove", no_argument, NULL, OPTION_VERB + VERB_REMOVE},
		{"declare", required_argument, NULL, OPTION_VERB + VERB_DECLARE},
		{"bus-introspect", no_argument, NULL, OPTION_VERB + VERB_BUS_INTROSPECT},
		{},
	};
	bool is_ambiguous = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		enum verb verb = c == 'h' ? VERB_HELP : (enum verb)(c - OPTION_VERB);

		if (c == '?')
			return EX_USAGE;
		if (c == OPTION_CONFIG) {
			ret->config_path = optarg;
			continue;
		}
		/* The first of these two is what is meant, whatever else is there. */
		if (verb == VERB_HELP || verb == VERB_VERSION) {
			ret->verb = verb;
			return 0;
		}
		is_ambiguous |= ret->verb != VERB_RUN && ret->verb != verb;
		ret->verb = verb;
		ret->value = optarg;
	}
	if (optind < argc) {
		complain("'%s' is one argument too many, there are options only", argv[optind]);
		return EX_USAGE;
	}
	if (is_ambiguous) {
		complain("--check, --cat-config, --reload, --remove, --declare and "
			 "--bus-introspect exclude each other");
		return EX_USAGE;
	}
	return 0;
}

int main(int argc, char *argv[])
{
	struct arguments arguments = {};
	int r;

	log_init();
	r = parse_arguments(argc, argv, &arguments);
	if (r != 0)
		return r;
	switch (arguments.verb) {
	case VERB_HELP:
		return print_help();
	case VERB_VERSION:
		printf("oompolicyd %s\n", OOMPOLICYD_VERSION);
		return EXIT_SUCCESS;
	case VERB_CHECK:
		return check(arguments.value ?: arguments.config_path);
	case VERB_CAT_CONFIG:
		return cat_config();
	case VERB_RELOAD:
		return reload();
	case VERB_REMOVE:
		return remove_policies();
	case VERB_DECLARE:
		return declare(arguments.value);
	case VERB_BUS_INTROSPECT:
		return print_interface();
	default:
		return run(arguments.config_path);
	}
}
