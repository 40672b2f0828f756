/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole files: those of the tests' data, the shipped one, and which are refused unread. */
#include <fcntl.h>
#include <sys/stat.h>

#include "config/diagnostics.h"
#include "config/file.h"
#include "config/parser.h"
#include "config/policy.h"
#include "config_text.h"
#include "diagnostics_text.h"
#include "test.h"
#include "util/basic.h"

static char directory[] = "/tmp/oompolicy-test-XXXXXX";

static char *read_source(const char *path)
{
	_cleanup_fclose_ FILE *f = NULL;
	char full[4096], *text = calloc(1, 65536);

	CHECK(text);
	snprintf(full, sizeof(full), "%s/%s", OP_SOURCE_ROOT, path);
	f = fopen(full, "re");
	if (!f)
		FAIL("cannot open %s", full);
	CHECK(fread(text, 1, 65535, f) > 0);
	return text;
}

/* A long file where much is wrong: every error is there, with its line. */
static void test_bad_file(void)
{
	_cleanup_free_ char *text = read_source("tests/unit/data/bad.conf");
	_cleanup_free_ char *expected = read_source("tests/unit/data/bad.messages");
	_cleanup_free_ char *messages = NULL;
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	struct config *p = NULL;

	CHECK_INT(parser_parse_buffer("bad.conf", text, strlen(text), NULL, &diag, &p), -EINVAL);
	messages = diagnostics_text(&diag);
	CHECK_STR(messages, expected);
}

static void test_good_file(void)
{
	_cleanup_free_ char *text = read_source("tests/unit/data/good.conf");
	_cleanup_free_ char *expected = read_source("tests/unit/data/good.model");
	_cleanup_free_ char *model = NULL;
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(config_freep) struct config *p = NULL;

	CHECK_INT(parser_parse_buffer("good.conf", text, strlen(text), &users, &diag, &p), 0);
	CHECK_INT(diag.n_items, 0);
	model = describe(p);
	CHECK_STR(model, expected);
}

/* Whatever a file is cut down to, nothing is read beyond its end. */
static void test_every_prefix(void)
{
	_cleanup_free_ char *text = read_source("tests/unit/data/good.conf");

	for (size_t size = 0; size <= strlen(text); size++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		int r = parse_sized(text, size, &diag, &p);

		CHECK_INT(r, diag.n_errors ? -EINVAL : 0);
		CHECK_INT(!!p, r == 0);
	}
}

static struct config *parse_shipped(const char *text)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_free_ char *messages = NULL;
	struct config *p = NULL;
	int r = parse_sized(text, strlen(text), &diag, &p);

	messages = diagnostics_text(&diag);
	CHECK_STR(messages, "");
	CHECK_INT(r, 0);
	return p;
}

static void check_defaults(const struct config *p)
{
	_cleanup_free_ char *model = describe(p);

	CHECK_INT(p->n_policies, 1);
	CHECK(strncmp(model, "auto\nf:", 7) == 0);
	CHECK(strstr(model, " policy default: any / 500 largest\n"));
}

/* Removes the # before what looks like a key, and before a section header if @sections. */
static size_t uncomment(char *text, bool sections)
{
	size_t n = 0;
	bool in_rules = false;

	for (char *line = text; *line; line = strchrnul(line, '\n'), line += !!*line) {
		size_t letters;

		if (strncmp(line, "#[Rule ", 7) == 0)
			in_rules = true;
		if (*line != '#' || (in_rules && !sections))
			continue;
		letters = strspn(line + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
		if (line[1] == '[' || (letters > 0 && line[1 + letters] == '=')) {
			*line = '\n'; /* keeps the text's length */
			n++;
		}
	}
	return n;
}

/* The shipped file changes nothing; its commented keys are all there are, at their defaults; its
 * examples are good. */
static void test_shipped_file(void)
{
	_cleanup_free_ char *text = read_source("config/oompolicy.conf");
	_cleanup_free_ char *keys = strdup(text), *all = strdup(text);
	_cleanup_(config_freep) struct config *plain = NULL, *defaults = NULL, *examples = NULL;

	CHECK(keys && all);
	plain = parse_shipped(text);
	check_defaults(plain);
	CHECK_INT(plain->n_rules + plain->n_triggers, 0);
	CHECK_INT(uncomment(keys, false), 8);
	CHECK(strstr(keys, "\nBackend=") && strstr(keys, "\nRootOomControl=") &&
	      strstr(keys, "\nRunnersUp=") && strstr(keys, "\nStop=") && strstr(keys, "\nScope=") &&
	      strstr(keys, "\nCgroup=") && strstr(keys, "\nDefaultPriority=") &&
	      strstr(keys, "\nVictim="));
	defaults = parse_shipped(keys);
	check_defaults(defaults);
	CHECK_INT(defaults->n_rules + defaults->n_triggers, 0);
	CHECK(uncomment(all, true) > 6);
	CHECK(strstr(all, "\nUnit=") && strstr(all, "\nUser=") && strstr(all, "\nPriority=") &&
	      strstr(all, "\nProtect=") && strstr(all, "\nKill="));
	examples = parse_shipped(all);
	check_defaults(examples);
	CHECK_INT(examples->n_rules, 5);
	CHECK_INT(examples->n_triggers, 1);
}

static void check_file(const char *name, int expected, const char *message)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(config_freep) struct config *p = NULL;
	char path[256];
	int r;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	r = parser_parse_file(path, &users, &diag, &p);
	if (r != expected)
		FAIL("%s gives %d, expected %d", name, r, expected);
	if (expected == 0) {
		CHECK(p && diag.n_items == 0);
		return;
	}
	CHECK(!p);
	CHECK_INT(diag.n_errors, 1);
	CHECK(strncmp(diag.items[0].message, path, strlen(path)) == 0);
	if (!strstr(diag.items[0].message, message))
		FAIL("%s: \"%s\", expected \"%s\"", name, diag.items[0].message, message);
}

static void write_file(int dir, const char *name, const char *text, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
	CHECK_INT(fchmod(fd, mode), 0);
	close(fd);
}

/* More than one read(), up to the last byte. */
static void write_long_file(int dir, const char *name)
{
	_cleanup_free_ char *lines = malloc(300000 + 1);

	CHECK(lines);
	memset(lines, '\n', 300000);
	strcpy(lines + 300000 - 4, "last");
	write_file(dir, name, lines, 0600);
}

static void write_sparse_file(int dir, const char *name, off_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(ftruncate(fd, size), 0);
}

static void test_files(void)
{
	static const char *const names[] = {"good",  "bad",  "world", "group", "root-group",
					    "other", "fifo", "large", "link",  "long"};
	_cleanup_close_ int dir = -EBADF;

	CHECK(mkdtemp(directory));
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);

	write_file(dir, "good", RULE "Priority=1\n", 0644);
	check_file("good", 0, NULL);
	CHECK_INT(symlinkat("good", dir, "link"), 0);
	check_file("link", 0, NULL);
	write_file(dir, "bad", "x\n", 0644);
	check_file("bad", -EINVAL, ":1: \"x\" is not a setting");
	write_file(dir, "world", "", 0646);
	check_file("world", -EPERM, "everybody can write to it");
	write_file(dir, "group", "", 0664);
	/* Of our own group, which is root's group for the daemon. */
	if (geteuid() != 0) {
		check_file("group", 0, NULL);
		SKIP("only root can give files away; the others passed");
	} else {
		check_file("group", -EPERM, "a group can write to it");
		CHECK_INT(fchownat(dir, "group", 0, 12345, 0), 0);
		check_file("group", -EPERM, "a group can write to it");
		write_file(dir, "other", "", 0644);
		CHECK_INT(fchownat(dir, "other", 12345, 0, 0), 0);
		check_file("other", -EPERM, "owned by another user");
	}
	check_file("", -EPERM, "not a regular file"); /* the directory */
	CHECK_INT(mkfifoat(dir, "fifo", 0600), 0);
	check_file("fifo", -EPERM, "not a regular file");
	check_file("missing", -ENOENT, "cannot open: No such file or directory");

	write_long_file(dir, "long");
	check_file("long", -EINVAL, ":299997: \"last\" is not a setting");
	write_sparse_file(dir, "large", FILE_SIZE_MAX + 1);
	check_file("large", -EFBIG, "larger than 16777216 bytes");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(dir, names[i], 0);
	CHECK_INT(rmdir(directory), 0);
}

static const struct test_case cases[] = {
	TEST_CASE(bad_file),	 TEST_CASE(good_file), TEST_CASE(every_prefix),
	TEST_CASE(shipped_file), TEST_CASE(files),
};
TEST_MAIN(cases)
