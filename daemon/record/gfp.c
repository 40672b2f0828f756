/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns which bits together have a name of their own: as in include/linux/gfp_types.h, and in the
 * order in which include/trace/events/mmflags.h has them, where the largest come first. Does not
 * know the number of any bit.
 */
#include "gfp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/basic.h"

#define PREFIX "___GFP_"
#define SUFFIX "_BIT"

/* The bits of a name, each between two blanks. */
#define NOIO " DIRECT_RECLAIM KSWAPD_RECLAIM "
#define NOFS NOIO "IO "
#define KERNEL NOFS "FS "
#define USER KERNEL "HARDWALL "
#define HIGHUSER USER "HIGHMEM "
#define HIGHUSER_MOVABLE HIGHUSER "MOVABLE SKIP_KASAN "

static const struct {
	const char *name;
	const char *bits;
} groups[] = {
	{"GFP_HIGHUSER_MOVABLE", HIGHUSER_MOVABLE},
	{"GFP_HIGHUSER", HIGHUSER},
	{"GFP_USER", USER},
	{"GFP_KERNEL_ACCOUNT", KERNEL "ACCOUNT "},
	{"GFP_KERNEL", KERNEL},
	{"GFP_NOFS", NOFS},
	{"GFP_ATOMIC", " HIGH KSWAPD_RECLAIM "},
	{"GFP_NOIO", NOIO},
	{"GFP_NOWAIT", " KSWAPD_RECLAIM NOWARN "},
	{"GFP_DMA", " DMA "},
	{"GFP_DMA32", " DMA32 "},
};

void gfp_bits_add(struct gfp_bits *b, const char *enumerator, uint32_t value)
{
	size_t length = strlen(enumerator), fixed = strlen(PREFIX SUFFIX);
	const char *name = enumerator + strlen(PREFIX);

	if (value >= GFP_BITS_MAX || length <= fixed || length - fixed >= GFP_NAME_SIZE ||
	    strncmp(enumerator, PREFIX, strlen(PREFIX)) != 0 ||
	    strcmp(enumerator + length - strlen(SUFFIX), SUFFIX) != 0)
		return;
	/* Not a bit of its own, but how many there are. */
	if (strcmp(name, "LAST" SUFFIX) == 0)
		return;
	snprintf(b->names[value], GFP_NAME_SIZE, "%.*s", (int)(length - fixed), name);
}

/* Is the bit with this @name one of " A B "? */
static bool is_among(const char *name, const char *bits)
{
	char word[GFP_NAME_SIZE + 2];

	snprintf(word, sizeof(word), " %s ", name);
	return *name && strstr(bits, word);
}

static uint32_t group_mask(const struct gfp_bits *b, const char *bits)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < GFP_BITS_MAX; i++)
		if (is_among(b->names[i], bits))
			mask |= 1U << i;
	return mask;
}

int gfp_format(const struct gfp_bits *b, uint32_t mask, char buf[static GFP_TEXT_SIZE])
{
	size_t used = 0;
	bool known = false;

	buf[0] = '\0';
	for (size_t i = 0; i < GFP_BITS_MAX && !known; i++)
		known = b->names[i][0];
	if (!known)
		return -ENODATA;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		uint32_t group = group_mask(b, groups[i].bits);

		if (!group || (mask & group) != group)
			continue;
		used += (size_t)snprintf(buf + used, GFP_TEXT_SIZE - used, "%s%s", used ? "|" : "",
					 groups[i].name);
		mask &= ~group;
	}
	for (uint32_t i = 0; i < GFP_BITS_MAX; i++) {
		if (!(mask & 1U << i) || !b->names[i][0])
			continue;
		used += (size_t)snprintf(buf + used, GFP_TEXT_SIZE - used, "%s__GFP_%s",
					 used ? "|" : "", b->names[i]);
		mask &= ~(1U << i);
	}
	if (mask || !used)
		snprintf(buf + used, GFP_TEXT_SIZE - used, "%s0x%x", used ? "|" : "", mask);
	return 0;
}
