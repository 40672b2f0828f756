/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The patterns of Cgroup= and Unit=: what they match, and how many steps that takes. */
#include <stddef.h>

static size_t n_steps;
#define GLOB_STEP() ((void)n_steps++)
#include "config/glob.c"

#include "glob_reference.h"
#include "test.h"

#include "util/basic.h"

static const struct {
	const char *pattern;
	const char *path;
	bool matches;
} matches[] = {
	/* no wildcards */
	{"/", "/", true},
	{"/", "/a", false},
	{"/a", "/", false},
	{"/a", "/a", true},
	{"/a", "/a/b", false},
	{"/a/b", "/a", false},
	{"/a", "/A", false},
	{"a.service", "a.service", true},
	{"a.service", "/a.service", false},
	{"/a.service", "a.service", false},
	/* within a component */
	{"/a*", "/a", true},
	{"/a*", "/abc", true},
	{"/a*", "/a/b", false},
	{"/*", "/", false},
	{"/*", "/a", true},
	{"/*", "/a/b", false},
	{"/*/b", "/a/b", true},
	{"/a*c", "/abcbc", true},
	{"/a*c", "/abcb", false},
	{"/*b*", "/aba", true},
	{"/*b*", "/aca", false},
	{"/a*/*b", "/ab/ab", true},
	{"/system.slice/postgresql*.service", "/system.slice/postgresql@15-main.service", true},
	{"/system.slice/postgresql*.service", "/system.slice/postgresql.service", true},
	{"/system.slice/postgresql*.service", "/system.slice/postgresql.slice", false},
	{"/?", "/a", true},
	{"/?", "/", false},
	{"/?", "/ab", false},
	{"/a?c", "/a/c", false},
	{"/?*", "/", false},
	{"/*?", "/a", true},
	/* any depth */
	{"/batch.slice/**", "/batch.slice", false},
	{"/batch.slice/**", "/batch.slice/a", true},
	{"/batch.slice/**", "/batch.slice/a/b/c", true},
	{"/batch.slice/**", "/batch.slices/a", false},
	{"/**", "/", false},
	{"/**", "/a", true},
	{"/**", "/a/b", true},
	{"/**/x", "/x", true},
	{"/**/x", "/a/b/x", true},
	{"/**/x", "/a/b/x/c", false},
	{"/**/x", "/ax", false},
	{"/a/**/b", "/a/b", true},
	{"/a/**/b", "/a/x/y/b", true},
	{"/a/**/b", "/a/x/y/bb", false},
	{"/a/**/**", "/a", false},
	{"/a/**/**", "/a/b", true},
	{"/**/b/*", "/a/b/b/c", true},
	{"/**/b/*", "/a/b", false},
	{"/**/a/**/b", "/a/a/b/c/b", true},
	{"/**/a/b/**/c", "/a/x/a/b/c", true},
	{"/**/a/b/c", "/a/b/a/b/c", true},
	{"/**/a/b/c", "/a/b/a/c", false},
	/* literal wildcards */
	{"/a\\*", "/a*", true},
	{"/a\\*", "/ab", false},
	{"/a\\?", "/a?", true},
	{"/a\\?", "/ab", false},
	{"/a\\\\x2db", "/a\\x2db", true},
	{"/a\\\\*", "/a\\bc", true},
	{"/a\\\\*", "/abc", false},
	{"/\\**", "/*a", true},
	{"/\\*\\*", "/**", true},
	{"/\\*\\*", "/a/b", false},
	/* no brackets, no braces */
	{"/[ab]", "/a", false},
	{"/[ab]", "/[ab]", true},
	{"/{a,b}", "/a", false},
	/* bytes, not characters */
	{"/?", "/\xc3\xa4", false},
	{"/??", "/\xc3\xa4", true},
	{"/\xff*", "/\xff\xfe", true},
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		bool seen = glob_match(matches[i].pattern, matches[i].path);

		if (seen != matches[i].matches)
			FAIL("%s matches %s: %d, expected %d", matches[i].pattern, matches[i].path,
			     seen, matches[i].matches);
	}
}

/* Writes the text of at most @size bytes that has the number @n in base strlen(@letters) + 1. */
static bool enumerate(size_t n, const char *letters, size_t size, char *ret)
{
	size_t base = strlen(letters), i;

	for (i = 0; n > 0 && i < size; i++, n /= base)
		ret[i] = letters[--n % base];
	ret[i] = '\0';
	return n == 0;
}

static void test_every_short_pair(void)
{
	char pattern[6], path[7];
	size_t n_matches = 0;

	for (size_t i = 0; enumerate(i, "a/*?", 5, pattern); i++)
		for (size_t j = 0; enumerate(j, "ab/", 4, path); j++) {
			bool expected = reference_match(pattern, path);

			n_matches += expected;
			if (glob_match(pattern, path) != expected)
				FAIL("\"%s\" matches \"%s\": %d, expected %d", pattern, path,
				     !expected, expected);
		}
	CHECK(n_matches > 1000);
}

static char *repeat(const char *prefix, const char *text, size_t n, const char *suffix)
{
	char *result = malloc(strlen(prefix) + n * strlen(text) + strlen(suffix) + 1), *end;

	CHECK(result);
	end = stpcpy(result, prefix);
	for (size_t i = 0; i < n; i++)
		end = stpcpy(end, text);
	stpcpy(end, suffix);
	return result;
}

/* Where a matcher that goes back to every star takes longer than the universe is old. */
static void test_steps(void)
{
	static const struct {
		const char *pattern[3]; /* prefix, repeated 1300 times, suffix */
		const char *path[3];	/* prefix, repeated 2000 times, suffix */
		bool matches;
	} table[] = {
		{{"/", "*a", "b"}, {"/", "a", ""}, false},
		{{"/", "*a", "*"}, {"/", "a", ""}, true},
		{{"/", "*", "b"}, {"/", "a", ""}, false},
		{{"/", "*?", "b"}, {"/", "a", ""}, false},
		{{"", "/**/a", "/b"}, {"", "/a", ""}, false},
		{{"", "/**/a", "/**"}, {"", "/a", ""}, true},
		{{"", "/**", "/b"}, {"", "/a", ""}, false},
		{{"", "/**/*a", "/b"}, {"", "/a", ""}, false},
		{{"", "/**/*", "/b"}, {"", "/a", ""}, false},
		{{"/**", "/a", "/b"}, {"", "/a", ""}, false},
		{{"/**/", "*a", "b"}, {"/a", "a", "/a"}, false},
		{{"", "/", "b"}, {"", "/", "a"}, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_free_ char *pattern =
			repeat(table[i].pattern[0], table[i].pattern[1], 1300, table[i].pattern[2]);
		_cleanup_free_ char *path =
			repeat(table[i].path[0], table[i].path[1], 2000, table[i].path[2]);
		size_t limit = 4 * (strlen(pattern) + 1) * (strlen(path) + 1);

		n_steps = 0;
		CHECK_INT(glob_match(pattern, path), table[i].matches);
		if (n_steps > limit)
			FAIL("row %zu took %zu steps, expected at most %zu", i, n_steps, limit);
	}
}

static void test_wildcards_and_literals(void)
{
	static const struct {
		const char *pattern;
		bool has_wildcard;
		size_t n_literals;
		const char *unescaped;
	} table[] = {
		{"/", false, 1, "/"},
		{"/a/b", false, 4, "/a/b"},
		{"/a*", true, 2, NULL},
		{"/a/**", true, 3, NULL},
		{"/**/x", true, 3, NULL},
		{"/a?", true, 2, NULL},
		{"/a\\*", false, 3, "/a*"},
		{"/a\\\\*", true, 3, NULL},
		{"/a\\\\b", false, 4, "/a\\b"},
		{"/\\?\\*", false, 3, "/?*"},
		{"", false, 0, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CHECK_INT(glob_has_wildcard(table[i].pattern), table[i].has_wildcard);
		CHECK_INT(glob_count_literals(table[i].pattern), table[i].n_literals);
		if (table[i].unescaped) {
			_cleanup_free_ char *text = glob_unescape(table[i].pattern);

			CHECK_STR(text, table[i].unescaped);
			CHECK(glob_match(table[i].pattern, text));
		}
	}
}

static const struct test_case cases[] = {
	TEST_CASE(table),
	TEST_CASE(every_short_pair),
	TEST_CASE(steps),
	TEST_CASE(wildcards_and_literals),
};
TEST_MAIN(cases)
