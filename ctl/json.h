/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON for programs. Failures are kept until json_print(), so that making a text is not a chain of
 * checks.
 */
#ifndef OP_JSON_H
#define OP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct api_field;
struct json;

enum json_mode {
	JSON_OFF,
	JSON_SHORT,  /* one line */
	JSON_PRETTY, /* indented */
	_JSON_MODE_MAX,
};

/* "off", "short" or "pretty"; -EINVAL for anything else. */
int json_mode_from_string(const char *s);

struct json *json_new_object(void);
struct json *json_new_array(void);

/* Takes NULL; returns NULL. */
struct json *json_free(struct json *j);

/* Adds to an object. Bytes that are not UTF-8 become an array of numbers, as in journalctl's. A
 * number beyond 2^63 - 1 is cut to that. */
void json_add_text(struct json *object, const char *key, const char *text);
void json_add_bytes(struct json *object, const char *key, const char *bytes, size_t size);
void json_add_number(struct json *object, const char *key, uint64_t number);
void json_add_integer(struct json *object, const char *key, int64_t number);
void json_add_boolean(struct json *object, const char *key, bool value);

/* Adds the values of a struct of the public interface, by their names. */
void json_add_values(struct json *object, const struct api_field *fields, const void *values);

/* Take @child over. */
void json_add(struct json *object, const char *key, struct json *child);
void json_append(struct json *array, struct json *child);
void json_append_bytes(struct json *array, const char *bytes, size_t size);

/*
 * Writes one value and a newline, in ASCII alone: what a terminal might obey is escaped. Returns 0,
 * -ENOMEM when something could not be added, or -EIO.
 */
int json_print(const struct json *j, enum json_mode mode, FILE *out);

static inline void json_freep(struct json **j)
{
	json_free(*j);
}

#endif
