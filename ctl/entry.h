/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One record of the journal, as a list of fields, and which records somebody wants to see. */
#ifndef OP_ENTRY_H
#define OP_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/fields.h"

/* "64a1b2c3d4e5f": when the journal took the record, microseconds in hexadecimal. */
#define ENTRY_ID_SIZE 20

struct entry_field {
	char *name;  /* owned */
	char *value; /* owned; any bytes, and a NUL after them */
	size_t size;
};

struct entry {
	uint64_t real_usec; /* CLOCK_REALTIME when the journal took it: its id too */
	struct entry_field *fields;
	size_t n_fields;
};

/* Adds a copy of "NAME=value"; what is none is ignored. Returns 0 or -ENOMEM. */
int entry_add(struct entry *e, const char *field, size_t size);
void entry_done(struct entry *e);

/* The first value of a field, NUL-terminated, or NULL. */
const char *entry_get(const struct entry *e, const char *name);

/* The same of a field of a record. */
const char *entry_get_field(const struct entry *e, enum field field);

/* The value as a number, or UINT64_MAX where there is none. */
uint64_t entry_get_number(const struct entry *e, enum field field);

void entry_format_id(const struct entry *e, char buf[static ENTRY_ID_SIZE]);
/* Returns 0, or -EINVAL. */
int entry_parse_id(const char *s, uint64_t *ret_real_usec);

/* NULL and 0 mean any. */
struct entry_filter {
	const char *unit; /* the victim's; with or without ".service" */
	const char *policy;
	uint64_t since_usec; /* CLOCK_REALTIME */
	uint64_t until_usec;
};

/* Whether @e is the record of an OOM, and one that is wanted. */
bool entry_matches(const struct entry *e, const struct entry_filter *filter);

#endif
