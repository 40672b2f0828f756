/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object of org.oompolicyd1(5): its properties, methods and signals, on any connection. */
#ifndef OP_BUS_OBJECT_H
#define OP_BUS_OBJECT_H

#include <stddef.h>

#include "api/status.h"
#include "polkit.h"

struct bus_provider;
struct iovec;
struct sd_bus;

/* The first two are the owner's to fill in, the others are zero at first. */
struct object {
	const struct bus_provider *provider; /* NULL: nobody answers, for introspect_print() */
	void *userdata;
	struct polkit polkit;
	struct status status; /* as it was when the bus asked last */
};

/* Puts the object on a connection. It must outlive that. Returns 0 or a negative errno. */
int object_add(struct object *o, struct sd_bus *connection);

/* Each sends what there is to say, or says in a line of debugging why it could not. */
void object_send_changed(struct sd_bus *connection, enum status_change change);
void object_send_record(struct sd_bus *connection, const struct iovec *fields, size_t n_fields);

#endif
