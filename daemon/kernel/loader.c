/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the steps of a start, of a configuration and of the end: which backend is used, what of
 * another daemon is taken over, when rules become active. Refuses to know how a policy gets into
 * the kernel's OOM, what a rule means, and what a record says.
 *
 * What the kernel can do is told by its BTF, before anything is loaded: stock kernels ignore parts
 * of a struct_ops attach that later shapes of bpf_oom_ops need, so trying would not fail but do
 * something else.
 *
 * Invariant: what op_switch_map points to names policies that the backend has ready. They come
 * before the switch to the configuration that names them, and go after the switch away from it.
 */
#include "loader.h"

#include <assert.h>
#include <malloc.h>
#include <string.h>
#include <sys/epoll.h>

#include <bpf/bpf.h>

#include "api/messages.h"
#include "backend.h"
#include "backends.h"
#include "btf.h"
#include "daemon/record/gfp.h"
#include "follow.h"
#include "others.h"
#include "program-declare.h"
#include "program-rank.h"
#include "ring.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/log.h"
#include "why.h"

struct loader {
	const struct backend_driver *backend;
	char why_not_better[LOADER_WHY_SIZE];
	struct loader_callbacks callbacks;
	struct base base;
	uint32_t config; /* index of the active configuration */
	struct follow_victims victims;
	enum loader_origin origin;
	struct ring_reader oom_ring;
	struct gfp_bits gfp_bits;
	struct others_hooks hooks;
	struct others_watch *watch; /* NULL: the kernel does not tell, or nobody asks */
	struct follow_cgroups cgroups;
	struct program_declare *declare; /* NULL: it is not loaded; likewise the next */
	struct program_rank *rank;
};

int loader_permitted(char why[static LOADER_WHY_SIZE])
{
	return kernel_check_privilege(false, why);
}

/* --- the rings */

static int pass_oom(const void *data, size_t size, void *userdata)
{
	struct loader *l = userdata;

	return l->callbacks.oom(data, size, l->callbacks.oom_userdata);
}

/* --- policies that were attached by another daemon */

static uint64_t build_id(const struct backend_driver *backend)
{
	uint64_t hash = NOTE_HASH_INIT;
	const void *data;
	size_t size;

	data = backend->program(&size);
	hash = note_hash(hash, data, size);
	return follow_victims_hash(hash);
}

struct old {
	struct loader *loader;
	uint64_t until_nsec;
};

static int pass_old(const void *data, size_t size, void *userdata)
{
	const struct op_record_header *header = data;
	const struct old *old = userdata;

	return size >= sizeof(*header) && header->ktime_nsec >= old->until_nsec
		       ? 0
		       : pass_oom(data, size, old->loader);
}

/* Reads the records that the previous policy set left in its own ring; we do not share its maps. An
 * OOM that began at @until_nsec or later has its record in our ring. */
static void drain_old(struct loader *l, int events_fd, uint64_t until_nsec)
{
	_cleanup_(ring_reader_done) struct ring_reader ring = {};
	_cleanup_close_ int stats_fd = base_get_old_map(SHARED_STATS);
	struct old old = {.loader = l, .until_nsec = until_nsec};
	struct op_stats stats = {};
	uint32_t zero = 0;
	uint64_t unread;

	if (events_fd < 0 || ring_reader_init(&ring, events_fd) < 0)
		return;
	if (l->base.pins.found == NOTE_GOOD) {
		(void)ring_reader_consume(&ring, pass_old, &old);
		if (bpf_map_lookup_elem(stats_fd, &zero, &stats) == 0 &&
		    stats.events_lost > l->base.pins.old_lost_said)
			log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
				    "%llu records of OOMs were lost, as they found no room before "
				    "this daemon was started.",
				    stats.events_lost - l->base.pins.old_lost_said);
	}
	unread = ring_reader_unread(&ring);
	if (unread)
		log_message(LOG_WARNING, MESSAGE_ID_RECORDS_LOST,
			    "%llu bytes of records of OOMs were lost, which the policies before "
			    "have left: this version cannot read them.",
			    (unsigned long long)unread);
}

/*
 * Removes the previous set after ours is active at @since_nsec. While both are attached: handlers
 * run oldest first with the module, and newest first elsewhere; handlers run before evaluation; of
 * two evaluation programs ours runs first. What the previous set kills is in its records; our
 * set takes it for the kernel's kill only where it was asked first and had no opinion.
 */
static void replace_old(struct loader *l, uint64_t since_nsec)
{
	const struct backend_driver *old = backends_find(l->base.pins.old_backend);
	_cleanup_close_ int events_fd = base_get_old_map(SHARED_EVENTS);
	struct op_switch active = {
		.config = l->config,
		.follows = l->victims.victims_fd >= 0 ? OP_FOLLOWS_ALL : OP_FOLLOWS_NOTHING,
	};
	uint32_t zero = 0;

	base_note_self(&active);
	pins_retire(&l->base.pins);
	(void)bpf_map_update_elem(l->base.shared[SHARED_SWITCH], &zero, &active, BPF_ANY);
	drain_old(l, events_fd,
		  (old && old->yields) || !l->base.is_module ? since_nsec : clock_now_nsec());
	pins_replace(&l->base.pins);
}

static int adopt_maps(struct loader *l)
{
	struct op_switch active = {};
	uint32_t zero = 0;
	int r;

	r = base_adopt_maps(&l->base);
	if (r < 0)
		return r;
	r = bpf_map_lookup_elem(l->base.shared[SHARED_SWITCH], &zero, &active);
	l->config = active.config % OP_CONFIGS_MAX;
	return r;
}

/* --- configurations */

void loader_cancel(struct loader *l)
{
	l->backend->cancel(&l->base);
}

int loader_prepare(struct loader *l, const char *const *names, size_t n_names, uint16_t *ret_slots,
		   char why[static LOADER_WHY_SIZE])
{
	int r;

	why[0] = '\0';
	loader_expire(l);
	r = l->backend->prepare(&l->base, names, n_names, ret_slots, why);
	if (r != 0)
		loader_cancel(l);
	return r;
}

int loader_commit(struct loader *l, const struct loader_rules *rules, uint64_t *ret_switch_nsec,
		  char why[static LOADER_WHY_SIZE])
{
	struct op_switch next = {
		.config = (l->config + 1) % OP_CONFIGS_MAX,
		.follows = l->victims.victims_fd < 0 ? OP_FOLLOWS_NOTHING
			   : l->base.pins.old_waits  ? OP_FOLLOWS_OWN
						     : OP_FOLLOWS_ALL,
	};
	uint64_t begun = 0, done = 0;
	uint32_t zero = 0;
	int r;

	why[0] = '\0';
	base_note_self(&next);
	r = bpf_map_update_elem(l->base.shared[SHARED_CONFIGS], &next.config, &rules->fd, BPF_ANY);
	if (r == 0)
		r = l->backend->stage(&l->base, next.config);
	if (r == 0) {
		begun = clock_now_nsec();
		r = bpf_map_update_elem(l->base.shared[SHARED_SWITCH], &zero, &next, BPF_ANY);
		done = clock_now_nsec();
	}
	if (r < 0) {
		loader_cancel(l);
		return why_translate(r, why);
	}
	l->config = next.config;
	l->backend->commit(&l->base, done / 1000);
	*ret_switch_nsec = done - begun;
	l->base.pins.note->pid = (uint32_t)getpid();
	if (!l->base.pins.note->since_real_usec)
		l->base.pins.note->since_real_usec = clock_real_usec();
	if (pins_complete(&l->base.pins))
		replace_old(l, done);
	return 0;
}

uint64_t loader_expire(struct loader *l)
{
	return l->backend->expire(&l->base, clock_now_usec());
}

/* --- start and end */

static void detach_backend(struct loader *l)
{
	if (l->backend)
		l->backend->detach(&l->base);
	l->backend = NULL;
	if (!l->base.pins.note->complete)
		pins_drop(&l->base.pins);
	base_drop_maps(&l->base);
}

/* Attaches the first backend that is @wanted and works; why none better does is kept. */
static int attach_backend(struct loader *l, enum backend wanted, const struct kernel_types *types,
			  char why[static LOADER_WHY_SIZE])
{
	int first = LOADER_E_KERNEL;

	for (const struct backend_driver *d = backends_next(NULL, wanted); d;
	     d = backends_next(d, wanted)) {
		int r;

		r = backends_check(d, types, why);
		if (r == 0) {
			l->backend = d;
			pins_begin(&l->base.pins, d->id, build_id(d));
			r = l->backend->attach(&l->base, why);
			if (r == 0)
				return 0;
			detach_backend(l);
		}
		if (r < 0)
			return r;
		if (!l->why_not_better[0]) {
			first = r;
			memcpy(l->why_not_better, why, sizeof(l->why_not_better));
		}
	}
	memcpy(why, l->why_not_better, sizeof(l->why_not_better));
	return first;
}

/* The kernel's types take a while, and an adopted policy needs none of them. */
static int need_types(struct loader *l, struct kernel_types *types,
		      char why[static LOADER_WHY_SIZE])
{
	int r;

	if (types->vmlinux)
		return 0;
	r = kernel_types_init(types, why);
	if (r != 0)
		return r;
	follow_victims_check(&l->victims, types);
	others_find_hooks(types, &l->hooks);
	l->base.is_module = l->hooks.is_module;
	return 0;
}

/* The backend that would be attached, by what the kernel's types say. NULL: none would be. */
static const struct backend_driver *choose_backend(struct loader *l, enum backend wanted,
						   struct kernel_types *types)
{
	const struct backend_driver *best = backends_next(NULL, BACKEND_AUTO);
	char why[LOADER_WHY_SIZE] = "";

	for (const struct backend_driver *d = backends_next(NULL, wanted); d;
	     d = backends_next(d, wanted)) {
		/* The best there is, and at work: it need not be looked for. */
		if (d == best && l->base.pins.note->backend == d->id)
			return d;
		if (need_types(l, types, why) != 0)
			return NULL;
		if (backends_check(d, types, why) == 0)
			return d;
		if (!l->why_not_better[0])
			memcpy(l->why_not_better, why, sizeof(l->why_not_better));
	}
	return NULL;
}

/* Takes over what another daemon has left attached. Returns whether that was possible. */
static bool take_over(struct loader *l, enum backend wanted, struct kernel_types *types)
{
	const struct backend_driver *chosen;
	char why[LOADER_WHY_SIZE] = "";
	enum note_action action;
	bool update;
	int r;

	if (l->base.pins.found != NOTE_GOOD)
		return false;
	chosen = choose_backend(l, wanted, types);
	if (!chosen)
		return false;
	action = note_decide(l->base.pins.found, l->base.pins.note, build_id(chosen), chosen->id);
	if (action != NOTE_ADOPT && action != NOTE_UPDATE)
		return false;

	update = action == NOTE_UPDATE;
	l->backend = chosen;
	r = update ? need_types(l, types, why) : 0;
	if (r == 0)
		r = adopt_maps(l);
	if (r == 0)
		r = chosen->adopt(&l->base, update, why);
	if (r == -EOPNOTSUPP && update) {
		log_info("The kernel cannot exchange the programs of policies that are attached: "
			 "those of the version before are replaced by this one's.");
		detach_backend(l);
		return false;
	}
	if (r != 0) {
		log_warning("The policies that were found cannot be taken over and are replaced: "
			    "%s",
			    why[0] ? why : strerror(-r));
		detach_backend(l);
		return false;
	}
	if (update)
		l->base.pins.note->build_id = build_id(chosen);
	l->origin = update ? LOADER_UPDATED : LOADER_ADOPTED;
	return true;
}

int loader_new(enum backend wanted, const struct loader_callbacks *callbacks,
	       char why[static LOADER_WHY_SIZE], struct loader **ret)
{
	_cleanup_(kernel_types_done) struct kernel_types types = {};
	_cleanup_(loader_freep) struct loader *l = NULL;
	const struct pins_removal steps = backends_removal();
	int r;

	why[0] = '\0';
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->callbacks = *callbacks;
	follow_victims_init(&l->victims);
	base_init(&l->base, &steps);

	if (!take_over(l, wanted, &types)) {
		l->why_not_better[0] = '\0';
		r = need_types(l, &types, why);
		if (r == 0)
			r = attach_backend(l, wanted, &types, why);
		if (r != 0)
			return r;
		if (l->base.pins.old_waits)
			l->origin = LOADER_REPLACED;
		follow_victims_start(&l->victims, &l->base);
	} else if ((!follow_victims_adopt(&l->victims, &l->base) || l->origin == LOADER_UPDATED) &&
		   need_types(l, &types, why) == 0) {
		follow_victims_start(&l->victims, &l->base);
	}
	r = ring_reader_init(&l->oom_ring, l->base.shared[SHARED_EVENTS]);
	if (r < 0)
		return r;
	r = follow_cgroups_start(&l->cgroups, callbacks->cgroup, callbacks->cgroup_userdata);
	if (r < 0)
		log_warning("Cannot follow cgroups: %s. A new cgroup inherits until the next "
			    "reload, ignoring.",
			    strerror(-r));
	if (need_types(l, &types, why) == 0)
		kernel_find_gfp_bits(types.vmlinux, &l->gfp_bits);
	/* Megabytes of type information were needed, and libc would keep them. */
	kernel_types_done(&types);
	malloc_trim(0);
	*ret = TAKE_PTR(l);
	return 0;
}

void loader_remove(struct loader *l)
{
	l->base.pins.note->complete = 0;
}

/* The pid of a daemon that is gone may be anybody's. */
static void forget_daemon(const struct loader *l)
{
	struct op_switch active = {};
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(l->base.shared[SHARED_SWITCH], &zero, &active) < 0)
		return;
	active.daemon_tgid = 0;
	(void)bpf_map_update_elem(l->base.shared[SHARED_SWITCH], &zero, &active, BPF_EXIST);
}

struct loader *loader_free(struct loader *l)
{
	if (!l)
		return NULL;
	if (l->base.pins.note->complete && l->base.pins.directory[0])
		forget_daemon(l);
	else
		pins_drop(&l->base.pins);
	/* What follows the kernel goes last: a record may still wait for it. */
	if (l->backend)
		l->backend->detach(&l->base);
	loader_unwatch_others(l);
	program_rank_free(l->rank);
	program_declare_free(l->declare);
	follow_victims_done(&l->victims);
	follow_cgroups_done(&l->cgroups);
	ring_reader_done(&l->oom_ring);
	base_done(&l->base);
	free(l);
	return NULL;
}

const struct gfp_bits *loader_gfp_bits(const struct loader *l)
{
	return &l->gfp_bits;
}

enum backend loader_backend(const struct loader *l)
{
	return l->backend->id;
}

uint32_t loader_honoured_kills(const struct loader *l)
{
	uint32_t kills = l->backend->honoured_kills;

	/* What the posted series has takes along what memory.oom.group says. */
	return l->base.is_module ? kills : kills & ~OP_RULE_KILL_PROCESS;
}

const char *loader_why_not_better(const struct loader *l)
{
	return l->why_not_better;
}

int loader_oom_fd(const struct loader *l)
{
	return l->base.shared[SHARED_EVENTS];
}

int loader_cgroup_fd(const struct loader *l)
{
	return follow_cgroups_fd(&l->cgroups);
}

int loader_consume_ooms(struct loader *l)
{
	return ring_reader_consume(&l->oom_ring, pass_oom, l);
}

int loader_consume_cgroups(struct loader *l)
{
	return follow_cgroups_consume(&l->cgroups);
}

uint64_t loader_count_cgroups_lost(const struct loader *l)
{
	return follow_cgroups_count_lost(&l->cgroups);
}

uint64_t loader_count_ooms_lost(const struct loader *l)
{
	struct op_stats stats = {};
	uint32_t slot = 0;

	return bpf_map_lookup_elem(l->base.shared[SHARED_STATS], &slot, &stats) < 0
		       ? 0
		       : stats.events_lost;
}

/* --- what the kernel has of it */

void loader_acquire_policies(const struct loader *l, struct loader_policies *ret)
{
	*ret = (struct loader_policies){};
	l->backend->acquire_policies(&l->base, ret);
}

void loader_acquire_stats(const struct loader *l, struct op_stats *ret)
{
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(l->base.shared[SHARED_STATS], &zero, ret) < 0)
		*ret = (struct op_stats){};
}

int loader_detach_fd(const struct loader *l)
{
	return l->base.detach_fd;
}

const char *loader_next_detached(struct loader *l)
{
	struct epoll_event event;

	if (epoll_wait(l->base.detach_fd, &event, 1, 0) != 1)
		return NULL;
	return l->backend->forget(&l->base, event.data.u32);
}

int loader_restore(struct loader *l, char why[static LOADER_WHY_SIZE])
{
	why[0] = '\0';
	return l->backend->restore ? l->backend->restore(&l->base, why) : 0;
}

/* --- what comes of it for other daemons */

static int count_oom(const void *data, size_t size, void *userdata)
{
	const struct op_record_header *header = data;
	size_t *n = userdata;

	*n += size >= sizeof(*header) && header->type == OP_RECORD_OOM;
	return 0;
}

void loader_acquire_history(const struct loader *l, struct loader_history *ret)
{
	const struct note *note = l->base.pins.note;

	*ret = (struct loader_history){
		.origin = l->origin,
		.is_pinned = l->base.pins.directory[0],
		.since_real_usec = note->since_real_usec,
		.pid = note->pid,
		.config_number = note->config_number,
		.rule_names_hash = note->rule_names_hash,
	};
	ring_reader_look(&l->oom_ring, count_oom, &ret->n_waiting);
}

uint64_t loader_hash_rules(const struct config *c)
{
	return note_hash_rules(c);
}

void loader_note_config(struct loader *l, uint32_t config_number, uint64_t rule_names_hash)
{
	l->base.pins.note->config_number = config_number;
	l->base.pins.note->rule_names_hash = rule_names_hash;
}

struct report_position *loader_position(struct loader *l)
{
	return &l->base.pins.note->position;
}

/* --- what is pinned */

void loader_describe_pins(const struct loader *l, char *buf, size_t size)
{
	pins_describe(&l->base.pins, buf, size);
}

unsigned loader_count_missing_pins(const struct loader *l)
{
	return pins_count_missing(&l->base.pins);
}

int loader_restore_pins(struct loader *l)
{
	return pins_restore(&l->base.pins);
}

void loader_abandon_pins(struct loader *l, const char *why)
{
	pins_abandon(&l->base.pins, why);
}

bool loader_is_active(void)
{
	return pins_are_active();
}

int loader_remove_pinned(char why[static LOADER_WHY_SIZE])
{
	const struct pins_removal steps = backends_removal();

	return pins_remove_all(&steps, why);
}

/* --- what others have attached */

static const char *const orders[] = {
	[LOADER_ORDER_UNKNOWN] = "unknown",
	[LOADER_ORDER_BEFORE] = "before",
	[LOADER_ORDER_AFTER] = "after",
};
static_assert(ARRAY_SIZE(orders) == _LOADER_ORDER_MAX, "a word for each");

const char *loader_order_to_string(enum loader_order order)
{
	return orders[order];
}

int loader_find_others(const struct loader *l, struct loader_other items[static LOADER_OTHERS_MAX])
{
	return others_find(&l->hooks, l->backend, &l->base, items);
}

int loader_watch_others(struct loader *l)
{
	int r = l->watch ? 0 : others_watch_new(&l->hooks, &l->watch);

	return r < 0 ? r : others_watch_fd(l->watch);
}

void loader_unwatch_others(struct loader *l)
{
	l->watch = others_watch_free(l->watch);
}

void loader_consume_others(struct loader *l, loader_attached_t attached, void *userdata)
{
	others_watch_consume(l->watch, attached, userdata);
}

/* --- programs that are run when somebody asks */

int loader_load_declare(struct loader *l, char why[static LOADER_WHY_SIZE])
{
	return program_declare_new(&l->base, why, &l->declare);
}

int loader_declare(const struct loader *l, uint64_t cgroup_id,
		   const char text[static OP_DECLARED_LEN])
{
	return program_declare_run(l->declare, cgroup_id, text);
}

int loader_load_rank(struct loader *l)
{
	int r;

	if (l->rank)
		return 0;
	r = program_rank_new(&l->base, &l->rank);
	return r < 0 ? r : 1;
}

int loader_rank(const struct loader *l, struct op_rank_run *run, struct op_ranked *ret)
{
	return program_rank_run(l->rank, run, ret);
}
