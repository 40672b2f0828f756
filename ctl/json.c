/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the library for JSON; everybody else sees opaque values. Knows nothing of what is in them.
 */
#include "json.h"

#include <assert.h>
#include <string.h>

#include <jansson.h>

#include "api/value.h"
#include "util/basic.h"

static const char *const mode_names[] = {
	[JSON_OFF] = "off",
	[JSON_SHORT] = "short",
	[JSON_PRETTY] = "pretty",
};
static_assert(ARRAY_SIZE(mode_names) == _JSON_MODE_MAX, "a name for each mode");

/* Something could not be added: the text would lack it. */
static bool failed;

static json_t *from(const struct json *j)
{
	return (json_t *)j;
}

int json_mode_from_string(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++)
		if (strcmp(s, mode_names[i]) == 0)
			return (int)i;
	return -EINVAL;
}

struct json *json_new_object(void)
{
	return (struct json *)json_object();
}

struct json *json_new_array(void)
{
	return (struct json *)json_array();
}

struct json *json_free(struct json *j)
{
	json_decref(from(j));
	return NULL;
}

static json_t *bytes_value(const char *bytes, size_t size)
{
	json_t *value = json_stringn(bytes, size);

	if (value)
		return value;
	value = json_array();
	for (size_t i = 0; value && i < size; i++)
		if (json_array_append_new(value, json_integer((unsigned char)bytes[i])) < 0)
			failed = true;
	return value;
}

static void add(struct json *object, const char *key, json_t *value)
{
	if (!object || !value || json_object_set_new(from(object), key, value) < 0)
		failed = true;
}

void json_add_bytes(struct json *object, const char *key, const char *bytes, size_t size)
{
	add(object, key, bytes_value(bytes, size));
}

void json_add_text(struct json *object, const char *key, const char *text)
{
	json_add_bytes(object, key, text, strlen(text));
}

void json_add_number(struct json *object, const char *key, uint64_t number)
{
	add(object, key, json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

void json_add_integer(struct json *object, const char *key, int64_t number)
{
	add(object, key, json_integer(number));
}

void json_add_boolean(struct json *object, const char *key, bool value)
{
	add(object, key, json_boolean(value));
}

void json_add_values(struct json *object, const struct api_field *fields, const void *values)
{
	for (; fields->name; fields++) {
		const void *value = (const char *)values + fields->offset;
		const struct api_bytes *bytes = value;

		switch (fields->kind) {
		case API_TEXT:
		case API_PATH:
			json_add_text(object, fields->name, *(const char *const *)value);
			break;
		case API_BYTES:
			json_add_bytes(object, fields->name, bytes->data, bytes->size);
			break;
		case API_U32:
			json_add_number(object, fields->name, *(const uint32_t *)value);
			break;
		case API_I32:
			json_add_integer(object, fields->name, *(const int32_t *)value);
			break;
		case API_U64:
			json_add_number(object, fields->name, *(const uint64_t *)value);
			break;
		default:
			json_add_boolean(object, fields->name, *(const int *)value);
			break;
		}
	}
}

void json_add(struct json *object, const char *key, struct json *child)
{
	add(object, key, from(child));
}

void json_append(struct json *array, struct json *child)
{
	if (!array || !child || json_array_append_new(from(array), from(child)) < 0)
		failed = true;
}

void json_append_bytes(struct json *array, const char *bytes, size_t size)
{
	json_t *value = bytes_value(bytes, size);

	if (!array || !value || json_array_append_new(from(array), value) < 0)
		failed = true;
}

int json_print(const struct json *j, enum json_mode mode, FILE *out)
{
	size_t flags = JSON_ENSURE_ASCII | JSON_ENCODE_ANY |
		       (mode == JSON_PRETTY ? JSON_INDENT(2) : JSON_COMPACT);

	if (!j || failed)
		return -ENOMEM;
	if (json_dumpf(from(j), out, flags) < 0 || fputc('\n', out) == EOF)
		return -EIO;
	return 0;
}
