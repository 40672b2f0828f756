/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths of cgroups as text. */
#include "util/path.h"

#include "test.h"
#include "util/basic.h"

static void test_normalized(void)
{
	static const char *const good[] = {"/", "/a", "/a/b.slice", "/..a", "/a.", "/\xff"};
	static const char *const bad[] = {"",	"a",	 "//",	 "/a/",	    "/a//b",
					  "/.", "/a/..", "/./a", "/../etc", "/a/."};
	char deep[2 * 65 + 1], longest[1 + 256 + 1];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!path_is_normalized(good[i], 64))
			FAIL("%s is refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (path_is_normalized(bad[i], 64))
			FAIL("%s is let through", bad[i]);
	for (size_t i = 0; i < 65; i++)
		memcpy(deep + 2 * i, "/a", 3);
	CHECK(!path_is_normalized(deep, 64));
	deep[2 * 64] = '\0';
	CHECK(path_is_normalized(deep, 64));
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	CHECK(!path_is_normalized(longest, 64));
	longest[sizeof(longest) - 2] = '\0';
	CHECK(path_is_normalized(longest, 64));
}

static void test_components(void)
{
	static const struct {
		const char *path;
		size_t depth;
		const char *ancestors[4]; /* by depth, to one deeper than the path is */
	} table[] = {
		{"", 0, {"/", "/"}},
		{"/", 0, {"/", "/"}},
		{"/a", 1, {"/", "/a", "/a"}},
		{"/a.slice/b", 2, {"/", "/a.slice", "/a.slice/b", "/a.slice/b"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char ancestor[32];

		CHECK_INT(path_depth(table[i].path), table[i].depth);
		for (size_t depth = 0; depth <= table[i].depth + 1; depth++) {
			const char *expected = table[i].ancestors[depth];

			path_ancestor(table[i].path, depth, ancestor, sizeof(ancestor));
			CHECK_STR(ancestor, expected);
			if (table[i].depth > 0 && depth > 0)
				CHECK_INT(path_prefix_length(table[i].path, depth),
					  strlen(expected));
		}
		CHECK_INT(path_prefix_length(table[i].path, 0), 0);
	}
}

static void test_short_buffer(void)
{
	char buf[4];

	path_ancestor("/abcdef/g", 1, buf, sizeof(buf));
	CHECK_STR(buf, "/ab");
}

static const struct test_case cases[] = {
	TEST_CASE(normalized),
	TEST_CASE(components),
	TEST_CASE(short_buffer),
};
TEST_MAIN(cases)
