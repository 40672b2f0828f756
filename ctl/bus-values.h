/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of the public interface (api/value.h) from messages of the bus. */
#ifndef OP_BUS_VALUES_H
#define OP_BUS_VALUES_H

#include <stddef.h>

struct api_field;
struct sd_bus_message;

/*
 * Reads an array of rows into *@items, which grows and is the caller's also after an error. An item
 * is @size bytes that begin with the struct of the fields; what follows is zero. Texts and bytes
 * belong to the message, paths are owned: values_free_rows(). Returns 0 or more, or a negative
 * errno.
 */
int values_read_rows(struct sd_bus_message *m, const struct api_field *fields, size_t size,
		     void **items, size_t *n_items);

/* Reads a dictionary of type a{sv} by the properties of the fields; those of a later version are
 * skipped. Ownership as above: values_free_paths(). */
int values_read_dictionary(struct sd_bus_message *m, const struct api_field *fields, void *values);

/* Reads the variant of the property @name. Returns 0 where no field is of that name, 1 where it was
 * read, or a negative errno. */
int values_read_property(struct sd_bus_message *m, const struct api_field *fields, const char *name,
			 void *values);

/* Sets the texts and paths that were not read to "". Returns 0 or -ENOMEM. */
int values_complete(const struct api_field *fields, void *values);

void values_free_paths(const struct api_field *fields, void *values);
void values_free_rows(const struct api_field *fields, size_t size, void *items, size_t n_items);

#endif
