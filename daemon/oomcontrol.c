/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the registrations with memory.oom_control (Documentation/admin-guide/cgroup-v1/memory.rst,
 * "OOM Control"): an eventfd and the open file for each, by which the kernel holds the
 * registration. Decides nothing and kills nobody; where oom_kill_disable is set it only says so.
 *
 * On a kernel whose memory controller is cgroup v2 there is no such file. The event of the root,
 * which is that of each OOM of the system but those of SysRq, is then the record itself.
 *
 * The timer is set by an event that waits for its record, once, and not again before the next.
 */
#include "oomcontrol.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

#include <systemd/sd-event.h>

#include "api/fields.h"
#include "api/messages.h"
#include "api/module.h"
#include "bpf/oompolicy.h"
#include "config/policy.h"
#include "util/basic.h"
#include "util/clock.h"
#include "util/escape.h"
#include "util/log.h"

/* Stock kernels wake listeners on the root for no OOM of the system; the module makes them. */
#define NOTIFYING_MODULE "/sys/module/" KERNEL_MODULE

/* Room for the three lines of memory.oom_control. */
#define STATE_SIZE 256
#define SHOWN_PATH_SIZE 512

struct listener {
	char *cgroup;
	int control_fd; /* memory.oom_control */
	int event_fd;
	sd_event_source *source, *timer;
	struct oomcontrol_join join;
};

struct oomcontrol {
	bool from_records; /* the root's event is the record */
	bool no_files;	   /* the memory controller is not of cgroup v1 */
	size_t n_listeners;
	struct listener listeners[1 + CONFIG_OOM_CONTROLS_MAX];
};

int oomcontrol_parse(const char *text, struct oomcontrol_state *ret)
{
	struct oomcontrol_state state = {};
	bool known = false;

	for (const char *line = text; *line;) {
		const char *end = line + strcspn(line, "\n");
		bool *value = NULL;
		const char *digit = NULL;

		if (strncmp(line, "oom_kill_disable ", 17) == 0) {
			value = &state.kill_disabled;
			digit = line + 17;
			known = true;
		} else if (strncmp(line, "under_oom ", 10) == 0) {
			value = &state.under_oom;
			digit = line + 10;
		}
		if (value) {
			if (end != digit + 1 || (*digit != '0' && *digit != '1'))
				return -EBADMSG;
			*value = *digit == '1';
		}
		line = *end ? end + 1 : end;
	}
	if (!known)
		return -EBADMSG;
	*ret = state;
	return 0;
}

/* --- which record an event belongs to */

void oomcontrol_join_event(struct oomcontrol_join *j, uint64_t n_events, uint64_t now_usec)
{
	j->n_events += n_events;
	j->event_usec = now_usec;
}

static void drop_record(struct oomcontrol_join *j)
{
	j->n_records--;
	memmove(&j->records[0], &j->records[1], j->n_records * sizeof(j->records[0]));
}

void oomcontrol_join_record(struct oomcontrol_join *j, uint64_t seq, uint64_t now_usec)
{
	if (j->n_records == OOMCONTROL_RECORDS_MAX)
		drop_record(j);
	j->records[j->n_records].seq = seq;
	j->records[j->n_records].usec = now_usec;
	j->n_records++;
}

bool oomcontrol_join_next(struct oomcontrol_join *j, uint64_t now_usec, uint64_t *ret_seq)
{
	while (j->n_records > 0 && now_usec - j->records[0].usec > OOMCONTROL_WAIT_USEC)
		drop_record(j);
	if (j->n_events == 0 || j->n_records == 0)
		return false;
	*ret_seq = j->records[0].seq;
	drop_record(j);
	j->n_events--;
	return true;
}

uint64_t oomcontrol_join_expire(struct oomcontrol_join *j, uint64_t now_usec)
{
	if (now_usec - j->event_usec < OOMCONTROL_WAIT_USEC)
		return 0;
	return TAKE(j->n_events, 0);
}

/* --- the entries */

/* @seq 0: without a record. */
static void log_event(const char *cgroup, bool from_records, uint64_t n_events, uint64_t seq,
		      bool kill_disabled)
{
	const char *source = from_records ? "bpf" : "memory.oom_control";
	char path[SHOWN_PATH_SIZE], where[SHOWN_PATH_SIZE + 32], record[64], times[48] = "";
	char source_field[64], cgroup_field[32 + SHOWN_PATH_SIZE], events_field[64], seq_field[64];
	char disable_field[FIELD_NAME_SIZE + 2];
	const char *fields[5];
	size_t n = 0;

	escape_text(cgroup, strlen(cgroup), path, sizeof(path));
	snprintf(source_field, sizeof(source_field), "%s=%s", field_name(FIELD_SOURCE), source);
	snprintf(cgroup_field, sizeof(cgroup_field), "%s=%s", field_name(FIELD_CGROUP), path);
	snprintf(events_field, sizeof(events_field), "%s=%" PRIu64, field_name(FIELD_EVENTS),
		 n_events);
	fields[n++] = source_field;
	fields[n++] = cgroup_field;
	fields[n++] = events_field;
	if (seq) {
		snprintf(seq_field, sizeof(seq_field), "%s=%" PRIu64, field_name(FIELD_SEQ), seq);
		fields[n++] = seq_field;
		snprintf(record, sizeof(record), "record %" PRIu64, seq);
	} else {
		snprintf(record, sizeof(record), "%s",
			 kill_disabled ? "its oom_kill_disable is set" : "without a record");
	}
	snprintf(disable_field, sizeof(disable_field), "%s=1", field_name(FIELD_OOM_KILL_DISABLE));
	if (kill_disabled)
		fields[n++] = disable_field;

	if (strcmp(cgroup, "/") == 0)
		snprintf(where, sizeof(where), "the system");
	else
		snprintf(where, sizeof(where), "the cgroup v1 %s", path);
	if (n_events > 1)
		snprintf(times, sizeof(times), " %" PRIu64 " times", n_events);
	log_fields(LOG_NOTICE, MESSAGE_ID_OOM_CONTROL, fields, n, "OOM in %s%s, told by %s, %s.",
		   where, times, source, record);
}

static void log_pairs(struct listener *l)
{
	uint64_t now = clock_now_usec(), seq;

	while (oomcontrol_join_next(&l->join, now, &seq))
		log_event(l->cgroup, false, 1, seq, false);
	if (l->join.n_events == 0)
		sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
	struct listener *l = userdata;
	uint64_t n;

	n = oomcontrol_join_expire(&l->join, clock_now_usec());
	if (n > 0)
		log_event(l->cgroup, false, n, 0, false);
	return 0;
}

static void listener_close(struct listener *l)
{
	l->source = sd_event_source_disable_unref(l->source);
	l->timer = sd_event_source_disable_unref(l->timer);
	l->event_fd = safe_close(l->event_fd);
	l->control_fd = safe_close(l->control_fd);
}

static int on_event(sd_event_source *source _unused_, int fd, uint32_t revents _unused_,
		    void *userdata)
{
	struct listener *l = userdata;
	struct oomcontrol_state state = {};
	char path[SHOWN_PATH_SIZE], text[STATE_SIZE];
	uint64_t n_events;
	ssize_t n;

	if (read(fd, &n_events, sizeof(n_events)) != sizeof(n_events))
		return 0;
	/* The removal of the cgroup wakes its listeners too (mm/memcontrol-v1.c,
	 * memcg_event_remove()), after its files have gone. */
	n = pread(l->control_fd, text, sizeof(text) - 1, 0);
	if (n < 0) {
		escape_text(l->cgroup, strlen(l->cgroup), path, sizeof(path));
		log_info("The cgroup v1 %s is gone: no longer listening to its "
			 "memory.oom_control.",
			 path);
		listener_close(l);
		return 0;
	}
	text[n] = '\0';
	if (oomcontrol_parse(text, &state) < 0)
		log_debug("memory.oom_control of %s is of another kind.", l->cgroup);
	if (state.kill_disabled) {
		log_event(l->cgroup, false, n_events, 0, true);
		return 0;
	}
	oomcontrol_join_event(&l->join, n_events, clock_now_usec());
	log_pairs(l);
	if (l->join.n_events > 0 &&
	    sd_event_source_set_time_relative(l->timer, OOMCONTROL_WAIT_USEC) >= 0)
		sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
	return 0;
}

void oomcontrol_seen(struct oomcontrol *o, const struct op_oom_record *e)
{
	bool is_memcg = e->flags & OP_OOM_MEMCG;

	if (e->flags & OP_OOM_SYSRQ)
		return;
	if (o->from_records && !is_memcg)
		log_event("/", true, 1, e->header.seq, false);
	for (size_t i = 0; i < o->n_listeners; i++) {
		struct listener *l = &o->listeners[i];

		/* A record does not name a cgroup of version 1; that one ran out is all it says. */
		if (l->event_fd < 0 || (strcmp(l->cgroup, "/") != 0) != is_memcg)
			continue;
		oomcontrol_join_record(&l->join, e->header.seq, clock_now_usec());
		log_pairs(l);
	}
}

/* --- from start to end */

/* Asks for events of the opened cgroup. Returns 0 or a negative errno. */
static int listener_register(struct listener *l, int directory)
{
	_cleanup_close_ int control = -EBADF;
	char text[32];

	l->control_fd = openat(directory, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	if (l->control_fd < 0)
		return -errno;
	l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->event_fd < 0)
		return -errno;
	control = openat(directory, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	if (control < 0)
		return -errno;
	snprintf(text, sizeof(text), "%d %d", l->event_fd, l->control_fd);
	return write(control, text, strlen(text)) < 0 ? -errno : 0;
}

static int listener_open(struct listener *l, sd_event *event, const char *memory_root)
{
	_cleanup_close_ int root = -EBADF, directory = -EBADF;
	int r;

	root = open(memory_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	directory =
		openat(root, l->cgroup[1] ? l->cgroup + 1 : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, 0, 1, on_timer, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = listener_register(l, directory);
	return r < 0 ? r : sd_event_add_io(event, &l->source, l->event_fd, EPOLLIN, on_event, l);
}

static int listen(struct oomcontrol *o, sd_event *event, const char *memory_root, const char *path)
{
	struct listener *l = &o->listeners[o->n_listeners++];
	char shown[SHOWN_PATH_SIZE];
	int r;

	*l = (struct listener){.control_fd = -EBADF, .event_fd = -EBADF};
	l->cgroup = strdup(path);
	if (!l->cgroup)
		return -ENOMEM;
	r = listener_open(l, event, memory_root);
	if (r >= 0)
		return 0;
	listener_close(l);
	escape_text(path, strlen(path), shown, sizeof(shown));
	log_warning("Cannot listen to memory.oom_control of the cgroup v1 %s: %s, ignoring until "
		    "the next reload.",
		    shown, strerror(-r));
	return r == -ENOMEM ? r : 0;
}

int oomcontrol_new(struct sd_event *event, const char *memory_root, const struct config *config,
		   struct oomcontrol **ret)
{
	_cleanup_(oomcontrol_freep) struct oomcontrol *o = NULL;
	bool root = !config->root_oom_control_off;
	static bool said;
	int r = 0;

	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	if (!memory_root) {
		o->no_files = true;
		o->from_records = root;
		if (root)
			log_info("Events of OOMs of the system come from BPF: the memory "
				 "controller is not of cgroup v1.");
		if (config->n_oom_controls > 0)
			log_warning("The memory controller is not of cgroup v1: the paths in "
				    "RootOomControl= have no effect.");
		*ret = TAKE_PTR(o);
		return 0;
	}

	if (root)
		r = listen(o, event, memory_root, "/");
	for (size_t i = 0; i < config->n_oom_controls && r == 0; i++)
		r = listen(o, event, memory_root, config->oom_controls[i]);
	if (r < 0)
		return r;
	if (o->n_listeners > 0)
		log_info("Events of OOMs come from memory.oom_control of cgroup v1, of %zu "
			 "cgroups.",
			 o->n_listeners);
	if (root && access(NOTIFYING_MODULE, F_OK) < 0 && !TAKE(said, true))
		log_notice("The root's memory.oom_control tells of no OOM of the system on this "
			   "kernel: that takes the module bpf_oom.ko.");
	*ret = TAKE_PTR(o);
	return 0;
}

bool oomcontrol_is_for(const struct oomcontrol *o, const struct config *config)
{
	size_t n = !config->root_oom_control_off;

	if (o->no_files)
		return o->from_records == !config->root_oom_control_off &&
		       config->n_oom_controls == 0;
	if (o->n_listeners != n + config->n_oom_controls)
		return false;
	for (size_t i = 0; i < o->n_listeners; i++) {
		const char *path = i < n ? "/" : config->oom_controls[i - n];

		if (o->listeners[i].event_fd < 0 || strcmp(o->listeners[i].cgroup, path) != 0)
			return false;
	}
	return true;
}

void oomcontrol_set(struct oomcontrol **o, struct sd_event *event, const char *memory_root,
		    const struct config *config)
{
	int r;

	if (*o && oomcontrol_is_for(*o, config))
		return;
	*o = oomcontrol_free(*o);
	r = oomcontrol_new(event, memory_root, config, o);
	if (r < 0)
		log_warning("Cannot listen to memory.oom_control: %s, ignoring.", strerror(-r));
}

struct oomcontrol *oomcontrol_free(struct oomcontrol *o)
{
	if (!o)
		return NULL;
	for (size_t i = 0; i < o->n_listeners; i++) {
		listener_close(&o->listeners[i]);
		free(o->listeners[i].cgroup);
	}
	free(o);
	return NULL;
}
