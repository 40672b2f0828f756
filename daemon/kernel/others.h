/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What others have attached where the kernel asks about an OOM, and being told of it. Part of
 * loader.h's module; of a loader in use.
 */
#ifndef OP_KERNEL_OTHERS_H
#define OP_KERNEL_OTHERS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"
#include "types.h"

struct loader;
struct loader_others;

const char *loader_order_to_string(enum loader_order order);

/*
 * Looks through all that is attached: some microseconds for each link and map of the machine.
 * Returns how many there are, of which the first LOADER_OTHERS_MAX are in @items; or a negative
 * errno.
 */
int loader_find_others(const struct loader *l, struct loader_other items[static LOADER_OTHERS_MAX]);

/* Begins to be told. Returns 0 and what the caller owns, or a negative errno: this kernel does not
 * tell. */
int loader_others_new(const struct loader *l, struct loader_others **ret);
struct loader_others *loader_others_free(struct loader_others *o);

/* Readable when something was attached. Owned by @o. */
int loader_others_fd(const struct loader_others *o);

/* Passes on each that was attached since the last call. It may be ours, or of no interest. */
typedef void (*loader_attached_t)(const struct op_link_event *e, void *userdata);
void loader_others_consume(struct loader_others *o, loader_attached_t attached, void *userdata);

#endif
