/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why we are asked to end: for good, or to be started again at once. */
#ifndef OP_JOB_H
#define OP_JOB_H

#include <stdbool.h>

/* Whether a job of systemd's with this type starts the unit again after it has stopped it. */
bool job_type_restarts(const char *type);

/* Asks systemd about the job that our unit has. False where there is none, nobody answers within a
 * second, or we run outside of a unit. */
bool job_restarts(void);

#endif
