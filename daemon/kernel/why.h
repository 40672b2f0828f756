/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sentences for the administrator, of why something cannot be. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_WHY_H
#define OP_KERNEL_WHY_H

#include "types.h"
#include "util/basic.h"

void why_set(char why[static LOADER_WHY_SIZE], const char *format, ...) _printf_(2, 3);

/* The sentence for what bpf(2) said. Returns LOADER_E_*, or -ENOMEM without one. */
int why_translate(int r, char why[static LOADER_WHY_SIZE]);

#endif
