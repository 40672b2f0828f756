/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the keys: in which section each may be, and what becomes of its value. Knows no file and no
 * order of lines; what a pattern may hold is check.c's, how a number is spelt value.c's.
 *
 * Invariant: a value that was refused leaves the model as it was, and the section is marked, so
 * that a missing value is not complained about as well.
 */
#include "api/words.h"
#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/glob.h"
#include "config/parser.h"
#include "config/policy.h"
#include "config/reader.h"
#include "config/section.h"
#include "config/value.h"
#include "util/basic.h"
#include "util/format.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/*
 * Each takes the value of its key in s->current; an empty value means the default again. Returns 0,
 * -EINVAL when the value was refused and reported, or -ENOMEM.
 */
typedef int (*key_parse_t)(struct sections *s, const char *key, const char *value);

static struct policy *current_policy(struct sections *s)
{
	return &s->config->policies[s->current->index];
}

static struct rule *current_rule(struct sections *s)
{
	return &s->config->rules[s->current->index];
}

static struct trigger *current_trigger(struct sections *s)
{
	return &s->config->triggers[s->current->index];
}

static int refuse(struct sections *s, const char *key, const char *value, const char *expected)
{
	report(s, "bad %s=%s, expected %s", key, quote(value).text, expected);
	return -EINVAL;
}

static int parse_priority_value(struct sections *s, const char *key, const char *value,
				uint32_t *ret)
{
	uint64_t priority;

	if (value_parse_number(value, OP_PRIORITY_MAX, &priority) < 0)
		return refuse(s, key, value, "a whole number from 0 to 1000");
	static_assert(OP_PRIORITY_MIN == 0 && OP_PRIORITY_MAX == 1000, "as in the message above");
	*ret = (uint32_t)priority;
	return 0;
}

/* Stores the path that @value spells, or leaves @ret at NULL for an empty one. */
static int parse_exact_path(struct sections *s, const char *key, const char *value, char **ret)
{
	const char *wrong = config_check_path(value);

	if (wrong) {
		report(s, "bad %s=%s: %s", key, quote(value).text, wrong);
		return -EINVAL;
	}
	*ret = glob_unescape(value);
	return *ret ? 0 : -ENOMEM;
}

static int parse_backend(struct sections *s, const char *key, const char *value)
{
	int r = *value ? backend_from_string(value) : BACKEND_AUTO;
	char expected[WORDS_SIZE];

	if (r < 0)
		return refuse(s, key, value, words_format(&words_backend, expected));
	s->config->backend = r;
	return 0;
}

static int parse_runners_up(struct sections *s, const char *key, const char *value)
{
	uint64_t n = OP_RUNNERS_MAX;

	if (*value && value_parse_number(value, OP_RUNNERS_MAX, &n) < 0)
		return refuse(s, key, value, "a whole number from 0 to 8");
	static_assert(OP_RUNNERS_MAX == 8, "as in the message above");
	s->config->runners_up = (uint32_t)n;
	return 0;
}

static int parse_stop(struct sections *s, const char *key, const char *value)
{
	int r = *value ? stop_from_string(value) : STOP_REMOVE;

	if (r < 0)
		return refuse(s, key, value, "remove or keep");
	s->config->stop = r;
	return 0;
}

/* A path beside the root; no: not the root either, and none of those before; yes: the root. */
static int parse_root_oom_control(struct sections *s, const char *key, const char *value)
{
	_cleanup_free_ char *path = NULL;
	struct config *c = s->config;
	bool on = true;
	int r;

	if (!*value || value_parse_boolean(value, &on) == 0) {
		c->root_oom_control_off = !on;
		if (!*value || !on)
			config_reset_oom_controls(c);
		return 0;
	}
	if (value[0] != '/')
		return refuse(s, key, value, "yes, no or a path that starts with /");
	r = parse_exact_path(s, key, value, &path);
	if (r < 0)
		return r;
	if (strcmp(path, "/") == 0) {
		c->root_oom_control_off = false;
		return 0;
	}
	for (size_t i = 0; i < c->n_oom_controls; i++)
		if (strcmp(c->oom_controls[i], path) == 0)
			return 0;
	r = config_add_oom_control(c, path);
	if (r == 0)
		TAKE_PTR(path);
	if (r != -E2BIG)
		return r;
	/* Once, with the first that is too many. */
	if (!s->current->bad_list)
		report(s, "too many cgroups in RootOomControl=, expected at most %d",
		       CONFIG_OOM_CONTROLS_MAX);
	return -EINVAL;
}

static int parse_scope(struct sections *s, const char *key, const char *value)
{
	int r = *value ? policy_scope_from_string(value) : POLICY_SCOPE_ANY;

	if (r < 0)
		return refuse(s, key, value, "system, memcg or any");
	current_policy(s)->scope = r;
	return 0;
}

static int parse_policy_cgroup(struct sections *s, const char *key, const char *value)
{
	char *path;
	int r = parse_exact_path(s, key, *value ? value : "/", &path);

	if (r < 0)
		return r;
	free(current_policy(s)->cgroup);
	current_policy(s)->cgroup = path;
	return 0;
}

static int parse_default_priority(struct sections *s, const char *key, const char *value)
{
	if (*value)
		return parse_priority_value(s, key, value, &current_policy(s)->default_priority);
	current_policy(s)->default_priority = OP_PRIORITY_DEFAULT;
	return 0;
}

static int parse_victim(struct sections *s, const char *key, const char *value)
{
	int r = *value ? policy_victim_from_string(value) : POLICY_VICTIM_LARGEST;
	char expected[WORDS_SIZE];

	if (r < 0)
		return refuse(s, key, value, words_format(&words_victim, expected));
	current_policy(s)->victim = r;
	return 0;
}

/* Takes over the strings of @pattern in any case. */
static int add_pattern(struct sections *s, struct pattern *pattern)
{
	int r;

	pattern->file = s->file;
	pattern->line = s->line;
	r = rule_add_pattern(current_rule(s), pattern);
	free(pattern->text);
	free(pattern->user);
	if (r == -E2BIG) {
		/* Once, with the first that is too many. */
		if (!s->current->bad_list)
			report(s, "too many patterns in [Rule %s], expected at most %d",
			       quote(current_rule(s)->name).text, CONFIG_RULE_PATTERNS_MAX);
		r = -EINVAL;
	}
	return r;
}

static int parse_pattern(struct sections *s, enum pattern_kind kind, const char *value)
{
	const char *key = pattern_kind_to_string(kind), *wrong;
	struct pattern pattern = {.kind = kind};

	if (!*value) {
		rule_reset_patterns(current_rule(s), kind);
		return 0;
	}
	wrong = config_check_pattern(kind, value);
	if (wrong) {
		report(s, "bad %s=%s: %s", key, quote(value).text, wrong);
		return -EINVAL;
	}
	if (strstr(value, " #") || strstr(value, "\t#"))
		warn_at(s, s->file, s->line,
			"%s=%s holds the text after # too; a comment after a value starts with ;",
			key, quote(value).text);
	pattern.text = strdup(value);
	if (!pattern.text)
		return -ENOMEM;
	return add_pattern(s, &pattern);
}

static int parse_rule_cgroup(struct sections *s, const char *key _unused_, const char *value)
{
	return parse_pattern(s, PATTERN_CGROUP, value);
}

static int parse_unit(struct sections *s, const char *key _unused_, const char *value)
{
	return parse_pattern(s, PATTERN_UNIT, value);
}

/* Warns where the user is not known; @ret_known is false then. Returns 0, -EINVAL, -ENOMEM. */
static int resolve_user(struct sections *s, const char *value, uint64_t *ret_uid, bool *ret_known)
{
	uid_t uid;
	int r;

	*ret_known = true;
	/* What has only digits is never looked up: systemd and shadow refuse such names. */
	if (value[strspn(value, "0123456789")] == '\0') {
		r = value_parse_number(value, UINT32_MAX, ret_uid);
		/* Two values that mean "none", as 16 and as 32 bits. */
		if (r < 0 || *ret_uid == UINT32_MAX || *ret_uid == UINT16_MAX)
			return refuse(s, "User", value, "a uid from 0 to 4294967294 but 65535");
		return 0;
	}
	if (strlen(value) > CONFIG_USER_LEN_MAX || strpbrk(value, " \t/:*?\\") ||
	    strchr("-+~", *value))
		return refuse(s, "User", value, "the name or the uid of a user, no pattern");

	r = s->users && s->users->resolve ? s->users->resolve(value, &uid, s->users->userdata)
					  : -ESRCH;
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		*ret_uid = uid;
		return 0;
	}
	*ret_known = false;
	if (r == -ESRCH)
		warn_at(s, s->file, s->line,
			"User=%s matches nothing: there is no such user at this time",
			quote(value).text);
	else
		warn_at(s, s->file, s->line, "User=%s matches nothing: cannot look it up: %s",
			quote(value).text, strerror(-r));
	return 0;
}

static int parse_user(struct sections *s, const char *key _unused_, const char *value)
{
	struct pattern pattern = {.kind = PATTERN_USER};
	uint64_t uid = 0;
	bool known;
	int r;

	if (!*value) {
		rule_reset_patterns(current_rule(s), PATTERN_USER);
		return 0;
	}
	r = resolve_user(s, value, &uid, &known);
	if (r < 0)
		return r;
	pattern.user = strdup(value);
	if (!pattern.user)
		return -ENOMEM;
	/* The slice that systemd-logind puts all of a user's sessions and services into. */
	if (known)
		pattern.text = format_string("user-%" PRIu64 ".slice", uid);
	if (known && !pattern.text) {
		free(pattern.user);
		return -ENOMEM;
	}
	return add_pattern(s, &pattern);
}

static int parse_priority(struct sections *s, const char *key, const char *value)
{
	struct rule *rule = current_rule(s);
	int r = 0;

	if (*value)
		r = parse_priority_value(s, key, value, &rule->priority);
	else
		rule->priority = 0;
	if (r == 0)
		rule->priority_set = *value;
	return r;
}

static int parse_protect(struct sections *s, const char *key, const char *value)
{
	struct rule *rule = current_rule(s);

	if (!*value)
		rule->protect = false;
	else if (value_parse_boolean(value, &rule->protect) < 0)
		return refuse(s, key, value, "yes or no");
	rule->protect_set = *value;
	return 0;
}

static int parse_kill(struct sections *s, const char *key, const char *value)
{
	int r = rule_kill_from_string(value);

	if (r < 0)
		return refuse(s, key, value, "process, cgroup or nothing");
	current_rule(s)->kill = r;
	return 0;
}

static int parse_trigger_cgroup(struct sections *s, const char *key, const char *value)
{
	char *path = NULL;
	int r = *value ? parse_exact_path(s, key, value, &path) : 0;

	if (r < 0)
		return r;
	free(current_trigger(s)->cgroup);
	current_trigger(s)->cgroup = path;
	return 0;
}

/* The limits are those of psi_trigger_create() in kernel/sched/psi.c. */
static int parse_pressure(struct sections *s, const char *key, const char *value)
{
	struct trigger *trigger = current_trigger(s);
	uint64_t threshold_usec = 0, window_usec = 0;
	bool full = false;
	int r = *value ? value_parse_pressure(value, &full, &threshold_usec, &window_usec) : 0;

	if (r == -ENOMEM)
		return r;
	if (r == -EINVAL)
		return refuse(s, key, value, "\"some TIME/TIME\" or \"full TIME/TIME\"");
	if (*value &&
	    (r < 0 || window_usec < CONFIG_WINDOW_MIN_USEC || window_usec > CONFIG_WINDOW_MAX_USEC))
		return refuse(s, key, value, "a window from 500ms to 10s, after the slash");
	static_assert(CONFIG_WINDOW_MIN_USEC == 500000 && CONFIG_WINDOW_MAX_USEC == 10000000,
		      "as in the message above");
	if (*value && (threshold_usec == 0 || threshold_usec > window_usec))
		return refuse(s, key, value,
			      "a stall time above 0 and up to the window, before the slash");
	trigger->full = full;
	trigger->threshold_usec = threshold_usec;
	trigger->window_usec = window_usec;
	return 0;
}

static const struct {
	const char *name;
	enum section_kind section;
	bool list; /* may come several times in a section */
	key_parse_t parse;
} keys[] = {
	{"Backend", SECTION_DAEMON, false, parse_backend},
	{"RunnersUp", SECTION_DAEMON, false, parse_runners_up},
	{"Stop", SECTION_DAEMON, false, parse_stop},
	{"RootOomControl", SECTION_DAEMON, true, parse_root_oom_control},
	{"Scope", SECTION_POLICY, false, parse_scope},
	{"Cgroup", SECTION_POLICY, false, parse_policy_cgroup},
	{"DefaultPriority", SECTION_POLICY, false, parse_default_priority},
	{"Victim", SECTION_POLICY, false, parse_victim},
	{"Cgroup", SECTION_RULE, true, parse_rule_cgroup},
	{"Unit", SECTION_RULE, true, parse_unit},
	{"User", SECTION_RULE, true, parse_user},
	{"Priority", SECTION_RULE, false, parse_priority},
	{"Protect", SECTION_RULE, false, parse_protect},
	{"Kill", SECTION_RULE, false, parse_kill},
	{"Cgroup", SECTION_TRIGGER, false, parse_trigger_cgroup},
	{"Pressure", SECTION_TRIGGER, false, parse_pressure},
};
static_assert(ARRAY_SIZE(keys) <= SECTION_KEYS_MAX, "room for the line of each");

/* The keys of a section, "A=, B= or C=". Returns @buf. */
static const char *list_keys(enum section_kind kind, char *buf, size_t size)
{
	size_t n = 0, n_left = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		n_left += keys[i].section == kind;
	for (size_t i = 0; i < ARRAY_SIZE(keys) && n < size; i++)
		if (keys[i].section == kind) {
			n_left--;
			n += (size_t)snprintf(buf + n, size - n, "%s=%s", keys[i].name,
					      n_left > 1    ? ", "
					      : n_left == 1 ? " or "
							    : "");
		}
	return buf;
}

/* Says where @key belongs, or which keys there are instead. */
static void refuse_key(struct sections *s, const char *key)
{
	const char *kind = section_kind_to_string(s->current->kind);
	char places[128] = "", known[256];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(key, keys[i].name) == 0)
			n += (size_t)snprintf(places + n, sizeof(places) - n, "%s[%s]",
					      n ? " or " : "",
					      section_kind_to_string(keys[i].section));
	if (n > 0)
		report(s, "%s= in [%s], expected it in %s", key, kind, places);
	else
		report(s, "unknown key %s= in [%s], expected %s", quote(key).text, kind,
		       list_keys(s->current->kind, known, sizeof(known)));
	s->current->damaged = true;
}

int key_assign(struct sections *s, const char *key, const char *value)
{
	size_t i;
	int r;

	if (!s->current) {
		if (s->before_first)
			report(s, "%s= outside a section, expected a section header before it",
			       quote(key).text);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].section == s->current->kind && strcmp(key, keys[i].name) == 0)
			break;
	if (i == ARRAY_SIZE(keys)) {
		refuse_key(s, key);
		return 0;
	}
	if (s->key_lines[i] && !keys[i].list) {
		report(s, "second %s= in one section, expected one; the first is in line %u", key,
		       s->key_lines[i]);
		return 0;
	}
	s->key_lines[i] = s->line;
	r = keys[i].parse(s, key, value);
	if (r != -EINVAL)
		return r;
	if (keys[i].list)
		s->current->bad_list = true;
	else
		s->current->bad_value = true;
	return 0;
}
