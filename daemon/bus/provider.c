/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the connection to the bus, and remembers when things happened. All else is asked for: each
 * answer is made from what the kernel has (links, programs, the active rules map) and, where the
 * question is about rules, from the configuration that was compiled into that map.
 */
#include "provider.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#include <systemd/sd-event.h>

#include "api/words.h"
#include "bus.h"
#include "config/policy.h"
#include "daemon/attachments.h"
#include "daemon/cgroups/tracker.h"
#include "daemon/kernel/loader.h"
#include "daemon/record/record.h"
#include "daemon/reserve.h"
#include "daemon/view.h"
#include "daemon/warnings.h"
#include "effective.h"
#include "loaded-module.h"
#include "rank.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/format.h"
#include "util/log.h"

static_assert(ARRAY_SIZE(((struct bus_policies *)0)->items) ==
		      ARRAY_SIZE(((struct loader_policies *)0)->items),
	      "room for all policies that the kernel has");

static struct view look(const struct provider *a)
{
	struct view view = {};

	a->look(&view, a->userdata);
	return view;
}

/* --- status */

static const struct policy *find_policy(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_policies; i++)
		if (strcmp(c->policies[i].name, name) == 0)
			return &c->policies[i];
	return NULL;
}

static const char *const origins[] = {
	[LOADER_LOADED] = "loaded",
	[LOADER_ADOPTED] = "adopted",
	[LOADER_UPDATED] = "updated",
	[LOADER_REPLACED] = "replaced",
};
static_assert(ARRAY_SIZE(origins) == _LOADER_ORIGIN_MAX, "a word for each origin");

static void answer_status(struct status *ret, void *userdata)
{
	const struct provider *a = userdata;
	struct view view = look(a);
	struct loader_history history;
	struct op_stats stats;

	loader_acquire_stats(view.loader, &stats);
	loader_acquire_history(view.loader, &history);
	*ret = (struct status){
		.version = OOMPOLICYD_VERSION,
		.backend = backend_to_string(loader_backend(view.loader)),
		.backend_why = loader_why_not_better(view.loader),
		.pinned = history.is_pinned,
		.origin = origins[history.origin],
		.in_force_usec = history.since_real_usec,
		.configuration = view.config_number,
		.configuration_usec = a->config_real_usec,
		.rules = (uint32_t)view.config->n_rules,
		.cgroups_ruled = (uint32_t)view.tracker->n_ruled,
		.follows_cgroups = loader_cgroup_fd(view.loader) >= 0,
		.map_entries_max = view.tracker->rules.max_entries,
		.last_oom = a->last_oom_seq,
		.last_oom_usec = a->last_oom_real_usec,
		.reload_error = view.reload_error,
		.ooms = stats.runs,
		.kills = stats.kills,
		.records_lost = stats.events_lost,
		.cgroup_records_lost = loader_count_cgroups_lost(view.loader),
		.handler_nsec = stats.handler_nsec,
		.handler_max_nsec = stats.handler_max_nsec,
	};
}

static void answer_policies(struct bus_policies *ret, void *userdata)
{
	struct view view = look(userdata);
	struct loader_policies policies;

	loader_acquire_policies(view.loader, &policies);
	*ret = (struct bus_policies){.n = policies.n};
	for (size_t i = 0; i < policies.n; i++) {
		const struct loader_policy_status *p = &policies.items[i];
		const struct policy *policy = find_policy(view.config, p->name);

		/* The recorder is no policy of the configuration. */
		ret->items[i] = (struct policy_row){
			.name = p->name,
			.scope = policy ? policy_scope_to_string(policy->scope) : "",
			.cgroup = policy ? policy->cgroup : "",
			.victim = policy ? policy_victim_to_string(policy->victim) : "",
			.default_priority = policy ? policy->default_priority : 0,
			.link_id = p->link_id,
			.program_id = p->program_id,
			.attached = p->attached,
		};
	}
}

/* Each time anew: where no policy is attached, the module may come and go. */
static void answer_module(struct loaded_module *ret, void *userdata _unused_)
{
	loaded_module_acquire("/sys", ret);
}

/* Looks for others first, as the kernel need not have told of them. */
static void answer_warnings(struct warnings *ret, void *userdata)
{
	struct view view = look(userdata);

	*ret = (struct warnings){};
	if (view.cgroups_lost)
		snprintf(ret->items[ret->n++], WARNING_SIZE,
			 "The cgroup2 hierarchy is not mounted any more: the configuration cannot "
			 "be reloaded.");
	attachments_look(view.attachments);
	attachments_acquire_warnings(view.attachments, ret);
}

static int answer_entries(uint32_t *ret, void *userdata)
{
	struct view view = look(userdata);

	return loader_rules_count(&view.tracker->rules, ret);
}

/* --- questions about cgroups */

static const char *answer_domain_policy(const char *domain, void *userdata)
{
	const struct view view = look(userdata);

	return effective_domain_policy(&view, domain);
}

static int answer_tree(const char *domain, bus_tree_visit_t visit, void *visit_userdata,
		       void *userdata)
{
	const struct view view = look(userdata);

	return effective_walk(&view, domain, visit, visit_userdata);
}

static int answer_explain(const char *cgroup, struct effective_values *ret,
			  bus_candidate_visit_t visit, void *visit_userdata, void *userdata)
{
	const struct view view = look(userdata);

	return effective_explain(&view, cgroup, ret, visit, visit_userdata);
}

/* --- who would die */

/* The policy that has @slot, and whether the kernel asks it: it may have been detached. */
static const struct policy *slot_policy(const struct view *view, uint32_t slot, bool *ret_attached)
{
	const struct policy *policy = NULL;
	struct loader_policies policies;
	bool attached = false, directed = true;

	for (size_t i = 0; i < view->config->n_policies; i++)
		if (slot && view->tracker->slots[i] == slot)
			policy = &view->config->policies[i];
	loader_acquire_policies(view->loader, &policies);
	for (size_t i = 0; policy && i < policies.n; i++) {
		const struct loader_policy_status *p = &policies.items[i];

		if (strcmp(p->name, policy->name) == 0)
			attached = p->attached;
		else if (!find_policy(view->config, p->name))
			directed = p->attached;
	}
	*ret_attached = attached && directed;
	return policy;
}

/* What an OOM would come to by this run, and why it would be left to the kernel. */
static enum api_outcome find_outcome(const struct op_rank_run *run, const struct policy *policy,
				     bool attached, enum api_exception *ret)
{
	*ret = API_EXCEPTION_NONE;
	if (!policy || !attached) {
		*ret = policy ? API_EXCEPTION_DETACHED : API_EXCEPTION_NO_POLICY;
		return API_OUTCOME_KERNEL;
	}
	if (run->dying_pid)
		return API_OUTCOME_WAIT;
	if (run->first_pid)
		return API_OUTCOME_KILL;
	*ret = run->nr_protected ? API_EXCEPTION_ALL_PROTECTED : API_EXCEPTION_NO_CANDIDATE;
	return API_OUTCOME_KERNEL;
}

/* Returns whether there is a list: whom the kernel would choose by itself is not known here. */
static bool describe_run(const struct view *view, const struct op_rank_run *run,
			 struct outcome_values *ret)
{
	bool attached;
	const struct policy *policy = slot_policy(view, run->slot, &attached);
	enum api_exception exception;
	enum api_outcome outcome = find_outcome(run, policy, attached, &exception);

	*ret = (struct outcome_values){
		.policy = policy ? policy->name : "",
		.victim = policy ? policy_victim_to_string(policy->victim) : "",
		.outcome = word_get(&words_outcome, outcome),
		.reason = word_get(&words_exception, exception),
		.dying_pid = run->dying_pid,
		.left_out = run->n_left_out,
		.tasks = run->nr_tasks,
		.cgroups = run->nr_cgroups,
		.nsec = run->nsec,
	};
	return policy && attached;
}

static int visit_ranked(const struct view *view, const struct rank *rank, bus_process_visit_t visit,
			void *userdata)
{
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rank->n; i++) {
		const struct rank_process *p = &rank->processes[i];
		const struct op_ranked *ranked = &p->ranked;
		const struct process_row row = {
			.pid = ranked->pid,
			.uid = ranked->uid,
			.oom_score_adj = ranked->oom_score_adj,
			.comm = {ranked->comm, strlen(ranked->comm)},
			.start_boottime_nsec = ranked->start_boottime_nsec,
			.size_bytes = ranked->size_pages * page_size,
			.cgroup = p->cgroup,
			.priority = ranked->priority,
			.rule = effective_rule(view->config, ranked->rule_flags,
					       ranked->rule_index),
			.source = p->source,
			.kill = effective_kill(ranked->rule_flags),
			.never = word_get(&words_never, ranked->never) ?: "unknown",
			.with_pid = p->with_pid,
			.group = word_get(&words_group, p->group),
		};

		r = visit(&row, userdata);
	}
	return r;
}

/* The program is loaded when somebody asks first, and kept: many never ask, and loading takes
 * longer than all the rest. */
static int run_selection(const struct view *view, struct op_rank_run *run, struct op_ranked *ret)
{
	int r = loader_load_rank(view->loader);

	/* It needed megabytes of type information. */
	if (r != 0)
		reserve_trim();
	return r < 0 ? r : loader_rank(view->loader, run, ret);
}

static int answer_rank(const char *domain, struct outcome_values *ret, bus_process_visit_t visit,
		       void *visit_userdata, void *userdata)
{
	struct provider *a = userdata;
	struct view view = look(a);
	_cleanup_free_ struct op_ranked *items = calloc(OP_RANK_MAX, sizeof(*items));
	_cleanup_free_ char *directory = format_string("%s%s", view.cgroup_root, domain);
	struct op_rank_run run = {.is_memcg = strcmp(domain, "/") != 0};
	_cleanup_(rank_done) struct rank rank = {};
	uint64_t total_pages;
	struct stat st;
	int r;

	if (!items || !directory)
		return -ENOMEM;
	r = rank_acquire_total_pages(view.cgroup_root, domain, &total_pages);
	if (r < 0)
		return r;
	if (stat(directory, &st) < 0)
		return errno == ENODEV ? -ENOENT : -errno;
	run.domain_id = st.st_ino;
	run.total_pages = total_pages;
	r = run_selection(&view, &run, items);
	if (r < 0)
		return r;
	if (run.reason == OP_REASON_DOMAIN_GONE)
		return -ENOENT;
	if (!describe_run(&view, &run, ret))
		return 0;
	r = rank_init(&rank, items, run.n_ranked, view.cgroup_root, domain,
		      loader_honoured_kills(view.loader));
	return r < 0 ? r : visit_ranked(&view, &rank, visit, visit_userdata);
}

/* --- what changes something */

static int answer_reload(char message[static BUS_MESSAGE_SIZE], void *userdata)
{
	const struct provider *a = userdata;

	return a->reload(message, a->userdata);
}

static int answer_declare(const char *cgroup, char message[static BUS_MESSAGE_SIZE], void *userdata)
{
	const struct provider *a = userdata;

	return a->declare(cgroup, message, a->userdata);
}

const struct bus_provider provider_ops = {
	.acquire_status = answer_status,
	.acquire_policies = answer_policies,
	.acquire_module = answer_module,
	.acquire_warnings = answer_warnings,
	.count_entries = answer_entries,
	.domain_policy = answer_domain_policy,
	.walk_tree = answer_tree,
	.explain = answer_explain,
	.rank = answer_rank,
	.reload = answer_reload,
	.declare = answer_declare,
};

/* --- what is told without being asked */

void provider_note_config(struct provider *a)
{
	a->config_real_usec = clock_real_usec();
}

void provider_note_reload(struct provider *a)
{
	bus_send_changed(a->bus, STATUS_CONFIG);
}

void provider_note_cgroups(struct provider *a)
{
	bus_send_changed(a->bus, STATUS_CGROUPS);
}

void provider_note_oom(struct provider *a, const struct op_oom_record *e,
		       const struct record_text *text)
{
	a->last_oom_seq = e->header.seq;
	a->last_oom_real_usec = clock_real_usec();
	bus_send_record(a->bus, text->fields, text->n_fields);
}

void provider_note_policies(struct provider *a)
{
	bus_send_changed(a->bus, STATUS_POLICIES);
}

void provider_start(struct provider *a, struct sd_event *event)
{
	int r = bus_new(event, &provider_ops, a, &a->bus);
	if (r < 0)
		log_warning("Cannot use the system bus: %s. oompolicyctl cannot ask this daemon, "
			    "ignoring.",
			    strerror(-r));
}

void provider_done(struct provider *a)
{
	a->bus = bus_free(a->bus);
}
