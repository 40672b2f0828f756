/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "value.h"

#include <assert.h>
#include <stdio.h>

#include "util/basic.h"

static const char *const types[] = {
	[API_TEXT] = API_BUS_TEXT, [API_PATH] = API_BUS_PATH, [API_BYTES] = API_BUS_BYTES,
	[API_U32] = API_BUS_U32,   [API_I32] = API_BUS_I32,   [API_U64] = API_BUS_U64,
	[API_FLAG] = API_BUS_FLAG,
};
static_assert(ARRAY_SIZE(types) == _API_KIND_MAX, "a type for each kind");

const char *api_kind_type(enum api_kind kind)
{
	return types[kind];
}

char *api_format_types(const struct api_field *fields, char buf[static API_TYPES_SIZE])
{
	size_t used = 0;

	buf[0] = '\0';
	for (; fields->name && used < API_TYPES_SIZE; fields++)
		used += (size_t)snprintf(buf + used, API_TYPES_SIZE - used, "%s",
					 types[fields->kind]);
	assert(used < API_TYPES_SIZE);
	return buf;
}
