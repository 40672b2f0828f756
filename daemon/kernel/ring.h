/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader of a ring of records that another daemon may go on reading: a record stays in the ring
 * until it has been dealt with.
 */
#ifndef OP_KERNEL_RING_H
#define OP_KERNEL_RING_H

#include <stddef.h>
#include <stdint.h>

/* Embedded. Owns the mappings; the map's descriptor is the caller's, and readable when there are
 * records. Empty when zero. */
struct ring_reader {
	uint64_t *consumer; /* a page of its own, which the kernel reads */
	void *producer;	    /* the kernel's page, the data behind it, and the data once more */
	const char *data;
	size_t page_bytes, size_bytes;
	uint64_t taken; /* position behind the record that was taken last */
};

/* Takes a record, of untrusted bytes. Returns 0 when it has been dealt with; a negative errno when
 * it will have been at the next ring_reader_consume(). */
typedef int (*ring_reader_take_t)(const void *data, size_t size, void *userdata);

/* Returns 0 or a negative errno; -EINVAL where it is no ring. */
int ring_reader_init(struct ring_reader *ring, int map_fd);
void ring_reader_done(struct ring_reader *ring);

/* Takes all records that are there. Returns 0, or what @take said. */
int ring_reader_consume(struct ring_reader *ring, ring_reader_take_t take, void *userdata);

/* Has @look see each record that is there, and leaves them there. */
void ring_reader_look(const struct ring_reader *ring, ring_reader_take_t look, void *userdata);

/* The bytes that have not been taken, headers included. */
uint64_t ring_reader_unread(const struct ring_reader *ring);

#endif
