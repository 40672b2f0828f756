/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths that are text and paths that are not, there and back. */
#include "test.h"
#include "util/basic.h"
#include "util/bytes.h"

static void test_text(void)
{
	static const struct {
		const char *bytes;
		bool text;
	} cases[] = {
		{"", true},
		{"abc\n\t\033", true},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", true},
		{"\x80", false},
		{"\xc3", false},
		{"\xc3(", false},
		{"\xc0\xaf", false},	     /* overlong */
		{"\xe0\x80\xaf", false},     /* overlong */
		{"\xed\xa0\x80", false},     /* surrogate */
		{"\xf4\x90\x80\x80", false}, /* beyond Unicode */
		{"\xef\xbf\xbf", false},     /* noncharacter */
		{"\xef\xb7\x90", false},     /* noncharacter */
		{"\xef\xb7\xb0", true},
		{"\xff", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (bytes_are_text(cases[i].bytes, strlen(cases[i].bytes)) != cases[i].text)
			FAIL("case %zu", i);
	CHECK(!bytes_are_text("a\0b", 3));
}

static void check_round_trip(const char *path, const char *expected)
{
	_cleanup_free_ char *text = bytes_path_to_text(path), *back = NULL;

	CHECK_STR(text, expected);
	CHECK(bytes_are_text(text, strlen(text)));
	CHECK_INT(bytes_path_from_text(text, &back), 0);
	CHECK_STR(back, path);
}

static void test_round_trip(void)
{
	check_round_trip("/", "/");
	check_round_trip("", "");
	check_round_trip("/dev-disk\\x2d1.mount", "/dev-disk\\x2d1.mount");
	check_round_trip("/a\nb", "/a\nb");
	check_round_trip("/\xff", "\\/\\xff");
	check_round_trip("/\xff\\x2d\"\n\t\x01", "\\/\\xff\\\\x2d\\\"\\n\\t\\x01");
}

static void test_bad_text(void)
{
	static const char *const cases[] = {"\\/\\",	"\\/\\q",   "\\/\\x",  "\\/\\x1",
					    "\\/\\x00", "\\/\\xg0", "\\/\\xFF"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = NULL;

		if (bytes_path_from_text(cases[i], &path) != -EINVAL)
			FAIL("case %zu is taken for \"%s\"", i, path);
	}
}

static const struct test_case cases[] = {
	TEST_CASE(text),
	TEST_CASE(round_trip),
	TEST_CASE(bad_text),
};
TEST_MAIN(cases)
