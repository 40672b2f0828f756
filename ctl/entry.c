/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns copies of what the journal said. Knows few of the fields, and keeps all. */
#include "entry.h"

#include <string.h>

#include "config/value.h"
#include "util/basic.h"
#include "util/grow.h"

int entry_add(struct entry *e, const char *field, size_t size)
{
	const char *end = memchr(field, '=', size);
	struct entry_field added;

	if (!end)
		return 0;
	if (GROW(e->fields, e->n_fields) < 0)
		return -ENOMEM;
	added = (struct entry_field){
		.name = strndup(field, (size_t)(end - field)),
		.size = size - (size_t)(end - field) - 1,
	};
	added.value = malloc(added.size + 1);
	if (!added.name || !added.value) {
		free(added.name);
		free(added.value);
		return -ENOMEM;
	}
	memcpy(added.value, end + 1, added.size);
	added.value[added.size] = '\0';
	e->fields[e->n_fields++] = added;
	return 0;
}

void entry_done(struct entry *e)
{
	for (size_t i = 0; i < e->n_fields; i++) {
		free(e->fields[i].name);
		free(e->fields[i].value);
	}
	free(e->fields);
	*e = (struct entry){};
}

const char *entry_get(const struct entry *e, const char *name)
{
	for (size_t i = 0; i < e->n_fields; i++)
		if (strcmp(e->fields[i].name, name) == 0)
			return e->fields[i].value;
	return NULL;
}

const char *entry_get_field(const struct entry *e, enum field field)
{
	return entry_get(e, field_name(field));
}

uint64_t entry_get_number(const struct entry *e, enum field field)
{
	const char *value = entry_get_field(e, field);
	uint64_t number;

	return value && value_parse_number(value, UINT64_MAX, &number) == 0 ? number : UINT64_MAX;
}

void entry_format_id(const struct entry *e, char buf[static ENTRY_ID_SIZE])
{
	snprintf(buf, ENTRY_ID_SIZE, "%llx", (unsigned long long)e->real_usec);
}

int entry_parse_id(const char *s, uint64_t *ret_real_usec)
{
	size_t length = strlen(s);

	if (length == 0 || length > 16 || strspn(s, "0123456789abcdef") != length)
		return -EINVAL;
	*ret_real_usec = strtoull(s, NULL, 16);
	return 0;
}

static bool unit_matches(const char *value, const char *unit)
{
	size_t length = strlen(unit);

	if (!value || strncmp(value, unit, length) != 0)
		return false;
	return value[length] == '\0' ||
	       (!strchr(unit, '.') && strcmp(value + length, ".service") == 0);
}

bool entry_matches(const struct entry *e, const struct entry_filter *filter)
{
	const char *policy = entry_get_field(e, FIELD_POLICY);

	if (!entry_get_field(e, FIELD_DECISION))
		return false;
	if (filter->unit && !unit_matches(entry_get_field(e, FIELD_VICTIM_UNIT), filter->unit) &&
	    !unit_matches(entry_get_field(e, FIELD_VICTIM_USER_UNIT), filter->unit))
		return false;
	if (filter->policy && (!policy || strcmp(policy, filter->policy) != 0))
		return false;
	if (filter->since_usec && e->real_usec < filter->since_usec)
		return false;
	return !filter->until_usec || e->real_usec <= filter->until_usec;
}
