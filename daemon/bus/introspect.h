/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface as XML, for /usr/share/dbus-1/interfaces. */
#ifndef OP_BUS_INTROSPECT_H
#define OP_BUS_INTROSPECT_H

#include <stdio.h>

/* Writes what the object says of itself, without a bus and without a daemon. Returns 0 or a
 * negative errno. */
int introspect_print(FILE *out);

#endif
