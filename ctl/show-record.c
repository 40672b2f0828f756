/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A record of the journal for people. The fields that are known here are shown where they belong,
 * the others with their names: a later daemon that says more is not cut short.
 */
#include "show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "api/fields.h"
#include "api/words.h"
#include "config/value.h"
#include "entry.h"
#include "text.h"
#include "util/basic.h"
#include "util/escape.h"
#include "util/format.h"

/* Widths of the columns of a line: those of 80 columns, as a line cannot wait for the next. */
#define ID_WIDTH 13
#define TIME_WIDTH 19
#define OUTCOME_WIDTH 10
#define PRIORITY_WIDTH 4
#define VICTIM_WIDTH 16
#define DOMAIN_WIDTH 13

/* Width of the names before the colon. */
#define NAME_WIDTH 12

/* --- one line */

static void print_line(const struct term *t, const char *const cells[static 6])
{
	/* What the terminal has beyond 80 goes to the last two. */
	size_t more = t->width > 80 ? (t->width - 80) / 2 : 0;
	size_t victim = VICTIM_WIDTH + more, domain = DOMAIN_WIDTH + more;

	const size_t widths[] = {ID_WIDTH, TIME_WIDTH, OUTCOME_WIDTH, PRIORITY_WIDTH, victim};

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		/* A pipe takes all of it. */
		bool wide = t->width == 0 && term_width(cells[i]) > widths[i];

		term_print_cell(t, cells[i], wide ? 0 : widths[i],
				widths[i] == PRIORITY_WIDTH ? CELL_RIGHT : 0);
		fputc(' ', t->out);
	}
	term_print_cell(t, cells[5], t->width ? domain : 0, CELL_CUT_START | CELL_LAST);
	fputc('\n', t->out);
}

void show_record_heading(const struct term *t)
{
	static const char *const titles[] = {"ID", "TIME", "OUTCOME", "PRIO", "VICTIM", "OOM IN"};

	fputs(term_colour(t, COLOUR_BOLD), t->out);
	print_line(t, titles);
	fputs(term_colour(t, COLOUR_NONE), t->out);
}

/* A field for a table: escaped, "-" where there is none. NULL when memory is out. */
static char *get_escaped(const struct entry *e, enum field field)
{
	const char *value = entry_get_field(e, field);

	return value && *value ? text_escape(value, strlen(value)) : strdup("-");
}

int show_record_line(const struct entry *e, const struct term *t)
{
	_cleanup_free_ char *outcome = get_escaped(e, FIELD_DECISION);
	_cleanup_free_ char *priority = get_escaped(e, FIELD_EFFECTIVE_PRIORITY);
	_cleanup_free_ char *comm = get_escaped(e, FIELD_VICTIM_COMM);
	_cleanup_free_ char *domain = get_escaped(e, FIELD_DOMAIN), *victim = NULL;
	uint64_t pid = entry_get_number(e, FIELD_VICTIM_PID);
	const char *type = entry_get_field(e, FIELD_DOMAIN_TYPE);
	char id[ENTRY_ID_SIZE], time[TEXT_TIME_SIZE];

	if (!outcome || !priority || !comm || !domain)
		return -ENOMEM;
	victim = pid == UINT64_MAX ? strdup("-") : format_string("%s[%" PRIu64 "]", comm, pid);
	if (!victim)
		return -ENOMEM;
	entry_format_id(e, id);
	print_line(t, (const char *const[]){
			      id,
			      text_format_time(e->real_usec, time),
			      outcome,
			      priority,
			      victim,
			      type && strcmp(type, "system") == 0 ? "the system" : domain,
		      });
	return 0;
}

/* --- all of it */

/* A page that is being written; memory that runs out is told at its end. */
struct page {
	const struct entry *entry;
	const struct term *term;
	int error;
};

static const char *get(const struct page *p, enum field field)
{
	return entry_get_field(p->entry, field);
}

static void print_wrapped(const struct page *p, const char *name, const char *text)
{
	term_print_wrapped(p->term, NAME_WIDTH, name, text);
}

static void print(struct page *p, const char *name, const char *format, ...) _printf_(3, 4);

static void print(struct page *p, const char *name, const char *format, ...)
{
	_cleanup_free_ char *clean = NULL;
	va_list ap;

	va_start(ap, format);
	clean = text_format_printable(format, ap);
	va_end(ap);
	if (clean)
		print_wrapped(p, name, clean);
	else
		p->error = -ENOMEM;
}

/* The message may have several lines; what is in them was escaped by the daemon. */
static void print_message(struct page *p)
{
	const char *rest = entry_get(p->entry, "MESSAGE") ?: "", *name = "Message";

	while (*rest) {
		size_t length = strcspn(rest, "\n");
		_cleanup_free_ char *line = escape_printable(rest, length);

		if (line)
			print_wrapped(p, name, line);
		else
			p->error = -ENOMEM;
		name = "";
		rest += length + (rest[length] == '\n');
	}
}

static void print_field(struct page *p, const char *name, enum field field)
{
	const char *value = get(p, field);
	_cleanup_free_ char *escaped = value ? text_escape(value, strlen(value)) : NULL;

	if (escaped && *escaped)
		print_wrapped(p, name, escaped);
	else if (value && !escaped)
		p->error = -ENOMEM;
}

/* "1.5M anon, 2.0M file" of those that are not zero. */
static void print_memory(struct page *p, enum field first)
{
	const struct {
		enum field field;
		const char *name;
	} parts[] = {
		{FIELD_OF_TASK(first, ANON_BYTES), "anon"},
		{FIELD_OF_TASK(first, FILE_BYTES), "file"},
		{FIELD_OF_TASK(first, SHMEM_BYTES), "shmem"},
		{FIELD_OF_TASK(first, SWAP_BYTES), "swap"},
		{FIELD_OF_TASK(first, PGTABLES_BYTES), "page tables"},
	};
	char text[256];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint64_t bytes = entry_get_number(p->entry, parts[i].field);
		char size[TEXT_BYTES_SIZE];

		if (bytes == UINT64_MAX || bytes == 0)
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s",
					 used ? ", " : "", text_format_bytes(bytes, size),
					 parts[i].name);
	}
	if (used)
		print_wrapped(p, "Memory", text);
}

/* Name, numbers, cgroup, unit and memory of the victim or the trigger, by its first field. */
static void print_task(struct page *p, const char *title, enum field first)
{
	const char *pid = get(p, FIELD_OF_TASK(first, PID));
	const char *comm = get(p, FIELD_OF_TASK(first, COMM)) ?: "";
	const char *uid = get(p, FIELD_OF_TASK(first, UID));
	const char *adj = get(p, FIELD_OF_TASK(first, OOM_SCORE_ADJ));
	_cleanup_free_ char *escaped = NULL;

	if (!pid)
		return;
	escaped = text_escape(comm, strlen(comm));
	fputc('\n', p->term->out);
	/* Numbers are the daemon's own. */
	print(p, title, "%s (pid %s%s%s%s%s)", escaped && *escaped ? escaped : "a process", pid,
	      uid ? ", uid " : "", uid ?: "", adj ? ", oom_score_adj " : "", adj ?: "");
	print_field(p, "Cgroup", FIELD_OF_TASK(first, CGROUP));
	print_field(p, "Unit", FIELD_OF_TASK(first, UNIT));
	print_field(p, "User unit", FIELD_OF_TASK(first, USER_UNIT));
	print_memory(p, first);
}

/* When the victim's memory was back, where that is known. */
static void print_freed(struct page *p)
{
	uint64_t usec = entry_get_number(p->entry, FIELD_FREED_USEC);
	uint64_t left = entry_get_number(p->entry, FIELD_LEFT_BYTES);
	char span[TEXT_SPAN_SIZE], size[TEXT_BYTES_SIZE];

	if (usec == UINT64_MAX || usec > UINT64_MAX / 1000)
		return;
	text_format_span(usec * 1000, span);
	if (left == UINT64_MAX)
		print(p, "Memory back", "%s after it was killed", span);
	else
		print(p, "Memory back", "%s after it was killed, by the kernel's reaper, %s left",
		      span, text_format_bytes(left, size));
}

static void print_decision(struct page *p)
{
	const char *policy = get(p, FIELD_POLICY) ?: "", *decision = get(p, FIELD_DECISION) ?: "";
	const char *reason = get(p, FIELD_REASON), *priority = get(p, FIELD_EFFECTIVE_PRIORITY);
	_cleanup_free_ char *safe = text_escape(decision, strlen(decision));

	print(p, "Outcome", "%s%s%s%s%s", safe ?: "", reason ? ", " : "", reason ?: "",
	      *policy ? " by policy " : "", policy);
	if (priority)
		print(p, "Priority", "%s", priority);
	print_field(p, "Rule", FIELD_RULE);
	print_field(p, "Rule at", FIELD_PRIORITY_SOURCE);
	print_field(p, "Kill", FIELD_KILL);
	print_field(p, "Kill error", FIELD_KILL_ERROR);
}

/* A line of the page for each line of a field. */
static void print_lines(struct page *p, const char *name, enum field field,
			char *(*format_one)(char *line))
{
	const char *rest = get(p, field);
	bool first = true;

	while (rest && *rest) {
		size_t length = strcspn(rest, "\n");
		_cleanup_free_ char *line = escape_printable(rest, length);
		_cleanup_free_ char *text = line ? format_one(line) : NULL;

		rest += length + (rest[length] == '\n');
		if (!text)
			p->error = -ENOMEM;
		else if (*text) {
			print_wrapped(p, first ? name : "", text);
			first = false;
		}
	}
}

/* Cuts the first @n words off the line; the rest is what comes after the last. Returns false where
 * there are not as many. */
static bool split(char *line, char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		words[i] = strsep(&line, " ");
		if (!line)
			return false;
	}
	words[n] = line;
	return true;
}

/* Bytes in a record as for people; what is no number stays. */
static const char *show_bytes(const char *word, char buf[static TEXT_BYTES_SIZE])
{
	uint64_t bytes;

	return value_parse_number(word, UINT64_MAX, &bytes) < 0 ? word
								: text_format_bytes(bytes, buf);
}

/* "pid comm uid oom_score_adj priority rule size reason cgroup", see oompolicyd(8). */
static char *format_runner(char *line)
{
	char *words[9], size[TEXT_BYTES_SIZE];
	_cleanup_free_ char *copy = strdup(line);

	if (!copy || !split(line, words, 8))
		return TAKE_PTR(copy);
	return format_string("%s[%s], priority %s%s%s, %s, %s, in %s", words[1], words[0], words[4],
			     strcmp(words[5], "-") == 0 ? "" : " by ",
			     strcmp(words[5], "-") == 0 ? "" : words[5], show_bytes(words[6], size),
			     word_describe(&words_runner, words[7]), words[8]);
}

/* "current max high swap.current swap.max cgroup", likewise. */
static char *format_limit(char *line)
{
	char sizes[5][TEXT_BYTES_SIZE], *words[6];
	_cleanup_free_ char *copy = strdup(line);
	const char *shown[5];

	if (!copy || !split(line, words, 5))
		return TAKE_PTR(copy);
	for (size_t i = 0; i < 5; i++)
		shown[i] = show_bytes(words[i], sizes[i]);
	return format_string("%s of %s (high %s), swap %s of %s, %s", shown[0], shown[1], shown[2],
			     shown[3], shown[4], words[5]);
}

static void print_runners_up(struct page *p)
{
	if (!get(p, FIELD_RUNNERS_UP))
		return;
	fputc('\n', p->term->out);
	print_lines(p, "Next", FIELD_RUNNERS_UP, format_runner);
}

static void print_domain(struct page *p)
{
	uint64_t select_nsec = entry_get_number(p->entry, FIELD_SELECT_NSEC);
	uint64_t handler_nsec = entry_get_number(p->entry, FIELD_HANDLER_NSEC);
	const char *type = get(p, FIELD_DOMAIN_TYPE), *tasks = get(p, FIELD_TASKS);
	const char *cgroups = get(p, FIELD_CGROUPS) ?: "?";
	char selected[TEXT_SPAN_SIZE], handled[TEXT_SPAN_SIZE];

	fputc('\n', p->term->out);
	if (type && strcmp(type, "system") == 0)
		print_wrapped(p, "OOM in", "the system");
	else
		print_field(p, "OOM in", FIELD_DOMAIN);
	if (get(p, FIELD_DECLARED))
		print_field(p, "Declared by", FIELD_DECLARED);
	print_lines(p, "Limits", FIELD_LIMITS, format_limit);
	print(p, "Allocation", "constraint %s, gfp %s, order %s%s%s", get(p, FIELD_CONSTRAINT) ?: "?",
	      get(p, FIELD_GFP_FLAGS) ?: get(p, FIELD_GFP_MASK) ?: "?", get(p, FIELD_ORDER) ?: "?",
	      strcmp(get(p, FIELD_REMOTE) ?: "0", "1") == 0 ? ", for a cgroup of others" : "",
	      strcmp(get(p, FIELD_SYSRQ) ?: "0", "1") == 0 ? ", asked for by SysRq" : "");
	if (tasks)
		print(p, "Looked at", "%s process%s in %s cgroup%s", tasks,
		      strcmp(tasks, "1") == 0 ? "" : "es", cgroups,
		      strcmp(cgroups, "1") == 0 ? "" : "s");
	if (select_nsec != UINT64_MAX && handler_nsec != UINT64_MAX)
		print(p, "Took", "%s to choose, %s in all", text_format_span(select_nsec, selected),
		      text_format_span(handler_nsec, handled));
	print(p, "Record", "number %s, by configuration %s%s%s", get(p, FIELD_SEQ) ?: "?",
	      get(p, FIELD_CONFIG) ?: "?", get(p, FIELD_BACKEND) ? ", backend " : "",
	      get(p, FIELD_BACKEND) ?: "");
}

/* What matters only where it is not 0. */
static void print_missing(struct page *p)
{
	uint64_t lost = entry_get_number(p->entry, FIELD_LOST);
	uint64_t suppressed = entry_get_number(p->entry, FIELD_SUPPRESSED);

	if (lost != UINT64_MAX && lost > 0)
		print(p, "Lost", "%" PRIu64 " records before this one", lost);
	if (suppressed != UINT64_MAX && suppressed > 0)
		print(p, "Left out", "%" PRIu64 " repetitions before this one", suppressed);
	if (strcmp(get(p, FIELD_PATH_CUT) ?: "0", "1") == 0)
		print(p, "Note", "a path was too long and is cut");
}

static void print_members(struct page *p)
{
	bool first = true;

	for (size_t i = 0; i < p->entry->n_fields; i++) {
		const struct entry_field *field = &p->entry->fields[i];
		const char *rest = field->value;

		if (strcmp(field->name, field_name(FIELD_MEMBER)) != 0)
			continue;
		/* Lines of "pid comm rss_bytes cgroup", escaped by the daemon. */
		while (*rest) {
			size_t length = strcspn(rest, "\n");
			_cleanup_free_ char *line = escape_printable(rest, length);

			if (first)
				fputc('\n', p->term->out);
			if (line)
				print_wrapped(p, first ? "Died with it" : "", line);
			else
				p->error = -ENOMEM;
			first = false;
			rest += length + (rest[length] == '\n');
		}
	}
}

static void print_others(struct page *p)
{
	bool first = true;

	for (size_t i = 0; i < p->entry->n_fields; i++) {
		const struct entry_field *field = &p->entry->fields[i];
		_cleanup_free_ char *name = NULL, *value = NULL;

		if (strncmp(field->name, FIELD_PREFIX, strlen(FIELD_PREFIX)) != 0 ||
		    field_is_of_record(field->name))
			continue;
		name = text_escape(field->name, strlen(field->name));
		value = text_escape(field->value, field->size);
		if (first)
			fputc('\n', p->term->out);
		first = false;
		if (name && value)
			print(p, "Also", "%s=%s", name + strlen(FIELD_PREFIX), value);
		else
			p->error = -ENOMEM;
	}
}

int show_record(const struct entry *e, const struct term *t)
{
	struct page p = {.entry = e, .term = t};
	char id[ENTRY_ID_SIZE], time[TEXT_TIME_SIZE];

	entry_format_id(e, id);
	print(&p, "ID", "%s", id);
	print(&p, "Time", "%s", text_format_time(e->real_usec, time));
	print_message(&p);
	fputc('\n', t->out);
	print_decision(&p);
	print_task(&p, "Victim", FIELD_VICTIM_PID);
	print_freed(&p);
	print_members(&p);
	print_runners_up(&p);
	print_task(&p, "Trigger", FIELD_TRIGGER_PID);
	print_domain(&p);
	print_missing(&p);
	print_others(&p);
	return p.error;
}

/* --- JSON */

static bool is_shown(const char *name)
{
	return strncmp(name, FIELD_PREFIX, strlen(FIELD_PREFIX)) == 0 ||
	       strcmp(name, "MESSAGE") == 0 || strcmp(name, "MESSAGE_ID") == 0;
}

/* A name that comes several times has an array of its values. */
static void add_field(struct json *object, const struct entry *e, size_t i)
{
	const char *name = e->fields[i].name;
	struct json *array = NULL;

	for (size_t j = 0; j < i; j++)
		if (strcmp(e->fields[j].name, name) == 0)
			return;
	for (size_t j = i + 1; j < e->n_fields && !array; j++)
		if (strcmp(e->fields[j].name, name) == 0)
			array = json_new_array();
	if (!array) {
		json_add_bytes(object, name, e->fields[i].value, e->fields[i].size);
		return;
	}
	for (size_t j = i; j < e->n_fields; j++)
		if (strcmp(e->fields[j].name, name) == 0)
			json_append_bytes(array, e->fields[j].value, e->fields[j].size);
	json_add(object, name, array);
}

struct json *record_to_json(const struct entry *e)
{
	struct json *object = json_new_object(), *fields = json_new_object();
	char id[ENTRY_ID_SIZE];

	entry_format_id(e, id);
	json_add_text(object, "id", id);
	json_add_number(object, "time_usec", e->real_usec);
	for (size_t i = 0; i < e->n_fields; i++)
		if (is_shown(e->fields[i].name))
			add_field(fields, e, i);
	json_add(object, "fields", fields);
	return object;
}
