/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Untrusted bytes made printable: names as a hostile process would choose them. */
#include "util/escape.h"

#include "test.h"

#include "util/basic.h"

static const struct {
	const char *text;
	const char *escaped;
} table[] = {
	{"", ""},
	{"postgres", "postgres"},
	{"a b", "a b"},
	{"a\nb", "a\\nb"},
	{"a\tb", "a\\tb"},
	{"a\rb", "a\\x0db"},
	{"a\\b", "a\\\\b"},
	{"a\"b", "a\\\"b"},
	{"\x1b[2J", "\\x1b[2J"},
	{"\x7f", "\\x7f"},
	{"\x01\x1f", "\\x01\\x1f"},
	{"caf\xc3\xa9", "caf\xc3\xa9"},
	{"\xe2\x82\xac", "\xe2\x82\xac"},
	{"\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7"},
	/* not UTF-8 */
	{"\xff", "\\xff"},
	{"\x80", "\\x80"},
	{"a\xc3", "a\\xc3"},
	{"a\xe2\x82", "a\\xe2\\x82"},
	{"\xc3(", "\\xc3("},
	{"\xc0\x80", "\\xc0\\x80"},		      /* NUL, too long */
	{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},	      /* slash, too long */
	{"\xf0\x82\x82\xac", "\\xf0\\x82\\x82\\xac"}, /* euro sign, too long */
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* surrogate */
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* over U+10FFFF */
	{"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
	/* valid, but not fit for a log */
	{"\xc2\x80", "\\xc2\\x80"},
	{"\xc2\x9b", "\\xc2\\x9b"},	     /* one-character CSI */
	{"\xc2\xa0", "\xc2\xa0"},	     /* the first one after the C1 controls */
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* line separator */
	{"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* right-to-left override */
	{"\xe2\x81\xa7", "\\xe2\\x81\\xa7"}, /* right-to-left isolate */
	{"\xe2\x80\x8f", "\\xe2\\x80\\x8f"}, /* right-to-left mark */
	{"\xd8\x9c", "\\xd8\\x9c"},	     /* Arabic letter mark */
	{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"}, /* byte order mark */
};

static void test_table(void)
{
	char buf[ESCAPE_SIZE(16)];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		CHECK_STR(escape_text(table[i].text, strlen(table[i].text), buf, sizeof(buf)),
			  table[i].escaped);
}

/* @text need not end in a NUL: comm[16] of a record may be full. */
static void test_size_limits_input(void)
{
	static const char comm[4] = {'a', 'b', 'c', 'd'};
	static const char cut[3] = {'a', '\xe2', '\x82'}; /* the rest of the euro sign is gone */
	char buf[ESCAPE_SIZE(4)];

	CHECK_STR(escape_text(comm, sizeof(comm), buf, sizeof(buf)), "abcd");
	CHECK_STR(escape_text(comm, 2, buf, sizeof(buf)), "ab");
	CHECK_STR(escape_text(comm, 0, buf, sizeof(buf)), "");
	CHECK_STR(escape_text("a\0b", 3, buf, sizeof(buf)), "a");
	CHECK_STR(escape_text(cut, sizeof(cut), buf, sizeof(buf)), "a\\xe2\\x82");
}

/* Every buffer size: the result is the longest run of whole sequences, and nothing behind it is
 * touched. */
static void test_short_buffers(void)
{
	static const char text[] = "a\n\xc3\xa9\xff\"b";
	static const char *const expected[] = {
		NULL,
		"",
		"a",
		"a",
		"a\\n",
		"a\\n",
		"a\\n\xc3\xa9",
		"a\\n\xc3\xa9",
		"a\\n\xc3\xa9",
		"a\\n\xc3\xa9",
		"a\\n\xc3\xa9\\xff",
		"a\\n\xc3\xa9\\xff",
		"a\\n\xc3\xa9\\xff\\\"",
		"a\\n\xc3\xa9\\xff\\\"b",
	};

	for (size_t size = 0; size < ARRAY_SIZE(expected); size++) {
		char buf[16];

		memset(buf, '#', sizeof(buf));
		CHECK(escape_text(text, strlen(text), buf, size) == buf);
		if (size > 0)
			CHECK_STR(buf, expected[size]);
		for (size_t i = size; i < sizeof(buf); i++)
			CHECK_INT(buf[i], '#');
	}
}

/* The worst case fits ESCAPE_SIZE(), and every byte alone gives printable ASCII. */
static void test_every_byte(void)
{
	for (int c = 1; c < 256; c++) {
		char text[3] = {(char)c, (char)c, (char)c};
		char buf[ESCAPE_SIZE(sizeof(text))];

		escape_text(text, sizeof(text), buf, sizeof(buf));
		CHECK(strlen(buf) >= sizeof(text));
		CHECK_INT(strlen(buf) % sizeof(text), 0);
		for (const char *p = buf; *p; p++)
			CHECK(*p >= 0x20 && *p < 0x7f);
	}
}

static void test_printable_length(void)
{
	CHECK_INT(escape_printable_length("a", 1), 1);
	CHECK_INT(escape_printable_length("a", 0), 0);
	CHECK_INT(escape_printable_length("\"", 1), 1);
	CHECK_INT(escape_printable_length("\\", 1), 1);
	CHECK_INT(escape_printable_length("\t", 1), 0);
	CHECK_INT(escape_printable_length("\0", 1), 0);
	CHECK_INT(escape_printable_length("\xc3\xa9z", 3), 2);
	CHECK_INT(escape_printable_length("\xc3\xa9z", 1), 0);
	CHECK_INT(escape_printable_length("\xf0\x9f\x90\xa7", 4), 4);
	CHECK_INT(escape_printable_length("\xf0\x9f\x90\xa7", 3), 0);
}

/* Quotes, backslashes and what was escaped before stay as they are. */
static void test_printable_copy(void)
{
	static const struct {
		const char *text;
		const char *copy;
	} copies[] = {
		{"", ""},
		{"a \"b\" \\x0a", "a \"b\" \\x0a"},
		{"a\nb\tc\x1b[2J", "a\\x0ab\\x09c\\x1b[2J"},
		{"caf\xc3\xa9 \xe2\x80\xae", "caf\xc3\xa9 \\xe2\\x80\\xae"},
		{"\xff\xff\xff\xff", "\\xff\\xff\\xff\\xff"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
		_cleanup_free_ char *copy =
			escape_printable(copies[i].text, strlen(copies[i].text));

		CHECK_STR(copy, copies[i].copy);
	}
}

static const struct test_case cases[] = {
	TEST_CASE(table),      TEST_CASE(size_limits_input), TEST_CASE(short_buffers),
	TEST_CASE(every_byte), TEST_CASE(printable_length),  TEST_CASE(printable_copy),
};
TEST_MAIN(cases)
