/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hand-written victim tables. Data alone: what they mean is in table.h. */
#ifndef VICTIMS_H
#define VICTIMS_H

#include "table.h"

size_t victims_count(void);

/* The @i-th of them, in the order in which they run. */
const struct scenario *victims_table(size_t i);

/* Those of victims_language.c, which come last of all. */
extern const struct scenario victims_language[];
extern const size_t n_victims_language;

#endif
