/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One record of the journal, as a list of fields, and which records somebody wants to see. */
#ifndef OP_EVENT_H
#define OP_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/fields.h"

/* "64a1b2c3d4e5f": when the journal took the record, microseconds in hexadecimal. */
#define EVENT_ID_SIZE 20

struct event_field {
	char *name;  /* owned */
	char *value; /* owned; any bytes, and a NUL after them */
	size_t size;
};

struct event {
	uint64_t real_usec; /* CLOCK_REALTIME when the journal took it: its id too */
	struct event_field *fields;
	size_t n_fields;
};

/* Adds a copy of "NAME=value"; what is none is ignored. Returns 0 or -ENOMEM. */
int event_add(struct event *e, const char *field, size_t size);
void event_done(struct event *e);

/* The first value of a field, NUL-terminated, or NULL. */
const char *event_get(const struct event *e, const char *name);

/* The same of a field of a record. */
const char *event_get_field(const struct event *e, enum field field);

/* The value as a number, or UINT64_MAX where there is none. */
uint64_t event_get_number(const struct event *e, enum field field);

void event_format_id(const struct event *e, char buf[static EVENT_ID_SIZE]);
/* Returns 0, or -EINVAL. */
int event_parse_id(const char *s, uint64_t *ret_real_usec);

/* NULL and 0 mean any. */
struct event_filter {
	const char *unit; /* the victim's; with or without ".service" */
	const char *policy;
	uint64_t since_usec; /* CLOCK_REALTIME */
	uint64_t until_usec;
};

/* Whether @e is the record of an OOM, and one that is wanted. */
bool event_matches(const struct event *e, const struct event_filter *filter);

#endif
