/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text to model: what a good text means, and every message that a bad one gets. */
#include "config/parser.h"

#include "config/diagnostics.h"
#include "config/policy.h"
#include "config_text.h"
#include "diagnostics_text.h"
#include "test.h"
#include "util/basic.h"

static const struct {
	const char *text;
	const char *model;
} good_texts[] = {
	{"", "auto\n"},
	{"\n\n# x\n; y\n  # z\n \t \n", "auto\n"},
	{"[Daemon]\n[Policy p]\n", "auto\nf:2 policy p: any / 500 largest\n"},
	{"[Daemon]\nBackend=auto\n", "auto\n"},
	{"[Daemon]\nBackend=struct_ops\n", "struct_ops\n"},
	/* the root is listened to unless it is turned off, whatever else is */
	{"[Daemon]\nRunnersUp=0\n", "auto\nrunners_up: 0\n"},
	{"[Daemon]\nStop=keep\n", "auto\nstop: keep\n"},
	{"[Daemon]\nStop=\n", "auto\n"},
	{"[Daemon]\nRunnersUp=8\n", "auto\n"},
	{"[Daemon]\nRunnersUp=\n", "auto\n"},
	{"[Daemon]\nRootOomControl=yes\nRootOomControl=/\n", "auto\n"},
	{"[Daemon]\nRootOomControl=no\n", "auto\noom_control:\n"},
	{"[Daemon]\nRootOomControl=/a\nRootOomControl=/b c/\\*\nRootOomControl=/a\n",
	 "auto\noom_control: / /a /b c/*\n"},
	{"[Daemon]\nRootOomControl=/a\nRootOomControl=off\nRootOomControl=/b\n",
	 "auto\noom_control: /b\n"},
	{"[Daemon]\nRootOomControl=no\nRootOomControl=/\n", "auto\n"},
	{"[Daemon]\nRootOomControl=/a\nRootOomControl=no\nRootOomControl=\n", "auto\n"},
	{"[Policy a.b_c:d-9]\nDefaultPriority=0\n",
	 "auto\nf:1 policy a.b_c:d-9: any / 0 largest\n"},
	{"[Policy p]\nDefaultPriority=1000", "auto\nf:1 policy p: any / 1000 largest\n"},
	{RULE "Priority=7\n", "auto\nf:1 r: Cgroup=/r 7\n"},
	{RULE "Priority=0\n", "auto\nf:1 r: Cgroup=/r 0\n"},
	{RULE "Priority=0010\n", "auto\nf:1 r: Cgroup=/r 10\n"},
	{RULE "Protect=yes\n", "auto\nf:1 r: Cgroup=/r protect\n"},
	{RULE "Protect=no\n", "auto\nf:1 r: Cgroup=/r\n"},
	{RULE "Priority=9\nProtect=on\n", "auto\nf:1 r: Cgroup=/r 9 protect\n"},
	{"[Rule r]\nPriority=1\nUnit=a@*.service\n", "auto\nf:1 r: Unit=a@*.service 1\n"},
	{"[Rule b]\nUnit=b.slice\nPriority=1\n\n[Rule a]\nPriority=2\nUnit=a.slice\n",
	 "auto\nf:1 b: Unit=b.slice 1\nf:5 a: Unit=a.slice 2\n"},
	/* the policy's own section may come last */
	{RULE "Priority=7\n[Policy p]\n",
	 "auto\nf:4 policy p: any / 500 largest\nf:1 r: Cgroup=/r 7\n"},
	/* several policies */
	{"[Policy a]\nScope=system\nVictim=newest\n[Policy "
	 "b]\nScope=memcg\nVictim=badness\n"
	 "[Policy c]\nCgroup=/a\\*/b\nVictim=oldest\nScope=any\n",
	 "auto\nf:1 policy a: system / 500 newest\nf:4 policy b: memcg / 500 badness\n"
	 "f:7 policy c: any /a*/b 500 oldest\n"},
	/* lists */
	{RULE "Unit=a.service\nCgroup=/s/**\nPriority=1\n",
	 "auto\nf:1 r: Cgroup=/r Unit=a.service Cgroup=/s/** 1\n"},
	{RULE "Unit=a.service\nCgroup=\nCgroup=/s\nPriority=1\n",
	 "auto\nf:1 r: Unit=a.service Cgroup=/s 1\n"},
	{RULE "Unit=a.service\nCgroup= ; none\nPriority=1\n", "auto\nf:1 r: Unit=a.service 1\n"},
	{"[Rule r]\nUser=0\nUser=alice\nUser=4294967294\nKill=cgroup\n",
	 "auto\nf:1 r: User=user-0.slice User=user-1001.slice User=user-4294967294.slice "
	 "kill cgroup\n"},
	{"[Rule r]\nUser=7\nUser=\nUnit=a.slice\nKill=process\n",
	 "auto\nf:1 r: Unit=a.slice kill process\n"},
	/* an empty value is the default */
	{RULE "Kill=process\nPriority=\nProtect=\n", "auto\nf:1 r: Cgroup=/r kill process\n"},
	{RULE "Kill=\nPriority=1\n", "auto\nf:1 r: Cgroup=/r 1\n"},
	{"[Daemon]\nBackend=\n[Policy p]\nScope=\nCgroup=\nDefaultPriority=\nVictim=\n",
	 "auto\nf:3 policy p: any / 500 largest\n"},
	{"[Trigger t]\nPressure=full 150ms/1s\nCgroup=/batch.slice\n"
	 "[Trigger u]\nCgroup=/\nPressure=some  10 s / 10s ; all of it\n",
	 "auto\nf:1 trigger t: /batch.slice full 150000/1000000\n"
	 "f:4 trigger u: / some 10000000/10000000\n"},
	/* spaces, comments */
	{"[ Rule \t a  b ]  \nCgroup \t=  /r  \nPriority=\t7\t\n", "auto\nf:1 a  b: Cgroup=/r 7\n"},
	{"[Rule r] ; a\nCgroup=/r ; b\nPriority=7\t;c\n", "auto\nf:1 r: Cgroup=/r 7\n"},
	{"[Rule a ;b]\nCgroup=/r;c\nPriority=7\n", "auto\nf:1 a ;b: Cgroup=/r;c 7\n"},
	{"[Rule #1 [x \"\\\" = :]\nCgroup=/a b=c:d#e\nPriority=7\n",
	 "auto\nf:1 #1 [x \"\\\" = :: Cgroup=/a b=c:d#e 7\n"},
	{"[Rule gr\xc3\xbc\xc3\x9f]\nCgroup=/r\nPriority=7\n",
	 "auto\nf:1 gr\xc3\xbc\xc3\x9f: Cgroup=/r 7\n"},
	/* line ends, byte order mark */
	{"[Rule r]\r\nCgroup=/r\r\nPriority=7\r\n", "auto\nf:1 r: Cgroup=/r 7\n"},
	{"[Rule r]\r\nCgroup=/r\r\nPriority=7\r", "auto\nf:1 r: Cgroup=/r 7\n"},
	{"\xef\xbb\xbf[Policy p]\n", "auto\nf:1 policy p: any / 500 largest\n"},
	{"\xef\xbb\xbf", "auto\n"},
};

static void test_good(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(good_texts); i++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		_cleanup_free_ char *messages = NULL, *model = NULL;
		int r = parse_sized(good_texts[i].text, strlen(good_texts[i].text), &diag, &p);

		messages = diagnostics_text(&diag);
		if (r != 0)
			FAIL("\"%s\" is refused: %s", good_texts[i].text, messages);
		CHECK_STR(messages, "");
		model = describe(p);
		CHECK_STR(model, good_texts[i].model);
	}
}

static void test_booleans(void)
{
	static const struct {
		const char *word;
		int expected;
	} table[] = {
		{"1", 1},  {"yes", 1},	 {"YES", 1},   {"y", 1},   {"true", 1},
		{"t", 1},  {"on", 1},	 {"0", 0},     {"no", 0},  {"No", 0},
		{"n", 0},  {"false", 0}, {"f", 0},     {"off", 0}, {"", 0},
		{"2", -1}, {"ye", -1},	 {"yess", -1}, {"of", -1}, {"yes no", -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		char text[64];
		int n = snprintf(text, sizeof(text), RULE "Priority=1\nProtect=%s\n",
				 table[i].word);
		int r = parse_sized(text, (size_t)n, &diag, &p);

		if (r != (table[i].expected < 0 ? -EINVAL : 0))
			FAIL("Protect=%s gives %d", table[i].word, r);
		if (r == 0)
			CHECK_INT(p->rules[0].protect, table[i].expected);
	}
}

static const struct {
	const char *text;
	const char *messages;
} bad_texts[] = {
	/* sections */
	{"[Foo]\nBar=1\n", "f:1: unknown section [Foo], expected [Daemon], [Policy NAME], "
			   "[Rule NAME] or [Trigger NAME]\n"},
	{"[rule r]\n", "f:1: unknown section [rule], expected [Daemon], [Policy NAME], "
		       "[Rule NAME] or [Trigger NAME]\n"},
	{"[]\n", "f:1: unknown section [], expected [Daemon], [Policy NAME], [Rule NAME] "
		 "or [Trigger NAME]\n"},
	{"[Daemon\nBackend=x\n",
	 "f:1: section header without ], expected [Section] or [Section NAME]\n"},
	{"[Policy p ; c\n",
	 "f:1: section header without ], expected [Section] or [Section NAME]\n"},
	{"[Daemon] x\n",
	 "f:1: \"x\" after the section header, expected the end of the line or a comment "
	 "that starts with ;\n"},
	{"[Daemon];x\n",
	 "f:1: \";x\" after the section header, expected the end of the line or a comment "
	 "that starts with ;\n"},
	{"[Daemon x]\n", "f:1: [Daemon x] has a name, expected [Daemon]\n"},
	{"[Daemon]\n\n[Daemon]\n",
	 "f:3: second [Daemon] in one file, expected one; the first is in line 1\n"},
	{"[Policy]\n",
	 "f:1: bad name in [Policy ], expected 1 to 63 letters, digits and _ . : -\n"},
	{"[Policy a b]\n",
	 "f:1: bad name in [Policy a b], expected 1 to 63 letters, digits and _ . : -\n"},
	{"[Policy a]\nScope=memcg\n[Policy b]\nScope=system\nDefaultPriority=x\n[Policy "
	 "a]\n",
	 "f:5: bad DefaultPriority=x, expected a whole number from 0 to 1000\n"
	 "f:6: second [Policy a] in one file, expected one; the first is in line 1\n"},
	{"[Policy a]\n[Policy b]\nScope=memcg\n[Policy c]\nCgroup=/c\n[Policy "
	 "d]\nCgroup=/c\n",
	 "f:2: [Policy b] answers for the same OOMs as [Policy a] at f:1, expected another "
	 "Cgroup= or another Scope=\n"
	 "f:6: [Policy d] answers for the same OOMs as [Policy c] at f:4, expected another "
	 "Cgroup= or another Scope=\n"},
	/* a policy that is damaged otherwise is not compared */
	{"[Policy a]\n[Policy b]\nCgroup=b\n",
	 "f:3: bad Cgroup=b: expected a path that starts with /, the root of the cgroup "
	 "tree\n"},
	{"[Rule]\nCgroup=/r\nPriority=1\n", "f:1: bad name in [Rule ], expected 1 to 255 bytes\n"},
	{"[Rule \xff]\nCgroup=/r\nPriority=1\n",
	 "f:1: bad name in [Rule \\xff], expected printable UTF-8\n"},
	{"[Rule a\xe2\x80\xae"
	 "b]\nCgroup=/r\nPriority=1\n",
	 "f:1: bad name in [Rule a\\xe2\\x80\\xaeb], expected printable UTF-8\n"},
	{RULE "Priority=1\n" RULE "Priority=2\n[Rule r]\n",
	 "f:4: second [Rule r] in one file, expected one; the first is in line 1\n"
	 "f:7: second [Rule r] in one file, expected one; the first is in line 1\n"},
	/* sections as a whole */
	{"[Rule r]\n", "f:1: [Rule r] has no pattern, expected Cgroup=, Unit= or User=\n"
		       "f:1: [Rule r] does nothing, expected Priority=, Protect= or Kill=\n"},
	{"[Rule r]\nPriority=1\n[Rule s]\nCgroup=/s\n",
	 "f:1: [Rule r] has no pattern, expected Cgroup=, Unit= or User=\n"
	 "f:3: [Rule s] does nothing, expected Priority=, Protect= or Kill=\n"},
	{RULE "Cgroup=\nKill=\n",
	 "f:1: [Rule r] has no pattern, expected Cgroup=, Unit= or User=\n"
	 "f:1: [Rule r] does nothing, expected Priority=, Protect= or Kill=\n"},
	{RULE "Protect=\n", "f:1: [Rule r] does nothing, expected Priority=, Protect= or Kill=\n"},
	{RULE "Priority=\n", "f:1: [Rule r] does nothing, expected Priority=, Protect= or Kill=\n"},
	{"[Trigger t]\n", "f:1: [Trigger t] has no cgroup, expected Cgroup=\n"
			  "f:1: [Trigger t] has no threshold, expected Pressure=\n"},
	/* keys */
	{"Priority=1\nFoo=2\n",
	 "f:1: Priority= outside a section, expected a section header before it\n"
	 "f:2: Foo= outside a section, expected a section header before it\n"},
	{"[Daemon]\nFoo=1\n", "f:2: unknown key Foo= in [Daemon], expected Backend=, "
			      "RunnersUp=, Stop= or RootOomControl=\n"},
	{"[Policy p]\nFoo=1\n",
	 "f:2: unknown key Foo= in [Policy], expected Scope=, Cgroup=, DefaultPriority= or "
	 "Victim=\n"},
	{"[Rule r]\ncgroup=/r\n",
	 "f:2: unknown key cgroup= in [Rule], expected Cgroup=, Unit=, User=, "
	 "Priority=, Protect= or Kill=\n"},
	{"[Daemon]\nPriority=1\n", "f:2: Priority= in [Daemon], expected it in [Rule]\n"},
	{"[Daemon]\nCgroup=/\n",
	 "f:2: Cgroup= in [Daemon], expected it in [Policy] or [Rule] or [Trigger]\n"},
	{"[Trigger t]\nPriority=1\n", "f:2: Priority= in [Trigger], expected it in [Rule]\n"},
	{"[Daemon]\nBackend=auto\nBackend=auto\n",
	 "f:3: second Backend= in one section, expected one; the first is in line 2\n"},
	{RULE "Priority=x\nPriority=1\n",
	 "f:3: bad Priority=x, expected a whole number from 0 to 1000\n"
	 "f:4: second Priority= in one section, expected one; the first is in line 3\n"},
	/* lines */
	{"[Daemon]\nBackend\n",
	 "f:2: \"Backend\" is not a setting, expected Key=value, [Section] or a comment\n"},
	{"[Daemon]\nBackend: auto\n",
	 "f:2: \"Backend: auto\" is not a setting, expected Key=value, [Section] or a "
	 "comment\n"},
	{"[Daemon]\nBackend:=auto\n",
	 "f:2: \"Backend:=auto\" is not a setting, expected Key=value, [Section] or a "
	 "comment\n"},
	{"[Daemon]\n=auto\n",
	 "f:2: \"=auto\" is not a setting, expected Key=value, [Section] or a comment\n"},
	{"[Daemon]\nBackend ;=auto\n",
	 "f:2: \"Backend\" is not a setting, expected Key=value, [Section] or a comment\n"},
	{RULE "Priority=1\n  Protect=yes\n",
	 "f:4: indented line, expected no space before a key or section; a value cannot be "
	 "continued in the next line\n"},
	{RULE "Priority=1\n\t[Daemon]\n",
	 "f:4: indented line, expected no space before a key or section; a value cannot be "
	 "continued in the next line\n"},
	{"[Rule r]\nCgroup=/a\\\n  /b\nPriority=1\n",
	 "f:2: bad Cgroup=/a\\: a backslash must be followed by *, ? or another backslash; "
	 "write \\\\ for a backslash in the name\n"
	 "f:3: indented line, expected no space before a key or section; a value cannot be "
	 "continued in the next line\n"
	 "f:3: \"/b\" is not a setting, expected Key=value, [Section] or a comment\n"},
	{"[Rule r]\nCgroup=/a\x1b[2J\nPriority=1\n",
	 "f:2: control byte 0x1b in column 10, expected text\n"},
	{"[Daemon]\rBackend=auto\n", "f:1: control byte 0x0d in column 9, expected text\n"},
	{RULE "Priority=1\n[Rule \x7f]\nPriority=2\nCgroup=x\n",
	 "f:4: control byte 0x7f in column 7, expected text\n"},
	/* values */
	{"[Daemon]\nBackend=Auto\n",
	 "f:2: bad Backend=Auto, expected auto, struct_ops or evaluate_task\n"},
	{"[Daemon]\nBackend=score\n",
	 "f:2: bad Backend=score, expected auto, struct_ops or evaluate_task\n"},
	{"[Policy p]\nDefaultPriority=1001\n",
	 "f:2: bad DefaultPriority=1001, expected a whole number from 0 to 1000\n"},
	{RULE "Priority=-1\n", "f:3: bad Priority=-1, expected a whole number from 0 to 1000\n"},
	{RULE "Priority=+1\n", "f:3: bad Priority=+1, expected a whole number from 0 to 1000\n"},
	{RULE "Priority=0x1\n", "f:3: bad Priority=0x1, expected a whole number from 0 to 1000\n"},
	{RULE "Priority=1.5\n", "f:3: bad Priority=1.5, expected a whole number from 0 to 1000\n"},
	{RULE "Priority=4294967297\n",
	 "f:3: bad Priority=4294967297, expected a whole number from 0 to 1000\n"},
	{RULE "Priority=1 # low\n",
	 "f:3: bad Priority=1 # low, expected a whole number from 0 to 1000\n"},
	{RULE "Protect=maybe\n", "f:3: bad Protect=maybe, expected yes or no\n"},
	{"[Rule r]\nCgroup=a\nPriority=1\n",
	 "f:2: bad Cgroup=a: expected a path that starts with /, the root of the cgroup "
	 "tree\n"},
	{"[Rule r]\nUnit=sshd\nPriority=1\n",
	 "f:2: bad Unit=sshd: expected a unit name that ends in .service, .scope, .slice, "
	 ".socket, .mount or .swap\n"},
	{"[Rule r]\nUnit=\xc2\x9b.service\nProtect=1\n",
	 "f:2: bad Unit=\\xc2\\x9b.service: a character that no unit name has, expected "
	 "letters, digits and : - _ . @ \\\\ * ?\n"},
	{RULE "Kill=group\n", "f:3: bad Kill=group, expected process, cgroup or nothing\n"},
	{"[Rule r]\nUser=a*\nUser=65535\nUser=4294967295\nUser=-1\nKill=process\n",
	 "f:2: bad User=a*, expected the name or the uid of a user, no pattern\n"
	 "f:3: bad User=65535, expected a uid from 0 to 4294967294 but 65535\n"
	 "f:4: bad User=4294967295, expected a uid from 0 to 4294967294 but 65535\n"
	 "f:5: bad User=-1, expected the name or the uid of a user, no pattern\n"},
	{"[Policy p]\nScope=global\nCgroup=/a*\nVictim=biggest\n",
	 "f:2: bad Scope=global, expected system, memcg or any\n"
	 "f:3: bad Cgroup=/a*: wildcard in an exact path, expected \\* or \\? for the "
	 "character itself\n"
	 "f:4: bad Victim=biggest, expected largest, badness, newest or oldest\n"},
	{"[Daemon]\nStop=never\n", "f:2: bad Stop=never, expected remove or keep\n"},
	{"[Daemon]\nRunnersUp=9\n", "f:2: bad RunnersUp=9, expected a whole number from 0 to 8\n"},
	{"[Daemon]\nRootOomControl=maybe\nRootOomControl=/a/*\nRootOomControl=/a /b/../c\n",
	 "f:2: bad RootOomControl=maybe, expected yes, no or a path that starts with /\n"
	 "f:3: bad RootOomControl=/a/*: wildcard in an exact path, expected \\* or \\? for "
	 "the "
	 "character itself\n"
	 "f:4: bad RootOomControl=/a /b/../c: path component \".\" or \"..\", expected a "
	 "normalized path\n"},
	{"[Trigger t]\nCgroup=/**\nPressure=full 1s\n[Trigger u]\nPressure=some 1s/499ms\n"
	 "[Trigger v]\nPressure=some 2s/1s\n[Trigger w]\nPressure=any 1s/1s\n"
	 "[Trigger x]\nPressure=full 0/1s\n[Trigger y]\nPressure=full 1s/10001ms\n",
	 "f:2: bad Cgroup=/**: wildcard in an exact path, expected \\* or \\? for the "
	 "character itself\n"
	 "f:3: bad Pressure=full 1s, expected \"some TIME/TIME\" or \"full TIME/TIME\"\n"
	 "f:5: bad Pressure=some 1s/499ms, expected a window from 500ms to 10s, after the "
	 "slash\n"
	 "f:7: bad Pressure=some 2s/1s, expected a stall time above 0 and up to the "
	 "window, before the slash\n"
	 "f:9: bad Pressure=any 1s/1s, expected \"some TIME/TIME\" or \"full TIME/TIME\"\n"
	 "f:11: bad Pressure=full 0/1s, expected a stall time above 0 and up to the "
	 "window, before the slash\n"
	 "f:13: bad Pressure=full 1s/10001ms, expected a window from 500ms to 10s, after "
	 "the slash\n"},
};

static void test_bad(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		struct config *p = NULL;
		_cleanup_free_ char *messages = NULL;

		CHECK_INT(parse_sized(bad_texts[i].text, strlen(bad_texts[i].text), &diag, &p),
			  -EINVAL);
		CHECK(!p);
		messages = diagnostics_text(&diag);
		CHECK_STR(messages, bad_texts[i].messages);
		CHECK_INT(diag.n_errors, diag.n_items);
	}
}

static void test_warnings(void)
{
	static const struct {
		const char *text;
		const char *messages;
	} table[] = {
		{RULE "Priority=1\n[Rule s]\nCgroup=/s # the rest\nPriority=1\n",
		 "f:5: Cgroup=/s # the rest holds the text after # too; a comment after a value "
		 "starts with ;\n"},
		{"[Rule r]\nUser=bob\nUser=broken\nKill=process\n",
		 "f:2: User=bob matches nothing: there is no such user at this time\n"
		 "f:3: User=broken matches nothing: cannot look it up: Input/output error\n"},
		{"[Rule r]\nCgroup=/a\nCgroup=/b*\nCgroup=/a\nUnit=b.slice\nKill=process\n"
		 "[Rule s]\nCgroup=/b*\nKill=process\n"
		 "[Rule t]\nUnit=user-1001.slice\nCgroup=/b*\nKill=process\n"
		 "[Rule u]\nUser=alice\nCgroup=/a/b\nKill=process\n",
		 "f:3: Cgroup=/b* in [Rule r] never decides, [Rule t] has the same at f:12\n"
		 "f:8: Cgroup=/b* in [Rule s] never decides, [Rule t] has the same at f:12\n"
		 "f:11: Unit=user-1001.slice in [Rule t] never decides, [Rule u] has the same at "
		 "f:15\n"},
		{"[Policy p]\nScope=system\nCgroup=/a\n[Policy q]\nScope=system\n",
		 "f:1: [Policy p] never answers: when the system runs out, that is an OOM of the "
		 "cgroup /, not of Cgroup=/a\n"},
	};
	static char text[512] = "[Rule r]\nPriority=1\nCgroup=/";

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		_cleanup_free_ char *messages = NULL;

		CHECK_INT(parse_sized(table[i].text, strlen(table[i].text), &diag, &p), 0);
		messages = diagnostics_text(&diag);
		CHECK_STR(messages, table[i].messages);
		CHECK_INT(diag.n_warnings, diag.n_items);
	}
	for (int length = 255; length <= 256; length++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		size_t start = strlen("[Rule r]\nPriority=1\nCgroup=/");

		memset(text + start, 'c', (size_t)length);
		CHECK_INT(parse_sized(text, start + (size_t)length, &diag, &p), 0);
		CHECK_INT(diag.n_warnings, length - 255);
		CHECK(length == 255 || strstr(diag.items[0].message, "can never match: a path "
								     "component of more than 255"));
	}
}

static void test_nul(void)
{
	static const char text[] = "[Daemon]\nBackend=auto\0x\n";
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	struct config *p = NULL;

	CHECK_INT(parse_sized(text, sizeof(text) - 1, &diag, &p), -EINVAL);
	CHECK_INT(diag.n_items, 1);
	CHECK_STR(diag.items[0].message, "f:2: control byte 0x00 in column 13, expected text");
}

/* Diagnostics of a file before do not make this one bad. */
static void test_earlier_errors(void)
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	_cleanup_(config_freep) struct config *p = NULL;

	diagnostics_add(&diag, DIAGNOSTIC_ERROR, "other", 1, "x");
	CHECK_INT(parse_sized(RULE "Priority=1\n", strlen(RULE "Priority=1\n"), &diag, &p), 0);
	CHECK_INT(p->n_rules, 1);
}

/* Around the 199 bytes where libinih splits a line, and at our own limits: the value is whole. */
static void test_value_lengths(void)
{
	static const size_t lengths[] = {1,   180, 189, 190, 191, 192, 193,  194,
					 198, 199, 200, 201, 398, 399, 1000, 4095};
	static char pattern[CONFIG_PATTERN_LEN_MAX + 2], text[PARSER_LINE_MAX + 64];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		int n;

		/* What libinih would take for a key of its own. */
		memset(pattern, '=', lengths[i]);
		pattern[0] = '/';
		pattern[lengths[i]] = '\0';
		n = snprintf(text, sizeof(text), "[Rule r]\nCgroup=%s\nPriority=3\n", pattern);
		CHECK_INT(parse_sized(text, (size_t)n, &diag, &p), 0);
		CHECK_INT(p->n_rules, 1);
		CHECK_STR(p->rules[0].patterns[0].text, pattern);
		CHECK_INT(p->rules[0].priority, 3);
	}
}

/* Around the 49 bytes where libinih cuts a section's name. */
static void test_name_lengths(void)
{
	for (size_t length = 1; length <= CONFIG_RULE_NAME_MAX + 1; length++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		char name[CONFIG_RULE_NAME_MAX + 2], text[1024];
		int n, r;

		/* Two names that differ in the last byte only. */
		memset(name, 'n', length);
		name[length] = '\0';
		n = snprintf(text, sizeof(text),
			     "[Rule %s]\nCgroup=/a\nPriority=3\n"
			     "[Rule %.*sm]\nCgroup=/b\nPriority=4\n",
			     name, (int)length - 1, name);
		r = parse_sized(text, (size_t)n, &diag, &p);
		CHECK_INT(r, length > CONFIG_RULE_NAME_MAX ? -EINVAL : 0);
		if (r < 0) {
			CHECK_INT(diag.n_errors, 2);
			CHECK(strstr(diag.items[0].message, "expected 1 to 255 bytes"));
			continue;
		}
		CHECK_INT(p->n_rules, 2);
		CHECK_STR(p->rules[0].name, name);
		CHECK_INT(strlen(p->rules[1].name), length);
		CHECK_INT(p->rules[1].priority, 4);
	}
}

/* Lines of every length around the limit, of each sort. Only too long ones are errors, one each,
 * and the line after them is seen. */
static void test_line_lengths(void)
{
	static const char *const starts[] = {"#", "Priority=1 ;", "[Rule q] ;", ""};
	static char text[2 * PARSER_LINE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		for (size_t length = PARSER_LINE_MAX - 1; length <= PARSER_LINE_MAX + 1; length++) {
			_cleanup_(diagnostics_done) struct diagnostics diag = {};
			_cleanup_(config_freep) struct config *p = NULL;
			size_t start_length = strlen(starts[i]);
			char *end = stpcpy(text, "[Rule r]\nCgroup=/r\n");
			int r;

			end = stpcpy(end, starts[i]);
			memset(end, ' ', length - start_length);
			end = stpcpy(end + length - start_length, "\nPriority=1\n");
			r = parse_sized(text, (size_t)(end - text), &diag, &p);
			if (length > PARSER_LINE_MAX) {
				CHECK_INT(r, -EINVAL);
				/* A header ends [Rule r], which has no Priority= then. */
				CHECK_INT(diag.n_errors, *starts[i] == '[' ? 2 : 1);
				CHECK_STR(diag.items[0].message,
					  "f:3: line of 8193 bytes, expected at most 8192");
			} else if (*starts[i] == 'P') {
				CHECK(strstr(diag.items[0].message, "f:4: second Priority="));
			} else if (*starts[i] == '[') {
				CHECK(strstr(diag.items[0].message, "f:1: [Rule r] does nothing"));
			} else {
				CHECK_INT(r, 0);
			}
		}
}

static void test_key_lengths(void)
{
	for (size_t length = 1; length < 400; length++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		struct config *p = NULL;
		char text[512] = "[Daemon]\n";

		memset(text + 9, 'k', length);
		strcpy(text + 9 + length, "=v\n");
		CHECK_INT(parse_sized(text, strlen(text), &diag, &p), -EINVAL);
		CHECK_INT(diag.n_errors, 1);
		CHECK(strstr(diag.items[0].message, "f:2: unknown key k"));
	}
}

static void test_too_many_rules(void)
{
	for (int extra = 0; extra <= 2; extra++) {
		_cleanup_(diagnostics_done) struct diagnostics diag = {};
		_cleanup_(config_freep) struct config *p = NULL;
		_cleanup_free_ char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);

		CHECK(f);
		for (int i = 0; i < CONFIG_RULES_MAX + extra; i++)
			fprintf(f, "[Rule %d]\nCgroup=/c/%d\nPriority=1\n", i, i);
		fclose(f);
		CHECK_INT(parse_sized(text, size, &diag, &p), extra ? -EINVAL : 0);
		CHECK_INT(diag.n_errors, extra ? 1 : 0);
		if (extra)
			CHECK_STR(diag.items[0].message,
				  "f:30001: too many rules, expected at most 10000");
		else
			CHECK_STR(config_match(p, "/c/9999")->name, "9999");
	}
}

static const struct test_case cases[] = {
	TEST_CASE(good),
	TEST_CASE(booleans),
	TEST_CASE(bad),
	TEST_CASE(warnings),
	TEST_CASE(nul),
	TEST_CASE(earlier_errors),
	TEST_CASE(value_lengths),
	TEST_CASE(name_lengths),
	TEST_CASE(line_lengths),
	TEST_CASE(key_lengths),
	TEST_CASE(too_many_rules),
};
TEST_MAIN(cases)
