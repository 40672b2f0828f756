/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the words about what is active, and decides whether the policies outlive a daemon that ends
 * in good order: a policy that is active without anybody knowing is as bad as one that is not. A
 * daemon that ends in any other way leaves them active, and has no say.
 *
 * Invariant: it only says so; keeps nothing, and changes nothing.
 */
#include "lifecycle.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "api/fields.h"
#include "api/messages.h"
#include "attachments.h"
#include "config/policy.h"
#include "daemon/cgroups/tracker.h"
#include "daemon/kernel/loader.h"
#include "job.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/log.h"
#include "view.h"
#include "warnings.h"

/* --- from the daemon before */

static const struct {
	const char *verb, *status;
} origins[] = {
	[LOADER_LOADED] = {"", ", pinned"},
	[LOADER_ADOPTED] = {"Adopted", ", pinned, adopted"},
	[LOADER_UPDATED] = {"Updated", ", pinned, updated"},
	[LOADER_REPLACED] = {"Replaced", ", pinned, replaced others"},
};
static_assert(ARRAY_SIZE(origins) == _LOADER_ORIGIN_MAX, "words for each origin");

void lifecycle_log_adopted(const struct loader_history *history)
{
	char pid[64], records[64];
	const char *const fields[] = {pid, records};

	if (history->origin == LOADER_LOADED)
		return;
	if (history->pid == 0) {
		log_info("%s the policies that were found active.", origins[history->origin].verb);
		return;
	}
	snprintf(pid, sizeof(pid), "%s=%" PRIu32, field_name(FIELD_ADOPTED_PID), history->pid);
	snprintf(records, sizeof(records), "%s=%zu", field_name(FIELD_ADOPTED_RECORDS),
		 history->n_waiting);
	log_fields(LOG_INFO, MESSAGE_ID_POLICY_ADOPTED, fields, ARRAY_SIZE(fields),
		   "%s the policies of process %" PRIu32
		   ", which stayed active; %zu records of the time between.",
		   origins[history->origin].verb, history->pid, history->n_waiting);
}

static const char *describe_origin(const struct loader_history *history)
{
	return history->is_pinned ? origins[history->origin].status : ", not pinned";
}

/* --- what is active */

/* How many policies are named in a line for people; the rest are counted. */
#define NAMED_POLICIES_MAX 3

static void describe_policies(const struct config *c, char *buf, size_t size)
{
	size_t used = 0;

	used += (size_t)snprintf(buf, size, c->n_policies == 1 ? "Policy" : "Policies");
	for (size_t i = 0; i < c->n_policies && i < NAMED_POLICIES_MAX && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s '%s'", i ? "," : "",
					 c->policies[i].name);
	if (c->n_policies > NAMED_POLICIES_MAX && used < size)
		snprintf(buf + used, size - used, " (+%zu)", c->n_policies - NAMED_POLICIES_MAX);
}

void lifecycle_describe(const struct view *view, char *buf, size_t size)
{
	char policies[NAMED_POLICIES_MAX * (OP_POLICY_NAME_LEN + 4) + 32];

	describe_policies(view->config, policies, sizeof(policies));
	snprintf(buf, size, "%s active: %zu rules, %zu cgroups ruled, backend %s", policies,
		 view->config->n_rules, view->tracker->n_ruled,
		 backend_to_string(loader_backend(view->loader)));
}

void lifecycle_log_active(const struct view *view, const struct lifecycle_timing *timing,
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

void lifecycle_log_backend(const struct view *view)
{
	const char *name = backend_to_string(loader_backend(view->loader));
	const char *why = loader_why_not_better(view->loader);

	if (*why)
		log_warning("The backend is %s, not a better one: %s", name, why);
	else
		log_info("The backend is %s.", name);
}

void lifecycle_notify(const struct view *view, const struct loader_history *found,
		      const char *prefix)
{
	const char *why = loader_why_not_better(view->loader);
	struct warnings warnings = {};
	char status[LIFECYCLE_SIZE];

	lifecycle_describe(view, status, sizeof(status));
	attachments_acquire_warnings(view->attachments, &warnings);
	sd_notifyf(0, "%sSTATUS=%s%s%s%s%s%s%s%s", prefix, status, describe_origin(found),
		   *why ? " (not a better one: " : "", why, *why ? ")" : "",
		   view->cgroups_lost || warnings.n > 0 ? "; oompolicyctl status has warnings" : "",
		   view->reload_error[0] ? "; the last reload failed: " : "", view->reload_error);
}

/* --- what is configured and has no effect */

static bool is_honoured(enum rule_kill kill, uint32_t honoured)
{
	switch (kill) {
	case RULE_KILL_PROCESS:
		return honoured & OP_RULE_KILL_PROCESS;
	case RULE_KILL_CGROUP:
		return honoured & OP_RULE_KILL_CGROUP;
	default:
		return true;
	}
}

void lifecycle_warn_config(const struct view *view)
{
	const struct config *c = view->config;
	enum backend used = loader_backend(view->loader);
	uint32_t honoured = loader_honoured_kills(view->loader);
	const struct rule *first = NULL;
	size_t n = 0;

	if (c->backend != BACKEND_AUTO && c->backend != used)
		log_warning("Backend=%s takes effect when the daemon is started again: %s stays.",
			    backend_to_string(c->backend), backend_to_string(used));
	for (size_t i = 0; i < c->n_rules; i++)
		if (!is_honoured(c->rules[i].kill, honoured) && n++ == 0)
			first = &c->rules[i];
	if (first)
		log_warning("%s:%u: Kill=%s in [Rule %s] has no effect with the backend %s of this "
			    "kernel (%zu rules in all): memory.oom.group decides how much is "
			    "killed, and takes protected processes along.",
			    first->file, first->line, rule_kill_to_string(first->kill), first->name,
			    backend_to_string(used), n);
}

static unsigned long read_sysctl(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value[32];
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, value, sizeof(value) - 1);
	if (n <= 0)
		return 0;
	value[n] = '\0';
	return strtoul(value, NULL, 10);
}

/* Both are looked at before a policy is asked (mm/oom_kill.c, out_of_memory()). */
void lifecycle_warn_kernel(void)
{
	unsigned long panic = read_sysctl("/proc/sys/vm/panic_on_oom");

	if (panic)
		log_warning(
			"vm.panic_on_oom=%lu: %s panics the machine before the policy is asked.",
			panic, panic == 1 ? "an OOM of the system" : "every OOM, of cgroups too,");
	if (read_sysctl("/proc/sys/vm/oom_kill_allocating_task"))
		log_warning("vm.oom_kill_allocating_task=1: the task that allocates is killed "
			    "before the policy is asked.");
}

/* --- the end */

bool lifecycle_keeps(const struct config *c, const struct loader_history *history)
{
	return history->is_pinned && (c->stop == STOP_KEEP || job_restarts());
}

void lifecycle_log_stop(const struct config *c, bool kept)
{
	char policies[LIFECYCLE_SIZE];
	const char *verb = c->n_policies == 1 ? "is" : "are";

	describe_policies(c, policies, sizeof(policies));
	if (kept)
		log_message(LOG_INFO, MESSAGE_ID_POLICY_KEPT,
			    "%s %s still active, without a daemon: %s. New cgroups inherit, and "
			    "records wait for the next daemon.",
			    policies, verb,
			    c->stop == STOP_KEEP ? "Stop=keep" : "it is being restarted");
	else
		log_message(LOG_INFO, MESSAGE_ID_POLICY_INACTIVE,
			    "%s %s no longer active: the kernel decides alone.", policies, verb);
}
