/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what is known of others: what they have attached beside our policies, and how often they
 * have detached ours. How either is found out is the loader's.
 *
 * A policy that was detached is attached again at once: one that is silently off is worse than
 * none, and an administrator who wants it off stops the unit. There is a limit, after which it
 * stays off and is not silent about it. Somebody else's policy is never touched.
 *
 * Nothing here runs by a clock: the timers are for what was just told, and for a kernel that
 * refused to attach.
 */
#include "attachments.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <systemd/sd-event.h>

#include "api/fields.h"
#include "api/messages.h"
#include "daemon/kernel/loader.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/escape.h"
#include "util/log.h"
#include "util/ratelimit.h"
#include "warnings.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* While the kernel refuses: doubles from one to the other. */
#define RETRY_MIN_USEC USEC_PER_SEC
#define RETRY_MAX_USEC (64 * USEC_PER_SEC)

/* For OOMs, which may come in storms. */
#define LOOK_INTERVAL_USEC (10 * USEC_PER_SEC)

#define OTHER_TEXT_SIZE (ESCAPE_SIZE(OP_POLICY_NAME_LEN) + 128)

/* The kernel tells a moment before what was attached can be found. */
#define LOOK_DELAY_USEC (USEC_PER_SEC / 5)

/* Whoever removes one pin removes them all: until then it is not begun to make them again. */
#define PINS_DELAY_USEC (USEC_PER_SEC / 2)
#define PINS_EVENTS (IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct attachments {
	struct loader *loader;
	attachments_changed_t changed;
	void *userdata;

	bool is_told; /* what others attach */
	struct loader_other others[LOADER_OTHERS_MAX];
	int n_others; /* also those that are not in the list */
	uint64_t looked_usec;
	struct op_link_record attached; /* the last that was told of */

	sd_event_source *detach_source, *watch_source, *look_timer, *retry_timer;
	sd_event_source *pins_source, *pins_timer;
	struct ratelimit limit, pins_limit;
	uint64_t retry_usec; /* the next pause; 0: none is needed */
	bool given_up;
};

static const struct ratelimit restores_limit = {
	.interval_usec = ATTACHMENTS_WINDOW_USEC,
	.burst = ATTACHMENTS_RESTORES_MAX,
};

/* --- others */

static bool is_same(const struct loader_other *a, const struct loader_other *b)
{
	return a->link_id == b->link_id && a->map_id == b->map_id && a->program_id == b->program_id;
}

static const struct loader_other *find_other(const struct loader_other *items, int n,
					     const struct loader_other *other)
{
	for (int i = 0; i < n && i < LOADER_OTHERS_MAX; i++)
		if (is_same(&items[i], other))
			return &items[i];
	return NULL;
}

static void describe_other(const struct loader_other *other, char *buf, size_t size)
{
	char name[ESCAPE_SIZE(OP_POLICY_NAME_LEN)], link[32] = "no link";

	escape_text(other->name, sizeof(other->name), name, sizeof(name));
	if (other->link_id)
		snprintf(link, sizeof(link), "link %u", other->link_id);
	snprintf(buf, size, "Another program's '%s' (%s, %s, program %u)", name, other->hook, link,
		 other->program_id);
}

static const char *describe_order(enum loader_order order)
{
	return order == LOADER_ORDER_BEFORE
		       ? "is asked before these policies: what it kills for they never see"
	       : order == LOADER_ORDER_AFTER
		       ? "is asked after these policies, where they have no opinion"
		       : "may be asked before these policies, as the kernel does not tell";
}

/* Who attached it is known only of one that was told of. */
static void log_other(const struct attachments *g, const struct loader_other *other)
{
	char text[OTHER_TEXT_SIZE], who[128] = "", name[32 + OP_POLICY_NAME_LEN], hook[64],
				    order[64], link[48], program[48];
	const char *const fields[] = {name, hook, order, link, program};
	const struct op_link_record *e = &g->attached;

	if (e->pid && (!e->link_id || e->link_id == other->link_id)) {
		char comm[ESCAPE_SIZE(OP_COMM_LEN)];

		escape_text(e->comm, sizeof(e->comm), comm, sizeof(comm));
		snprintf(who, sizeof(who), ", attached by %s (pid %u),", comm, e->pid);
	}
	describe_other(other, text, sizeof(text));
	snprintf(name, sizeof(name), "%s=%.*s", field_name(FIELD_OTHER_NAME), OP_POLICY_NAME_LEN,
		 other->name);
	snprintf(hook, sizeof(hook), "%s=%s", field_name(FIELD_OTHER_HOOK), other->hook);
	snprintf(order, sizeof(order), "%s=%s", field_name(FIELD_OTHER_ORDER),
		 loader_order_to_string(other->order));
	snprintf(link, sizeof(link), "%s=%u", field_name(FIELD_OTHER_LINK), other->link_id);
	snprintf(program, sizeof(program), "%s=%u", field_name(FIELD_OTHER_PROGRAM),
		 other->program_id);
	log_fields(LOG_WARNING, MESSAGE_ID_OTHER_POLICY, fields, ARRAY_SIZE(fields), "%s%s %s.",
		   text, who, describe_order(other->order));
}

void attachments_look(struct attachments *g)
{
	struct loader_other found[LOADER_OTHERS_MAX];
	bool changed = false;
	int n;

	if (!g)
		return;
	g->looked_usec = clock_now_usec();
	n = loader_find_others(g->loader, found);
	if (n < 0) {
		log_debug("Cannot look for others' policies: %s, ignoring.", strerror(-n));
		return;
	}
	for (int i = 0; i < n && i < LOADER_OTHERS_MAX; i++) {
		const struct loader_other *known = find_other(g->others, g->n_others, &found[i]);

		if (known && known->order == found[i].order)
			continue;
		changed = true;
		log_other(g, &found[i]);
	}
	for (int i = 0; i < g->n_others && i < LOADER_OTHERS_MAX; i++)
		if (!find_other(found, n, &g->others[i])) {
			char text[OTHER_TEXT_SIZE];

			changed = true;
			describe_other(&g->others[i], text, sizeof(text));
			log_info("%s is gone.", text);
		}
	memcpy(g->others, found, sizeof(g->others));
	g->n_others = n;
	if (changed)
		g->changed(g->userdata);
}

void attachments_note_oom(struct attachments *g)
{
	if (g && !g->is_told && clock_now_usec() - g->looked_usec >= LOOK_INTERVAL_USEC)
		attachments_look(g);
}

static void note_attached(const struct op_link_record *e, void *userdata)
{
	struct attachments *g = userdata;

	if (e->pid != (uint32_t)getpid())
		g->attached = *e;
}

static int on_attached(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_,
		       void *userdata)
{
	struct attachments *g = userdata;

	g->attached = (struct op_link_record){};
	loader_consume_others(g->loader, note_attached, g);
	if (g->attached.pid &&
	    sd_event_source_set_time_relative(g->look_timer, LOOK_DELAY_USEC) >= 0)
		sd_event_source_set_enabled(g->look_timer, SD_EVENT_ONESHOT);
	return 0;
}

static int on_look_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	struct attachments *g = userdata;

	attachments_look(g);
	g->attached = (struct op_link_record){};
	return 0;
}

static int add_timer(struct sd_event *event, sd_event_time_handler_t handler, struct attachments *g,
		     sd_event_source **ret)
{
	int r = sd_event_add_time(event, ret, CLOCK_MONOTONIC, 0, 1, handler, g);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

void attachments_watch_others(struct attachments *g, struct sd_event *event)
{
	int fd = loader_watch_others(g->loader), r = fd;

	if (r >= 0)
		r = add_timer(event, on_look_timer, g, &g->look_timer);
	if (r >= 0)
		r = sd_event_add_io(event, &g->watch_source, fd, EPOLLIN, on_attached, g);
	if (r < 0) {
		log_info("The kernel does not tell when other programs attach a policy: %s. It is "
			 "looked for at reloads, with OOMs, and when the status is asked for.",
			 strerror(-r));
		loader_unwatch_others(g->loader);
	}
	g->is_told = r >= 0;
	attachments_look(g);
}

/* --- ours */

static void schedule_retry(struct attachments *g)
{
	g->retry_usec = g->retry_usec ? 2 * g->retry_usec : RETRY_MIN_USEC;
	if (g->retry_usec > RETRY_MAX_USEC)
		g->retry_usec = RETRY_MAX_USEC;
	if (sd_event_source_set_time_relative(g->retry_timer, g->retry_usec) >= 0)
		sd_event_source_set_enabled(g->retry_timer, SD_EVENT_ONESHOT);
}

static bool all_attached(const struct attachments *g)
{
	struct loader_policies policies;

	loader_acquire_policies(g->loader, &policies);
	for (size_t i = 0; i < policies.n; i++)
		if (!policies.items[i].attached)
			return false;
	return true;
}

static void restore(struct attachments *g)
{
	char why[LOADER_WHY_SIZE] = "";
	int r;

	if (all_attached(g))
		return;
	r = loader_restore(g->loader, why);
	if (r == 0 && all_attached(g)) {
		g->retry_usec = 0;
		g->given_up = false;
		log_message(LOG_NOTICE, MESSAGE_ID_POLICY_RESTORED,
			    "What was detached is attached again: all policies are active.");
	} else {
		log_error("Cannot attach again what was detached: %s",
			  why[0] ? why : strerror(r < 0 ? -r : EIO));
		schedule_retry(g);
	}
	g->changed(g->userdata);
}

static void give_up(struct attachments *g)
{
	if (!g->given_up)
		log_message(LOG_CRIT, MESSAGE_ID_POLICY_GIVEN_UP,
			    "Another program has detached policies %u times in %u seconds: they "
			    "stay off, and the kernel decides, until oompolicyd is reloaded or "
			    "restarted.",
			    ATTACHMENTS_RESTORES_MAX + 1,
			    (unsigned)(ATTACHMENTS_WINDOW_USEC / USEC_PER_SEC));
	g->given_up = true;
	g->changed(g->userdata);
}

static int on_retry_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	struct attachments *g = userdata;

	if (!g->given_up)
		restore(g);
	return 0;
}

static int on_detached(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_,
		       void *userdata)
{
	struct attachments *g = userdata;
	const char *name;

	while ((name = loader_next_detached(g->loader))) {
		char field[32 + OP_POLICY_NAME_LEN];
		const char *const fields[] = {field};

		snprintf(field, sizeof(field), "%s=%s", field_name(FIELD_POLICY), name);
		log_fields(LOG_WARNING, MESSAGE_ID_POLICY_DETACHED, fields, ARRAY_SIZE(fields),
			   "Policy '%s' was detached from the kernel by another program: until it "
			   "is attached again the kernel decides what it answered for.",
			   name);
	}
	if (!g->given_up && ratelimit_pass(&g->limit, clock_now_usec()))
		restore(g);
	else
		give_up(g);
	return 0;
}

void attachments_retry(struct attachments *g)
{
	if (!g)
		return;
	g->limit = restores_limit;
	g->given_up = false;
	restore(g);
	attachments_look(g);
}

/* --- what outlives us */

static int on_pins(sd_event_source *source _unused_, const struct inotify_event *e _unused_,
		   void *userdata)
{
	struct attachments *g = userdata;
	int enabled = SD_EVENT_OFF;

	(void)sd_event_source_get_enabled(g->pins_timer, &enabled);
	if (enabled == SD_EVENT_OFF &&
	    sd_event_source_set_time_relative(g->pins_timer, PINS_DELAY_USEC) >= 0)
		sd_event_source_set_enabled(g->pins_timer, SD_EVENT_ONESHOT);
	return 0;
}

/* The directory that is there now: one that was removed tells no more. */
static int watch_pins(struct attachments *g, struct sd_event *event)
{
	char path[PINS_PATH_SIZE];

	loader_describe_pins(g->loader, path, sizeof(path));
	g->pins_source = sd_event_source_disable_unref(g->pins_source);
	return !path[0] ? 0
			: sd_event_add_inotify(event, &g->pins_source, path, PINS_EVENTS, on_pins,
					       g);
}

static int on_pins_timer(sd_event_source *source, uint64_t usec _unused_, void *userdata)
{
	struct attachments *g = userdata;
	unsigned n = loader_count_missing_pins(g->loader);

	/* What we remove ourselves is told of as well. */
	if (n == 0)
		return 0;
	if (!ratelimit_pass(&g->pins_limit, clock_now_usec()))
		loader_abandon_pins(g->loader, "Another program goes on removing what is pinned "
					       "in " PINS_DIRECTORY ".");
	else if (loader_restore_pins(g->loader) == 0)
		log_message(LOG_WARNING, MESSAGE_ID_PINS_RESTORED,
			    "Another program has removed %u pins of " PINS_DIRECTORY
			    ": they are there again.",
			    n);
	(void)watch_pins(g, sd_event_source_get_event(source));
	g->changed(g->userdata);
	return 0;
}

/* --- start and end */

static int watch_ours(struct attachments *g, struct sd_event *event)
{
	int fd = loader_detach_fd(g->loader), r;

	r = add_timer(event, on_retry_timer, g, &g->retry_timer);
	if (r < 0 || fd < 0)
		return r;
	return sd_event_add_io(event, &g->detach_source, fd, EPOLLIN, on_detached, g);
}

int attachments_new(struct sd_event *event, struct loader *loader, attachments_changed_t changed,
		    void *userdata, struct attachments **ret)
{
	_cleanup_(attachments_freep) struct attachments *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->loader = loader;
	g->limit = g->pins_limit = restores_limit;
	g->changed = changed;
	g->userdata = userdata;
	r = watch_ours(g, event);
	if (r < 0)
		log_warning("Cannot watch whether a policy is detached: %s, ignoring.",
			    strerror(-r));
	r = add_timer(event, on_pins_timer, g, &g->pins_timer);
	if (r >= 0)
		r = watch_pins(g, event);
	if (r < 0)
		log_warning("Cannot watch whether what is pinned is removed: %s, ignoring.",
			    strerror(-r));
	*ret = TAKE_PTR(g);
	return 0;
}

struct attachments *attachments_free(struct attachments *g)
{
	if (!g)
		return NULL;
	sd_event_source_disable_unref(g->detach_source);
	sd_event_source_disable_unref(g->watch_source);
	sd_event_source_disable_unref(g->look_timer);
	sd_event_source_disable_unref(g->retry_timer);
	sd_event_source_disable_unref(g->pins_source);
	sd_event_source_disable_unref(g->pins_timer);
	loader_unwatch_others(g->loader);
	free(g);
	return NULL;
}

/* --- what is told of it */

static void add_warning(struct warnings *ret, const char *text, const char *more)
{
	if (ret->n < WARNINGS_MAX)
		snprintf(ret->items[ret->n++], WARNING_SIZE, "%s %s.", text, more);
}

void attachments_acquire_warnings(const struct attachments *g, struct warnings *ret)
{
	char text[OTHER_TEXT_SIZE];

	if (!g)
		return;
	if (g->given_up)
		add_warning(ret, "Another program goes on detaching policies:",
			    "they stay off until oompolicyd is reloaded or restarted");
	for (int i = 0; i < g->n_others && i < LOADER_OTHERS_MAX; i++) {
		describe_other(&g->others[i], text, sizeof(text));
		add_warning(ret, text, describe_order(g->others[i].order));
	}
	if (g->n_others > LOADER_OTHERS_MAX) {
		snprintf(text, sizeof(text), "%d more are", g->n_others - LOADER_OTHERS_MAX);
		add_warning(ret, text, "attached to the same hooks");
	}
}
