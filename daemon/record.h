/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of the ring buffers: from untrusted bytes to a checked struct, and from that to the text
 * and the journal fields. No I/O, no allocation, no clock.
 */
#ifndef OP_RECORD_H
#define OP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "bpf/oompolicy.h"

/* More than every field at its longest; a test fills a record to the brim and finds room left. */
#define RECORD_FIELDS_MAX 72
#define RECORD_BUFFER_SIZE (24 * 1024)

/*
 * Checks @size bytes at @data, of any alignment, and copies them to @ret. Returns 0, or -EBADMSG
 * when they are not a record of this version: a wrong size, version or type, a string without its
 * end, a value out of its range, a flag that is not known. @ret is then undefined.
 */
int record_decode_oom(const void *data, size_t size, struct op_oom_event *ret);
int record_decode_cgroup(const void *data, size_t size, struct op_cgroup_event *ret);

/* Whether the path of @e may have been cut: it fills its field to the end. */
bool record_cgroup_path_is_cut(const struct op_cgroup_event *e);

/*
 * How many records were lost between the one with sequence number @last (0: none was seen) and the
 * one with @seq. The numbers go on when an instance of another policy takes over.
 */
uint64_t record_count_lost(uint64_t last, uint64_t seq);

/* What a record does not know by itself. */
struct record_context {
	const char *rule_name; /* of [Rule NAME], or NULL when unknown or none */
	uint64_t n_lost;       /* records lost just before this one */
	uint64_t page_size_bytes;
};

/*
 * A formatted record. The fields point into buffer, so it must not be moved or copied. Large:
 * allocate it once, before memory is short.
 */
struct record_text {
	struct iovec fields[RECORD_FIELDS_MAX]; /* "NAME=value", not NUL-terminated */
	size_t n_fields;
	const char *message; /* of MESSAGE=, NUL-terminated, one printable line */
	const char *message_id;
	int priority;	/* of syslog(3) */
	bool truncated; /* a field did not fit and was left out */
	size_t used;	/* bytes of buffer */
	char buffer[RECORD_BUFFER_SIZE];
};

/* Fills @ret with the message and all fields of a record that record_decode_oom() accepted. */
void record_format(const struct op_oom_event *e, const struct record_context *context,
		   struct record_text *ret);

#endif
