/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Knows how each kind of value is read, and no value by itself. */
#include "bus-values.h"

#include <string.h>

#include <systemd/sd-bus.h>

#include "api/value.h"
#include "util/basic.h"
#include "util/bytes.h"

static void *value_at(const struct api_field *field, void *values)
{
	return (char *)values + field->offset;
}

static int read_path(sd_bus_message *m, char **ret)
{
	const char *text;
	int r = sd_bus_message_read_basic(m, 's', &text);

	free(TAKE_PTR(*ret));
	return r <= 0 ? r : bytes_path_from_text(text, ret);
}

static int read_bytes(sd_bus_message *m, struct api_bytes *ret)
{
	const void *data;
	int r = sd_bus_message_read_array(m, 'y', &data, &ret->size);

	ret->data = data;
	return r;
}

static int read_value(sd_bus_message *m, const struct api_field *field, void *values)
{
	void *value = value_at(field, values);

	switch (field->kind) {
	case API_PATH:
		return read_path(m, value);
	case API_BYTES:
		return read_bytes(m, value);
	default:
		return sd_bus_message_read_basic(m, api_kind_type(field->kind)[0], value);
	}
}

int values_read_rows(sd_bus_message *m, const struct api_field *fields, size_t size, void **items,
		     size_t *n_items)
{
	char types[API_TYPES_SIZE], row[API_TYPES_SIZE + 2];
	int r;

	snprintf(row, sizeof(row), "(%s)", api_format_types(fields, types));
	r = sd_bus_message_enter_container(m, 'a', row);
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', types)) > 0) {
		char *item;

		/* As GROW() does, of items whose size is the caller's. */
		if ((*n_items & (*n_items - 1)) == 0) {
			void *grown = reallocarray(*items, *n_items ? 2 * *n_items : 1, size);

			if (!grown)
				return -ENOMEM;
			*items = grown;
		}
		item = (char *)*items + size * (*n_items)++;
		memset(item, 0, size);
		for (const struct api_field *f = fields; r >= 0 && f->name; f++)
			r = read_value(m, f, item);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

int values_read_property(sd_bus_message *m, const struct api_field *fields, const char *name,
			 void *values)
{
	int r;

	while (fields->name && strcmp(fields->property, name) != 0)
		fields++;
	if (!fields->name)
		return 0;
	r = sd_bus_message_enter_container(m, 'v', api_kind_type(fields->kind));
	if (r >= 0)
		r = read_value(m, fields, values);
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : 1;
}

int values_read_dictionary(sd_bus_message *m, const struct api_field *fields, void *values)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *name;

		r = sd_bus_message_read_basic(m, 's', &name);
		if (r >= 0)
			r = values_read_property(m, fields, name, values);
		if (r == 0)
			r = sd_bus_message_skip(m, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

int values_complete(const struct api_field *fields, void *values)
{
	for (; fields->name; fields++) {
		const char **text = value_at(fields, values);

		if (fields->kind == API_TEXT && !*text)
			*text = "";
		if (fields->kind == API_PATH && !*text)
			*text = strdup("");
		if ((fields->kind == API_TEXT || fields->kind == API_PATH) && !*text)
			return -ENOMEM;
	}
	return 0;
}

void values_free_paths(const struct api_field *fields, void *values)
{
	for (; fields->name; fields++)
		if (fields->kind == API_PATH)
			free(TAKE_PTR(*(char **)value_at(fields, values)));
}

void values_free_rows(const struct api_field *fields, size_t size, void *items, size_t n_items)
{
	for (size_t i = 0; i < n_items; i++)
		values_free_paths(fields, (char *)items + i * size);
	free(items);
}
