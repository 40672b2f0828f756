/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags of an allocation: what is a name of one, and what several are together. */
#include "daemon/record/gfp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/record/record.h"
#include "test.h"
#include "util/basic.h"

static void test_format(void)
{
	static const char *const names[] = {
		"DMA",	"HIGHMEM",  "IO",      "FS",	  "DIRECT_RECLAIM", "KSWAPD_RECLAIM",
		"ZERO", "HARDWALL", "MOVABLE", "ACCOUNT", "HIGH",	    "NOWARN"};
	char buf[GFP_TEXT_SIZE];
	struct gfp_bits bits = {};

	CHECK_INT(gfp_format(&bits, 1, buf), -ENODATA);
	gfp_bits_add(&bits, "___GFP_IO", 1);
	gfp_bits_add(&bits, "GFP_IO_BIT", 1);
	gfp_bits_add(&bits, "___GFP__BIT", 32);
	gfp_bits_add(&bits, "___GFP_LAST_BIT", 9);
	gfp_bits_add(&bits, "___GFP_A_NAME_THAT_IS_LONGER_THAN_ALL_OF_THEM_BIT", 3);
	gfp_bits_add(&bits, "___GFP__BIT", 3);
	CHECK_INT(gfp_format(&bits, 1, buf), -ENODATA);
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		char name[64];

		snprintf(name, sizeof(name), "___GFP_%s_BIT", names[i]);
		gfp_bits_add(&bits, name, i);
	}
	CHECK_INT(gfp_format(&bits, 0x3c, buf), 0);
	CHECK_STR(buf, "GFP_KERNEL");
	CHECK_INT(gfp_format(&bits, 0x1fe, buf), 0);
	CHECK_STR(buf, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO");
	CHECK_INT(gfp_format(&bits, 0x30, buf), 0);
	CHECK_STR(buf, "GFP_NOIO");
	CHECK_INT(gfp_format(&bits, 0x80000008, buf), 0);
	CHECK_STR(buf, "__GFP_FS|0x80000000");
	CHECK_INT(gfp_format(&bits, 0, buf), 0);
	CHECK_STR(buf, "0x0");
}

/* The field of a record, beside the number. */
static void test_field(void)
{
	static struct record_text text;
	struct op_oom_record e = {.decision = OP_DECISION_NONE, .gfp_mask = 0x10};
	struct gfp_bits bits = {};
	const struct record_context context = {.gfp_bits = &bits};

	for (int known = 0; known < 2; known++) {
		size_t n = 0;

		record_format(&e, &context, &text);
		for (size_t i = 0; i < text.n_fields; i++)
			n += strcmp(text.fields[i].iov_base, "OOMPOLICY_GFP_MASK=0x10") == 0 ||
			     strcmp(text.fields[i].iov_base, "OOMPOLICY_GFP_FLAGS=__GFP_ZERO") == 0;
		CHECK_INT(n, known + 1);
		gfp_bits_add(&bits, "___GFP_ZERO_BIT", 4);
	}
}

static const struct test_case cases[] = {
	TEST_CASE(format),
	TEST_CASE(field),
};
TEST_MAIN(cases)
