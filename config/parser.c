/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns a text into a policy model, or into a list of everything that is wrong with it.
 *
 * Owns the shape of the file: lines, sections, keys, values. What a pattern or a name may hold and
 * which rule wins is policy.c's. Invariant: a model is handed out only when not one error was
 * reported, so no half of a file ever becomes a policy.
 *
 * libinih and this module. libinih 55 reads lines into a buffer of 200 bytes whose size its users
 * cannot choose everywhere: it takes the rest of a longer line for a key of its own, cuts a section
 * name at 49 bytes, takes an indented line for a continuation and a colon for an equals sign, and
 * tells its handler no line number, all without an error. So it does not get to see the file. Our
 * reader looks at each line first, refuses what libinih would misread, and passes on a short line
 * that means the same: "[Rule]" for a section header, whose name stays here, and the key with the
 * word HELD_BACK as its value, which stays here too. libinih calls the handler before it asks for
 * the next line; so the reader's line number, section and value are the handler's as well.
 */
#include "config/parser.h"

#include "bpf/oompolicy.h"
#include "config/basic.h"
#include "config/diagnostics.h"
#include "config/policy.h"

#include <fcntl.h>
#include <ini.h>
#include <search.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define WHITESPACE " \t"
#define HELD_BACK "value"
/* A text of the file in a message is cut here. */
#define QUOTE_MAX 64

enum section_kind {
	SECTION_NONE, /* before the first header */
	SECTION_DAEMON,
	SECTION_POLICY,
	SECTION_RULE,
	SECTION_UNKNOWN, /* the header was refused: its keys are not looked at */
	_SECTION_MAX,
};

enum key {
	KEY_BACKEND,
	KEY_DEFAULT_PRIORITY,
	KEY_CGROUP,
	KEY_UNIT,
	KEY_PRIORITY,
	KEY_PROTECT,
	_KEY_MAX,
};

struct parser {
	const char *file;
	struct diagnostics *diag;
	struct policy *policy;
	int error; /* -ENOMEM once memory was out */

	/* The line that was read last. */
	const char *next; /* what follows it */
	size_t left;	  /* bytes of that */
	unsigned line;	  /* its number, from 1 */
	char text[PARSER_LINE_MAX + 1];
	const char *value; /* within text */

	/* The section that the line is in. */
	enum section_kind section;
	unsigned section_line;
	bool damaged; /* a line of it was refused, so do not complain that its key is missing */
	unsigned key_lines[_KEY_MAX]; /* 0: not seen in this section */
	struct rule rule;	      /* of a SECTION_RULE; strings empty otherwise */

	/* Lines of the first header of each kind that may come once, 0: not seen. */
	unsigned first_line[_SECTION_MAX];
	void *rule_names; /* tsearch(3) tree of struct rule_name */
	bool rules_full;  /* and it was said */
};

struct rule_name {
	unsigned line;
	char name[];
};

static int parse_backend(struct parser *p);
static int parse_default_priority(struct parser *p);
static int parse_cgroup(struct parser *p);
static int parse_unit(struct parser *p);
static int parse_priority(struct parser *p);
static int parse_protect(struct parser *p);

static const struct {
	const char *name;
	const char *keys; /* for messages */
} sections[_SECTION_MAX] = {
	[SECTION_DAEMON] = {"Daemon", "Backend="},
	[SECTION_POLICY] = {"Policy", "DefaultPriority="},
	[SECTION_RULE] = {"Rule", "Cgroup=, Unit=, Priority= or Protect="},
};

/* The value is in the parser. Returns -EINVAL when it was refused and reported, or -ENOMEM. */
static const struct {
	const char *name;
	enum section_kind section;
	int (*parse)(struct parser *p);
} keys[_KEY_MAX] = {
	[KEY_BACKEND] = {"Backend", SECTION_DAEMON, parse_backend},
	[KEY_DEFAULT_PRIORITY] = {"DefaultPriority", SECTION_POLICY, parse_default_priority},
	[KEY_CGROUP] = {"Cgroup", SECTION_RULE, parse_cgroup},
	[KEY_UNIT] = {"Unit", SECTION_RULE, parse_unit},
	[KEY_PRIORITY] = {"Priority", SECTION_RULE, parse_priority},
	[KEY_PROTECT] = {"Protect", SECTION_RULE, parse_protect},
};

#define report_at(p, line, ...) \
	diagnostics_add((p)->diag, DIAGNOSTIC_ERROR, (p)->file, line, __VA_ARGS__)
#define report(p, ...) report_at(p, (p)->line, __VA_ARGS__)

struct quote {
	char text[QUOTE_MAX + sizeof("...")];
};

/*
 * A text of the file, short enough for a message. diagnostics_add() makes it printable: a
 * character that is cut in the middle becomes \xHH there.
 */
static struct quote quote(const char *text)
{
	struct quote q;

	snprintf(q.text, sizeof(q.text), "%.*s%s", QUOTE_MAX, text,
		 strlen(text) > QUOTE_MAX ? "..." : "");
	return q;
}

/* Digits only: strtoul() would take a sign, spaces and an empty string as well. */
static int parse_priority_value(struct parser *p, const char *key, uint32_t *ret)
{
	uint32_t priority = 0;
	bool good = *p->value != '\0';

	for (const char *c = p->value; *c && good; c++) {
		good = *c >= '0' && *c <= '9';
		if (good) {
			priority = 10 * priority + (uint32_t)(*c - '0');
			good = priority <= OP_PRIORITY_MAX;
		}
	}
	if (!good) {
		report(p, "bad %s=%s, expected a whole number from %d to %d", key,
		       quote(p->value).text, OP_PRIORITY_MIN, OP_PRIORITY_MAX);
		return -EINVAL;
	}
	*ret = priority;
	return 0;
}

static int parse_backend(struct parser *p)
{
	int r = backend_from_string(p->value);

	if (r < 0) {
		report(p, "bad Backend=%s, expected auto or struct_ops", quote(p->value).text);
		return r;
	}
	p->policy->backend = r;
	return 0;
}

static int parse_default_priority(struct parser *p)
{
	return parse_priority_value(p, "DefaultPriority", &p->policy->default_priority);
}

static int parse_pattern(struct parser *p, enum rule_match match, const char *key)
{
	const char *wrong = policy_check_pattern(match, p->value);

	if (wrong) {
		report(p, "bad %s=%s: %s", key, quote(p->value).text, wrong);
		return -EINVAL;
	}
	if (strstr(p->value, " #") || strstr(p->value, "\t#"))
		diagnostics_add(p->diag, DIAGNOSTIC_WARNING, p->file, p->line,
				"%s=%s holds the text after # too; a comment after a value "
				"starts with ;",
				key, quote(p->value).text);
	/* With both keys in one rule the first stays; the rule is refused at its end. */
	if (p->rule.pattern)
		return 0;
	p->rule.match = match;
	p->rule.pattern = strdup(p->value);
	return p->rule.pattern ? 0 : -ENOMEM;
}

static int parse_cgroup(struct parser *p)
{
	return parse_pattern(p, RULE_MATCH_CGROUP, "Cgroup");
}

static int parse_unit(struct parser *p)
{
	return parse_pattern(p, RULE_MATCH_UNIT, "Unit");
}

static int parse_priority(struct parser *p)
{
	int r = parse_priority_value(p, "Priority", &p->rule.priority);

	if (r == 0)
		p->rule.priority_set = true;
	return r;
}

/* The words of systemd.syntax(7). */
static int parse_protect(struct parser *p)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"off", "on"}, {"false", "true"}, {"0", "1"}, {"n", "y"}, {"f", "t"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (int b = 0; b < 2; b++)
			if (strcasecmp(p->value, words[i][b]) == 0) {
				p->rule.protect = b;
				return 0;
			}
	report(p, "bad Protect=%s, expected yes or no", quote(p->value).text);
	return -EINVAL;
}

/* Says what a [Rule] as a whole lacks, and adds it to the model. */
static void end_rule(struct parser *p)
{
	bool has_pattern = p->key_lines[KEY_CGROUP] || p->key_lines[KEY_UNIT];
	const char *name = p->rule.name;
	int r;

	if (p->key_lines[KEY_CGROUP] && p->key_lines[KEY_UNIT])
		report_at(p, p->section_line,
			  "[Rule %s] has both Cgroup= and Unit=, expected one of the two",
			  quote(name).text);
	if (!has_pattern && !p->damaged)
		report_at(p, p->section_line,
			  "[Rule %s] has no pattern, expected Cgroup= or Unit=", quote(name).text);
	if (!p->key_lines[KEY_PRIORITY] && !p->key_lines[KEY_PROTECT] && !p->damaged)
		report_at(
			p, p->section_line,
			"[Rule %s] does nothing, expected Priority= or Protect=", quote(name).text);

	if (!p->rule.pattern)
		return; /* refused above, or when its key was read */
	r = policy_add_rule(p->policy, &p->rule);
	if (r == -E2BIG && !p->rules_full) {
		report_at(p, p->section_line, "too many rules, expected at most %d",
			  POLICY_RULES_MAX);
		p->rules_full = true;
	} else if (r == -ENOMEM) {
		p->error = r;
	}
}

static void end_section(struct parser *p)
{
	if (p->section == SECTION_RULE && p->error == 0)
		end_rule(p);
	rule_done(&p->rule);
	memset(p->key_lines, 0, sizeof(p->key_lines));
	p->damaged = false;
	p->section = SECTION_UNKNOWN;
	p->section_line = p->line;
}

static int compare_rule_names(const void *a, const void *b)
{
	return strcmp(((const struct rule_name *)a)->name, ((const struct rule_name *)b)->name);
}

/* Returns the line where [Rule @name] was seen first, 0 when this is the first time, -ENOMEM. */
static int64_t remember_rule_name(struct parser *p, const char *name)
{
	_cleanup_free_ struct rule_name *rule_name = NULL;
	size_t size = strlen(name) + 1;
	struct rule_name *const *found;

	rule_name = malloc(sizeof(*rule_name) + size);
	if (!rule_name)
		return -ENOMEM;
	rule_name->line = p->line;
	memcpy(rule_name->name, name, size);
	found = tsearch(rule_name, &p->rule_names, compare_rule_names);
	if (!found)
		return -ENOMEM;
	if (*found != rule_name)
		return (*found)->line;
	TAKE_PTR(rule_name); /* the tree's now */
	return 0;
}

static void begin_daemon(struct parser *p, const char *name)
{
	if (*name)
		report(p, "[Daemon %s] has a name, expected [Daemon]", quote(name).text);
	if (p->first_line[SECTION_DAEMON])
		report(p, "second [Daemon], expected one; the first is in line %u",
		       p->first_line[SECTION_DAEMON]);
	else
		p->first_line[SECTION_DAEMON] = p->line;
}

static void begin_policy(struct parser *p, const char *name)
{
	const char *wrong = policy_check_name(name);
	char *copy;

	if (wrong)
		report(p, "bad name in [Policy %s], %s", quote(name).text, wrong);
	if (p->first_line[SECTION_POLICY]) {
		report(p, "second [Policy], expected one; the first is in line %u",
		       p->first_line[SECTION_POLICY]);
		return;
	}
	p->first_line[SECTION_POLICY] = p->line;
	copy = strdup(name);
	if (!copy) {
		p->error = -ENOMEM;
		return;
	}
	free(p->policy->policy_name);
	p->policy->policy_name = copy;
}

static void begin_rule(struct parser *p, const char *name)
{
	const char *wrong = policy_check_rule_name(name);
	int64_t first;

	p->rule.line = p->line;
	p->rule.file = strdup(p->file);
	p->rule.name = strdup(name);
	if (!p->rule.file || !p->rule.name) {
		p->error = -ENOMEM;
		return;
	}
	if (wrong) {
		report(p, "bad name in [Rule %s], %s", quote(name).text, wrong);
		return;
	}
	first = remember_rule_name(p, name);
	if (first < 0)
		p->error = (int)first;
	else if (first > 0)
		report(p, "second [Rule %s], expected a name of its own; the first is in line %u",
		       quote(name).text, (unsigned)first);
}

/* Cuts whitespace off both ends, in place. */
static char *strip(char *s)
{
	size_t n;

	s += strspn(s, WHITESPACE);
	n = strlen(s);
	while (n > 0 && strchr(WHITESPACE, s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

/* Cuts off a comment: a semicolon after whitespace. */
static void strip_comment(char *s)
{
	for (char *c = s; *c; c++)
		if (strchr(WHITESPACE, *c) && c[1] == ';') {
			*c = '\0';
			return;
		}
}

/*
 * Takes the header @text, "[Kind Name] ; comment". Names the section for libinih in @ret, or
 * leaves that empty where the header was refused.
 */
static void read_section(struct parser *p, char *text, char *ret, size_t ret_size)
{
	char *end = strchr(text, ']'), *kind, *name, *rest;
	enum section_kind section;

	end_section(p);
	if (!end) {
		report(p, "section header without ], expected [Section] or [Section NAME]");
		return;
	}
	rest = end + 1;
	strip_comment(rest);
	if (*strip(rest))
		report(p,
		       "\"%s\" after the section header, expected the end of the line or a "
		       "comment that starts with ;",
		       quote(strip(rest)).text);

	*end = '\0';
	kind = strip(text + 1);
	name = kind + strcspn(kind, WHITESPACE);
	if (*name)
		*name++ = '\0';
	name = strip(name);

	for (section = SECTION_DAEMON; section < SECTION_UNKNOWN; section++)
		if (strcmp(kind, sections[section].name) == 0)
			break;
	if (section == SECTION_UNKNOWN) {
		report(p, "unknown section [%s], expected [Daemon], [Policy NAME] or [Rule NAME]",
		       quote(kind).text);
		return;
	}
	p->section = section;
	if (section == SECTION_DAEMON)
		begin_daemon(p, name);
	else if (section == SECTION_POLICY)
		begin_policy(p, name);
	else
		begin_rule(p, name);
	snprintf(ret, ret_size, "[%s]", sections[section].name);
}

/* Takes the line @text, "Key=value ; comment". Writes to @ret what libinih is to see of it. */
static void read_assignment(struct parser *p, char *text, char *ret, size_t ret_size)
{
	size_t key_length;
	char *equals;

	strip_comment(text);
	equals = strchr(text, '=');
	/* An equals sign in first place would be a key without a name, a colon before it the end
	 * of the key for libinih. */
	key_length = strcspn(text, ":=");
	if (!equals || key_length == 0 || text[key_length] == ':') {
		report(p, "\"%s\" is not a setting, expected Key=value, [Section] or a comment",
		       quote(text).text);
		p->damaged = true;
		return;
	}
	p->value = strip(equals + 1);
	*equals = '\0';
	if ((size_t)snprintf(ret, ret_size, "%s=" HELD_BACK, text) >= ret_size) {
		report(p, "unknown key %s=", quote(text).text);
		p->damaged = true;
		*ret = '\0';
	}
}

/*
 * For a line that was reported and is not looked at. One that began like a section header ends the
 * section, so that what follows is not taken for a part of the one before.
 */
static int refuse_line(struct parser *p, const char *start)
{
	if (*start == '[')
		end_section(p);
	p->damaged = true;
	return -EINVAL;
}

/*
 * Copies the next line to p->text without its line end and checks its bytes. Returns 1, 0 at the
 * end of the text, or -EINVAL when the line cannot be looked at any further, which was reported.
 */
static int next_line(struct parser *p)
{
	const char *start = p->next, *newline;
	size_t size;

	if (p->left == 0)
		return 0;
	newline = memchr(start, '\n', p->left);
	size = newline ? (size_t)(newline - start) : p->left;
	p->next += size + (newline ? 1 : 0);
	p->left -= size + (newline ? 1 : 0);
	p->line++;

	/* A byte order mark, as editors of other systems write it. */
	if (p->line == 1 && size >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) {
		start += 3;
		size -= 3;
	}
	if (size > 0 && start[size - 1] == '\r')
		size--;
	if (size > PARSER_LINE_MAX) {
		report(p, "line of %zu bytes, expected at most %d", size, PARSER_LINE_MAX);
		return refuse_line(p, start);
	}
	for (size_t i = 0; i < size; i++) {
		unsigned char c = start[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			report(p, "control byte 0x%02x in column %zu, expected text", c, i + 1);
			return refuse_line(p, start);
		}
	}
	memcpy(p->text, start, size);
	p->text[size] = '\0';
	return 1;
}

/* For libinih: like fgets(). A line that it has nothing to do with becomes an empty one. */
static char *read_line(char *ret, int ret_size, void *stream)
{
	struct parser *p = stream;
	char *text;
	int r;

	if (p->error < 0 || ret_size <= 0)
		return NULL;
	*ret = '\0';
	r = next_line(p);
	if (r == 0)
		return NULL;
	if (r < 0)
		return ret;

	text = strip(p->text);
	if (*text == '\0' || *text == '#' || *text == ';')
		return ret;
	if (text != p->text)
		/* Taken as it is meant nevertheless, to find what else is wrong with it. */
		report(p, "indented line, expected no space before a key or section; a value "
			  "cannot be continued in the next line");
	if (*text == '[')
		read_section(p, text, ret, (size_t)ret_size);
	else
		read_assignment(p, text, ret, (size_t)ret_size);
	return ret;
}

/* For libinih: returns non-zero for "go on". */
static int handle_key(void *user, const char *section, const char *name, const char *value)
{
	struct parser *p = user;
	enum key key;
	int r;

	(void)value; /* HELD_BACK, for p->value */

	if (p->section == SECTION_UNKNOWN)
		return 1;
	for (key = 0; key < _KEY_MAX; key++)
		if (strcmp(name, keys[key].name) == 0)
			break;
	if (p->section == SECTION_NONE) {
		report(p, "%s= outside a section, expected a section header before it",
		       quote(name).text);
		return 1;
	}
	if (key == _KEY_MAX) {
		report(p, "unknown key %s= in [%s], expected %s", quote(name).text, section,
		       sections[p->section].keys);
		p->damaged = true;
		return 1;
	}
	if (keys[key].section != p->section) {
		report(p, "%s= in [%s], expected it in [%s]", name, section,
		       sections[keys[key].section].name);
		p->damaged = true;
		return 1;
	}
	if (p->key_lines[key]) {
		report(p, "second %s= in one section, expected one; the first is in line %u", name,
		       p->key_lines[key]);
		return 1;
	}
	p->key_lines[key] = p->line;
	r = keys[key].parse(p);
	if (r == -ENOMEM)
		p->error = r;
	return 1;
}

static void parser_done(struct parser *p)
{
	rule_done(&p->rule);
	tdestroy(p->rule_names, free);
	policy_free(p->policy);
}

static void parser_freep(struct parser **p)
{
	if (*p)
		parser_done(*p);
	free(*p);
}

int parser_parse_buffer(const char *file, const char *text, size_t size, struct diagnostics *diag,
			struct policy **ret)
{
	/* On the heap for the line buffer's sake. */
	_cleanup_(parser_freep) struct parser *p = NULL;
	size_t n_errors = diag->n_errors;
	int r;

	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->file = file;
	p->diag = diag;
	p->next = text;
	p->left = size;
	p->policy = policy_new();
	if (!p->policy)
		return -ENOMEM;

	r = ini_parse_stream(read_line, p, handle_key, p);
	end_section(p);
	if (p->error < 0)
		return p->error;
	if (diag->out_of_memory || r == -2)
		return -ENOMEM;
	/* The reader lets no line through that libinih cannot read; never guess if it did. */
	if (r != 0 && diag->n_errors == n_errors)
		report_at(p, r > 0 ? (unsigned)r : 0, "line not understood, expected Key=value");
	if (diag->n_errors > n_errors)
		return -EINVAL;

	r = policy_finish(p->policy);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p->policy);
	return 0;
}

/* Whether the file may decide who is killed. Reports why not. */
static int check_file(const char *path, const struct stat *st, struct diagnostics *diag)
{
	const char *wrong = NULL;

	if (!S_ISREG(st->st_mode))
		wrong = "not a regular file, refused";
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		wrong = "owned by another user, expected root or the calling user";
	else if (st->st_mode & S_IWOTH)
		wrong = "everybody can write to it, expected no more than mode 0644";
	else if (st->st_mode & S_IWGRP && st->st_gid != 0 && st->st_gid != getegid())
		wrong = "another group can write to it, expected no more than mode 0644";
	if (!wrong)
		return 0;
	diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "%s", wrong);
	return -EPERM;
}

/* Reads all of @fd, at most PARSER_FILE_MAX bytes. The caller frees @ret_text. */
static int read_all(int fd, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0, capacity = 0;

	for (;;) {
		ssize_t n;

		/* One byte more than allowed, to see that there is one. */
		if (size > PARSER_FILE_MAX)
			return -EFBIG;
		if (size == capacity) {
			size_t bigger = capacity ? 2 * capacity : 4096;
			char *moved = realloc(text, bigger);

			if (!moved)
				return -ENOMEM;
			text = moved;
			capacity = bigger;
		}
		n = read(fd, text + size, capacity - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

int parser_parse_file(const char *path, struct diagnostics *diag, struct policy **ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	size_t size = 0;
	int r;

	/* O_NONBLOCK: a FIFO must not stop the daemon before check_file() refuses it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot open: %s", strerror(-r));
		return r;
	}
	r = check_file(path, &st, diag);
	if (r < 0)
		return r;
	r = read_all(fd, &text, &size);
	if (r == -EFBIG) {
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0,
				"larger than %d bytes, expected less", PARSER_FILE_MAX);
		return r;
	}
	if (r < 0) {
		diagnostics_add(diag, DIAGNOSTIC_ERROR, path, 0, "cannot read: %s", strerror(-r));
		return r;
	}
	return parser_parse_buffer(path, text, size, diag, ret);
}
