/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of the public interface (api/value.h) as messages of the bus. */
#ifndef OP_BUS_VALUES_H
#define OP_BUS_VALUES_H

struct api_field;
struct sd_bus_message;

/* Each returns 0 or more, or a negative errno. */

/* Begins an array of rows of these fields, to be ended by sd_bus_message_close_container(). */
int values_open_rows(struct sd_bus_message *m, const struct api_field *fields);

/* Appends a struct with the values of @row, which is the one that the fields are of. */
int values_append_row(struct sd_bus_message *m, const struct api_field *fields, const void *row);

/* Appends a dictionary of type a{sv}, of the fields by their properties. */
int values_append_dictionary(struct sd_bus_message *m, const struct api_field *fields,
			     const void *values);

#endif
