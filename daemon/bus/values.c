/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Knows how each kind of value is appended, and no value by itself. */
#include "values.h"

#include <systemd/sd-bus.h>

#include "api/value.h"
#include "util/basic.h"
#include "util/bytes.h"

static int append_path(sd_bus_message *m, const char *path)
{
	_cleanup_free_ char *text = bytes_path_to_text(path);

	return text ? sd_bus_message_append_basic(m, 's', text) : -ENOMEM;
}

static int append_value(sd_bus_message *m, const struct api_field *field, const void *values)
{
	const void *value = (const char *)values + field->offset;
	const struct api_bytes *bytes = value;

	switch (field->kind) {
	case API_TEXT:
		return sd_bus_message_append_basic(m, 's', *(const char *const *)value);
	case API_PATH:
		return append_path(m, *(const char *const *)value);
	case API_BYTES:
		return sd_bus_message_append_array(m, 'y', bytes->data, bytes->size);
	default:
		return sd_bus_message_append_basic(m, api_kind_type(field->kind)[0], value);
	}
}

int values_open_rows(sd_bus_message *m, const struct api_field *fields)
{
	char types[API_TYPES_SIZE], row[API_TYPES_SIZE + 2];

	snprintf(row, sizeof(row), "(%s)", api_format_types(fields, types));
	return sd_bus_message_open_container(m, 'a', row);
}

int values_append_row(sd_bus_message *m, const struct api_field *fields, const void *row)
{
	char types[API_TYPES_SIZE];
	int r = sd_bus_message_open_container(m, 'r', api_format_types(fields, types));

	for (; r >= 0 && fields->name; fields++)
		r = append_value(m, fields, row);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int values_append_dictionary(sd_bus_message *m, const struct api_field *fields, const void *values)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	for (; r >= 0 && fields->name; fields++) {
		r = sd_bus_message_open_container(m, 'e', "sv");
		if (r >= 0)
			r = sd_bus_message_append_basic(m, 's', fields->property);
		if (r >= 0)
			r = sd_bus_message_open_container(m, 'v', api_kind_type(fields->kind));
		if (r >= 0)
			r = append_value(m, fields, values);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}
