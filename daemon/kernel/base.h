/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all that is loaded into the kernel has in common. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_BASE_H
#define OP_KERNEL_BASE_H

struct op_switch;

/* Notes this process as the one that is never chosen. */
void base_note_self(struct op_switch *s);

#endif
