/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The backends that there are, the best first. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_BACKENDS_H
#define OP_KERNEL_BACKENDS_H

#include "config/policy.h"
#include "pins.h"
#include "types.h"

struct backend_driver;
struct kernel_types;

/* The driver with this id, or NULL. */
const struct backend_driver *backends_find(enum backend id);

/* The best driver after @previous, which NULL begins with, of those that are @wanted; or NULL. */
const struct backend_driver *backends_next(const struct backend_driver *previous,
					   enum backend wanted);

/* Whether the kernel has what @d needs, and we may use it. Returns 0, LOADER_E_* and a sentence, or
 * a negative errno. */
int backends_check(const struct backend_driver *d, const struct kernel_types *types,
		   char why[static LOADER_WHY_SIZE]);

/* How a set of whichever backend goes from the kernel. */
struct pins_removal backends_removal(void);

#endif
