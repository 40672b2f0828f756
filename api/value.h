/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kinds of values that the public interface has, and what each is in C and on the bus. A struct
 * of the interface is a list of such values, from which its members, its type on the bus and its
 * keys in JSON are made: see rows.h and status.h.
 */
#ifndef OP_API_VALUE_H
#define OP_API_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum api_kind {
	API_TEXT,  /* UTF-8 */
	API_PATH,  /* any bytes; on the bus as bytes_path_to_text() gives it */
	API_BYTES, /* any bytes */
	API_U32,
	API_I32,
	API_U64,
	API_FLAG,
	_API_KIND_MAX,
};

struct api_bytes {
	const char *data; /* no NUL at the end */
	size_t size;
};

#define API_C_TEXT const char *
#define API_C_PATH const char *
#define API_C_BYTES struct api_bytes
#define API_C_U32 uint32_t
#define API_C_I32 int32_t
#define API_C_U64 uint64_t
#define API_C_FLAG int /* as sd-bus has a boolean */

#define API_BUS_TEXT "s"
#define API_BUS_PATH "s"
#define API_BUS_BYTES "ay"
#define API_BUS_U32 "u"
#define API_BUS_I32 "i"
#define API_BUS_U64 "t"
#define API_BUS_FLAG "b"

/* One value of a struct. */
struct api_field {
	const char *name;     /* of the member, and the key in JSON */
	const char *property; /* the name on the bus; NULL in a row, where the place tells */
	enum api_kind kind;
	size_t offset;
};

/* The type of a value on the bus. */
const char *api_kind_type(enum api_kind kind);

/* More than any struct has. */
#define API_TYPES_SIZE 64

/* The types of all @fields on the bus, one after the other. Returns @buf. */
char *api_format_types(const struct api_field *fields, char buf[static API_TYPES_SIZE]);

/* For the lists of values: F(KIND, member) of a row, F(KIND, member, Property) of a dictionary. */
#define API_MEMBER(kind, member, ...) API_C_##kind member;
#define API_SIGNATURE(kind, member, ...) API_BUS_##kind
#define API_COUNT(kind, member, ...) +1

#endif
