/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns standard output and the pager. Knows no text; what it gets has been escaped already.
 * Without a terminal nothing here makes a difference to the bytes that are written.
 */
#include "term.h"

#include <assert.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <wchar.h>

#include "util/basic.h"

/* Beyond it is a mistake. */
#define WIDTH_MAX 10000

/* Longest $PAGER with some text around it; what is longer is no pager. */
#define PAGER_COMMAND_SIZE 4096

static const char *const colours[] = {
	[COLOUR_NONE] = "\033[0m", [COLOUR_BOLD] = "\033[1m",	[COLOUR_DIM] = "\033[2m",
	[COLOUR_RED] = "\033[31m", [COLOUR_GREEN] = "\033[32m", [COLOUR_YELLOW] = "\033[33m",
};
static_assert(ARRAY_SIZE(colours) == _COLOUR_MAX, "a sequence for each colour");

static size_t find_width(bool tty)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {};

	if (columns && *columns) {
		char *end;
		unsigned long n = strtoul(columns, &end, 10);

		if (*end == '\0' && n > 0 && n < WIDTH_MAX)
			return n;
	}
	if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		return size.ws_col;
	return 0;
}

static bool want_colours(bool tty)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return tty && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

/* In the child. Only returns when no pager could be started. */
static void exec_pager(void)
{
	const char *pager = getenv("PAGER");
	char command[PAGER_COMMAND_SIZE];

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* One that cannot be started has read nothing. The text is of the environment, which
	 * changes below. */
	if (pager) {
		int n = snprintf(command, sizeof(command),
				 "%s\ncase $? in 126|127) exec cat;; esac", pager);

		if (n < 0 || (size_t)n >= sizeof(command))
			return;
	}
	/* Quit when it fits on the screen, keep colours and the screen; and no shell from inside,
	 * as the pager may run as root for somebody who may do no more than this. */
	setenv("LESS", "FRSXMK", false);
	setenv("LESSSECURE", "1", true);
	if (pager)
		execl("/bin/sh", "sh", "-c", command, NULL);
	else
		execlp("less", "less", NULL);
}

static void copy_through(void)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		if (write(STDOUT_FILENO, buf, (size_t)n) != n)
			return;
}

static void start_pager(struct term *t)
{
	const char *pager = getenv("PAGER");
	int fds[2];
	pid_t pid;

	if (pager && (*pager == '\0' || strcmp(pager, "cat") == 0))
		return;
	if (pipe(fds) < 0)
		return;
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return;
	}
	if (pid == 0) {
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		exec_pager();
		copy_through();
		_exit(EXIT_SUCCESS);
	}
	/* The pager's keys are not for us, and neither is a pager that ends early. */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	dup2(fds[1], STDOUT_FILENO);
	close(fds[0]);
	close(fds[1]);
	t->pager = pid;
}

void term_init(struct term *t, bool use_pager, bool legend)
{
	bool tty = isatty(STDOUT_FILENO) == 1;

	setlocale(LC_CTYPE, "");
	*t = (struct term){
		.out = stdout,
		.width = find_width(tty),
		.colours = want_colours(tty),
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.legend = legend,
	};
	/* The texts are UTF-8 in any case. */
	if (!t->utf8)
		setlocale(LC_CTYPE, "C.UTF-8");
	if (tty && use_pager)
		start_pager(t);
}

int term_done(struct term *t)
{
	int status;

	if (t->pager == 0) {
		/* What went wrong earlier is not known any more. */
		if (ferror(t->out))
			return -EIO;
		return fflush(t->out) != 0 ? -errno : 0;
	}
	fflush(t->out);
	/* Its end of file. */
	close(STDOUT_FILENO);
	while (waitpid(t->pager, &status, 0) < 0 && errno == EINTR)
		;
	t->pager = 0;
	/* Somebody who has seen enough makes no error. */
	return 0;
}

const char *term_colour(const struct term *t, enum term_colour colour)
{
	return t->colours ? colours[colour] : "";
}

/* Length of the character at @text in bytes, and its columns. */
static size_t next_character(const char *text, size_t *ret_columns)
{
	mbstate_t state = {};
	wchar_t c;
	size_t n = mbrtowc(&c, text, strlen(text), &state);
	int columns;

	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		*ret_columns = 1;
		return 1;
	}
	columns = wcwidth(c);
	*ret_columns = columns < 0 ? 1 : (size_t)columns;
	return n;
}

size_t term_fit(const char *text, size_t columns)
{
	size_t n = 0;

	while (text[n]) {
		size_t width, length = next_character(text + n, &width);

		if (width > columns)
			break;
		columns -= width;
		n += length;
	}
	return n;
}

size_t term_width(const char *text)
{
	size_t n = 0;

	for (size_t width; *text; n += width)
		text += next_character(text, &width);
	return n;
}

size_t term_fit_tail(const char *text, size_t columns)
{
	size_t at = 0, total = term_width(text);

	while (total > columns) {
		size_t width;

		at += next_character(text + at, &width);
		total -= width;
	}
	return at;
}

static void pad(FILE *out, size_t n)
{
	while (n-- > 0)
		fputc(' ', out);
}

void term_print_cell(const struct term *t, const char *text, size_t columns, unsigned flags)
{
	const char *ellipsis = t->utf8 ? "\xe2\x80\xa6" : "~";
	size_t width = term_width(text), from = 0, length = strlen(text);

	if (columns > 0 && width > columns) {
		if (flags & CELL_CUT_START)
			from = term_fit_tail(text, columns - 1);
		else
			length = term_fit(text, columns - 1);
		width = 1;
		for (size_t i = from, n; i < length; width += n)
			i += next_character(text + i, &n);
	} else
		ellipsis = "";
	if (columns > width && (flags & CELL_RIGHT))
		pad(t->out, columns - width);
	fprintf(t->out, "%s%.*s%s", flags & CELL_CUT_START ? ellipsis : "", (int)(length - from),
		text + from, flags & CELL_CUT_START ? "" : ellipsis);
	if (columns > width && !(flags & (CELL_RIGHT | CELL_LAST)))
		pad(t->out, columns - width);
}

void term_print_wrapped(const struct term *t, size_t name_width, const char *name, const char *text)
{
	size_t width = t->width > name_width + 20 ? t->width - name_width - 2 : 0;

	fprintf(t->out, "%*s%s ", (int)name_width, name, *name ? ":" : " ");
	while (width && term_width(text) > width) {
		size_t n = term_fit(text, width), at = n;

		while (at > 0 && text[at] != ' ')
			at--;
		if (at == 0)
			at = n;
		fprintf(t->out, "%.*s\n%*s", (int)at, text, (int)name_width + 2, "");
		text += at + (text[at] == ' ');
	}
	fprintf(t->out, "%s\n", text);
}
