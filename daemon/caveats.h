/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Warnings about what is configured and will not have its effect. */
#ifndef OP_CAVEATS_H
#define OP_CAVEATS_H

#include <stdbool.h>

#include "config/policy.h"

/* What @c asks for and the backend @used, which may honour Kill=, does not give. */
void caveats_log_backend(const struct config *c, enum backend used, bool honours_kill);

/* The sysctls that have somebody die before a policy is asked. */
void caveats_log_preemption(void);

#endif
