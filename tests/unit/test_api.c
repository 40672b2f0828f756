/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structs of the public interface: their types on the bus, which others have written down, and
 * that each list of fields is that of its struct. */
#include "api/rows.h"
#include "api/status.h"
#include "test.h"
#include "util/basic.h"

static const struct {
	const char *name;
	const struct api_field *fields;
	const char *types; /* as org.oompolicyd1(5) has them */
	size_t size;
	bool is_dictionary;
} structs[] = {
	{"policy_row", policy_row_fields, "ssssuuub", sizeof(struct policy_row), false},
	{"tree_row", tree_row_fields, "stussbs", sizeof(struct tree_row), false},
	{"candidate_row", candidate_row_fields, "sssssub", sizeof(struct candidate_row), false},
	{"process_row", process_row_fields, "uuiayttsussssus", sizeof(struct process_row), false},
	{"effective_values", effective_values_fields, "bubssbsss", sizeof(struct effective_values),
	 true},
	{"outcome_values", outcome_values_fields, "ssssuuuut", sizeof(struct outcome_values), true},
	{"status", status_fields, "sssbstutuubutts", sizeof(struct status), true},
	{"counters", status_counter_fields, "tttttt", sizeof(struct status), true},
};

static void test_types(void)
{
	char types[API_TYPES_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
		CHECK_STR(api_format_types(structs[i].fields, types), structs[i].types);
	CHECK_STR(POLICY_ROW_TYPE, "(ssssuuub)");
	CHECK_STR(TREE_ROW_TYPE, "(stussbs)");
	CHECK_STR(CANDIDATE_ROW_TYPE, "(sssssub)");
	CHECK_STR(PROCESS_ROW_TYPE, "(uuiayttsussssus)");
}

static void test_fields(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
		for (const struct api_field *f = structs[i].fields; f->name; f++) {
			CHECK(f->offset < structs[i].size);
			if (!f->property != !structs[i].is_dictionary)
				FAIL("%s of %s: only in a dictionary a value has a name on the bus",
				     f->name, structs[i].name);
			for (const struct api_field *g = structs[i].fields; g != f; g++)
				CHECK(g->offset < f->offset && strcmp(g->name, f->name) != 0);
		}
}

static const struct test_case cases[] = {
	TEST_CASE(types),
	TEST_CASE(fields),
};
TEST_MAIN(cases)
