/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's own memory when there is none to be had. */
#ifndef OP_RESERVE_H
#define OP_RESERVE_H

/*
 * Keeps the daemon in memory from now on, with a reserve for what it does at an OOM. Survives every
 * failure: without the privilege (LimitMEMLOCK= of the unit) it says so and goes on.
 */
void reserve_acquire(void);

/* Gives back what free() left behind something large, and keeps the daemon in memory as before. */
void reserve_trim(void);

#endif
