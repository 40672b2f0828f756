/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The values of the properties, for bus.c, which says what there is and when it changes.
 */
#ifndef OP_BUS_PROPERTIES_H
#define OP_BUS_PROPERTIES_H

struct bus_provider;
struct sd_bus_message;

/* Appends the value of the property @name. Returns 0 or more, or a negative errno; -EINVAL: there
 * is no such property. */
int bus_properties_append(struct sd_bus_message *reply, const struct bus_provider *provider,
			  void *userdata, const char *name);

#endif
