/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layout is the kernel's, as kernel/bpf/ringbuf.c maps it (struct bpf_ringbuf): the position of
 * the consumer, which is ours to move, that of the producer, and the data twice in a row, so that
 * no record wraps. libbpf's reader moves the consumer past a record that its callback refuses.
 *
 * Invariant: the consumer is moved only past what has been dealt with, so that a daemon that is
 * killed leaves the rest to the next. It stays behind for no longer than it must: the kernel wakes
 * nobody for a record that comes while the consumer is behind another (ringbuf_commit()).
 */
#include "ring.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "util/basic.h"

static uint64_t load(const void *position)
{
	return __atomic_load_n((const uint64_t *)position, __ATOMIC_ACQUIRE);
}

int ring_reader_init(struct ring_reader *ring, int map_fd)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int r = bpf_map_get_info_by_fd(map_fd, &info, &size);

	*ring = (struct ring_reader){};
	if (r < 0)
		return r;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return -EINVAL;
	ring->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	ring->size_bytes = info.max_entries;
	ring->consumer =
		mmap(NULL, ring->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (ring->consumer == MAP_FAILED) {
		ring->consumer = NULL;
		return -errno;
	}
	ring->producer = mmap(NULL, ring->page_bytes + 2 * ring->size_bytes, PROT_READ, MAP_SHARED,
			      map_fd, (off_t)ring->page_bytes);
	if (ring->producer == MAP_FAILED) {
		r = -errno;
		ring->producer = NULL;
		ring_reader_done(ring);
		return r;
	}
	ring->data = (const char *)ring->producer + ring->page_bytes;
	ring->taken = load(ring->consumer);
	return 0;
}

void ring_reader_done(struct ring_reader *ring)
{
	if (ring->producer)
		munmap(ring->producer, ring->page_bytes + 2 * ring->size_bytes);
	if (ring->consumer)
		munmap(ring->consumer, ring->page_bytes);
	*ring = (struct ring_reader){};
}

struct record {
	const char *data; /* NULL: it was discarded */
	uint32_t size;
};

/* The record at *@position, which is moved behind it. Returns false where none is finished. */
static bool next_record(const struct ring_reader *ring, uint64_t *position, struct record *ret)
{
	const char *header = ring->data + (*position & (ring->size_bytes - 1));
	uint32_t length;

	if (*position >= load(ring->producer))
		return false;
	length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
	if (length & BPF_RINGBUF_BUSY_BIT)
		return false;
	ret->data = length & BPF_RINGBUF_DISCARD_BIT ? NULL : header + BPF_RINGBUF_HDR_SZ;
	ret->size = length & ~BPF_RINGBUF_DISCARD_BIT;
	*position += (ret->size + BPF_RINGBUF_HDR_SZ + 7) & ~UINT64_C(7);
	return true;
}

int ring_reader_consume(struct ring_reader *ring, ring_reader_take_t take, void *userdata)
{
	struct record record;
	int r = 0;

	__atomic_store_n(ring->consumer, ring->taken, __ATOMIC_RELEASE);
	while (r >= 0 && next_record(ring, &ring->taken, &record)) {
		r = record.data ? take(record.data, record.size, userdata) : 0;
		if (r >= 0)
			__atomic_store_n(ring->consumer, ring->taken, __ATOMIC_RELEASE);
	}
	return r < 0 ? r : 0;
}

void ring_reader_look(const struct ring_reader *ring, ring_reader_take_t look, void *userdata)
{
	uint64_t position = load(ring->consumer);
	struct record record;

	while (next_record(ring, &position, &record))
		if (record.data)
			look(record.data, record.size, userdata);
}

uint64_t ring_reader_unread(const struct ring_reader *ring)
{
	return load(ring->producer) - load(ring->consumer);
}
