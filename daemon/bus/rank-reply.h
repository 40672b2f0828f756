/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reply to Rank(). For bus.c alone. */
#ifndef OP_BUS_RANK_H
#define OP_BUS_RANK_H

struct bus_provider;
struct sd_bus_message;

/* Appends what the provider says about @domain. Returns 0 or a negative errno, which may be the
 * provider's. */
int bus_rank_append(struct sd_bus_message *reply, const struct bus_provider *provider,
		    void *userdata, const char *domain);

#endif
