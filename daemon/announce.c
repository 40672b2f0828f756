/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the words about what is in force. Knows no more of it than a view holds, keeps nothing, and
 * changes nothing.
 */
#include "announce.h"

#include <inttypes.h>
#include <stdio.h>

#include <systemd/sd-daemon.h>

#include "api/fields.h"
#include "api/messages.h"
#include "config/policy.h"
#include "daemon/bus/provider.h"
#include "daemon/cgroups/tracker.h"
#include "daemon/kernel/loader.h"
#include "guard.h"
#include "handover.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/log.h"

/* How many policies are named in a line for people; the rest are counted. */
#define NAMED_POLICIES_MAX 3

void announce_describe_policies(const struct config *c, char *buf, size_t size)
{
	size_t used = 0;

	used += (size_t)snprintf(buf, size, c->n_policies == 1 ? "Policy" : "Policies");
	for (size_t i = 0; i < c->n_policies && i < NAMED_POLICIES_MAX && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s '%s'", i ? "," : "",
					 c->policies[i].name);
	if (c->n_policies > NAMED_POLICIES_MAX && used < size)
		snprintf(buf + used, size - used, " (+%zu)", c->n_policies - NAMED_POLICIES_MAX);
}

void announce_describe(const struct answers_view *view, char *buf, size_t size)
{
	char policies[NAMED_POLICIES_MAX * (OP_POLICY_NAME_LEN + 4) + 32];

	announce_describe_policies(view->config, policies, sizeof(policies));
	snprintf(buf, size, "%s active: %zu rules, %zu cgroups ruled, backend %s", policies,
		 view->config->n_rules, view->tracker->n_ruled,
		 backend_to_string(loader_backend(view->loader)));
}

void announce_active(const struct answers_view *view, const struct announce_timing *timing,
		     bool reloaded, const char *description)
{
	uint64_t usec = clock_now_usec() - timing->begun_usec;
	uint64_t switch_usec = (timing->switch_nsec + 999) / 1000;
	char config[64], total[64], exchange[64];
	const char *const fields[] = {config, total, exchange};

	snprintf(config, sizeof(config), "%s=%" PRIu32, field_name(FIELD_CONFIG),
		 view->config_number);
	snprintf(total, sizeof(total), "%s=%" PRIu64,
		 field_name(reloaded ? FIELD_RELOAD_USEC : FIELD_START_USEC), usec);
	snprintf(exchange, sizeof(exchange), "%s=%" PRIu64, field_name(FIELD_SWITCH_USEC),
		 switch_usec);
	if (reloaded)
		log_fields(LOG_INFO, MESSAGE_ID_POLICY_ACTIVE, fields, ARRAY_SIZE(fields),
			   "Reloaded in %" PRIu64 " ms, switched in %" PRIu64 " us. %s.",
			   (usec + 500) / 1000, switch_usec, description);
	else
		log_fields(LOG_INFO, MESSAGE_ID_POLICY_ACTIVE, fields, ARRAY_SIZE(fields), "%s.",
			   description);
}

void announce_backend(const struct answers_view *view)
{
	const char *name = backend_to_string(loader_backend(view->loader));
	const char *why = loader_why_not_better(view->loader);

	if (*why)
		log_warning("The backend is %s, not a better one: %s", name, why);
	else
		log_info("The backend is %s.", name);
}

void announce_status(const struct answers_view *view, const struct loader_history *found,
		     const char *prefix)
{
	const char *why = loader_why_not_better(view->loader);
	struct guard_warnings warnings = {};
	char status[ANNOUNCE_SIZE];

	announce_describe(view, status, sizeof(status));
	guard_acquire_warnings(view->guard, &warnings);
	sd_notifyf(0, "%sSTATUS=%s%s%s%s%s%s%s%s", prefix, status, handover_describe(found),
		   *why ? " (not a better one: " : "", why, *why ? ")" : "",
		   view->cgroups_lost || warnings.n > 0 ? "; oompolicyctl status has warnings" : "",
		   view->reload_error[0] ? "; the last reload failed: " : "", view->reload_error);
}
