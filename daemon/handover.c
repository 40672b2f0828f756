/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides whether the policies outlive a daemon that ends in good order, and says each time what
 * became of them: a policy that is in force without anybody knowing is as bad as one that is not.
 * One that ends in any other way leaves them in force, and has no say.
 */
#include "handover.h"

#include <inttypes.h>

#include "api/fields.h"
#include "api/messages.h"
#include "job.h"
#include "util/basic.h"
#include "util/log.h"

static const struct {
	const char *verb, *status;
} origins[] = {
	[LOADER_LOADED] = {"", ", pinned"},
	[LOADER_ADOPTED] = {"Adopted", ", pinned, adopted"},
	[LOADER_UPDATED] = {"Updated", ", pinned, updated"},
	[LOADER_REPLACED] = {"Replaced", ", pinned, replaced others"},
};

void handover_log_start(const struct loader_history *history)
{
	char pid[64], records[64];
	const char *const fields[] = {pid, records};

	if (history->origin == LOADER_LOADED)
		return;
	if (history->pid == 0) {
		log_info("%s the policies that were found in force.",
			 origins[history->origin].verb);
		return;
	}
	snprintf(pid, sizeof(pid), "%s=%" PRIu32, field_name(FIELD_ADOPTED_PID), history->pid);
	snprintf(records, sizeof(records), "%s=%zu", field_name(FIELD_ADOPTED_RECORDS),
		 history->n_waiting);
	log_fields(LOG_INFO, MESSAGE_ID_POLICY_ADOPTED, fields, ARRAY_SIZE(fields),
		   "%s the policies of process %" PRIu32
		   ", which stayed in force; %zu records of the time between.",
		   origins[history->origin].verb, history->pid, history->n_waiting);
}

const char *handover_describe(const struct loader_history *history)
{
	return history->is_pinned ? origins[history->origin].status : ", not pinned";
}

bool handover_keeps(const struct config *c, const struct loader_history *history)
{
	return history->is_pinned && (c->stop == STOP_KEEP || job_restarts());
}

void handover_log_stop(const struct config *c, bool kept, const char *policies)
{
	const char *verb = c->n_policies == 1 ? "is" : "are";

	if (kept)
		log_message(LOG_INFO, MESSAGE_ID_POLICY_KEPT,
			    "%s %s still in force, without a daemon: %s. New cgroups inherit, and "
			    "records wait for the next daemon.",
			    policies, verb,
			    c->stop == STOP_KEEP ? "Stop=keep" : "it is being restarted");
	else
		log_message(LOG_INFO, MESSAGE_ID_POLICY_INACTIVE,
			    "%s %s no longer active: the kernel decides alone.", policies, verb);
}
