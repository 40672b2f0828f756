/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files count, in which order, and what several of them mean together. On a fake tree. */
#include "config/layers.h"

#include "diagnostics_text.h"
#include "files.h"
#include "test.h"

#include "bpf/oompolicy.h"
#include "config/diagnostics.h"
#include "config/policy.h"
#include "util/basic.h"

#include <fcntl.h>
#include <sys/stat.h>

#define TEMPLATE "/tmp/oompolicy-layers-XXXXXX"

enum { VENDOR, HAND, RUN, LOCAL };

static char root[sizeof(TEMPLATE)];

static void end_tree(void)
{
	CHECK_INT(files_remove(root), 0);
}

static void make_directories(char *path)
{
	for (char *c = path + strlen(root) + 1; (c = strchr(c, '/')); c++) {
		*c = '\0';
		CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
		*c = '/';
	}
}

/* The path of @name in a layer; its directory is made. */
static const char *path_in(int layer, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s/%s", root, layers_directories[layer], name);
	make_directories(path);
	return path;
}

static void write_file(int layer, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *f = fopen(path_in(layer, name), "we");

	CHECK(f && fputs(text, f) >= 0);
}

static void link_file(int layer, const char *name, const char *target)
{
	CHECK_INT(symlink(target, path_in(layer, name)), 0);
}

static void begin_tree(void)
{
	strcpy(root, TEMPLATE);
	CHECK(mkdtemp(root));
	/* No test leaves a file that everybody can write to but the one that means to. */
	umask(022);
}

/* Replaces each layer's directory below the root by its usual name. The caller frees it. */
static char *without_root(const char *text)
{
	static const char *const names[LAYERS_DIRECTORIES] = {"/usr/lib", "/usr/local/lib", "/run",
							      "/etc"};
	char *result = calloc(1, 8 * strlen(text) + 1), *out = result;

	CHECK(result);
	while (*text) {
		size_t length = 0;

		for (size_t i = 0; i < LAYERS_DIRECTORIES && length == 0; i++) {
			char directory[512];

			snprintf(directory, sizeof(directory), "%s%s/oompolicy.conf", root,
				 layers_directories[i]);
			if (strncmp(text, directory, strlen(directory)) != 0)
				continue;
			length = strlen(directory) - strlen("/oompolicy.conf");
			out = stpcpy(out, names[i]);
		}
		if (length == 0)
			*out++ = *text++;
		text += length;
	}
	return result;
}

/* A line a file, with what became of it. */
static void check_list(const char *expected)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(layers_done) struct layers layers = {};
	_cleanup_free_ char *text = NULL, *seen = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f);
	CHECK_INT(layers_acquire(root, &diag, &layers), 0);
	CHECK_INT(diag.n_items, 0);
	for (size_t i = 0; i < layers.n_files; i++) {
		const struct layer_file *file = &layers.files[i];

		fprintf(f, "%s%s%s%s\n", file->path, file->mask ? " mask" : "",
			file->masked_by ? " < " : "", file->masked_by ? file->masked_by : "");
		CHECK_INT(layer_file_applies(file), !file->mask && !file->masked_by);
	}
	fclose(f);
	seen = without_root(text);
	CHECK_STR(seen, expected);
}

static char *join_messages(const struct diagnostics *diag)
{
	_cleanup_free_ char *text = diagnostics_text(diag);

	return without_root(text);
}

/* Loads the tree, which is good. */
static struct config *load(void)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_free_ char *messages = NULL;
	struct config *c = NULL;
	int r = layers_load(root, NULL, &diag, &c);

	messages = join_messages(&diag);
	CHECK_STR(messages, "");
	CHECK_INT(r, 0);
	return c;
}

static void check_error(int expected, const char *expected_messages)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_free_ char *messages = NULL;
	struct config *c = NULL;
	int r = layers_load(root, NULL, &diag, &c);

	messages = join_messages(&diag);
	CHECK_STR(messages, expected_messages);
	CHECK_INT(r, expected);
	CHECK(!c);
}

static void test_none(void)
{
	begin_tree();
	check_list("");
	{
		_cleanup_(config_freep) struct config *c = load();

		CHECK_INT(c->n_rules, 0);
		CHECK_INT(c->n_policies, 1);
		CHECK_STR(c->policies[0].name, "default");
	}
	end_tree();
}

static void test_main_file(void)
{
	begin_tree();
	write_file(VENDOR, "oompolicy.conf", "[Policy vendor]\n");
	check_list("/usr/lib/oompolicy.conf\n");
	write_file(HAND, "oompolicy.conf", "[Policy hand]\n");
	check_list("/usr/lib/oompolicy.conf < /usr/local/lib/oompolicy.conf\n"
		   "/usr/local/lib/oompolicy.conf\n");
	write_file(RUN, "oompolicy.conf", "[Policy run]\n");
	check_list("/usr/lib/oompolicy.conf < /run/oompolicy.conf\n"
		   "/usr/local/lib/oompolicy.conf < /run/oompolicy.conf\n"
		   "/run/oompolicy.conf\n");
	CHECK_INT(unlink(path_in(HAND, "oompolicy.conf")), 0);
	write_file(LOCAL, "oompolicy.conf", "[Policy local]\n");
	check_list("/usr/lib/oompolicy.conf < /etc/oompolicy.conf\n"
		   "/run/oompolicy.conf < /etc/oompolicy.conf\n/etc/oompolicy.conf\n");
	{
		_cleanup_(config_freep) struct config *c = load();

		CHECK_INT(c->n_policies, 1);
		CHECK_STR(c->policies[0].name, "local");
	}
	CHECK_INT(unlink(path_in(LOCAL, "oompolicy.conf")), 0);
	link_file(LOCAL, "oompolicy.conf", "/dev/null");
	check_list("/usr/lib/oompolicy.conf < /etc/oompolicy.conf\n"
		   "/run/oompolicy.conf < /etc/oompolicy.conf\n/etc/oompolicy.conf mask\n");
	{
		_cleanup_(config_freep) struct config *c = load();

		CHECK_STR(c->policies[0].name, "default");
	}
	end_tree();
}

static void test_dropins(void)
{
	begin_tree();
	write_file(LOCAL, "oompolicy.conf", "[Policy p]\n");
	write_file(LOCAL, "oompolicy.conf.d/20-b.conf", "# b\n");
	write_file(VENDOR, "oompolicy.conf.d/30-c.conf", "# c\n");
	write_file(VENDOR, "oompolicy.conf.d/20-b.conf", "# b\n");
	write_file(HAND, "oompolicy.conf.d/20-b.conf", "# b\n");
	write_file(RUN, "oompolicy.conf.d/20-b.conf", "# b\n");
	write_file(RUN, "oompolicy.conf.d/10-a.conf", "# a\n");
	write_file(VENDOR, "oompolicy.conf.d/15-hand.conf", "# h\n");
	write_file(HAND, "oompolicy.conf.d/15-hand.conf", "# h\n");
	write_file(VENDOR, "oompolicy.conf.d/40-null.conf", "# d\n");
	link_file(RUN, "oompolicy.conf.d/40-null.conf", "/dev/null");
	write_file(VENDOR, "oompolicy.conf.d/50-empty.conf", "# e\n");
	write_file(LOCAL, "oompolicy.conf.d/50-empty.conf", "");
	/* a mask that is masked */
	link_file(RUN, "oompolicy.conf.d/60-back.conf", "/dev/null");
	write_file(LOCAL, "oompolicy.conf.d/60-back.conf", "# f\n");
	/* none of ours */
	write_file(LOCAL, "oompolicy.conf.d/.hidden.conf", "x\n");
	write_file(LOCAL, "oompolicy.conf.d/70.conf.rpmsave", "x\n");
	write_file(LOCAL, "oompolicy.conf.d/README", "x\n");
	write_file(LOCAL, "oompolicy.conf.d/conf", "x\n");
	check_list("/etc/oompolicy.conf\n"
		   "/run/oompolicy.conf.d/10-a.conf\n"
		   "/usr/lib/oompolicy.conf.d/15-hand.conf < "
		   "/usr/local/lib/oompolicy.conf.d/15-hand.conf\n"
		   "/usr/local/lib/oompolicy.conf.d/15-hand.conf\n"
		   "/usr/lib/oompolicy.conf.d/20-b.conf < /etc/oompolicy.conf.d/20-b.conf\n"
		   "/usr/local/lib/oompolicy.conf.d/20-b.conf < "
		   "/etc/oompolicy.conf.d/20-b.conf\n"
		   "/run/oompolicy.conf.d/20-b.conf < /etc/oompolicy.conf.d/20-b.conf\n"
		   "/etc/oompolicy.conf.d/20-b.conf\n"
		   "/usr/lib/oompolicy.conf.d/30-c.conf\n"
		   "/usr/lib/oompolicy.conf.d/40-null.conf < /run/oompolicy.conf.d/40-null.conf\n"
		   "/run/oompolicy.conf.d/40-null.conf mask\n"
		   "/usr/lib/oompolicy.conf.d/50-empty.conf < /etc/oompolicy.conf.d/50-empty.conf\n"
		   "/etc/oompolicy.conf.d/50-empty.conf mask\n"
		   "/run/oompolicy.conf.d/60-back.conf mask < "
		   "/etc/oompolicy.conf.d/60-back.conf\n"
		   "/etc/oompolicy.conf.d/60-back.conf\n");
	{
		_cleanup_(config_freep) struct config *c = load();

		CHECK_INT(c->n_files, 6);
	}
	end_tree();
}

/* A section goes on in a later file. */
static void test_continued(void)
{
	begin_tree();
	write_file(VENDOR, "oompolicy.conf",
		   "[Daemon]\nBackend=struct_ops\n"
		   "[Policy p]\nDefaultPriority=100\nVictim=newest\n"
		   "[Rule a]\nCgroup=/a\nPriority=1\nProtect=yes\n"
		   "[Rule b]\nUnit=b.service\nCgroup=/b\n"
		   "[Trigger t]\nCgroup=/t\n");
	write_file(RUN, "oompolicy.conf.d/1.conf",
		   "[Rule c]\nCgroup=/c\nKill=cgroup\n"
		   "[Policy p]\nVictim=oldest\nDefaultPriority=\n"
		   "[Rule b]\nCgroup=\nCgroup=/bb\nPriority=2\n"
		   "[Daemon]\nBackend=auto\n");
	write_file(VENDOR, "oompolicy.conf.d/2.conf",
		   "[Rule a]\nCgroup=/a/**\nProtect=\nPriority=3\n"
		   "[Trigger t]\nPressure=some 1s/2s\n"
		   "[Policy q]\nCgroup=/q\n");
	{
		_cleanup_(config_freep) struct config *c = load();

		CHECK_INT(c->backend, BACKEND_AUTO);
		CHECK_INT(c->n_policies, 2);
		CHECK_INT(c->policies[0].default_priority, OP_PRIORITY_DEFAULT);
		CHECK_INT(c->policies[0].victim, POLICY_VICTIM_OLDEST);
		CHECK_INT(c->policies[0].line, 3); /* where it began */
		CHECK_STR(c->policies[0].file, path_in(VENDOR, "oompolicy.conf"));
		CHECK_STR(c->policies[1].name, "q");
		CHECK_INT(c->n_rules, 3);
		CHECK_STR(c->rules[0].name, "a");
		CHECK_INT(c->rules[0].n_patterns, 2);
		CHECK_STR(c->rules[0].patterns[0].text, "/a");
		CHECK_STR(c->rules[0].patterns[1].text, "/a/**");
		CHECK(strstr(c->rules[0].patterns[1].file, "/oompolicy.conf.d/2.conf"));
		CHECK_INT(c->rules[0].patterns[1].line, 2);
		CHECK_INT(c->rules[0].priority, 3);
		CHECK(!c->rules[0].protect);
		CHECK_STR(c->rules[1].name, "b");
		CHECK_INT(c->rules[1].n_patterns, 2);
		CHECK_STR(c->rules[1].patterns[0].text, "b.service");
		CHECK_STR(c->rules[1].patterns[1].text, "/bb");
		CHECK_INT(c->rules[1].priority, 2);
		CHECK_STR(c->rules[2].name, "c");
		CHECK_INT(c->triggers[0].window_usec, 2000000);
	}
	end_tree();
}

/* Each error names its own file; whole sections are judged after the last. */
static void test_errors(void)
{
	begin_tree();
	write_file(LOCAL, "oompolicy.conf", "[Rule a]\nCgroup=/a\n[Policy p]\nScope=system\n");
	write_file(LOCAL, "oompolicy.conf.d/1.conf", "Priority=1\n[Rule a]\nCgroup=a\n");
	write_file(LOCAL, "oompolicy.conf.d/2.conf",
		   "[Policy q]\n[Rule b]\nUnit=b.slice\n[Rule b]\n");
	write_file(LOCAL, "oompolicy.conf.d/3.conf", "[Rule b]\n[Trigger t]\nCgroup=/\n");
	check_error(
		-EINVAL,
		"/etc/oompolicy.conf.d/1.conf:1: Priority= outside a section, expected a "
		"section header before it\n"
		"/etc/oompolicy.conf.d/1.conf:3: bad Cgroup=a: expected a path that starts with "
		"/, the root of the cgroup tree\n"
		"/etc/oompolicy.conf.d/2.conf:4: second [Rule b] in one file, expected one; the "
		"first is in line 2\n"
		"/etc/oompolicy.conf:1: [Rule a] does nothing, expected Priority=, Protect= or "
		"Kill=\n"
		"/etc/oompolicy.conf.d/2.conf:2: [Rule b] does nothing, expected Priority=, "
		"Protect= or Kill=\n"
		"/etc/oompolicy.conf.d/3.conf:2: [Trigger t] has no threshold, expected "
		"Pressure=\n"
		"/etc/oompolicy.conf.d/2.conf:1: [Policy q] answers for the same OOMs as "
		"[Policy p] at /etc/oompolicy.conf:3, expected another Cgroup= or another "
		"Scope=\n");
	end_tree();
}

/* One file that cannot be trusted or read spoils the set, whatever the others say. */
static void test_bad_files(void)
{
	begin_tree();
	write_file(LOCAL, "oompolicy.conf", "[Rule a]\nCgroup=/a\nPriority=1\n");
	write_file(RUN, "oompolicy.conf.d/1.conf", "[Rule a]\nProtect=yes\n");
	CHECK_INT(chmod(path_in(RUN, "oompolicy.conf.d/1.conf"), 0666), 0);
	check_error(-EPERM, "/run/oompolicy.conf.d/1.conf: everybody can write to it, expected no "
			    "more than mode 0644\n");
	CHECK_INT(unlink(path_in(RUN, "oompolicy.conf.d/1.conf")), 0);
	link_file(RUN, "oompolicy.conf.d/1.conf", "gone");
	check_error(-ENOENT,
		    "/run/oompolicy.conf.d/1.conf: cannot open: No such file or directory\n");
	CHECK_INT(unlink(path_in(RUN, "oompolicy.conf.d/1.conf")), 0);
	CHECK_INT(mkdir(path_in(RUN, "oompolicy.conf.d/1.conf"), 0755), 0);
	check_error(-EPERM, "/run/oompolicy.conf.d/1.conf: not a regular file, refused\n");
	CHECK_INT(rmdir(path_in(RUN, "oompolicy.conf.d/1.conf")), 0);
	CHECK_INT(rmdir(path_in(RUN, "oompolicy.conf.d")), 0);
	write_file(RUN, "oompolicy.conf.d", "x\n");
	check_error(-ENOTDIR, "/run/oompolicy.conf.d: cannot open: Not a directory\n");
	end_tree();
}

enum { SAME_OWNER = -1 };

/* The tree below the root, when the row's one thing is changed in it. */
static const struct {
	const char *path;
	mode_t mode;
	int owner; /* SAME_OWNER: as it is */
	const char *messages;
} writers[] = {
	{"/run/oompolicy.conf.d", 0755, SAME_OWNER, NULL},
	{"/run/oompolicy.conf.d", 0777, SAME_OWNER,
	 "/run/oompolicy.conf.d: everybody can write to it, expected no more than mode "
	 "0755\n"},
	/* It keeps nobody from adding a file. */
	{"/run/oompolicy.conf.d", 01777, SAME_OWNER,
	 "/run/oompolicy.conf.d: everybody can write to it, expected no more than mode "
	 "0755\n"},
	{"/run/oompolicy.conf.d", 0755, 12345,
	 "/run/oompolicy.conf.d: owned by another user, expected root or the calling "
	 "user\n"},
	{"/run", 0757, SAME_OWNER,
	 "/run: everybody can write to it, expected no more than mode 0755\n"},
	{"/run", 01777, SAME_OWNER, NULL},
	{"/run", 0755, 12345, "/run: owned by another user, expected root or the calling user\n"},
	{"", 0703, SAME_OWNER, ": everybody can write to it, expected no more than mode 0755\n"},
	{"/run/oompolicy.conf.d/1.conf", 0666, SAME_OWNER,
	 "/run/oompolicy.conf.d/1.conf: everybody can write to it, expected no more than "
	 "mode 0644\n"},
	{"/run/oompolicy.conf.d/1.conf", 0644, 12345,
	 "/run/oompolicy.conf.d/1.conf: owned by another user, expected root or the "
	 "calling user\n"},
	{"/run/oompolicy.conf.d/empty.conf", 0666, SAME_OWNER,
	 "/run/oompolicy.conf.d/empty.conf: everybody can write to it, expected no more "
	 "than mode 0644\n"},
	/* Where a link leads to. */
	{"/elsewhere/link.conf", 0666, SAME_OWNER,
	 "/run/oompolicy.conf.d/link.conf: everybody can write to it, expected no more "
	 "than mode 0644\n"},
	{"/elsewhere", 0757, SAME_OWNER,
	 "/elsewhere: everybody can write to it, expected no more than mode 0755\n"},
	/* By a group; root has none that it lets pass. */
	{"/run/oompolicy.conf.d/1.conf", 0664, 0,
	 "/run/oompolicy.conf.d/1.conf: a group can write to it, expected no more than "
	 "mode 0644\n"},
	{"/run/oompolicy.conf.d", 0775, 0,
	 "/run/oompolicy.conf.d: a group can write to it, expected no more than mode "
	 "0755\n"},
};

/* Whoever can write to something, or replace it, decides who is killed. */
static void test_writers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *c = NULL;
		_cleanup_free_ char *messages = NULL;
		char path[512];
		int r;

		if (writers[i].owner != SAME_OWNER && geteuid() != 0) {
			SKIP("only root can give files away; the others passed");
			continue;
		}
		begin_tree();
		write_file(LOCAL, "oompolicy.conf", "[Rule a]\nCgroup=/a\nPriority=1\n");
		write_file(RUN, "oompolicy.conf.d/1.conf", "[Rule a]\nProtect=yes\n");
		write_file(RUN, "oompolicy.conf.d/empty.conf", "");
		link_file(RUN, "oompolicy.conf.d/null.conf", "/dev/null");
		snprintf(path, sizeof(path), "%s/elsewhere", root);
		CHECK_INT(mkdir(path, 0755), 0);
		write_file(RUN, "../elsewhere/link.conf", "[Rule a]\nPriority=2\n");
		snprintf(path, sizeof(path), "%s/elsewhere/link.conf", root);
		link_file(RUN, "oompolicy.conf.d/link.conf", path);

		snprintf(path, sizeof(path), "%s%s", root, writers[i].path);
		if (writers[i].owner != SAME_OWNER)
			CHECK_INT(chown(path, (uid_t)writers[i].owner, 0), 0);
		CHECK_INT(chmod(path, writers[i].mode), 0);
		r = layers_load(root, NULL, &diag, &c);
		messages = join_messages(&diag);
		if (writers[i].messages && !strstr(messages, writers[i].messages))
			FAIL("row %zu: \"%s\", expected \"%s\"", i, messages, writers[i].messages);
		CHECK_INT(diag.n_items, writers[i].messages ? 1 : 0);
		CHECK_INT(r, writers[i].messages ? -EPERM : 0);
		end_tree();
	}
}

static void test_too_many(void)
{
	char name[64];

	begin_tree();
	for (int i = 0; i < LAYERS_DROPINS_MAX; i++) {
		snprintf(name, sizeof(name), "oompolicy.conf.d/%d.conf", i);
		write_file(i % 2 ? RUN : VENDOR, name, "#\n");
	}
	config_free(load());
	write_file(LOCAL, "oompolicy.conf.d/more.conf", "#\n");
	check_error(-E2BIG, "/etc/oompolicy.conf.d: too many drop-in files, expected at most 1000 "
			    "in all directories\n");
	end_tree();
}

static void test_print(void)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(layers_done) struct layers layers = {};
	_cleanup_free_ char *text = NULL, *seen = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f);
	begin_tree();
	write_file(VENDOR, "oompolicy.conf", "hidden\n");
	write_file(LOCAL, "oompolicy.conf", "[Policy p]\n# no end of line");
	write_file(LOCAL, "oompolicy.conf.d/1.conf", "");
	write_file(LOCAL, "oompolicy.conf.d/2\nx.conf", "two\n");
	write_file(LOCAL, "oompolicy.conf.d/3.conf", "x\n");
	CHECK_INT(chmod(path_in(LOCAL, "oompolicy.conf.d/3.conf"), 0666), 0);
	write_file(LOCAL, "oompolicy.conf.d/4.conf", "four\n");
	CHECK_INT(layers_acquire(root, &diag, &layers), 0);
	CHECK_INT(layers_print(&layers, &diag, f), -EPERM);
	CHECK_INT(diag.n_errors, 1);
	fclose(f);
	seen = without_root(text);
	CHECK_STR(seen, "# /usr/lib/oompolicy.conf is masked by /etc/oompolicy.conf\n\n"
			"# /etc/oompolicy.conf\n[Policy p]\n# no end of line\n\n"
			"# /etc/oompolicy.conf.d/1.conf is empty\n\n"
			"# /etc/oompolicy.conf.d/2\\nx.conf\ntwo\n\n"
			"# /etc/oompolicy.conf.d/3.conf\n\n"
			"# /etc/oompolicy.conf.d/4.conf\nfour\n");
	end_tree();
}

static const struct test_case cases[] = {
	TEST_CASE(none),      TEST_CASE(main_file), TEST_CASE(dropins),
	TEST_CASE(continued), TEST_CASE(errors),    TEST_CASE(bad_files),
	TEST_CASE(writers),   TEST_CASE(too_many),  TEST_CASE(print),
};
TEST_MAIN(cases)
