/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hand-written victim tables. Data alone: what they mean is in table.h. */
#ifndef VICTIMS_H
#define VICTIMS_H

#include "table.h"

extern const struct scenario victim_tables[];
extern const size_t n_victim_tables;

#endif
