/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the shape of a file's lines. Knows nothing of what they mean.
 *
 * libinih and this module. libinih 55 reads lines into a buffer of 200 bytes whose size its users
 * cannot choose everywhere: it takes the rest of a longer line for a key of its own, cuts a section
 * name at 49 bytes, takes an indented line for a continuation and a colon for an equals sign, and
 * tells its handler no line number, all without an error. So it does not get to see the file. Our
 * reader looks at each line first, refuses what libinih would misread, and passes on a short line
 * that means the same: of an assignment the key, with the word HELD_BACK as its value, which stays
 * here; of a section header nothing, as our handler is told of it directly. libinih calls the
 * handler before it asks for the next line; so the reader's line number and value are the
 * handler's as well.
 */
#include "config/reader.h"

#include "config/diagnostics.h"
#include "config/parser.h"
#include "util/basic.h"

#include <ini.h>
#include <string.h>

#define WHITESPACE " \t"
#define HELD_BACK "value"

struct reader {
	const char *file;
	struct diagnostics *diag;
	const struct reader_handlers *handlers;
	void *userdata;
	int error; /* of a handler */

	/* The line that was read last. */
	const char *next; /* what follows it */
	size_t left;	  /* bytes of that */
	unsigned line;	  /* its number, from 1 */
	char text[PARSER_LINE_MAX + 1];
	const char *value; /* within text */
};

#define report(p, ...) \
	diagnostics_add((p)->diag, DIAGNOSTIC_ERROR, (p)->file, (p)->line, __VA_ARGS__)

struct quote quote(const char *text)
{
	struct quote q;

	snprintf(q.text, sizeof(q.text), "%.*s%s", QUOTE_MAX, text,
		 strlen(text) > QUOTE_MAX ? "..." : "");
	return q;
}

static void damage(struct reader *p, bool header)
{
	if (p->error == 0)
		p->error = p->handlers->damage(p->userdata, p->line, header);
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

/* Takes the header @text, "[Kind Name] ; comment". */
static void read_section(struct reader *p, char *text)
{
	char *end = strchr(text, ']'), *kind, *name, *rest;

	if (!end) {
		report(p, "section header without ], expected [Section] or [Section NAME]");
		damage(p, true);
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
	p->error = p->handlers->section(p->userdata, p->line, kind, strip(name));
}

/* Takes the line @text, "Key=value ; comment". Writes to @ret what libinih is to see of it. */
static void read_assignment(struct reader *p, char *text, char *ret, size_t ret_size)
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
		damage(p, false);
		return;
	}
	p->value = strip(equals + 1);
	*equals = '\0';
	/* A key that is too long for libinih is none of ours; say so as of any other. */
	if ((size_t)snprintf(ret, ret_size, "%s=" HELD_BACK, text) >= ret_size) {
		*ret = '\0';
		p->error = p->handlers->assignment(p->userdata, p->line, strip(text), p->value);
	}
}

/*
 * For a line that was reported and is not looked at. One that began like a section header ends the
 * section, so that what follows is not taken for a part of the one before.
 */
static int refuse_line(struct reader *p, const char *start)
{
	damage(p, *start == '[');
	return -EINVAL;
}

/*
 * Copies the next line to p->text without its line end and checks its bytes. Returns 1, 0 at the
 * end of the text, or -EINVAL when the line cannot be looked at any further, which was reported.
 */
static int next_line(struct reader *p)
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
	struct reader *p = stream;
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
		read_section(p, text);
	else
		read_assignment(p, text, ret, (size_t)ret_size);
	return ret;
}

/* For libinih: returns non-zero for "go on". */
static int handle_key(void *user, const char *section, const char *name, const char *value)
{
	struct reader *p = user;

	(void)section; /* libinih saw none */
	(void)value;   /* HELD_BACK, for p->value */

	if (p->error == 0)
		p->error = p->handlers->assignment(p->userdata, p->line, name, p->value);
	return 1;
}

int reader_read(const char *file, const char *text, size_t size, struct diagnostics *diag,
		const struct reader_handlers *handlers, void *userdata)
{
	/* On the heap for the line buffer's sake. */
	_cleanup_free_ struct reader *p = calloc(1, sizeof(*p));
	size_t n_errors = diag->n_errors;
	int r;

	if (!p)
		return -ENOMEM;
	p->file = file;
	p->diag = diag;
	p->handlers = handlers;
	p->userdata = userdata;
	p->next = text;
	p->left = size;

	r = ini_parse_stream(read_line, p, handle_key, p);
	if (p->error < 0)
		return p->error;
	if (r == -2)
		return -ENOMEM;
	/* Our reader lets no line through that libinih cannot read; never guess if it did. */
	if (r != 0 && diag->n_errors == n_errors)
		diagnostics_add(diag, DIAGNOSTIC_ERROR, file, r > 0 ? (unsigned)r : 0,
				"line not understood, expected Key=value");
	return 0;
}
