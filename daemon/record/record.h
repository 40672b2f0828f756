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

struct gfp_bits;

/* More than every field at its longest; a test fills a record to the brim and finds room left. */
#define RECORD_FIELDS_MAX 110
#define RECORD_BUFFER_SIZE (128 * 1024)

/*
 * Members of a group kill. The first have a field each, those after share fields, a line each: an
 * entry goes to journald by one sendmsg(2) or writev(2) of at most UIO_MAXIOV (1024) parts, two for
 * a field and five for one of several lines, and journald drops an entry of more than 1024 fields.
 */
#define RECORD_MEMBERS_MAX 4096
#define RECORD_MEMBER_SINGLES 128
#define RECORD_MEMBER_LINES 64
#define RECORD_MEMBER_FIELDS_MAX \
	(RECORD_MEMBER_SINGLES + (RECORD_MEMBERS_MAX - RECORD_MEMBER_SINGLES) / RECORD_MEMBER_LINES)
/* 128 bytes a member. Those that do not fit are counted. */
#define RECORD_MEMBERS_BUFFER_SIZE (RECORD_MEMBERS_MAX * 128)

/*
 * Checks @size bytes at @data, of any alignment, and copies them to @ret. Returns 0, or -EBADMSG
 * when they are not a record of this version: a wrong size, version or type, a string without its
 * end, a value out of its range, a flag that is not known. @ret is then undefined.
 */
int record_decode_oom(const void *data, size_t size, struct op_oom_record *ret);
int record_decode_member(const void *data, size_t size, struct op_member_record *ret);
int record_decode_freed(const void *data, size_t size, struct op_freed_record *ret);
int record_decode_cgroup(const void *data, size_t size, struct op_cgroup_record *ret);

/* The OP_RECORD_* of a record that is not checked yet, 0 where there is not even a header. */
uint32_t record_type(const void *data, size_t size);

/* Whether the path of @e may have been cut: it fills its field to the end. */
bool record_cgroup_path_is_cut(const struct op_cgroup_record *e);

/*
 * How many records were lost between the one with sequence number @last (0: none was seen) and the
 * one with @seq. All policies, and both types of record, count together.
 */
uint64_t record_count_lost(uint64_t last, uint64_t seq);

/*
 * Those that died with a victim whose record is still to come. Empty when zero. The fields point
 * into buffer, so it must not be moved or copied. Large: allocate it once, before memory is short.
 */
struct record_members {
	uint64_t ktime_nsec;			       /* when their OOM began: tells which it is */
	size_t n_members;			       /* in the fields */
	struct iovec fields[RECORD_MEMBER_FIELDS_MAX]; /* each FIELD_MEMBER */
	size_t n_fields;
	size_t used; /* bytes of buffer */
	char buffer[RECORD_MEMBERS_BUFFER_SIZE];
};

/* Adds a record that record_decode_member() accepted. One of another OOM than those before drops
 * these: their OOM's record was lost. */
void record_members_add(struct record_members *m, const struct op_member_record *e,
			uint64_t page_size_bytes);

/* A [Rule NAME] of the configuration that decided. */
struct record_rule {
	const char *name; /* NULL: not known, or none */
	const char *file; /* NULL: not known any more */
	unsigned line;
};

/* What a record does not know by itself. */
struct record_context {
	struct record_rule rule;		  /* the victim's */
	const char *runner_rules[OP_RUNNERS_MAX]; /* NULL as above */
	const struct gfp_bits *gfp_bits;	  /* NULL: the kernel does not tell */
	uint64_t n_lost; /* records lost just before this one, or among its members */
	uint64_t page_size_bytes;
	const struct record_members *members; /* NULL: none are known */
};

/*
 * A formatted record. The fields point into buffer, so it must not be moved or copied. Large:
 * allocate it once, before memory is short.
 */
struct record_text {
	/* "NAME=value", not NUL-terminated; the last are those of the members, in their buffer */
	struct iovec fields[RECORD_FIELDS_MAX + RECORD_MEMBER_FIELDS_MAX];
	size_t n_fields;
	const char *message; /* of MESSAGE=, NUL-terminated, up to three printable lines */
	const char *message_id;
	int priority;	/* of syslog(3) */
	bool truncated; /* a field did not fit and was left out */
	size_t used;	/* bytes of buffer */
	char buffer[RECORD_BUFFER_SIZE];
};

/* Fills @ret with the message and all fields of a record that record_decode_oom() accepted. */
void record_format(const struct op_oom_record *e, const struct record_context *context,
		   struct record_text *ret);

/* The same of the memory of a victim, of what record_decode_freed() accepted. */
void record_format_freed(const struct op_freed_record *e, uint64_t page_size_bytes,
			 struct record_text *ret);

#endif
