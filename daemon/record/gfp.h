/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags of an allocation in the kernel's words. */
#ifndef OP_GFP_H
#define OP_GFP_H

#include <stddef.h>
#include <stdint.h>

#define GFP_BITS_MAX 32
/* With the NUL: the longest of the kernel is __GFP_DIRECT_RECLAIM. */
#define GFP_NAME_SIZE 32

/* What each bit is called in the running kernel: the numbers change from one to the next. Empty
 * when zero. */
struct gfp_bits {
	char names[GFP_BITS_MAX][GFP_NAME_SIZE]; /* "KSWAPD_RECLAIM"; empty: not known */
};

/* Adds an enumerator of the kernel's, as "___GFP_IO_BIT" with its value; what is none is ignored.
 */
void gfp_bits_add(struct gfp_bits *b, const char *enumerator, uint32_t value);

/* Room for every bit on its own. */
#define GFP_TEXT_SIZE (GFP_BITS_MAX * (GFP_NAME_SIZE + sizeof("|__GFP_")))

/* "GFP_KERNEL|__GFP_ZERO"; bits without a name come last, in hexadecimal. Returns -ENODATA, and an
 * empty text, where no name is known. */
int gfp_format(const struct gfp_bits *b, uint32_t mask, char buf[static GFP_TEXT_SIZE]);

#endif
