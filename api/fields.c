/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fields.h"

#include <assert.h>
#include <string.h>

#include "util/basic.h"

#define NAME(name) FIELD_PREFIX #name,

static const char *const names[] = {RECORD_FIELDS(NAME) LINE_FIELDS(NAME)};
static_assert(ARRAY_SIZE(names) == _FIELD_MAX, "a name for each");
static_assert(FIELD_OF_TASK(FIELD_TRIGGER_PID, PGTABLES_BYTES) == FIELD_TRIGGER_PGTABLES_BYTES,
	      "the fields of the trigger are those of the victim");

const char *field_name(enum field field)
{
	return names[field];
}

bool field_is_of_record(const char *name)
{
	for (size_t i = 0; i < _FIELD_RECORD_MAX; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}
