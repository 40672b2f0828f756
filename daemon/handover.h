/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From one daemon to the next: what is said and decided when a daemon begins and ends. */
#ifndef OP_HANDOVER_H
#define OP_HANDOVER_H

#include <stdbool.h>

#include "config/policy.h"
#include "daemon/kernel/loader.h"

/* Says where the policies come from, unless they were just loaded. */
void handover_log_start(const struct loader_history *history);

/* What STATUS= has about it, a static text: empty, or a part of a sentence with its comma. */
const char *handover_describe(const struct loader_history *history);

/* Whether the policies are to stay in force when the daemon ends in good order. Takes a while, as
 * systemd is asked. */
bool handover_keeps(const struct config *c, const struct loader_history *history);

/* Says what came of it. @policies is "Policy 'a'" or the like. */
void handover_log_stop(const struct config *c, bool kept, const char *policies);

#endif
