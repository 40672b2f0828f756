/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon's Rank says of a victim table, held against the model: the whole order, who dies
 * with whom, who never does and why. Asks over the bus; starts and kills nothing, and knows of the
 * selection behind the answer only what org.oompolicyd1(5) says.
 */
#ifndef DRYRUN_H
#define DRYRUN_H

#include "scenario.h"

/* To be called when the processes of @s hold their memory, the limit is set, and nobody grows yet;
 * the model's victim of the OOM to come is marked. Leaves in @reason what the two disagree about,
 * or an empty text. */
void dryrun_compare(const struct scenario *s, const struct scenario_outcome *o,
		    char reason[static SCENARIO_REASON_MAX]);

#endif
