/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the event sources and the names of the rules of configurations before the active one. Leaves
 * what an entry says to record.c, and how it is sent to report.c.
 *
 * Invariant: no record is read while an entry waits for the journal; it stays in the ring.
 */
#include "record-log.h"

#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include <systemd/sd-event.h>

#include "config/policy.h"
#include "daemon/kernel/loader.h"
#include "daemon/record/journal-find.h"
#include "daemon/record/report.h"
#include "daemon/record/rule-names.h"
#include "util/basic.h"
#include "util/log.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* While the journal takes no records. */
#define RETRY_USEC (USEC_PER_SEC / 10)
/* Well below the time that systemd leaves a service to stop. */
#define DRAIN_USEC (5 * USEC_PER_SEC)

struct record_log {
	record_log_seen_t seen;
	void *userdata;
	struct report *report;
	struct loader *loader;
	const struct config *config; /* the active one */
	uint32_t config_number;
	struct rule_names rule_names; /* of those before it */
	sd_event_source *source, *timer;
};

/* By the configuration that the record was made under. */
static struct record_rule find_rule(const struct op_oom_record *e, uint32_t rule_index,
				    void *userdata)
{
	const struct record_log *l = userdata;
	const struct rule *rule;

	if (rule_index == OP_RULE_NONE)
		return (struct record_rule){};
	if (e->config != l->config_number)
		return (struct record_rule){
			.name = rule_names_find(&l->rule_names, e->config, rule_index)};
	if (!l->config || rule_index >= l->config->n_rules)
		return (struct record_rule){};
	rule = &l->config->rules[rule_index];
	return (struct record_rule){.name = rule->name, .file = rule->file, .line = rule->line};
}

static void on_sent(const struct op_oom_record *e, const struct record_text *text, void *userdata)
{
	const struct record_log *l = userdata;

	l->seen(e, text, l->userdata);
}

/* Asked once after a start, for the record that a daemon was killed over. */
static bool is_sent(uint64_t seq, uint64_t ktime_nsec, const char *message_id,
		    void *userdata _unused_)
{
	return journal_find_record(seq, ktime_nsec / 1000, message_id);
}

int record_log_new(record_log_seen_t seen, void *userdata, struct record_log **ret)
{
	struct record_log *l = calloc(1, sizeof(*l));
	const struct report_callbacks callbacks = {
		.find_rule = find_rule,
		.oom = on_sent,
		.is_sent = is_sent,
		.userdata = l,
	};

	if (!l)
		return -ENOMEM;
	l->seen = seen;
	l->userdata = userdata;
	if (report_new(&callbacks, &l->report) < 0) {
		free(l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

struct record_log *record_log_free(struct record_log *l)
{
	if (!l)
		return NULL;
	sd_event_source_disable_unref(l->source);
	sd_event_source_disable_unref(l->timer);
	report_free(l->report);
	rule_names_done(&l->rule_names);
	free(l);
	return NULL;
}

int record_log_take(const void *data, size_t size, void *userdata)
{
	const struct record_log *l = userdata;

	return report_apply(l->report, data, size);
}

void record_log_set_loader(struct record_log *l, struct loader *loader)
{
	l->source = sd_event_source_disable_unref(l->source);
	l->timer = sd_event_source_disable_unref(l->timer);
	l->loader = loader;
	report_set_gfp_bits(l->report, loader ? loader_gfp_bits(loader) : NULL);
	report_set_position(l->report, loader ? loader_position(loader) : NULL);
}

void record_log_add_names(struct record_log *l, const struct config *config, uint32_t number)
{
	if (rule_names_add(&l->rule_names, number, config) < 0)
		log_debug("Records of configuration %u will not name their rules.", number);
}

void record_log_set_config(struct record_log *l, const struct config *config, uint32_t number)
{
	if (l->config)
		record_log_add_names(l, l->config, l->config_number);
	l->config = config;
	l->config_number = number;
}

/* Returns 0 when the ring is empty, or -EAGAIN when the journal takes no more for now. */
static int consume(struct record_log *l)
{
	int r = report_flush(l->report);

	if (r == 0)
		r = loader_consume_ooms(l->loader);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		log_warning("Cannot read the records of OOMs: %s, ignoring.", strerror(-r));
	return report_update_lost(l->report, loader_count_ooms_lost(l->loader));
}

/*
 * Until the journal takes records again they stay in the ring, and a timer looks after them. So it
 * does where the kernel has no memory to watch the ring again, which it charges to the daemon's own
 * cgroup (fs/eventpoll.c, ep_insert()).
 */
int record_log_consume(struct record_log *l)
{
	bool waits = consume(l) == -EAGAIN;
	int r;

	if (!waits && sd_event_source_set_enabled(l->source, SD_EVENT_ON) >= 0)
		return sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	r = sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_time_relative(l->timer, RETRY_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
	return r;
}

static int on_ready(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_,
		    void *userdata)
{
	return record_log_consume(userdata);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	return record_log_consume(userdata);
}

int record_log_watch(struct record_log *l, struct sd_event *event)
{
	int r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, 0, 1, on_timer, l);

	if (r >= 0)
		r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	return r < 0 ? r
		     : sd_event_add_io(event, &l->source, loader_oom_fd(l->loader), EPOLLIN,
				       on_ready, l);
}

void record_log_drain(struct record_log *l)
{
	const struct timespec pause = {.tv_nsec = RETRY_USEC * 1000};

	for (uint64_t usec = 0; consume(l) == -EAGAIN; usec += RETRY_USEC) {
		if (usec >= DRAIN_USEC) {
			log_warning("The journal takes no more records, the last ones are lost.");
			return;
		}
		nanosleep(&pause, NULL);
	}
}
