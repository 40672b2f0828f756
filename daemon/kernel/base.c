/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the shared maps by their names, what the BPF programs are told about this process, and where
 * libbpf's output goes. Refuses to know which programs there are.
 */
#include "base.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/oompolicy.h"
#include "util/basic.h"
#include "util/format.h"
#include "util/log.h"

/* How much of libbpf's output is shown: the end of a verifier log holds the reason. */
#define LIBRARY_TAIL_SIZE 8192

static const char *const shared_names[] = {
	[SHARED_CONFIGS] = "op_configs",
	[SHARED_SWITCH] = "op_switch_map",
	[SHARED_EVENTS] = "op_events",
	[SHARED_STATS] = "op_stats",
	[SHARED_OOM] = "op_oom",
	[SHARED_PENDING] = "op_pending",
	[SHARED_REPETITIONS] = "op_repetitions",
	[SHARED_OUTSTANDING] = "op_outstanding",
	[SHARED_NAMES] = "op_names",
};
static_assert(ARRAY_SIZE(shared_names) == _SHARED_MAX, "a name for each");

/* libbpf's words are for developers: they go to the debug level, a line at a time. */
static int log_from_library(enum libbpf_print_level level _unused_, const char *format, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	char *line, *rest;
	size_t size;

	if (!log_enabled(LOG_DEBUG))
		return 0;
	text = format_string_va(format, ap);
	if (!text)
		return 0;
	size = strlen(text);
	rest = size > LIBRARY_TAIL_SIZE ? text + size - LIBRARY_TAIL_SIZE : text;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_debug("%s", line);
	return 0;
}

void base_init(struct base *b, const struct pins_removal *removal)
{
	libbpf_set_print(log_from_library);
	for (size_t i = 0; i < _SHARED_MAX; i++)
		b->shared[i] = -EBADF;
	b->state = NULL;
	b->detach_fd = epoll_create1(EPOLL_CLOEXEC);
	pins_init(&b->pins, removal);
}

void base_drop_maps(struct base *b)
{
	for (size_t i = 0; i < _SHARED_MAX; i++)
		b->shared[i] = safe_close(b->shared[i]);
}

void base_done(struct base *b)
{
	base_drop_maps(b);
	b->detach_fd = safe_close(b->detach_fd);
	pins_done(&b->pins);
}

int base_adopt_maps(struct base *b)
{
	for (size_t i = 0; i < _SHARED_MAX; i++) {
		b->shared[i] = pins_get(&b->pins, PINS_MAP_PREFIX, shared_names[i]);
		/* Those that every backend has. */
		if (b->shared[i] < 0 && i != SHARED_NAMES)
			return b->shared[i];
	}
	return 0;
}

int base_get_old_map(enum shared_map map)
{
	return pins_get_old(PINS_MAP_PREFIX, shared_names[map]);
}

int base_reuse_maps(const struct base *b, struct bpf_object *object)
{
	for (size_t i = 0; i < _SHARED_MAX; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared_names[i]);
		int r = map && b->shared[i] >= 0 ? bpf_map__reuse_fd(map, b->shared[i]) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int base_keep_maps(struct base *b, struct bpf_object *object)
{
	for (size_t i = 0; i < _SHARED_MAX; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared_names[i]);

		if (!map)
			continue;
		b->shared[i] = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3);
		if (b->shared[i] < 0)
			return -errno;
		pins_add(&b->pins, b->shared[i], PINS_MAP_PREFIX, shared_names[i]);
	}
	return 0;
}

int base_keep_link(struct base *b, struct bpf_link *link, const char *name)
{
	int fd;

	if (!link)
		return -errno;
	fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		fd = -errno;
	else
		pins_add(&b->pins, fd, PINS_LINK_PREFIX, name);
	/* Closes its own descriptor, no more. */
	bpf_link__destroy(link);
	return fd;
}

/* The 22nd field of proc(5)'s stat, of which the 2nd may have any bytes in it. 0: not known, which
 * spares nobody: oom_score_adj is there, too. */
static uint32_t read_start_ticks(void)
{
	_cleanup_close_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	unsigned long long ticks = 0;
	char line[1024];
	const char *rest;
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return 0;
	line[n] = '\0';
	rest = strrchr(line, ')');
	if (!rest || sscanf(rest + 1,
			    " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%*s %*s %llu",
			    &ticks) != 1)
		return 0;
	return (uint32_t)ticks;
}

void base_note_self(struct op_switch *s)
{
	static uint32_t ticks;

	if (!ticks)
		ticks = read_start_ticks();
	s->daemon_tgid = (uint32_t)getpid();
	s->daemon_start_ticks = ticks;
}

uint32_t base_page_bytes(void)
{
	return (uint32_t)sysconf(_SC_PAGESIZE);
}
